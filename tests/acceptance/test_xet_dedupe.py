"""Only bytes that the hub does not have are sent, also by a client that remembers nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.acceptance.clients import Client
from tests.acceptance.contents import MEGABYTE, assert_same, digest, laid, noise, with_inserted
from tests.acceptance.counting import Counting
from tests.acceptance.hub import Hub, User

UPLOAD = """
from huggingface_hub import HfApi
api = HfApi()
api.create_repo(args["repo"], exist_ok=True, private=True)
api.upload_file(path_or_fileobj=args["file"], path_in_repo=args["name"], repo_id=args["repo"])
"""
DOWNLOAD = "from huggingface_hub import hf_hub_download; result = hf_hub_download(args['repo'], args['name'])"


@pytest.fixture
def repo(xet_user: User, unique: Callable[[str], str]) -> str:
    return f"{xet_user.name}/{unique('dedupe')}"


@pytest.mark.matrix
def test_identical_and_changed_files_cost_only_what_is_new(
    xet_client: Client, front: Counting, repo: str, tmp_path: Path
) -> None:
    # the same in each run: where chunks end is a matter of the bytes, and so is how much a change costs
    first = noise(24 * MEGABYTE, f"identical and changed, {xet_client.name}")
    changed = with_inserted(first, noise(MEGABYTE, f"inserted, {xet_client.name}"))
    assert _sent(xet_client, front, tmp_path / "1", repo, first) >= len(first)
    assert _sent(xet_client, front, tmp_path / "2", repo, first, name="again.bin") < 1000
    assert _sent(xet_client, front, tmp_path / "3", f"{repo}-other", first) < 1000
    assert (
        _sent(xet_client, front, tmp_path / "4", f"{repo}-other", changed, name="changed.bin")
        < 1.3 * MEGABYTE
    )
    front.forget()
    here = xet_client.at(front.url, tmp_path / "5")
    down = here.call(DOWNLOAD, repo=f"{repo}-other", name="changed.bin")
    assert digest(Path(down).read_bytes()) == digest(changed)
    assert front.sent() < 100_000


def test_warm_client_sends_nothing_for_what_it_sent_before(
    newest: Client, front: Counting, repo: str, tmp_path: Path
) -> None:
    content = noise(4 * MEGABYTE, f"{repo} 13")
    file = laid(tmp_path / "up", {"a.bin": content}) / "a.bin"
    newest.call(UPLOAD, repo=repo, file=file, name="a.bin")
    front.forget()
    newest.call(UPLOAD, repo=f"{repo}-2", file=file, name="b.bin")
    assert front.sent("/xorbs/") < 1000
    again = newest.at(front.url, tmp_path / "again")
    assert digest(Path(again.call(DOWNLOAD, repo=f"{repo}-2", name="b.bin")).read_bytes()) == digest(content)


def test_what_a_file_repeats_is_sent_once(newest: Client, front: Counting, repo: str, tmp_path: Path) -> None:
    base = noise(6 * MEGABYTE, f"{repo} 14")
    assert _sent(newest, front, tmp_path / "1", repo, base * 3, name="thrice.bin") < 7 * MEGABYTE
    down = newest.at(front.url, tmp_path / "2").call(DOWNLOAD, repo=repo, name="thrice.bin")
    assert digest(Path(down).read_bytes()) == digest(base * 3)


def test_colleague_with_the_same_public_file_sends_nothing(
    newest: Client, front: Counting, server: Hub, repo: str, tmp_path: Path, unique: Callable[[str], str]
) -> None:
    content = noise(4 * MEGABYTE, f"{repo} 15")
    _sent(newest, front, tmp_path / "1", repo, content)
    newest.call(
        "from huggingface_hub import HfApi; HfApi().update_repo_settings(args['repo'], private=False)",
        repo=repo,
    )
    colleague = server.user(unique("colleague"))
    theirs = replace(newest, token=colleague.token)
    assert _sent(theirs, front, tmp_path / "2", f"{colleague.name}/{unique('own')}", content) < 1000


def test_stranger_with_the_same_private_file_sends_it_all(
    newest: Client, front: Counting, server: Hub, repo: str, tmp_path: Path, unique: Callable[[str], str]
) -> None:
    content = noise(4 * MEGABYTE, f"{repo} 16")
    _sent(newest, front, tmp_path / "1", repo, content)
    stranger = server.user(unique("stranger"))
    theirs = replace(newest, token=stranger.token)
    own = f"{stranger.name}/{unique('own')}"
    assert _sent(theirs, front, tmp_path / "2", own, content) >= len(content)
    assert_same(
        Path(theirs.at(front.url, tmp_path / "3").call(DOWNLOAD, repo=own, name="model.bin")).parent,
        {"model.bin": content},
    )


def _sent(
    client: Client, front: Counting, home: Path, repo: str, content: bytes, name: str = "model.bin"
) -> int:
    """Uploads a file with a client that has no cache; returns the bytes of chunks that it sent."""
    here = client.at(front.url, home)
    front.forget()
    here.call(UPLOAD, repo=repo, file=laid(home / "up", {name: content}) / name, name=name)
    return front.sent("/xorbs/")
