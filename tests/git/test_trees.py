from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hutch.core.errors import EntryNotFound, RevisionNotFound
from hutch.git import commits, pointers, repository, trees
from hutch.git.commits import Put
from hutch.git.errors import BlobTooLarge
from tests.git.conftest import WHO, Committer, Git

POINTER = pointers.Pointer("ab" * 32, 10**12)
FILES = {
    "README.md": b"# hello\n",
    "a": b"",
    "a.b/x": b"1",
    "a-b/x": b"2",
    "data/one.bin": pointers.render(POINTER),
    "data/sub/two.txt": b"two",
    "data/sub/deep/three.txt": b"three",
    "data.txt": b"beside the folder",
    "data0": b"behind the folder",
    "ünï/cödé.txt": b"u",
    "zz": b"last",
}


@pytest.fixture
def commit(put: Committer) -> str:
    return put(*(Put(path, data) for path, data in FILES.items()))


def _git_order(git: Git, bare: Path, *options: str) -> list[str]:
    listed = git(bare, "ls-tree", "-z", "--name-only", *options, "main").split(b"\0")[:-1]
    return [os.fsdecode(path) for path in listed]


def test_listing_is_gits_own(bare: Path, commit: str, git: Git) -> None:
    repo = repository.open(bare)
    assert [entry.path for entry in trees.list_entries(repo, commit)] == _git_order(git, bare)
    whole = trees.list_entries(repo, commit, recursive=True)
    assert [entry.path for entry in whole] == _git_order(git, bare, "-r", "-t")
    below = trees.list_entries(repo, commit, "data/sub/", recursive=True)
    assert [entry.path for entry in below] == ["data/sub/deep", "data/sub/deep/three.txt", "data/sub/two.txt"]


@pytest.mark.parametrize("recursive", [True, False])
@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.parametrize("folder", ["", "data"])
def test_pages_join_to_the_whole(bare: Path, commit: str, recursive: bool, size: int, folder: str) -> None:
    repo = repository.open(bare)
    whole = trees.list_entries(repo, commit, folder, recursive=recursive)
    joined: list[trees.Entry] = []
    while page := trees.list_entries(
        repo, commit, folder, recursive=recursive, after=joined[-1].path if joined else None, limit=size
    ):
        assert len(page) <= size
        joined += page
    assert joined == whole


_name = st.text(alphabet="ab.-", min_size=1, max_size=2).filter(lambda name: name not in (".", ".."))
_path = st.lists(_name, min_size=1, max_size=3).map("/".join)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(paths=st.sets(_path, min_size=1, max_size=12), data=st.data())
def test_a_page_behind_any_path_is_what_follows_it(bare: Path, paths: set[str], data: st.DataObject) -> None:
    files = [path for path in sorted(paths) if not any(other.startswith(path + "/") for other in paths)]
    repo = repository.open(bare)
    tree = commits.build_tree(repo, None, [Put(path, path.encode()) for path in files])
    commit = commits.commit(repo, tree, [], "x", WHO)
    whole = trees.list_entries(repo, commit, recursive=True)
    at = data.draw(st.integers(min_value=0, max_value=len(whole) - 1))
    assert trees.list_entries(repo, commit, recursive=True, after=whole[at].path) == whole[at + 1 :]


def test_a_page_behind_a_path_that_is_gone_goes_on_where_it_was(bare: Path, commit: str) -> None:
    repo = repository.open(bare)
    paths = [
        entry.path for entry in trees.list_entries(repo, commit, recursive=True, after="data/sub/missing")
    ]
    assert paths[0] == "data/sub/two.txt"
    paths = [entry.path for entry in trees.list_entries(repo, commit, recursive=True, after="data/gone/x/y")]
    assert paths[0] == "data/one.bin"


def test_a_late_page_reads_no_folder_before_it(bare: Path, put: Committer) -> None:
    for number in range(20):
        commit = put(Put(f"f{number:02d}/x.txt", b"%d" % number))
    repo = repository.open(bare)
    for number in range(15):
        oid = trees.entry_at(repo, commit, f"f{number:02d}").oid
        (bare / "objects" / oid[:2] / oid[2:]).unlink()
    page = trees.list_entries(repository.open(bare), commit, recursive=True, after="f15", limit=3)
    assert [entry.path for entry in page] == ["f15/x.txt", "f16", "f16/x.txt"]
    with pytest.raises(KeyError):
        trees.list_entries(repository.open(bare), commit, recursive=True)


def test_entries_say_what_they_are(bare: Path, commit: str, git: Git) -> None:
    repo = repository.open(bare)
    entry = trees.entry_at(repo, commit, "README.md")
    assert (entry.kind, entry.size, entry.mode, entry.pointer) == ("file", 8, 0o100644, None)
    assert entry.oid == git(bare, "rev-parse", "main:README.md").decode().strip()
    large = trees.entry_at(repo, commit, "data/one.bin")
    assert large.pointer == POINTER
    assert large.content_size == 10**12
    folder = trees.entry_at(repo, commit, "data/sub/")
    assert (folder.kind, folder.size, folder.path) == ("folder", 0, "data/sub")
    assert trees.entry_at(repo, commit, "").oid == git(bare, "rev-parse", "main^{tree}").decode().strip()
    assert trees.entry_at(repo, commit, "ünï/cödé.txt").size == 1


def test_links_and_submodules_are_told_apart(bare: Path, git: Git, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    git(work, "init", "-q")
    (work / "link").symlink_to("target")
    git(work, "add", ".")
    git(work, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module")
    git(work, "commit", "-qm", "odd kinds")
    git(work, "push", "-q", str(bare), "main")
    repo = repository.open(bare)
    commit = git(work, "rev-parse", "HEAD").decode().strip()
    kinds = {entry.path: entry.kind for entry in trees.list_entries(repo, commit, recursive=True)}
    assert kinds == {"link": "symlink", "module": "submodule"}


def test_names_that_are_not_utf8_can_be_read(bare: Path, git: Git, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    git(work, "init", "-q")
    os.mkdir(os.fsencode(work) + b"/d\xe9")
    with open(os.fsencode(work) + b"/d\xe9/caf\xe9", "wb") as out:
        out.write(b"latin")
    git(work, "add", ".")
    git(work, "commit", "-qm", "latin names")
    git(work, "push", "-q", str(bare), "main")
    commit = git(work, "rev-parse", "HEAD").decode().strip()
    repo = repository.open(bare)
    entry = trees.list_entries(repo, commit, recursive=True)[-1]
    assert os.fsencode(entry.path) == b"d\xe9/caf\xe9"
    assert trees.entry_at(repo, commit, entry.path) == entry


@pytest.mark.parametrize(
    "path",
    [
        "nope",
        "data/nope",
        "README.md/x",
        "/README.md",
        "data//one.bin",
        "data/../a",
        "..",
        "./a",
        "a\0",
        "\ud800",
        "DATA",
    ],
)
def test_missing_entry_is_not_found(bare: Path, commit: str, path: str) -> None:
    repo = repository.open(bare)
    with pytest.raises(EntryNotFound):
        trees.entry_at(repo, commit, path)
    assert trees.find_files(repo, commit, [path, "a"]).keys() == {"a"}


def test_listing_a_file_or_an_unknown_commit_is_not_found(bare: Path, commit: str) -> None:
    repo = repository.open(bare)
    with pytest.raises(EntryNotFound):
        trees.list_entries(repo, commit, "README.md")
    for unknown in ("0" * 40, "zz"):
        with pytest.raises(RevisionNotFound):
            trees.list_entries(repo, unknown)


def test_blobs_are_read_whole_or_streamed(bare: Path, put: Committer) -> None:
    big = os.urandom(trees.STREAM_ABOVE_BYTES + 12345)
    commit = put(Put("big", big), Put("small", b"small"))
    repo = repository.open(bare)
    for path, data in (("big", big), ("small", b"small")):
        oid = trees.entry_at(repo, commit, path).oid
        assert trees.read_blob(repo, oid, len(data)) == data
        with pytest.raises(BlobTooLarge) as refused:
            trees.read_blob(repo, oid, len(data) - 1)
        assert refused.value.limit == len(data) - 1
        stream = trees.open_blob(repo, oid)
        assert stream.read(3) == data[:3]
        assert b"".join(iter(lambda: stream.read(100_000), b"")) == data[3:]  # noqa: B023
        stream.close()
    early = trees.open_blob(repo, trees.entry_at(repo, commit, "big").oid)
    early.read(10)
    early.close()
    with pytest.raises(EntryNotFound):
        trees.read_blob(repo, "0" * 40, 10)
    with pytest.raises(EntryNotFound):
        trees.open_blob(repo, trees.entry_at(repo, commit, "").oid)


def test_folder_size_counts_large_objects_whole(bare: Path, commit: str) -> None:
    repo = repository.open(bare)
    assert trees.folder_size(repo, commit, "data") == 10**12 + 3 + 5
    assert trees.folder_size(repo, commit, "a.b") == 1
