"""The house's own source, read once: modules, functions and their places, for the rules to look at."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "hutch"
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One Python file."""

    path: Path

    @property
    def name(self) -> str:
        """Its path in the package or, for the rest, in the project: `repos/lookup.py`, `tests/conftest.py`."""
        return str(self.path.relative_to(PACKAGE if self.path.is_relative_to(PACKAGE) else ROOT))

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, str(self.path))

    def functions(self) -> Iterator[Function]:
        """Every function and method of the file, nested ones too."""
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))

    def at(self, node: ast.AST) -> str:
        """Where a node stands, as an editor opens it."""
        return f"{self.path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


def modules(*folders: str, migrations: bool = False) -> list[Module]:
    """The Python files below folders of the project; without any, those of the package."""
    roots = [ROOT / folder for folder in folders] or [PACKAGE]
    found = (path for root in roots for path in sorted(root.rglob("*.py")))
    return [Module(path) for path in found if migrations or "migrations" not in path.parts]


def rooms() -> list[Path]:
    """The folders of the package that hold Python files."""
    return sorted(path.parent for path in PACKAGE.glob("*/__init__.py"))


def length(function: Function) -> int:
    """Lines from `def` to the end, the docstring not counted: to explain is never a fault."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines
