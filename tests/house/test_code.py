"""Rules on how the code is written: annotations, docstrings, names, where asynchrony and the environment may be."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.house.source import Function, Module, modules

# Modules in which a public function is a verb that others call: the rest is tables, forms, pages and wiring.
NOT_VERBS = re.compile(
    r"(^|/)(models|apps|forms|pages|api|wire|context|middleware|identity)(_\w+)?\.py$|/(api|pages)/\w+\.py$"
)
FORBIDDEN_MODULES = re.compile(r"^(utils?|helpers?|managers?|base|common|misc|stuff|tools)$")
FORBIDDEN_NAMES = re.compile(
    r"(Utils?|Helpers?|Manager|Base)$|^(Base|Abstract)[A-Z]|(^|_)(utils?|helpers?)(_|$)"
)

# Asynchrony lives in wires, in what carries requests to them, and in the hooks of a server's start (apps.py).
ASYNC_FILES = re.compile(
    r"(^|/)(wire(s|_\w+)?|\w+_wire|asgi|bridge|boot|apps|routes|threads)\.py$|(^|/)wires?/|/adapters/"
)

# `boot` names Django's settings module, which only the environment can carry.
ENVIRONMENT_FILES = {"settings.py", "boot.py"}


def test_everything_is_annotated() -> None:
    bare = [
        m.at(f)
        for m in modules("src", "tests", "scripts", "benchmarks")
        for f in m.functions()
        if _is_bare(f)
    ]
    assert bare == []


def _is_bare(function: Function) -> bool:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    starred = [argument for argument in (arguments.vararg, arguments.kwarg) if argument]
    without = [a for a in [*named, *starred] if a.annotation is None and a.arg not in ("self", "cls")]
    return bool(without) or function.returns is None


def test_public_verbs_have_a_docstring() -> None:
    silent = [
        m.at(f)
        for m in modules()
        if not NOT_VERBS.search(m.name)
        for f in _verbs(m)
        if not ast.get_docstring(f)
    ]
    assert silent == []


def _verbs(module: Module) -> Iterator[Function]:
    """Public functions of a module, those that a decorator turns into something else (commands, hooks) excepted."""
    for node in module.tree.body:
        if isinstance(node, Function) and not node.name.startswith("_"):
            yield node


def test_no_module_has_a_name_that_says_nothing() -> None:
    named = [m.name for m in modules("src", "tests", "scripts", "benchmarks")]
    assert [
        name for name in named if any(FORBIDDEN_MODULES.match(part) for part in re.split(r"[/.]", name))
    ] == []


def test_no_class_or_function_has_a_name_that_says_nothing() -> None:
    found = [
        f"{m.at(node)} {node.name}"
        for m in modules("src", "scripts", "benchmarks")
        for node in ast.walk(m.tree)
        if isinstance(node, ast.ClassDef | Function) and FORBIDDEN_NAMES.search(node.name)
    ]
    assert found == []


def test_asynchronous_functions_are_only_in_wires_and_what_wires_alone_use() -> None:
    """A part of a wire may stand in a file of its own, as long as nothing synchronous imports what is asynchronous."""
    asynchronous = {m.name: _coroutines(m) for m in modules() if _coroutines(m)}
    parts = {
        f"{name.removesuffix('.py').replace('/', '.')}.{function}"
        for name, functions in asynchronous.items()
        if not ASYNC_FILES.search(name)
        for function in functions
    }
    leaks = [
        f"{m.name} imports {name}"
        for m in modules()
        if m.name not in asynchronous
        for name in parts & _imported(m)
    ]
    homeless = {part.rpartition(".")[0] for part in parts} - {
        origin for m in modules() for name in _imported(m) for origin in (name, name.rpartition(".")[0])
    }
    assert leaks == []
    assert homeless == set(), "asynchronous, and no part of any wire"


def _coroutines(module: Module) -> set[str]:
    return {f.name for f in module.functions() if isinstance(f, ast.AsyncFunctionDef)}


def _imported(module: Module) -> set[str]:
    """What a module imports from the package: `cas.sending.send_file`."""
    found = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hutch"):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix("hutch.") for name in found}


def test_only_the_settings_read_the_environment() -> None:
    found = [m.at(node) for m in modules() if m.name not in ENVIRONMENT_FILES for node in _readings(m)]
    assert found == []


def _readings(module: Module) -> Iterator[ast.AST]:
    names = {"environ", "environb", "getenv", "putenv", "unsetenv"}
    for node in ast.walk(module.tree):
        imported = (
            {a.name for a in node.names}
            if isinstance(node, ast.ImportFrom) and node.module == "os"
            else set()
        )
        if names & imported or (isinstance(node, ast.Attribute) and node.attr in names):
            yield node


def test_handlers_leave_transactions_to_the_verbs() -> None:
    handlers = [
        m for m in modules() if re.search(r"(^|/)(api|pages|wire)(_\w+)?\.py$|/(api|pages)/\w+\.py$", m.name)
    ]
    found = [
        m.at(node)
        for m in handlers
        for node in ast.walk(m.tree)
        if isinstance(node, ast.Attribute) and node.attr in ("atomic", "commit", "rollback")
        and isinstance(node.value, ast.Name) and node.value.id in ("transaction", "connection")
    ]  # fmt: skip
    assert found == []


def test_tests_are_sentences() -> None:
    short = [
        f"{m.at(f)} {f.name}"
        for m in modules("tests")
        for f in m.functions()
        if f.name.startswith("test_") and len(f.name.split("_")) < 4
    ]
    assert short == []
