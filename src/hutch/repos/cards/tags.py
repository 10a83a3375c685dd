"""The tags of a repository, as the field writes them: from its card, its files, its configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

from hutch.repos.cards.tasks import TASKS, task_of_config, task_of_library

MAX_TAGS = 500
_MAX_TAG_CHARACTERS = 200

_ARXIV = re.compile(r"arxiv\.org/(?:abs|pdf)/([0-9]{4}\.[0-9]{4,5})")
# (pattern of a file's name, tag); the first column is matched against the last part of the path
_MODEL_FORMATS = (
    ("*.safetensors", "safetensors"),
    ("*.gguf", "gguf"),
    ("*.onnx", "onnx"),
    ("pytorch_model*.bin", "pytorch"),
    ("*.pt", "pytorch"),
    ("*.pth", "pytorch"),
    ("tf_model*.h5", "tf"),
    ("flax_model*.msgpack", "jax"),
    ("rust_model.ot", "rust"),
    ("*.tflite", "tflite"),
    ("*.mlmodel", "coreml"),
    ("*.mlpackage", "coreml"),
    ("*.keras", "keras"),
    ("openvino_model*.xml", "openvino"),
    ("*tfevents*", "tensorboard"),
)
_DATA_FORMATS = (
    ("*.parquet", "format:parquet"),
    ("*.arrow", "format:arrow"),
    ("*.csv", "format:csv"),
    ("*.tsv", "format:csv"),
    ("*.jsonl", "format:json"),
    ("*.json", "format:json"),
    ("*.txt", "format:text"),
    ("*.tar", "format:webdataset"),
    ("*.jpg", "format:imagefolder"),
    ("*.png", "format:imagefolder"),
    ("*.wav", "format:audiofolder"),
    ("*.mp3", "format:audiofolder"),
)
# what its presence says of the library; the first found counts
_LIBRARY_FILES = (
    ("adapter_config.json", "peft"),
    ("config_sentence_transformers.json", "sentence-transformers"),
    ("modules.json", "sentence-transformers"),
    ("model_index.json", "diffusers"),
    ("*.nemo", "nemo"),
    ("open_clip_config.json", "open_clip"),
    ("mlx_config.json", "mlx"),
)
_DATASET_KEYS = (
    "annotations_creators", "language_creators", "language", "license", "multilinguality", "size_categories",
    "source_datasets", "task_categories", "task_ids", "paperswithcode_id", "language_bcp47", "library_name",
)  # fmt: skip


def of_model(card: dict[str, Any], files: Iterable[str], config: dict[str, Any], body: str) -> list[str]:
    """The tags of a model, in the order in which the public hub gives them."""
    library = library_of(card, files, config)
    found = [library, *_formats(files, _MODEL_FORMATS), str(config.get("model_type") or "")]
    found += [pipeline_of(card, files, config), *texts(card.get("tags")), *texts(card.get("language"))]
    found += [f"dataset:{name}" for name in texts(card.get("datasets"))]
    found += _base_models(card, files)
    found += _papers(body) + [f"license:{name}" for name in texts(card.get("license"))]
    return _distinct(found)


def of_dataset(card: dict[str, Any], files: Iterable[str], body: str) -> list[str]:
    """The tags of a dataset."""
    found = [f"{key}:{value}" for key in _DATASET_KEYS for value in texts(card.get(key))]
    found += _formats((name for name in files if "/" in name or name not in _NOT_DATA), _DATA_FORMATS)
    return _distinct([*found, *_papers(body), *texts(card.get("tags"))])


def of_space(card: dict[str, Any], body: str) -> list[str]:
    """The tags of a Space."""
    linked = [f"{kind}:{name}" for kind in ("models", "datasets") for name in texts(card.get(kind))]
    named = [f"license:{name}" for name in texts(card.get("license"))]
    return _distinct([*texts(card.get("sdk")), *texts(card.get("tags")), *linked, *named, *_papers(body)])


def library_of(card: dict[str, Any], files: Iterable[str], config: dict[str, Any]) -> str:
    """The library that loads a model: by its card, else by its files; empty if unknown."""
    named = texts(card.get("library_name"))
    if named:
        return named[0]
    names = {path.rsplit("/", 1)[-1] for path in files}
    for pattern, library in _LIBRARY_FILES:
        if any(fnmatchcase(name, pattern) for name in names):
            return library
    if config.get("model_type") or config.get("architectures"):
        return "transformers"
    return "gguf" if any(name.endswith(".gguf") for name in names) else ""


def pipeline_of(card: dict[str, Any], files: Iterable[str], config: dict[str, Any]) -> str:
    """The task of a model: by its card, else a tag that is one, else by its configuration; empty if unknown."""
    named = texts(card.get("pipeline_tag"))
    if named:
        return named[0]
    tagged = [tag for tag in texts(card.get("tags")) if tag in TASKS]
    if tagged:
        return tagged[0]
    by_library = task_of_library(library_of(card, files, config))
    return by_library or task_of_config(
        str(config.get("model_type") or ""), texts(config.get("architectures"))
    )


def texts(value: Any) -> list[str]:
    """A value of a card that may be one word, a list of words, or nonsense: the words."""
    values = value if isinstance(value, list) else [value]
    # YAML reads the language `no` as false
    words = ["no" if each is False else each for each in values]
    return [str(each).strip() for each in words if isinstance(each, (str, int, float)) and str(each).strip()]


_NOT_DATA = frozenset(
    {"dataset_infos.json", "README.txt", "LICENSE.txt", "requirements.txt", "metadata.json"}
)


def _formats(files: Iterable[str], table: Iterable[tuple[str, str]]) -> list[str]:
    names = {path.rsplit("/", 1)[-1].lower() for path in files}
    return [tag for pattern, tag in table if any(fnmatchcase(name, pattern) for name in names)]


def _base_models(card: dict[str, Any], files: Iterable[str]) -> list[str]:
    bases = texts(card.get("base_model"))
    relation = next(iter(texts(card.get("base_model_relation"))), "")
    names = {path.rsplit("/", 1)[-1] for path in files}
    if bases and not relation:
        if "adapter_config.json" in names:
            relation = "adapter"
        elif any(name.endswith(".gguf") for name in names):
            relation = "quantized"
        else:
            relation = "merge" if len(bases) > 1 else "finetune"
    return [tag for base in bases for tag in (f"base_model:{base}", f"base_model:{relation}:{base}")]


def _papers(body: str) -> list[str]:
    return [f"arxiv:{number}" for number in dict.fromkeys(_ARXIV.findall(body))][:20]


def _distinct(found: Iterable[str]) -> list[str]:
    fitting = (tag for tag in found if tag and len(tag) <= _MAX_TAG_CHARACTERS)
    return list(dict.fromkeys(fitting))[:MAX_TAGS]
