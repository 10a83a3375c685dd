"""Pushes that must not go through, and the words in which git says why."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.clients import Git, with_credentials
from tests.acceptance.git.remotes import (
    add,
    create,
    heads,
    mktree,
    pack_of,
    push_by_hand,
)
from tests.acceptance.hub import Hub, User


def test_force_push_delete_and_new_branches(git: Git, work: Path, remote: str) -> None:
    first = git("rev-parse", "HEAD", cwd=work)
    add(git, work, "a.txt", "a")
    git("push", "-q", "origin", "main", "HEAD:topic", cwd=work)
    git("reset", "-q", "--hard", first, cwd=work)
    other = add(git, work, "b.txt", "b")
    refused = git.run("push", "origin", "main", cwd=work)
    assert refused.returncode != 0
    assert "non-fast-forward" in refused.stderr or "fetch first" in refused.stderr
    git("push", "-q", "--force", "origin", "main", cwd=work)
    assert heads(git, remote)["refs/heads/main"] == other
    git("push", "-q", "origin", ":topic", cwd=work)
    assert "refs/heads/topic" not in heads(git, remote)


def test_default_branch_cannot_be_deleted_and_git_says_why(git: Git, work: Path) -> None:
    refused = git.run("push", "origin", ":main", cwd=work)
    assert refused.returncode != 0
    assert "default branch" in refused.stderr


def test_one_refused_ref_does_not_hold_back_the_others(git: Git, work: Path, remote: str) -> None:
    tip = add(git, work, "a.txt", "a")
    pushed = git.run(
        "push", "origin", "HEAD:refs/heads/good", f"HEAD:refs/heads/{tip}", "HEAD:refs/notes/x", cwd=work
    )
    assert pushed.returncode != 0
    found = heads(git, remote)
    assert found["refs/heads/good"] == tip
    assert f"refs/heads/{tip}" not in found
    assert "refs/notes/x" not in found
    assert "must not look like a commit hash" in pushed.stderr
    atomic = git.run("push", "--atomic", "origin", "HEAD:refs/heads/better", "HEAD:refs/notes/x", cwd=work)
    assert atomic.returncode != 0
    assert "refs/heads/better" not in heads(git, remote)


def test_reader_cannot_push(server: Hub, user: User, git: Git, work: Path, repo: str, remote: str) -> None:
    before = heads(git, remote)
    add(git, work, "a.txt", "a")
    stranger = server.user("gitter-reader")
    for name, token in (
        (stranger.name, stranger.token),
        (user.name, server.token(user.name, role="read", name="read")),
    ):
        refused = git.run("push", with_credentials(f"{server.url}/{repo}", name, token), "main", cwd=work)
        assert refused.returncode != 0
        assert "403" in refused.stderr
        assert "You do not have the right" in refused.stderr
    nobody = git.run("push", f"{server.url}/{repo}", "main", cwd=work)
    assert "could not read Username" in nobody.stderr
    assert heads(git, remote) == before


def test_pushing_to_a_repository_that_does_not_exist_makes_none(
    server: Hub, user: User, git: Git, work: Path
) -> None:
    refused = git.run(
        "push", with_credentials(f"{server.url}/{user.name}/none", user.name, user.token), "main", cwd=work
    )
    assert refused.returncode != 0
    assert "not found" in refused.stderr.lower()


def test_large_file_outside_lfs_is_refused_by_name(git: Git, work: Path, remote: str) -> None:
    before = heads(git, remote)
    add(git, work, "sub/big.txt", os.urandom(11 << 20))
    refused = git.run("push", "origin", "main", cwd=work)
    assert refused.returncode != 0
    assert "sub/big.txt" in refused.stderr
    assert "LFS" in refused.stderr
    assert heads(git, remote) == before


def test_pointer_to_bytes_that_were_never_sent_is_refused(git: Git, work: Path, remote: str) -> None:
    before = heads(git, remote)
    oid = "1" * 64
    (work / ".gitattributes").unlink()
    add(
        git,
        work,
        "weights.bin",
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 12345\n",
    )
    refused = git.run("push", "--no-verify", "origin", "main", cwd=work, GIT_LFS_SKIP_PUSH="1")
    assert refused.returncode != 0
    assert oid[:10] in refused.stderr
    assert heads(git, remote) == before


@pytest.mark.parametrize("path", [".GIT/config", "a/.git/x", "b\\c"])
def test_path_that_some_system_cannot_hold_is_refused(git: Git, work: Path, remote: str, path: str) -> None:
    blob = git("hash-object", "-w", ".gitattributes", cwd=work)
    *folders, name = path.split("/")
    entry = f"100644 blob {blob}\t{name}\n"
    for folder in reversed(folders):
        entry = f"040000 tree {mktree(git, work, entry)}\t{folder}\n"
    commit = git("commit-tree", "-p", "HEAD", "-m", "bad", mktree(git, work, entry), cwd=work)
    refused = git.run("push", "origin", f"{commit}:refs/heads/main", cwd=work)
    assert refused.returncode != 0
    assert heads(git, remote)["refs/heads/main"] != commit


def test_push_beyond_the_limit_is_refused(new_hub: Callable[..., Hub], git: Git, tmp_path: Path) -> None:
    hub = new_hub(max_push_bytes="1000000").start()
    try:
        user = hub.user("limited")
        remote = with_credentials(f"{hub.url}/{create(hub, user, 'limited/x')}", user.name, user.token)
        git("clone", "-q", remote, tmp_path / "work")
        add(git, tmp_path / "work", "a.txt", os.urandom(1_500_000))
        refused = git.run("push", "origin", "main", cwd=tmp_path / "work")
        assert refused.returncode != 0
        assert "1000000" in refused.stderr
        assert list((hub.data / "git").glob("*/*/objects/incoming-*")) == []
    finally:
        hub.stop()


def test_pack_that_lies_changes_nothing(
    server: Hub, user: User, git: Git, work: Path, remote: str, repo: str
) -> None:
    before = heads(git, remote)
    main = before["refs/heads/main"]
    tip = add(git, work, "a.txt", "a")
    objects = git("rev-list", "--objects", f"{main}..{tip}", cwd=work)
    pack = pack_of(work, [line.split()[0] for line in objects.splitlines()])
    only_commit = pack_of(work, [tip])
    flipped = bytearray(pack)
    flipped[len(pack) // 2] ^= 0xFF
    for lie in (
        bytes(flipped),
        pack[:-10],
        pack[:40],
        only_commit,
        b"",
        b"PACK\0\0\0\2\xff\xff\xff\xff",
        pack + b"more",
    ):
        told = push_by_hand(server, user, repo, f"{main} {tip} refs/heads/main", lie)
        assert b"ng refs/heads/main" in told, lie[:20]
    assert heads(git, remote) == before
    assert b"ok refs/heads/main" in push_by_hand(server, user, repo, f"{main} {tip} refs/heads/main", pack)


def test_command_with_a_stale_old_value_is_refused(
    server: Hub, user: User, git: Git, work: Path, remote: str, repo: str
) -> None:
    first = heads(git, remote)["refs/heads/main"]
    tip = add(git, work, "a.txt", "a")
    git("push", "-q", cwd=work)
    told = push_by_hand(server, user, repo, f"{first} {'0' * 40} refs/heads/other", b"")
    assert b"ng refs/heads/other" in told
    git("push", "-q", "origin", "HEAD:refs/heads/other", cwd=work)
    told = push_by_hand(server, user, repo, f"{first} {'0' * 40} refs/heads/other", b"")
    assert b"ng refs/heads/other" in told
    assert heads(git, remote)["refs/heads/other"] == tip
