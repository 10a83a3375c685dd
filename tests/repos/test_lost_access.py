"""A client that was told of chunks which its user may not use any more gets another CAS address."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from hutch.accounts import organizations
from hutch.cas.models import Told
from hutch.cas.xet import dedupe, epochs
from hutch.core import clock
from hutch.core.errors import NotFound
from hutch.core.permissions import Actor, Role
from hutch.core.worker import run_pending
from hutch.repos import service, settings
from hutch.repos.lookup import RepoRow
from hutch.repos.settings import Changes
from hutch.xet import hashes
from hutch.xet.shard import MAX_SHARD_BYTES
from tests.cas import xet_making as xet

pytestmark = pytest.mark.django_db(transaction=True)

PIECES = xet.chunks(50_000, 60_000)
FIRST = hashes.to_hex(hashes.chunk_hash(PIECES[0]))
Make = Callable[..., RepoRow]


def file_in(repo: RepoRow, owner: Actor) -> None:
    """A file of that owner's in the repository, as if sent and committed."""
    xet.send_file(PIECES, owner, repo.id)


def asks(actor: Actor) -> str:
    """The actor's client asks where the file's first chunk stands; the CAS address that it has then."""
    assert len(dedupe.answer(actor, FIRST)) < MAX_SHARD_BYTES
    return epochs.of(actor.user_id or 0)


def test_repository_made_private_moves_those_who_were_told(ann: Actor, bob: Actor, make_repo: Make) -> None:
    repo = make_repo(ann, "open")
    file_in(repo, ann)
    before, anns = asks(bob), asks(ann)
    settings.update_settings(ann, repo, Changes(visibility="private"))
    run_pending()
    assert epochs.of(bob.user_id or 0) != before
    assert epochs.of(ann.user_id or 0) == anns
    with pytest.raises(NotFound):
        dedupe.answer(bob, FIRST)


def test_repository_deleted_moves_those_who_were_told(ann: Actor, bob: Actor, make_repo: Make) -> None:
    repo = make_repo(ann, "open")
    file_in(repo, ann)
    before = asks(bob)
    service.delete_repo(ann, repo)
    run_pending()
    assert epochs.of(bob.user_id or 0) != before


def test_file_that_is_open_elsewhere_moves_nobody(ann: Actor, bob: Actor, make_repo: Make) -> None:
    one, two = make_repo(ann, "one"), make_repo(ann, "two")
    file_in(one, ann), file_in(two, ann)
    before = asks(bob)
    service.delete_repo(ann, one)
    run_pending()
    assert epochs.of(bob.user_id or 0) == before


def test_member_who_left_is_moved(
    ann: Actor,
    bob: Actor,
    make_org: Callable[..., str],
    make_repo: Make,
    again: Callable[[Actor], Actor],
) -> None:
    make_org("acme", ann=Role.ADMIN, bob=Role.READ)
    ann, bob = again(ann), again(bob)
    repo = make_repo(ann, "secret", namespace="acme", visibility="private")
    file_in(repo, ann)
    before = asks(bob)
    organizations.remove_member(ann, "acme", "bob")
    run_pending()
    assert epochs.of(bob.user_id or 0) != before


def test_who_was_told_nothing_stays(ann: Actor, bob: Actor, make_repo: Make) -> None:
    repo = make_repo(ann, "open")
    file_in(repo, ann)
    before = epochs.of(bob.user_id or 0)
    service.delete_repo(ann, repo)
    run_pending()
    assert epochs.of(bob.user_id or 0) == before


def test_notes_of_what_no_client_keeps_are_removed(ann: Actor, bob: Actor, make_repo: Make) -> None:
    file_in(make_repo(ann, "open"), ann)
    asks(bob)
    Told.objects.update(at=clock.now() - timedelta(seconds=dedupe.ANSWER_S + 1))
    assert epochs.forget(clock.now() - timedelta(seconds=dedupe.ANSWER_S)) == 1


def test_epoch_of_all_is_in_everybodys_address(ann: Actor, bob: Actor) -> None:
    before = {epochs.of(user) for user in (0, ann.user_id or 0, bob.user_id or 0)}
    epochs.begin_anew([epochs.ALL])
    assert not before & {epochs.of(user) for user in (0, ann.user_id or 0, bob.user_id or 0)}
