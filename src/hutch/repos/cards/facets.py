"""What lists can be narrowed by: the tags of what is listed, with how many repositories have each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count

from hutch.core.permissions import Actor
from hutch.repos.cards.tasks import TASKS
from hutch.repos.models import RepoTag
from hutch.repos.reading import listing
from hutch.repos.reading.listing import Wanted
from hutch.repos.visibility import visible_to

MOST_CHOICES = 40
_MOST_TAGS = 600
_LIBRARIES = frozenset(
    """
    transformers diffusers sentence-transformers peft gguf safetensors onnx pytorch tf jax keras timm mlx openvino
    flax coreml tensorboard adapter-transformers stable-baselines3 setfit spacy fastai sklearn paddlepaddle nemo
    open_clip espnet speechbrain vllm llama.cpp exl2 core-ml
    """.split()
)
_LANGUAGE_LENGTHS = (2, 3)
_TITLES = {
    "task": "Tasks", "library": "Libraries and formats", "language": "Languages", "license": "Licences",
    "size": "Sizes", "format": "Formats", "sdk": "Kinds of app", "other": "Other tags",
}  # fmt: skip
_ORDER = tuple(_TITLES)
# Links between repositories, papers: many values with one use each, which a list of choices does not help to find.
_LEFT_OUT = (
    "base_model:", "dataset:", "arxiv:", "doi:", "datasets:", "models:", "source_datasets:", "region:", "annotations_creators:",  # noqa: E501
    "language_creators:", "multilinguality:", "task_ids:",
)  # fmt: skip
_PREFIXES = {
    "license": "license", "language": "language", "task_categories": "task", "size_categories": "size",
    "format": "format", "modality": "format", "library": "library",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Choice:
    """One value; `key` and `value` are what the list's address takes."""

    key: str
    value: str
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Group:
    """Values of one kind, most used first."""

    name: str
    title: str
    choices: list[Choice]


def groups(actor: Actor, type_: str, wanted: Wanted) -> list[Group]:
    """The values by which the repositories that `wanted` speaks of, and `actor` may see, can be narrowed further."""
    narrowed = listing.filtered(visible_to(actor).filter(type=type_), wanted)
    counted = (
        RepoTag.objects.filter(repo__in=narrowed.values("pk"))
        .values_list("tag")
        .annotate(uses=Count("id"))
        .order_by("-uses", "tag")[:_MOST_TAGS]
    )
    sdks = list(narrowed.exclude(sdk="").values_list("sdk").annotate(uses=Count("id")).order_by("-uses"))
    found: dict[str, list[Choice]] = {name: [] for name in _ORDER}
    for name, choice in _sorted_out(type_, counted):
        if len(found[name]) < MOST_CHOICES:
            found[name].append(choice)
    found["sdk"] = [Choice("sdk", sdk, sdk.capitalize(), uses) for sdk, uses in sdks]
    known = {sdk for sdk, _ in sdks}
    found["other"] = [choice for choice in found["other"] if choice.value not in known]
    return [Group(name, _TITLES[name], found[name]) for name in _ORDER if found[name]]


def _sorted_out(type_: str, counted: Iterable[tuple[str, int]]) -> Iterable[tuple[str, Choice]]:
    for tag, uses in counted:
        if tag.startswith(_LEFT_OUT):
            continue
        prefix, colon, rest = tag.partition(":")
        if type_ == "model" and tag in TASKS:
            yield "task", Choice("pipeline_tag", tag, _words(tag), uses)
        elif colon and prefix in _PREFIXES:
            name = _PREFIXES[prefix]
            yield name, Choice("filter", tag, _words(rest) if name == "task" else rest, uses)
        elif type_ == "model" and tag in _LIBRARIES:
            yield "library", Choice("filter", tag, tag, uses)
        elif type_ == "model" and len(tag) in _LANGUAGE_LENGTHS and tag.isalpha() and tag.islower():
            yield "language", Choice("filter", tag, tag, uses)
        else:
            yield "other", Choice("filter", tag, tag, uses)


def _words(tag: str) -> str:
    return tag.replace("-", " ").capitalize()
