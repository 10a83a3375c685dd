"""What is wrong with a card's metadata, in the words that a client shows before it commits."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hutch.repos.cards import front_matter
from hutch.repos.cards.front_matter import FrontMatterError
from hutch.repos.cards.tasks import TASKS
from hutch.repos.models import RepoType

MAX_CONTENT_BYTES = 8 << 20

_LANGUAGE = re.compile(r"[a-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
_OTHER_LANGUAGES = frozenset({"code", "multilingual", "other", "unknown"})
_LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,63}")
_REPO_ID = re.compile(r"[\w.-]+(?:/[\w.-]+)?")
_SIZE = re.compile(r"n<1K|n>1T|unknown|other|\d+[KMBT]?<n<\d+[KMBT]")
_SDKS = frozenset({"gradio", "streamlit", "docker", "static"})
_COLOURS = frozenset({"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"})
_RELATIONS = frozenset({"adapter", "merge", "quantized", "finetune", "newversion"})


@dataclass(slots=True)
class Findings:
    """Errors stop a commit, warnings do not."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def check(content: str, type_: str) -> Findings:
    """Looks through the front matter of a README of a repository of that type."""
    found = Findings()
    try:
        matter = front_matter.parse(content)
    except FrontMatterError as error:
        place = f" (line {error.line})" if error.line is not None else ""
        found.errors.append(f"The YAML block cannot be read: {error}{place}")
        return found
    if not matter.data:
        found.warnings.append("empty or missing yaml metadata in repo card")
        return found
    for name, look in {**_COMMON, **_BY_TYPE.get(type_, {})}.items():
        if matter.data.get(name) is not None:
            look(name, matter.data[name], found)
    if type_ == RepoType.SPACE and "sdk" not in matter.data:
        found.errors.append(f'"sdk" is required; it is one of {", ".join(sorted(_SDKS))}')
    return found


def _text(name: str, value: Any, found: Findings) -> None:
    if not isinstance(value, str):
        found.errors.append(f'"{name}" must be a string')


def _flag(name: str, value: Any, found: Findings) -> None:
    if not isinstance(value, bool):
        found.errors.append(f'"{name}" must be true or false')


def _mapping(name: str, value: Any, found: Findings) -> None:
    if not isinstance(value, dict):
        found.errors.append(f'"{name}" must be a mapping')


def _words(name: str, value: Any, found: Findings) -> list[str]:
    words = value if isinstance(value, list) else [value]
    if not all(isinstance(word, str) for word in words):
        found.errors.append(f'"{name}" must be a string or a list of strings')
        return []
    return words


def _list_of_words(name: str, value: Any, found: Findings) -> None:
    if not isinstance(value, list):
        found.errors.append(f'"{name}" must be an array')
    elif not all(isinstance(word, str) for word in value):
        wrong = next(word for word in value if not isinstance(word, str))
        found.errors.append(f'"{name}" must hold strings; {wrong!r} is none')


def _one_of(known: frozenset[str], *, strict: bool) -> Callable[[str, Any, Findings], None]:
    def look(name: str, value: Any, found: Findings) -> None:
        for word in _words(name, value, found):
            if word not in known:
                said = f'"{name}" {word!r} is not known; known are {", ".join(sorted(known))}'
                (found.errors if strict else found.warnings).append(said)

    return look


def _language(name: str, value: Any, found: Findings) -> None:
    words = value if isinstance(value, list) else [value]
    for word in words:
        if word is False:
            found.warnings.append(f'"{name}": YAML reads no as false; write "no" for Norwegian')
        elif not isinstance(word, str):
            found.errors.append(f'"{name}" must be a string or a list of strings')
        elif not _LANGUAGE.fullmatch(word) and word not in _OTHER_LANGUAGES:
            found.errors.append(
                f'"{name}" with value {word!r} is not valid. It must be an ISO 639-1, 639-2 or 639-3 code '
                '(two or three letters), or a special value like "code", "multilingual"'
            )


def _license(name: str, value: Any, found: Findings) -> None:
    for word in _words(name, value, found):
        if not _LICENSE.fullmatch(word):
            found.errors.append(
                f'"{name}" {word!r} must be an identifier in lower case, such as apache-2.0, or "other"'
            )


def _repo_ids(name: str, value: Any, found: Findings) -> None:
    for word in _words(name, value, found):
        if not _REPO_ID.fullmatch(word):
            found.errors.append(
                f'"{name}" with value {word!r} is not valid: it must be the name of a repository'
            )


def _sizes(name: str, value: Any, found: Findings) -> None:
    for word in _words(name, value, found):
        if not _SIZE.fullmatch(word):
            found.warnings.append(f'"{name}" {word!r} is not one of n<1K, 1K<n<10K, ... n>1T')


def _configs(name: str, value: Any, found: Findings) -> None:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        found.errors.append(f'"{name}" must be a list of mappings')
        return
    names = [each.get("config_name") for each in value]
    if not all(isinstance(each, str) for each in names):
        found.errors.append(f'"{name}[].config_name" is required and must be a string')
    elif len(set(names)) < len(names):
        found.errors.append(f'"{name}[].config_name" must differ from each other')


def _model_index(name: str, value: Any, found: Findings) -> None:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        found.errors.append(f'"{name}" must be a list of mappings')
        return
    for model in value:
        if not isinstance(model.get("name"), str):
            found.errors.append(f'"{name}[].name" is required and must be a string')
        results = model.get("results")
        if not isinstance(results, list):
            found.errors.append(f'"{name}[].results" is required and must be an array')
            continue
        for result in results:
            _result(f"{name}[].results[]", result, found)


def _result(name: str, result: Any, found: Findings) -> None:
    if not isinstance(result, dict):
        found.errors.append(f'"{name}" must be a mapping')
        return
    for part in ("task", "dataset"):
        described = result.get(part)
        if not isinstance(described, dict) or not isinstance(described.get("type"), str):
            found.errors.append(f'"{name}.{part}.type" is required and must be a string')
    metrics = result.get("metrics")
    if not isinstance(metrics, list) or not all(
        isinstance(each, dict) and "type" in each for each in metrics
    ):
        found.errors.append(f'"{name}.metrics" is required: a list of mappings with a type')


def _port(name: str, value: Any, found: Findings) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 65536:
        found.errors.append(f'"{name}" must be a port from 1 to 65535')


def _short(name: str, value: Any, found: Findings) -> None:
    _text(name, value, found)
    if isinstance(value, str) and len(value) > 60:
        found.errors.append(f'"{name}" has {len(value)} characters; at most 60 are taken')


Look = Callable[[str, Any, Findings], Any]
_COMMON: dict[str, Look] = {
    "license": _license,
    "license_name": _text,
    "license_link": _text,
    "tags": _list_of_words,
    "language": _language,
    "pretty_name": _text,
    "thumbnail": _text,
    "library_name": _text,
}
_BY_TYPE: dict[str, dict[str, Look]] = {
    RepoType.MODEL: {
        "pipeline_tag": _one_of(TASKS, strict=False),
        "datasets": _repo_ids,
        "base_model": _repo_ids,
        "base_model_relation": _one_of(_RELATIONS, strict=True),
        "metrics": _words,
        "model-index": _model_index,
    },
    RepoType.DATASET: {
        "task_categories": _one_of(TASKS, strict=False),
        "task_ids": _words,
        "size_categories": _sizes,
        "configs": _configs,
    },
    RepoType.SPACE: {
        "sdk": _one_of(_SDKS, strict=True),
        "title": _text,
        "emoji": _text,
        "colorFrom": _one_of(_COLOURS, strict=True),
        "colorTo": _one_of(_COLOURS, strict=True),
        "app_file": _text,
        "app_port": _port,
        "pinned": _flag,
        "short_description": _short,
        "models": _repo_ids,
        "datasets": _repo_ids,
    },
}
