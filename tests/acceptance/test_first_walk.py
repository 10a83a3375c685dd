"""The thinnest whole walk: an account, a real file up by the real client, the same file down, a card."""

from __future__ import annotations

import hashlib
import os
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.clients import Client, python_of
from tests.acceptance.hub import Hub, User

CARD = "---\nlicense: apache-2.0\n---\n# A model\n\nBorn in a test.\n"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A file big enough for large-object storage, whose every byte counts."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(os.urandom(12_000_000))
    return path


def test_server_answers_health(server: Hub) -> None:
    with urllib.request.urlopen(f"{server.url}/health", timeout=10) as answer:
        assert answer.status == 200


def test_token_of_the_command_line_says_who_it_is(client: Client, user: User) -> None:
    me = client.call("import huggingface_hub as h; result = h.HfApi().whoami()")
    assert (me["type"], me["name"]) == ("user", user.name)


def test_file_uploaded_by_the_library_comes_down_byte_identical(
    client: Client, user: User, weights: Path
) -> None:
    repo = f"{user.name}/walk"
    client.call(
        """
        from huggingface_hub import HfApi
        api = HfApi()
        api.create_repo(args["repo"])
        api.upload_file(path_or_fileobj=args["path"], path_in_repo="model.safetensors", repo_id=args["repo"])
        """,
        repo=repo,
        path=weights,
    )
    down = client.call(
        "import huggingface_hub as h; result = h.hf_hub_download(args['repo'], 'model.safetensors')",
        repo=repo,
    )
    assert _sha256(Path(down)) == _sha256(weights)


def test_folder_uploaded_by_hf_comes_down_by_hf(
    client: Client, user: User, weights: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    weights.rename(folder / "sub" / "model.bin")
    (folder / "README.md").write_text(CARD)
    (folder / "config.json").write_text('{"hidden_size": 64}\n')
    repo = f"{user.name}/by-hf"
    up = client.hf("upload", repo, folder, ".", "--commit-message", "All of it")
    assert up.returncode == 0, up.stderr
    down = client.hf("download", repo, "--local-dir", tmp_path / "down")
    assert down.returncode == 0, down.stderr
    for name in ("README.md", "config.json", "sub/model.bin"):
        assert _sha256(tmp_path / "down" / name) == _sha256(folder / name)


def test_card_committed_by_the_client_is_read_back(client: Client, user: User) -> None:
    answer = client.call(
        """
        from huggingface_hub import HfApi, CommitOperationAdd
        api = HfApi()
        api.create_repo(args["repo"])
        commit = api.create_commit(
            args["repo"], [CommitOperationAdd("README.md", args["card"].encode())], commit_message="Add a card"
        )
        info = api.model_info(args["repo"])
        result = {
            "commit": commit.oid,
            "head": info.sha,
            "licence": info.card_data.license,
            "files": sorted(api.list_repo_files(args["repo"])),
            "title": api.list_repo_commits(args["repo"])[0].title,
        }
        """,
        repo=f"{user.name}/card",
        card=CARD,
    )
    assert answer["commit"] == answer["head"]
    assert answer["licence"] == "apache-2.0"
    assert answer["files"] == [".gitattributes", "README.md"]
    assert answer["title"] == "Add a card"


def test_what_was_uploaded_is_there_after_a_restart(
    fresh_server: Hub, unique: Callable[[str], str], tmp_path: Path, weights: Path
) -> None:
    owner = fresh_server.user(unique("owner"))
    here = Client("current", python_of("current"), tmp_path, fresh_server.url, owner.token)
    repo = f"{owner.name}/kept"
    assert here.hf("upload", repo, weights, "model.safetensors").returncode == 0
    fresh_server.restart()
    down = here.hf("download", repo, "model.safetensors", "--local-dir", tmp_path / "down")
    assert down.returncode == 0, down.stderr
    assert _sha256(tmp_path / "down" / "model.safetensors") == _sha256(weights)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
