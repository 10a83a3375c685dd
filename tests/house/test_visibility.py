"""There is one query that decides which repositories an actor may see, and no second one grows beside it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.house.source import Module, modules

THE_ONE = "repos/visibility.py"
FILTERS = {"filter", "exclude", "get", "Q", "get_or_create", "get_object_or_404", "When"}
MEMBERSHIP = {"visibility", "private", "is_private", "is_public"}
LISTS = {"all", "filter", "exclude", "order_by", "values", "values_list", "annotate", "only", "iterator"}
# A chain that ends so is about one row or a write, which the verb's `require` has permitted; it lists nothing.
ENDS = {"get", "first", "exists", "update", "delete", "create", "count", "aggregate"}
SQL_FILTER = re.compile(
    r"\bwhere\b.*\b(visibility|private)\b\s*(=|in\b|<>|!=|is\b|like\b)", re.IGNORECASE | re.DOTALL
)
# These walk every repository on behalf of the house itself, and answer no actor.
WHOLE_HOUSE = re.compile(r"(^|/)(fsck|jobs|doctor|collection|accounting)(_\w+)?\.py$")


def filters_on_visibility(module: Module) -> Iterator[ast.AST]:
    """Query conditions on who may see a thing, in the query language and in SQL."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and _name(node.func) in FILTERS:
            for keyword in node.keywords:
                if keyword.arg and MEMBERSHIP & set(keyword.arg.split("__")):
                    yield node
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL_FILTER.search(node.value):
            yield node


def lists_of_repositories(module: Module) -> Iterator[ast.AST]:
    """Chains that begin at `Repo.objects` and yield rows, which should begin at `visible_to(actor)`."""
    parents = {child: node for node in ast.walk(module.tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(module.tree):
        if not (isinstance(node, ast.Attribute) and node.attr == "objects" and _name(node.value) == "Repo"):
            continue
        words, at = [], parents.get(node)
        while isinstance(at, ast.Attribute | ast.Call):
            words += [at.attr] if isinstance(at, ast.Attribute) else []
            at = parents.get(at)
        if words and words[0] in LISTS and not ENDS & set(words):
            yield node


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def test_no_second_query_filters_on_visibility() -> None:
    assert [m.at(n) for m in modules() if m.name != THE_ONE for n in filters_on_visibility(m)] == []


def test_lists_of_repositories_start_at_visible_to() -> None:
    others = [m for m in modules() if m.name != THE_ONE and not WHOLE_HOUSE.search(m.name)]
    assert [m.at(n) for m in others for n in lists_of_repositories(m)] == []


def test_the_one_query_is_where_this_test_thinks_it_is() -> None:
    (the_one,) = [m for m in modules() if m.name == THE_ONE]
    assert list(filters_on_visibility(the_one))
    assert list(lists_of_repositories(the_one))
