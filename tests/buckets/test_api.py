"""The JSON routes of buckets, in the shapes in which clients read and write."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from hutch.buckets.batch_lines import MAX_LINE_BYTES, MAX_LINES, MAX_OPERATIONS
from hutch.buckets.models import BucketFile
from hutch.cas.models import FileReceipt
from hutch.core.permissions import Actor
from hutch.repos import service
from hutch.repos.lookup import RepoRow
from hutch.repos.models import Repo
from tests.buckets.conftest import hash_of, put, sent
from tests.repos.conftest import Api

Make = Callable[..., Any]
BOX = "/api/buckets/ann/box"


def lines(*values: Any) -> bytes:
    return b"\n".join(json.dumps(value).encode() for value in values)


def send(api: Api, actor: Actor, *values: Any) -> Any:
    return api("POST", f"{BOX}/batch", lines(*values), actor=actor, content_type="application/x-ndjson")


def test_bucket_is_made_in_the_callers_own_name_by_me(api: Api, ann: Actor) -> None:
    made = api("POST", "/api/buckets/me/box", {"visibility": "private", "region": "us"}, actor=ann)
    assert (made.status, made.json["url"]) == (200, "http://hub.test/buckets/ann/box")
    info = api("GET", BOX, actor=ann).json
    assert (info["id"], info["private"], info["size"], info["totalFiles"]) == ("ann/box", True, 0, 0)
    assert info["createdAt"].endswith("Z")
    assert info["updatedAt"].endswith("Z")


def test_taken_name_is_answered_409_with_its_address(api: Api, ann: Actor, bucket: RepoRow) -> None:
    told = api("POST", "/api/buckets/ANN/Box", {}, actor=ann)
    assert (told.status, told.json["url"]) == (409, "http://hub.test/buckets/ANN/Box".replace("ANN", "ann"))


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("ann/-x", {}, 400), ("ann/settings", {}, 400), ("ann/box2", {"visibility": "protected"}, 400),
        ("ann/box2", {"visibility": "secret"}, 400), ("ann/box2", {"private": "yes?"}, 400),
        ("ann/box2", {"gated": "auto"}, 400), ("ann/box2", {"resourceGroupId": "6"}, 501), ("bob/box", {}, 403),
        ("absent/box", {}, 403), ("ann/box2", {"private": True, "visibility": "public"}, 400),
    ],
)  # fmt: skip
def test_bucket_that_cannot_be_is_refused(
    api: Api, ann: Actor, bob: Actor, path: str, body: Any, status: int
) -> None:
    assert api("POST", f"/api/buckets/{path}", body, actor=ann).status == status
    assert not Repo.objects.exists()


def test_repositories_of_other_types_are_no_buckets(api: Api, ann: Actor, make_repo: Make) -> None:
    make_repo(ann, "bert")
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/tree"), ("POST", "/batch")):
        told = api(method, f"/api/buckets/ann/bert{path}", actor=ann)
        assert (told.status, told.code) == (404, "RepoNotFound")


@pytest.mark.parametrize(
    "address",
    [
        "/api/models/ann/box", "/api/datasets/ann/box/revision/main", "/api/models/ann/box/tree/main",
        "/api/buckets/ann/box/tree/main/../x", "/api/buckets/ann/box/commits/main", "/api/buckets/ann/box/refs",
        "/api/buckets/ann/box/discussions", "/api/buckets/ann/box/revision/main", "/ann/box", "/datasets/ann/box",
    ],
)  # fmt: skip
def test_bucket_answers_no_route_of_git(api: Api, ann: Actor, bucket: RepoRow, address: str) -> None:
    told = api("GET", address, actor=ann)
    assert told.status == (200 if "/tree/main/" in address else 404)
    assert told.status == 404 or told.json == []


def test_batch_is_answered_in_the_shape_that_clients_read(api: Api, ann: Actor, bucket: RepoRow) -> None:
    name = sent(ann, bucket)
    told = send(
        api, ann,
        {"type": "addFile", "path": "a/b.txt", "xetHash": name, "mtime": 17 * 10**11, "contentType": "text/plain"},
        {"type": "addFile", "path": "c", "xetHash": name},
        {"type": "deleteFile", "path": "absent"},
    )  # fmt: skip
    failed = [{"path": "absent", "error": "There is no file of this name"}]
    assert (told.status, told.json) == (
        200, {"success": False, "processed": 3, "succeeded": 2, "failed": failed},
    )  # fmt: skip
    info = api("GET", BOX).json
    assert (info["size"], info["totalFiles"]) == (14, 2)
    tree = api("GET", f"{BOX}/tree").json
    assert tree[0] | {"uploadedAt": ""} == {
        "type": "file", "path": "a/b.txt", "size": 7, "xetHash": name, "uploadedAt": "",
        "mtime": "2023-11-14T22:13:20.000Z", "contentType": "text/plain",
    }  # fmt: skip
    assert [entry["path"] for entry in tree] == ["a/b.txt", "c"]
    flat = api("GET", f"{BOX}/tree?recursive=false").json
    assert [(entry["type"], entry["path"]) for entry in flat] == [("directory", "a"), ("file", "c")]


def test_batch_of_which_all_failed_is_answered_422(api: Api, ann: Actor, bucket: RepoRow) -> None:
    told = send(api, ann, {"type": "deleteFile", "path": "absent"})
    assert (told.status, told.json["succeeded"], len(told.json["failed"])) == (422, 0, 1)
    assert send(api, ann).json == {"success": True, "processed": 0, "succeeded": 0, "failed": []}


GOOD = {"type": "addFile", "path": "good", "xetHash": hash_of(b"content")}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", "line"), (b"[]", "line"), (b'"x"', "line"), (b"\xff\xfe", "line"), (b"[" * 60_000, "line"),
        (lines({}), "type"), (lines({"type": 3}), "type"), (lines({"type": "moveFile"}), "type"),
        (lines({"type": "deleteFile"}), "path"), (lines({"type": "deleteFile", "path": 3}), "path"),
        (lines({"type": "deleteFile", "path": "x", "force": True}), "force"),
        (lines({**GOOD, "mtime": "now"}), "mtime"), (lines({**GOOD, "mtime": True}), "mtime"),
        (lines({**GOOD, "mtime": 1.5}), "mtime"), (lines({**GOOD, "contentType": 3}), "contentType"),
        (lines({"type": "addFile", "path": "x"}), "xetHash"), (lines({**GOOD, "size": 3}), "size"),
        (lines({"type": "copyFile", "path": "x", "xetHash": "x"}), "sourceRepoType"),
        (lines({**GOOD, "path": "x" * MAX_LINE_BYTES}), "line"),
        (b"\n" * (MAX_LINES + 1), "body"),
    ],
)  # fmt: skip
def test_broken_line_is_named_and_nothing_of_the_batch_is_done(
    api: Api, ann: Actor, bucket: RepoRow, body: bytes, field: str
) -> None:
    sent(ann, bucket)
    told = api("POST", f"{BOX}/batch", lines(GOOD) + b"\n" + body, actor=ann)
    assert (told.status, told.code, told.json["field"]) == (400, "InvalidBatch", field)
    assert told.json["line"] == (MAX_LINES + 1 if field == "body" else 2)
    assert not BucketFile.objects.exists()


def test_batch_has_a_bounded_number_of_operations(api: Api, ann: Actor, bucket: RepoRow) -> None:
    told = send(api, ann, *[{"type": "deleteFile", "path": "x"}] * (MAX_OPERATIONS + 1))
    assert (told.status, told.json["limit"], told.json["line"]) == (400, MAX_OPERATIONS, MAX_OPERATIONS + 1)


def test_those_who_may_not_see_a_bucket_are_told_that_it_is_missing(
    api: Api, ann: Actor, bob: Actor, bucket: RepoRow
) -> None:
    put(ann, bucket, "a")
    assert api("PUT", f"{BOX}/settings", {"private": True}, actor=ann).json["private"] is True
    asked = [
        ("GET", "", None), ("GET", "/tree", None), ("GET", "/tree/a", None), ("POST", "/paths-info", {"paths": ["a"]}),
        ("POST", "/batch", lines(GOOD)), ("PUT", "/settings", {"private": False}), ("DELETE", "", None),
        ("GET", "/xet-read-token", None), ("GET", "/xet-write-token", None),
        ("POST", "/lfs-files/duplicate", {"target": {"type": "bucket", "name": "bob/x"}, "files": []}),
    ]  # fmt: skip
    for method, path, body in asked:
        told, missing = (
            api(method, f"/api/buckets/ann/{name}{path}", body, actor=bob) for name in ("box", "no")
        )
        assert (told.status, told.code) == (404, "RepoNotFound")
        assert (told.status, told.json, told.headers) == (missing.status, missing.json, missing.headers)
    assert api("GET", "/api/buckets/ann", actor=bob).json == []


def test_public_bucket_is_read_by_all_and_written_by_its_owner(
    api: Api, ann: Actor, bob: Actor, bucket: RepoRow
) -> None:
    put(ann, bucket, "a")
    for path in ("", "/tree", "/xet-read-token"):
        assert api("GET", BOX + path).status == api("GET", BOX + path, actor=bob).status == 200
    told = [
        api("POST", f"{BOX}/batch", lines(GOOD), actor=bob), api("GET", f"{BOX}/xet-write-token", actor=bob),
        api("PUT", f"{BOX}/settings", {"private": True}, actor=bob), api("DELETE", BOX, actor=bob),
    ]  # fmt: skip
    assert [each.status for each in told] == [403] * 4
    assert api("GET", f"{BOX}/xet-write-token").status == 401


def test_paths_info_tells_of_files_alone(api: Api, ann: Actor, bucket: RepoRow) -> None:
    put(ann, bucket, "d/a", "b")
    told = api("POST", f"{BOX}/paths-info", {"paths": ["b", "d", "d/a", "no"], "expand": False})
    assert [entry["path"] for entry in told.json] == ["b", "d/a"]
    assert api("POST", f"{BOX}/paths-info", {"paths": "b"}).status == 400
    assert api("POST", f"{BOX}/paths-info", {"paths": ["x"] * 10_001}).json["field"] == "paths"


def test_lists_go_on_by_links(api: Api, ann: Actor, bucket: RepoRow, make_repo: Make) -> None:
    put(ann, bucket, "a", "b c", "ü")
    for number in range(3):
        make_repo(ann, f"box{number}", type="bucket")

    def pages(address: str) -> list[list[str]]:
        found = []
        while address:
            told = api("GET", address, actor=ann)
            found.append([entry.get("path") or entry["id"] for entry in told.json])
            link = told.headers.get("Link", "")
            address = link.removeprefix("<http://hub.test").partition(">")[0]
        return found

    assert pages(f"{BOX}/tree?limit=2") == [["a", "b c"], ["ü"]]
    assert pages(f"{BOX}/tree/b%20?limit=1&recursive=False") == [["b c"]]
    assert pages("/api/buckets/me?limit=3&search=box") == [["ann/box2", "ann/box1", "ann/box0"], ["ann/box"]]
    assert api("GET", f"{BOX}/tree?limit=0", actor=ann).status == 400


def test_bucket_is_renamed_and_its_old_name_leads_to_it(api: Api, ann: Actor, bucket: RepoRow) -> None:
    body = {"type": "bucket", "fromRepo": "ann/box", "toRepo": "ann/crate"}
    assert api("POST", "/api/repos/move", body, actor=ann).json["url"] == "http://hub.test/buckets/ann/crate"
    assert api("GET", BOX).json["id"] == "ann/crate"
    assert api("DELETE", BOX, actor=ann).status == 404
    one = {"type": "bucket", "fromRepo": "ann/crate", "toRepo": "crate"}
    assert api("POST", "/api/repos/move", one, actor=ann).status == 400
    assert api("DELETE", "/api/buckets/ann/crate", actor=ann).status == 200
    assert not Repo.objects.exists()


def test_bucket_named_without_its_owner_is_missing(api: Api, ann: Actor, bucket: RepoRow) -> None:
    assert api("GET", "/api/buckets/box", actor=ann).status == 404
    assert api("DELETE", "/api/buckets/box", actor=ann).status == 404


def test_bucket_is_made_and_deleted_by_the_routes_of_all_repositories(api: Api, ann: Actor) -> None:
    body = {"type": "bucket", "name": "box", "private": True}
    assert api("POST", "/api/repos/create", body, actor=ann).json["url"] == "http://hub.test/buckets/ann/box"
    assert api("GET", BOX, actor=ann).json["private"] is True
    assert api("DELETE", "/api/repos/delete", {"type": "bucket", "name": "box"}, actor=ann).status == 200


def test_files_are_given_to_another_bucket_without_being_sent(
    api: Api, ann: Actor, bob: Actor, bucket: RepoRow, make_repo: Make
) -> None:
    put(ann, bucket, "a", content=b"data")
    theirs, name = make_repo(bob, "box", type="bucket"), hash_of(b"data")
    body = {
        "target": {"type": "bucket", "name": "bob/box"},
        "files": [{"xetHash": name, "filename": "a"}, {"xetHash": "ab" * 32}],
    }
    told = api("POST", f"{BOX}/lfs-files/duplicate", body, actor=bob).json
    assert (told["succeeded"], [each["xetHash"] for each in told["failed"]]) == (1, ["ab" * 32])
    service.delete_repo(ann, bucket)
    assert FileReceipt.objects.filter(repo_id=theirs.id).exists()
    add = {"type": "addFile", "path": "mine", "xetHash": name}
    assert api("POST", "/api/buckets/bob/box/batch", lines(add), actor=bob).json["success"] is True
    into_git = {"target": {"type": "model", "name": "bob/bert"}, "files": []}
    make_repo(bob, "bert")
    assert api("POST", "/api/buckets/bob/box/lfs-files/duplicate", into_git, actor=bob).status == 501


def test_storage_and_profile_count_buckets(api: Api, ann: Actor, bucket: RepoRow) -> None:
    put(ann, bucket, "a", content=b"12345")
    (line,) = api("GET", "/api/settings/repositories", actor=ann).json
    assert (line["id"], line["type"], line["storage"]) == ("ann/box", "bucket", 5)
    assert api("GET", "/api/users/ann/overview").json["numBuckets"] == 1
    assert api("GET", "/api/quicksearch?q=box").json["buckets"][0]["id"] == "ann/box"


def test_pages_of_a_bucket_show_its_folders(api: Api, ann: Actor, bucket: RepoRow) -> None:
    put(ann, bucket, "d/e f/<b>.txt", "top.txt")
    root = api("GET", "/buckets/ann/box").body.decode()
    assert "/buckets/ann/box/tree/d" in root
    assert "/buckets/ann/box/resolve/top.txt?download=true" in root
    inner = api("GET", "/buckets/ann/box/tree/d/e%20f").body.decode()
    assert "/buckets/ann/box/resolve/d/e%20f/%3Cb%3E.txt" in inner
    assert "&lt;b&gt;.txt" in inner
    assert (
        api("GET", "/buckets/ann/box/tree/top.txt").headers["Location"] == "/buckets/ann/box/resolve/top.txt"
    )
    assert api("GET", "/buckets/ann/box/tree/absent").status == 404
    for address in ("/buckets", "/ann", "/search?q=box", "/"):
        assert "/buckets/ann/box" in api("GET", address).body.decode()
    assert api("GET", "/buckets/ann/box/settings", actor=ann).status == 200
