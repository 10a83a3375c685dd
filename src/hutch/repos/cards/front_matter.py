"""The YAML block at the head of a README: found, parsed within bounds, turned into plain JSON."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import date
from typing import Any

import yaml

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_NODES = 100_000
LONGEST_NUMBER_BITS = 64

_BLOCK = re.compile(r"\A\ufeff?\s*---[ \t]*\r?\n(?:(.*?)\r?\n)??---[ \t]*(?:\r?\n|\Z)", re.DOTALL)


class FrontMatterError(ValueError):
    """What is wrong with the block, and in which line of the file (from 1), if that is known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """The block's data (empty where there is none) and the text after it."""

    data: dict[str, Any]
    body: str
    found: bool


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, minus duplicate keys, and with a bound on what merge keys (`<<`) may repeat."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Merges as PyYAML does. Each level may multiply the one before: nine lines could make a billion pairs."""
        super().flatten_mapping(node)
        if len(node.value) > MAX_NODES:
            problem = f"merging makes more than {MAX_NODES} values"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuses a key that stands twice."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} stands twice", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def parse(readme: str) -> FrontMatter:
    """The front matter of a README. Raises FrontMatterError where there is a block that cannot be read."""
    match = _BLOCK.match(readme)
    if match is None:
        return FrontMatter({}, readme, found=False)
    data = parse_yaml(match.group(1) or "", first_line=readme.count("\n", 0, max(match.start(1), 0)) + 1)
    return FrontMatter(data, readme[match.end() :], found=True)


def parse_yaml(text: str, *, first_line: int = 1) -> dict[str, Any]:
    """A YAML mapping as plain JSON data. Raises FrontMatterError; limits on size, depth and number of values."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise FrontMatterError(f"the block is longer than {MAX_BYTES} bytes")
    try:
        _check_shape(text)
        data = yaml.load(text, _Loader)  # noqa: S506 - a subclass of the safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + first_line if mark is not None else None
        raise FrontMatterError(str(getattr(error, "problem", None) or error).split("\n")[0], line) from error
    except (ValueError, OverflowError, TypeError, RecursionError) as error:
        raise FrontMatterError(str(error) or "it cannot be read") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise FrontMatterError("it is not a mapping of names to values", first_line)
    return plain(data)


def plain(data: dict[Any, Any]) -> dict[str, Any]:
    """A mapping from any parser as JSON that every database keeps. Raises FrontMatterError where it is too large."""
    return _Plain().mapping(data, 0)


# Before anything is built: parsing events needs no recursion and no memory.
def _check_shape(text: str) -> None:
    depth = 0
    for nodes, event in enumerate(yaml.parse(text, yaml.SafeLoader), start=1):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark is not None else None
            raise FrontMatterError(f"it is nested deeper than {MAX_DEPTH}", line)
        if nodes > MAX_NODES:
            raise FrontMatterError(f"it has more than {MAX_NODES} values")


class _Plain:
    """Turns what YAML gives into JSON; counts, because aliases let few bytes name very many values."""

    def __init__(self) -> None:
        self._left = MAX_NODES

    def mapping(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        """A mapping with its keys as text."""
        return {str(_scalar(str(_scalar(key)))): self.value(item, depth + 1) for key, item in value.items()}

    def value(self, value: Any, depth: int) -> Any:
        """Any value. Its depth counts too: an alias may lead into itself."""
        self._left -= 1
        if self._left < 0:
            raise FrontMatterError(f"it has more than {MAX_NODES} values")
        if depth > MAX_DEPTH:
            raise FrontMatterError(f"it is nested deeper than {MAX_DEPTH}, or leads into itself")
        if isinstance(value, dict):
            return self.mapping(value, depth)
        if isinstance(value, (list, tuple, set)):
            return [self.value(item, depth + 1) for item in value]
        return _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str):
        # PostgreSQL keeps neither NUL nor halves of surrogate pairs
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, int) and value.bit_length() > LONGEST_NUMBER_BITS:
        raise FrontMatterError(f"a number is longer than {LONGEST_NUMBER_BITS} bits")
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, date):  # a datetime is one
        return value.isoformat()
    return str(value)
