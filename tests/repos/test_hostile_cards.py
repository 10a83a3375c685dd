"""Cards that are written to hurt: whatever stands in them, the branch moves and its row follows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hutch.core.permissions import Actor
from hutch.repos.cards import front_matter
from hutch.repos.cards import snapshot as cards
from hutch.repos.cards.front_matter import FrontMatterError
from hutch.repos.changes import commits, refs
from hutch.repos.lookup import RepoRow
from hutch.repos.models import RefIntent, Repo
from tests.repos.commit_body import body, file, header


def multiplied(levels: int, how: str) -> str:
    """YAML in which each line names the one before nine times over."""
    lines = ["a: &a {x: 1}" if how == "merge" else "a: &a [x]"]
    for before, name in zip("abcdefghijkl", "bcdefghijklm", strict=True):
        nine = ", ".join([f"*{before}"] * 9)
        lines.append(f"{name}: &{name} {{<<: [{nine}]}}" if how == "merge" else f"{name}: &{name} [{nine}]")
    return "\n".join(lines[: levels + 1])


HOSTILE = {
    "an alias into itself": "a: &a [*a]",
    "a mapping into itself": "a: &a {b: *a}",
    "merges that multiply": multiplied(12, "merge"),
    "lists that multiply": multiplied(12, "list"),
    "a number of 20,000 digits in hexadecimal": f"a: 0x{'f' * 20_000}",
    "a number in base 60": "a: " + ":".join(["59"] * 5000),
    "such a number as a key": f"? 0x{'f' * 20_000}\n: 1",
    "a deep list": "a: " + "[" * 5000,
    "a tag of Python": "a: !!python/object/apply:os.system [true]",
    "half a surrogate pair": 'a: "\\ud800"',
    "a NUL": 'a: "\\0"\n"b\\0": 1',
    "long tags": f"tags: [{'t' * 5000}]\nlibrary_name: {'l' * 5000}\npipeline_tag: {'p' * 5000}",
    "many tags": "tags: [" + ", ".join(f"t{n}" for n in range(5000)) + "]",
    "wrong types": "tags: {a: 1}\nlicense: [1, [2]]\nlanguage: 5\nbase_model: {x: y}\ndatasets: 7\nsdk: [z]",
}


@pytest.mark.parametrize("yaml", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("type_", ["model", "dataset", "space"])
def test_row_follows_a_branch_whatever_its_card_says(
    ann: Actor, make_repo: Callable[..., RepoRow], yaml: str, type_: str
) -> None:
    repo = make_repo(ann, type=type_, sdk="static" if type_ == "space" else "")
    made = commits.create_commit(
        ann, repo, "main", body(header(), file("README.md", f"---\n{yaml}\n---\ntext"))
    )
    assert Repo.objects.get(pk=repo.id).head_oid == made.oid
    assert not RefIntent.objects.filter(repo_id=repo.id).exists()
    commits.create_commit(ann, repo, "main", body(header(), file("next.txt")))


@pytest.mark.parametrize(
    "yaml", [text for name, text in HOSTILE.items() if "multiply" in name or "itself" in name]
)
def test_few_bytes_that_name_many_values_are_refused(yaml: str) -> None:
    with pytest.raises(FrontMatterError):
        front_matter.parse_yaml(yaml)


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any fault of ours in reading cards."""

    def fail(*_: object) -> None:
        raise RuntimeError("a mistake in the code that reads cards")

    monkeypatch.setattr(cards, "_told", fail)


def test_fault_in_reading_a_card_does_not_hold_its_branch(
    ann: Actor, make_repo: Callable[..., RepoRow], unreadable: None
) -> None:
    repo = make_repo(ann)
    made = commits.create_commit(ann, repo, "main", body(header(), file("a.txt")))
    row = Repo.objects.get(pk=repo.id)
    assert (row.head_oid, row.card) == (made.oid, {})
    assert "a.txt" in row.head_files


def test_one_unsettled_push_does_not_keep_the_others_from_recovery(
    ann: Actor, make_repo: Callable[..., RepoRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, whole = make_repo(ann), make_repo(ann)
    for repo, push in ((broken, "a"), (whole, "b")):
        RefIntent.objects.create(repo_id=repo.id, ref="refs/heads/x", new="0" * 40, push_id=push)
    settle = refs._settle_push

    def fail_at_first(intents: list[RefIntent]) -> None:
        if intents[0].repo_id == broken.id:
            raise OSError("its disk is broken")
        settle(intents)

    monkeypatch.setattr(refs, "_settle_push", fail_at_first)
    refs.recover()
    assert list(RefIntent.objects.values_list("repo_id", flat=True)) == [broken.id]
