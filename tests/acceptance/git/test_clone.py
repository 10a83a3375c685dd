"""The real git clones, fetches and pushes: every protocol, shallow, partial, by LFS, with and without a password."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.acceptance.clients import Git, with_credentials
from tests.acceptance.git.remotes import (
    add,
    api,
    create,
)
from tests.acceptance.hub import Hub, User


@pytest.mark.parametrize("version", ["0", "1", "2"])
def test_clone_by_every_protocol_gets_all_refs(
    git: Git, work: Path, remote: str, tmp_path: Path, version: str
) -> None:
    tip = add(git, work, "a.txt", "a")
    git("push", "-q", "origin", "HEAD:main", "HEAD:refs/heads/feature/x", cwd=work)
    git("tag", "-am", "First", "v1", cwd=work)
    git("push", "-q", "origin", "v1", cwd=work)
    git("-c", f"protocol.version={version}", "clone", "-q", remote, tmp_path / "copy")
    assert git("rev-parse", "HEAD", "origin/feature/x", "v1^{}", cwd=tmp_path / "copy").split() == [tip] * 3
    assert (tmp_path / "copy" / "a.txt").read_text() == "a"
    assert git("fsck", "--strict", cwd=tmp_path / "copy") == ""


def test_name_may_end_in_git(git: Git, work: Path, remote: str, tmp_path: Path) -> None:
    git("clone", "-q", f"{remote}.git", tmp_path / "copy")
    assert (tmp_path / "copy" / ".gitattributes").exists()


def test_public_repository_is_cloned_without_a_password_and_private_only_with_one(
    server: Hub, user: User, git: Git, tmp_path: Path, repo: str
) -> None:
    git("clone", "-q", f"{server.url}/{repo}", tmp_path / "public")
    secret = create(server, user, f"{repo}-secret", visibility="private")
    refused = git.run("clone", f"{server.url}/{secret}", tmp_path / "private")
    assert refused.returncode != 0
    assert "could not read Username" in refused.stderr
    wrong = git.run(
        "clone", with_credentials(f"{server.url}/{secret}", user.name, "hf_wrong"), tmp_path / "wrong"
    )
    assert "Authentication failed" in wrong.stderr
    git(
        "clone", "-q", with_credentials(f"{server.url}/{secret}", user.name, user.token), tmp_path / "private"
    )
    stranger = server.user("gitter-stranger")
    unseen = git.run(
        "clone", with_credentials(f"{server.url}/{secret}", stranger.name, stranger.token), tmp_path / "no"
    )
    assert "not found" in unseen.stderr.lower()


def test_shallow_and_partial_clones(git: Git, work: Path, remote: str, tmp_path: Path) -> None:
    for number in range(5):
        add(git, work, f"{number}.txt", f"{number}" * 1000)
    git("push", "-q", cwd=work)
    git("clone", "-q", "--depth=2", remote, tmp_path / "shallow")
    assert git("rev-list", "--count", "HEAD", cwd=tmp_path / "shallow") == "2"
    git("fetch", "-q", "--deepen=2", cwd=tmp_path / "shallow")
    assert git("rev-list", "--count", "HEAD", cwd=tmp_path / "shallow") == "4"
    git("fetch", "-q", "--unshallow", cwd=tmp_path / "shallow")
    assert git("rev-list", "--count", "HEAD", cwd=tmp_path / "shallow") == "6"
    git("clone", "-q", "--no-checkout", "--filter=blob:none", remote, tmp_path / "partial")
    missing = git("rev-list", "--objects", "--missing=print", "HEAD", cwd=tmp_path / "partial")
    assert sum(line.startswith("?") for line in missing.splitlines()) == 6
    git("checkout", "-q", "HEAD", cwd=tmp_path / "partial")
    assert (tmp_path / "partial" / "3.txt").read_text() == "3" * 1000


def test_fetch_brings_only_what_is_new(git: Git, work: Path, remote: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    git("clone", "-q", remote, copy)
    for number in range(300):  # many haves: the request is gzipped
        git("commit", "-q", "--allow-empty", "-m", str(number), cwd=copy)
    tip = add(git, work, "new.txt", "new")
    git("push", "-q", cwd=work)
    git("fetch", "-q", cwd=copy)
    assert git("rev-parse", "origin/main", cwd=copy) == tip


def test_pushed_commit_is_what_the_api_and_another_clone_see(
    server: Hub, user: User, git: Git, work: Path, remote: str, repo: str, tmp_path: Path
) -> None:
    tip = add(git, work, "README.md", "---\nlicense: mit\n---\n# Hello\n")
    git("push", "-q", cwd=work)
    told = api(server, user, "GET", f"/api/models/{repo}")
    assert (told["sha"], told["cardData"]) == (tip, {"license": "mit"})
    assert "license:mit" in told["tags"]
    git("clone", "-q", remote, tmp_path / "copy")
    assert git("rev-parse", "HEAD", cwd=tmp_path / "copy") == tip


def test_large_file_goes_in_and_out_by_git_lfs(git: Git, work: Path, remote: str, tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    git("lfs", "install", "--local", cwd=work)
    add(git, work, "model.safetensors", content)
    git("push", "-q", cwd=work)
    git("clone", "-q", remote, tmp_path / "copy")
    assert (tmp_path / "copy" / "model.safetensors").read_bytes() == content


def test_dataset_and_model_of_one_name_are_different_repositories(
    server: Hub, user: User, git: Git, work: Path, repo: str, tmp_path: Path
) -> None:
    create(server, user, repo, type="dataset")
    git(
        "clone",
        "-q",
        with_credentials(f"{server.url}/datasets/{repo}", user.name, user.token),
        tmp_path / "data",
    )
    tip = add(git, tmp_path / "data", "data.csv", "a,b\n")
    git("push", "-q", cwd=tmp_path / "data")
    assert api(server, user, "GET", f"/api/datasets/{repo}")["sha"] == tip
    assert api(server, user, "GET", f"/api/models/{repo}")["sha"] != tip


def test_old_protocol_is_refused_with_a_sentence(server: Hub, repo: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{server.url}/{repo}.git/info/refs", timeout=10)
    assert caught.value.code == 403
    assert b"smart HTTP" in caught.value.read()
