"""Every route, for every kind of actor, on every kind of repository: as `routes.txt` and `rights.txt` have it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.access.listed import listed
from tests.access.scene import Scene
from tests.access.table import BROKEN, THINGS, Expected, Row, expected, is_tried_on, rights, rows

ACTORS = (*rights(), *BROKEN)


def test_every_route_has_a_row() -> None:
    assert sorted(set(listed()) - {(row.method, row.route) for row in rows()}) == []


def test_every_row_has_a_route() -> None:
    assert sorted({(row.method, row.route) for row in rows()} - set(listed())) == []


def test_rows_are_not_repeated() -> None:
    counted = Counter((row.method, row.address, row.body, row.needs) for row in rows())
    assert [line for line, count in counted.items() if count > 1] == []


def cases(actor: str) -> Iterator[tuple[Row, str, Expected]]:
    for row in rows():
        for thing in row.things:
            yield row, thing, expected(actor, row, thing)


def secrets_of(actor: str, sent: str) -> Iterator[str]:
    """The words that no answer to this actor may have, those that the actor sent excepted."""
    for thing in THINGS:
        held = rights().get(actor, {}).get(thing, "-")
        words = [f"n-{thing}"] if "v" not in held else []
        words += [f"i-{thing}"] if "r" not in held else []
        # the names of a gated repository's files are told, as on the public hub
        words += [f"f-{thing}"] if "r" not in held and thing != "orggated" else []
        yield from (word for word in words if word not in sent)


def tells(scene: Scene, actor: str, row: Row, thing: str) -> list[str]:
    """What tells the thing from one that is not there; asked twice, since a page shows a message only once."""
    for _ in range(2):
        there, missing = (scene.ask(actor, row, thing, name=f"{x}-{thing}")[0].seen for x in "nx")
        # a page repeats the address
        there["body"] = str(there["body"]).replace(f"n-{thing}", f"x-{thing}")
        if there == missing:
            return []
    return [str(dict(there.items() ^ missing.items()))]


@pytest.mark.parametrize("actor", ACTORS)
def test_reading_and_refusals_are_as_the_table_says(scene: Scene, actor: str) -> None:
    before, wrong = scene.state(), []
    for row, thing, wanted in cases(actor):
        if wanted.is_allowed and not row.is_safe:
            continue
        answer, sent = scene.ask(actor, row, thing)
        if answer.status not in wanted.statuses:
            wrong.append(
                f"{row} on {thing}: {answer.status}, not {set(wanted.statuses)}: {answer.body[:200]!r}"
            )
        if wanted.is_hidden:
            wrong += [
                f"{row} on {thing} is told from a missing one by {other}"
                for other in tells(scene, actor, row, thing)
            ]
        told = [word for word in secrets_of(actor, sent) if word.encode() in answer.body]
        if told:
            wrong.append(f"{row} on {thing} tells {told}")
    assert not wrong, "\n".join(wrong)
    after = scene.state()
    assert {name: rows for name, rows in after.items() if rows != before.get(name)} == {}


@pytest.mark.parametrize("actor", ACTORS)
def test_rights_that_are_held_can_be_used(scene: Scene, actor: str) -> None:
    wrong = []
    for row, thing, wanted in cases(actor):
        if row.is_safe or not wanted.is_allowed or not is_tried_on(row, actor, thing):
            continue
        answer, sent = scene.ask(actor, row, thing, name=scene.copy(thing) if row.is_on_copy else "")
        if answer.status not in wanted.statuses:
            wrong.append(
                f"{row} on {thing}: {answer.status}, not {set(wanted.statuses)}: {answer.body[:300]!r}"
            )
        told = [word for word in secrets_of(actor, sent) if word.encode() in answer.body]
        if told:
            wrong.append(f"{row} on {thing} tells {told}")
    assert not wrong, "\n".join(wrong)
