"""`hutch fsck` on a hub that real clients filled: silent about a sound one, precise about every damage."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.clients import Client, Git, python_of, with_credentials
from tests.acceptance.hub import Hub, User

WEIGHTS = os.urandom(300_000)
OID = hashlib.sha256(WEIGHTS).hexdigest()


@dataclass
class Filled:
    """A hub with one repository, made by a push, a commit and an upload; its server has stopped."""

    hub: Hub
    name: str
    clean: dict[str, Any]


@pytest.fixture(scope="module")
def filled(new_hub: Callable[..., Hub], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    hub = new_hub().start()
    try:
        yield _fill(hub, tmp_path_factory.mktemp("home"))
    finally:
        hub.kill()


def _fill(hub: Hub, home: Path) -> Filled:
    owner = hub.user("owner")
    client = Client("current", python_of("current"), home, hub.url, owner.token).without_xet()
    (home / "weights").write_bytes(WEIGHTS)
    client.call(
        """
        from huggingface_hub import HfApi
        api = HfApi()
        api.create_repo(args["repo"])
        for number in range(3):
            api.upload_file(path_or_fileobj=b"%d" % number, path_in_repo="a/note.txt", repo_id=args["repo"])
        api.upload_file(path_or_fileobj=args["weights"], path_in_repo="w.safetensors", repo_id=args["repo"])
        """,
        repo="owner/whole",
        weights=home / "weights",
    )
    _push(hub, owner, Git(home / "git"), home / "clone")
    clean = hub.cli_json("fsck")  # the server is running
    assert hub.stop() == 0
    return Filled(hub, "owner/whole", clean)


def _push(hub: Hub, owner: User, git: Git, clone: Path) -> None:
    git("clone", with_credentials(f"{hub.url}/owner/whole", owner.name, owner.token), clone)
    (clone / "pushed.txt").write_bytes(os.urandom(60_000).hex().encode())
    git("add", "pushed.txt", cwd=clone)
    git("commit", "-m", "By git", cwd=clone)
    git("push", "origin", "main", "main:side", cwd=clone)


@pytest.fixture
def hub(filled: Filled, tmp_path: Path) -> Hub:
    """A copy of the filled hub's folder, to be damaged; the database may be shared, since fsck only reads."""
    data = tmp_path / "data"
    shutil.copytree(filled.hub.data, data)
    return Hub(data, filled.hub.settings)


def _fsck(hub: Hub) -> tuple[int, dict[str, Any]]:
    done = hub.run("fsck", "--json")
    return done.returncode, json.loads(done.stdout)


def _problems(hub: Hub) -> list[dict[str, str]]:
    status, report = _fsck(hub)
    assert status == 1, report
    return list(report["problems"])


def _repo_folder(hub: Hub) -> Path:
    (found,) = (hub.data / "git").glob("??/*.git")
    return found


def _blob(hub: Hub) -> Path:
    return hub.data / "storage" / "blobs" / "lfs" / OID[:2] / OID[2:4] / OID


def test_a_sound_hub_is_clean_beside_a_running_server(filled: Filled) -> None:
    assert filled.clean["problems"] == filled.clean["notes"] == []
    assert filled.clean["repositories"] == 1
    assert filled.clean["refs"] == 2
    assert (filled.clean["objects"], filled.clean["object_bytes"]) == (1, len(WEIGHTS))
    assert filled.clean["pointers"] == 1


def test_a_sound_hub_is_clean_without_a_server_and_the_verdict_stands_alone_on_stdout(hub: Hub) -> None:
    done = hub.run("fsck")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == (
        f"1 repositories, 2 refs, 1 pointers, 1 large objects ({len(WEIGHTS)} bytes), 0 xorbs (0 bytes): "
        "no damage\n"
    )


def test_an_empty_folder_that_was_never_served_is_clean(new_hub: Callable[..., Hub]) -> None:
    assert new_hub().cli_json("fsck")["repositories"] == 0


def test_a_flipped_byte_in_a_large_object_is_found_with_its_repository_and_path(hub: Hub) -> None:
    with _blob(hub).open("r+b") as file:
        file.seek(1000)
        byte = file.read(1)[0]
        file.seek(1000)
        file.write(bytes([byte ^ 1]))
    in_storage, in_repository = _problems(hub)
    assert (in_storage["kind"], in_storage["oid"]) == ("object", OID)
    assert "used by owner/whole" in in_storage["what"]
    assert (in_repository["kind"], in_repository["repository"]) == ("pointer", "owner/whole")
    assert in_repository["place"] == "w.safetensors"


@pytest.mark.parametrize("keep_bytes", [None, 1000])
def test_a_lost_or_cut_large_object_is_found_and_putting_it_back_as_told_heals(
    hub: Hub, keep_bytes: int | None
) -> None:
    if keep_bytes is None:
        _blob(hub).unlink()
    else:
        os.truncate(_blob(hub), keep_bytes)
    problem = _problems(hub)[0]
    assert problem["oid"] == OID
    assert f"storage/blobs/lfs/{OID[:2]}/{OID[2:4]}/{OID}" in problem["remedy"]
    _blob(hub).write_bytes(WEIGHTS)
    assert _fsck(hub)[0] == 0


def test_a_deleted_loose_object_is_found_and_named(hub: Hub) -> None:
    loose = sorted(_repo_folder(hub).glob("objects/[0-9a-f][0-9a-f]/*"))
    assert loose
    loose[0].unlink()
    oid = loose[0].parent.name + loose[0].name
    found = [problem for problem in _problems(hub) if oid in problem["what"]]
    assert found
    assert all(problem["repository"] == "owner/whole" for problem in found)


def test_a_flipped_byte_in_a_loose_object_is_found(hub: Hub) -> None:
    loose = sorted(_repo_folder(hub).glob("objects/[0-9a-f][0-9a-f]/*"))[0]
    loose.chmod(0o644)
    content = bytearray(loose.read_bytes())
    content[len(content) // 2] ^= 0xFF
    loose.write_bytes(content)
    assert any(loose.name in problem["what"] for problem in _problems(hub))


def test_a_truncated_pack_is_found_and_its_repository_named(hub: Hub) -> None:
    pack = max(_repo_folder(hub).glob("objects/pack/*.pack"), key=lambda path: path.stat().st_size)
    pack.chmod(0o644)
    os.truncate(pack, pack.stat().st_size // 2)
    problems = _problems(hub)
    assert {problem["repository"] for problem in problems} == {"owner/whole"}
    assert any("pack" in problem["what"] for problem in problems)


def test_a_repository_whose_folder_is_gone_is_found(hub: Hub) -> None:
    folder = _repo_folder(hub)
    shutil.rmtree(folder)
    (problem,) = _problems(hub)
    assert (problem["kind"], problem["repository"]) == ("folder", "owner/whole")
    assert str(folder) in problem["what"]


def test_a_folder_of_which_no_row_tells_is_found(hub: Hub) -> None:
    folder = _repo_folder(hub)
    stray = folder.with_name("ab" + "0" * 30 + ".git")
    shutil.copytree(folder, stray)
    (problem,) = _problems(hub)
    assert problem["kind"] == "folder"
    assert "belongs to no repository" in problem["what"]


def test_a_branch_that_was_moved_behind_the_hubs_back_is_found(hub: Hub, git: Git) -> None:
    folder = _repo_folder(hub)
    older = git("--git-dir", folder, "rev-parse", "main~1")
    git("--git-dir", folder, "update-ref", "refs/heads/main", older)
    (problem,) = _problems(hub)
    assert (problem["kind"], problem["place"]) == ("row", "refs/heads/main")
    assert older in problem["what"]


def test_a_ref_that_leads_nowhere_is_found(hub: Hub) -> None:
    ref = _repo_folder(hub) / "refs" / "heads" / "lost"
    ref.parent.mkdir(parents=True, exist_ok=True)
    ref.write_text("1" * 40 + "\n")
    assert any("refs/heads/lost" in problem["what"] for problem in _problems(hub))


def test_a_pointer_to_an_object_that_was_never_here_is_found_by_its_path(
    hub: Hub, git: Git, tmp_path: Path
) -> None:
    folder, work = _repo_folder(hub), tmp_path / "work"
    git("clone", "--branch", "side", folder, work, GIT_LFS_SKIP_SMUDGE="1")
    missing = hashlib.sha256(b"never here").hexdigest()
    (work / "lost.txt").write_text(
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{missing}\nsize 10\n"
    )
    git("add", "lost.txt", cwd=work)
    git("commit", "-m", "A pointer to nothing", cwd=work)
    git("push", "origin", "side", cwd=work, GIT_LFS_SKIP_PUSH="1")
    (problem,) = _problems(hub)
    assert (problem["kind"], problem["place"], problem["oid"]) == ("pointer", "lost.txt", missing)


def test_what_a_crash_left_is_a_note_before_the_start_and_gone_after_it(
    new_hub: Callable[..., Hub], tmp_path: Path
) -> None:
    hub = new_hub().start()
    client = Client("current", python_of("current"), tmp_path, hub.url, hub.user("owner").token)
    client.call("import huggingface_hub as h; h.HfApi().create_repo('owner/cut')")
    hub.stop()
    hub.settings["fault"] = "repos.after_ref"
    hub.start()
    upload = """
        from huggingface_hub import HfApi
        HfApi().upload_file(path_or_fileobj=b"late", path_in_repo="late.txt", repo_id="owner/cut")
        """
    with pytest.raises(AssertionError):
        client.call(upload)
    hub.kill()
    del hub.settings["fault"]
    before = hub.cli_json("fsck")
    assert before["notes"] == ["1 refs were being moved: the next start settles them"]
    hub.start()
    after = hub.cli_json("fsck")
    assert (after["problems"], after["notes"]) == ([], [])
    hub.stop()
