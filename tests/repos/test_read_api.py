"""Tree, paths, commits, refs, differences: as clients ask and as clients read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from pygit2.enums import ObjectType

from hutch.core.permissions import NOBODY, Actor
from hutch.git.objects import hash_object
from hutch.git.pointers import Pointer, render
from hutch.git.refs import RefUpdate
from hutch.repos.changes import refs
from hutch.repos.lookup import RepoRow
from tests.repos.commit_body import deleted
from tests.repos.conftest import Answer, Api
from tests.repos.door import commit_files, commit_lines

Make = Callable[..., RepoRow]
WEIGHTS = b"0123456789" * 100


@pytest.fixture
def repo(ann: Actor, make_repo: Make) -> RepoRow:
    return make_repo(ann, "bert")


@pytest.fixture
def commit(ann: Actor, repo: RepoRow) -> str:
    files = {"README.md": "# Bert\n", "data/a.txt": "a", "data/deep/b.txt": "bb", "zebra.txt": "z"}
    return commit_files(ann, repo, {**files, "weights.bin": WEIGHTS})


def pages(api: Api, path: str, **more: Any) -> Iterator[Answer]:
    """All pages of a list, by the Link headers."""
    link: str | None = path
    while link:
        told = api("GET", link, **more)
        assert told.status == 200, told.body
        yield told
        header = told.headers.get("Link")
        assert header is None or header.endswith('>; rel="next"')
        link = header and header[1:].split(">")[0].removeprefix(api.base_url)


def lines(api: Api, path: str, **more: Any) -> list[Any]:
    return [line for told in pages(api, path, **more) for line in told.json]


def test_tree_lists_a_folder(api: Api, commit: str) -> None:
    told = api("GET", "/api/models/ann/bert/tree/main").json
    assert [(line["type"], line["path"], line["size"]) for line in told] == [
        ("file", ".gitattributes", told[0]["size"]),
        ("file", "README.md", 7),
        ("directory", "data", 0),
        ("file", "weights.bin", 1000),
        ("file", "zebra.txt", 1),
    ]
    pointer = Pointer(hashlib.sha256(WEIGHTS).hexdigest(), 1000)
    assert told[3]["lfs"] == {"oid": pointer.oid, "size": 1000, "pointerSize": len(render(pointer))}
    assert told[3]["oid"] == hash_object(ObjectType.BLOB, render(pointer))
    assert told[1]["oid"] == hash_object(ObjectType.BLOB, b"# Bert\n")
    assert "lastCommit" not in told[1]


def test_answers_have_no_spaces_for_duckdb(api: Api, commit: str) -> None:
    body = api("GET", "/api/models/ann/bert/tree/main/data").body
    assert b'{"type":"file","oid":' in body
    assert b'"path":"data/a.txt"' in body


def test_recursive_tree_lists_everything_below(api: Api, commit: str) -> None:
    told = lines(api, "/api/models/ann/bert/tree/main?recursive=True")
    paths = [line["path"] for line in told]
    assert paths == [
        ".gitattributes",
        "README.md",
        "data",
        "data/a.txt",
        "data/deep",
        "data/deep/b.txt",
        "weights.bin",
        "zebra.txt",
    ]
    below = lines(api, "/api/models/ann/bert/tree/main/data?recursive=true")
    assert [line["path"] for line in below] == ["data/a.txt", "data/deep", "data/deep/b.txt"]


def test_tree_path_may_be_encoded_whole(api: Api, commit: str) -> None:
    told = api("GET", "/api/models/ann/bert/tree/main/data%2Fdeep?recursive=False&expand=False").json
    assert [line["path"] for line in told] == ["data/deep/b.txt"]


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
@pytest.mark.parametrize("recursive", ["true", "false"])
def test_pages_of_a_tree_make_the_whole(api: Api, commit: str, limit: int, recursive: str) -> None:
    whole = api("GET", f"/api/models/ann/bert/tree/main?recursive={recursive}").json
    paged = list(pages(api, f"/api/models/ann/bert/tree/main?recursive={recursive}&limit={limit}"))
    assert [line for told in paged for line in told.json] == whole
    assert all(len(told.json) <= limit for told in paged)


def test_pages_of_a_tree_stay_at_one_commit(api: Api, ann: Actor, repo: RepoRow, commit: str) -> None:
    found = pages(api, "/api/models/ann/bert/tree/main?limit=2")
    paths = [line["path"] for line in next(found).json]
    commit_files(ann, repo, {"aaa.txt": "new", "yyy.txt": "new"})
    paths += [line["path"] for told in found for line in told.json]
    assert paths == [".gitattributes", "README.md", "data", "weights.bin", "zebra.txt"]


def test_expanded_tree_tells_each_last_commit(api: Api, ann: Actor, repo: RepoRow, commit: str) -> None:
    newer = commit_files(ann, repo, {"data/deep/b.txt": "changed"})
    told = {
        line["path"]: line["lastCommit"]["id"]
        for line in lines(api, "/api/models/ann/bert/tree/main?recursive=1&expand=1")
    }
    assert told["data/deep/b.txt"] == told["data"] == told["data/deep"] == newer
    assert told["README.md"] == told["data/a.txt"] == commit
    assert told[".gitattributes"] not in (commit, newer)
    line = api("GET", "/api/models/ann/bert/tree/main/data?expand=true").json[0]
    assert set(line["lastCommit"]) == {"id", "title", "date"}


@pytest.mark.parametrize("path", ["README.md", "nothing", "data/nothing", "data//deep"])
def test_tree_of_what_is_no_folder_is_not_found(api: Api, commit: str, path: str) -> None:
    told = api("GET", f"/api/models/ann/bert/tree/main/{path}")
    assert (told.status, told.code, told.headers["X-Repo-Commit"]) == (404, "EntryNotFound", commit)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "cursor=nonsense", "cursor=WzFd", "recursive=perhaps", "expand=%00"]
)
def test_bad_query_is_refused_by_name(api: Api, commit: str, query: str) -> None:
    told = api("GET", f"/api/models/ann/bert/tree/main?{query}")
    assert (told.status, told.json["field"]) == (400, query.split("=", maxsplit=1)[0])


def test_revision_is_one_segment_or_a_plain_ref(api: Api, ann: Actor, repo: RepoRow, commit: str) -> None:
    names = ["refs/heads/a/b", "refs/convert/parquet"]
    refs.advance(ann, repo, [RefUpdate(name, None, commit) for name in names], how="api")
    whole = api("GET", "/api/models/ann/bert/tree/main").json
    for revision in ("a%2Fb", "refs%2Fconvert%2Fparquet", "refs/convert/parquet", "~parquet", commit):
        assert api("GET", f"/api/models/ann/bert/tree/{revision}").json == whole
        assert len(api("GET", f"/api/models/ann/bert/tree/{revision}/data").json) == 2
    told = api("GET", "/api/models/ann/bert/tree/nope")
    assert (told.status, told.code) == (404, "RevisionNotFound")


def paths_info(
    api: Api, paths: list[str], *, expand: bool = False, as_json: bool = False, rev: str = "main"
) -> Answer:
    if as_json:
        return api("POST", f"/api/models/ann/bert/paths-info/{rev}", {"paths": paths, "expand": expand})
    form = urlencode({"paths": paths, "expand": expand}, doseq=True).encode()
    kind = "application/x-www-form-urlencoded"
    return api("POST", f"/api/models/ann/bert/paths-info/{rev}", form, content_type=kind)


@pytest.mark.parametrize("as_json", [True, False])
def test_paths_info_tells_of_those_that_exist_in_their_order(api: Api, commit: str, as_json: bool) -> None:
    wanted = ["weights.bin", "nothing", "data/", "data/a.txt", "../x", "weights.bin"]
    told = paths_info(api, wanted, as_json=as_json).json
    assert [(line["type"], line["path"]) for line in told] == [
        ("file", "weights.bin"), ("directory", "data"), ("file", "data/a.txt"),
    ]  # fmt: skip
    assert told[0]["lfs"]["size"] == 1000
    expanded = paths_info(api, ["data/a.txt"], expand=True, as_json=as_json).json
    assert expanded[0]["lastCommit"]["id"] == commit


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"paths":5}', b'{"paths":[1]}', b"{", b'"x"'])
def test_malformed_paths_info_is_refused(api: Api, commit: str, body: bytes) -> None:
    told = api("POST", "/api/models/ann/bert/paths-info/main", body)
    assert (told.status, told.json["field"]) == (400, "paths")


def test_too_many_paths_are_refused(api: Api, commit: str) -> None:
    assert paths_info(api, ["x"] * 10_000, as_json=True).status == 200
    assert paths_info(api, [f"x{n}" for n in range(10_001)], as_json=True).status == 400
    assert paths_info(api, [f"x{n}" for n in range(10_011)]).status == 400


def test_commits_come_newest_first_in_pages(api: Api, ann: Actor, repo: RepoRow, commit: str) -> None:
    made = [commit_files(ann, repo, {"n.txt": str(number)}) for number in range(5)]
    told = lines(api, "/api/models/ann/bert/commits/main?limit=2")
    assert [line["id"] for line in told][:6] == [*reversed(made), commit]
    assert len(told) == 7
    assert told[0]["authors"][0]["user"] == "ann"
    assert set(told[0]) == {"id", "title", "message", "authors", "date"}
    of_path = lines(api, "/api/models/ann/bert/commits/main?path=n.txt&limit=2")
    assert [line["id"] for line in of_path] == list(reversed(made))


def test_formatted_commits_cannot_carry_markup(api: Api, ann: Actor, repo: RepoRow) -> None:
    commit_lines(ann, repo, deleted(".gitattributes"), summary="<b>bold</b>", description="<script>\nx")
    told = api("GET", "/api/models/ann/bert/commits/main?expand[]=formatted").json[0]
    assert told["title"] == "<b>bold</b>"
    assert told["formatted"] == {"title": "&lt;b&gt;bold&lt;/b&gt;", "message": "&lt;script&gt;<br>\nx"}


def test_refs_are_told_by_kind(api: Api, ann: Actor, repo: RepoRow, commit: str) -> None:
    names = ["refs/heads/alpha", "refs/tags/v1", "refs/convert/parquet"]
    refs.advance(ann, repo, [RefUpdate(name, None, commit) for name in names], how="api")
    told = api("GET", "/api/models/ann/bert/refs").json
    assert [line["name"] for line in told["branches"]] == ["main", "alpha"]
    assert told["tags"] == [{"name": "v1", "ref": "refs/tags/v1", "targetCommit": commit}]
    assert told["converts"] == [{"name": "parquet", "ref": "refs/convert/parquet", "targetCommit": commit}]
    assert "pullRequests" not in told
    assert api("GET", "/api/models/ann/bert/refs?include_prs=1").json["pullRequests"] == []


def test_folder_has_a_size(api: Api, commit: str) -> None:
    assert api("GET", "/api/models/ann/bert/treesize/main/data").json == {"path": "data", "size": 3}
    assert api("GET", "/api/models/ann/bert/treesize/main").json["size"] > 1000
    assert api("GET", "/api/models/ann/bert/treesize/main/nothing").code == "EntryNotFound"


def test_two_revisions_are_compared(api: Api, ann: Actor, repo: RepoRow, commit: str) -> None:
    newer = commit_files(ann, repo, {"README.md": "# Bert\nmore\n", "new.txt": "n"})
    told = api("GET", f"/api/models/ann/bert/compare/{commit}..main").json
    assert (told["base"], told["head"], told["mergeBase"]) == (commit, newer, commit)
    assert [line["id"] for line in told["commits"]] == [newer]
    files = {line["path"]: (line["status"], line["additions"]) for line in told["files"]}
    assert files == {"README.md": ("modified", 1), "new.txt": ("added", 1)}
    raw = api("GET", f"/api/models/ann/bert/compare/{commit}...main?raw=true")
    assert b"+more" in raw.body
    assert raw.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert api("GET", "/api/models/ann/bert/compare/main").status == 400
    assert api("GET", "/api/models/ann/bert/compare/main..nope").code == "RevisionNotFound"


def test_compare_goes_both_ways(api: Api, ann: Actor, repo: RepoRow, commit: str) -> None:
    refs.advance(ann, repo, [RefUpdate("refs/heads/side", None, commit)], how="api")
    commit_files(ann, repo, {"main.txt": "m"})
    two = api("GET", "/api/models/ann/bert/compare/main..side").json
    three = api("GET", "/api/models/ann/bert/compare/main...side").json
    assert [(line["path"], line["status"]) for line in two["files"]] == [("main.txt", "deleted")]
    assert three["files"] == []


ADDRESSES = [
    "", "/revision/main", "/tree/main", "/tree/main/data", "/commits/main", "/refs", "/treesize/main", "/compare/a..b",
    "/likers", "/safetensors-metadata/model.safetensors.index.json",
]  # fmt: skip


@pytest.mark.parametrize("address", ADDRESSES)
def test_private_repository_reads_as_missing(
    api: Api, ann: Actor, bob: Actor, make_repo: Make, address: str
) -> None:
    make_repo(ann, "secret", visibility="private")
    for actor, status in ((NOBODY, 401), (bob, 404)):
        hidden, missing = (
            api("GET", f"/api/models/ann/{name}{address}", actor=actor) for name in ("secret", "missing")
        )
        assert (hidden.status, hidden.code, hidden.body) == (status, "RepoNotFound", missing.body)
        assert missing.status == status


def test_name_that_is_not_unicode_is_told_as_far_as_it_is(
    api: Api, ann: Actor, repo: RepoRow, commit: str
) -> None:
    from hutch.git import objects, repository

    git = repository.open(repo.path)
    blob = git.create_blob(b"x")
    tree = git.odb.write(
        ObjectType.TREE, objects.render_tree([objects.TreeEntry(0o100644, b"caf\xe9.txt", blob.raw)])
    )
    signature = git[commit].author
    odd = str(git.create_commit(None, signature, signature, "odd", tree, [commit]))
    refs.advance(ann, repo, [RefUpdate("refs/heads/odd", None, odd)], how="api")
    told = api("GET", "/api/models/ann/bert/tree/odd?limit=1")
    assert [line["path"] for line in json.loads(told.body)] == ["caf\ufffd.txt"]
