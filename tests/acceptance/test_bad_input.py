"""Bad input to a running hub: the right status, an error that names field, value and limit, all else as it was."""

# ruff: noqa: E501  (tables of bad values read better in one line each)

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.acceptance.hub import Hub
from tests.acceptance.lfs_sender import Reply, Sender, oid_of

SHA = "0123456789" * 6 + "abcd"
HEADER = {"key": "header", "value": {"summary": "A change"}}


@dataclass
class Desk:
    """A repository of one's own and what to send to it."""

    sender: Sender
    repo: str
    head: str = ""
    sent: list[str] = field(default_factory=list)

    def look(self) -> str:
        """Where `main` is now."""
        found: str = self.sender("GET", f"/api/models/{self.repo}").json["sha"]
        return found

    def commit(self, body: bytes, revision: str = "main") -> Reply:
        """Sends a commit's body as it is."""
        kind = {"Content-Type": "application/x-ndjson"}
        return self.sender("POST", f"/api/models/{self.repo}/commit/{revision}", body, kind)

    def refuses(self, reply: Reply, status: int, code: str, **named: Any) -> Reply:
        """Checks a refusal and that nothing has moved."""
        assert reply.status == status, reply.body
        assert reply.headers["x-error-code"] == reply.json["code"] == code
        assert reply.headers["x-error-message"]
        for name, value in named.items():
            assert reply.json.get(name) == value, reply.json
        assert self.look() == self.head
        return reply


@pytest.fixture(scope="module")
def desk(new_hub: Callable[..., Hub]) -> Any:
    """One repository for all bad input of this module; at the end the hub's own check finds nothing wrong."""
    hub = new_hub(max_file_bytes=str(1 << 30), regular_file_bytes=str(1 << 20)).start()
    sender = Sender(hub, hub.user("ann"))
    desk = Desk(sender, sender.create("target"))
    first = desk.commit(lines(HEADER, file("kept.txt", "kept"), file("folder/inside.txt", "inside")))
    assert first.status == 200, first.body
    desk.head = desk.look()
    yield desk
    assert desk.look() == desk.head
    done = hub.run("fsck", "--json")
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["problems"] == []
    hub.stop()


def lines(*found: Any) -> bytes:
    return b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in found)


def file(path: str, text: str = "x", **more: Any) -> dict[str, Any]:
    return {"key": "file", "value": {"path": path, "content": text, "encoding": "utf-8", **more}}


def large(path: str, **more: Any) -> dict[str, Any]:
    return {"key": "lfsFile", "value": {"path": path, "oid": SHA, "size": 5, "algo": "sha256", **more}}


MALFORMED: dict[str, tuple[bytes, int, str]] = {
    "nothing at all": (b"", 1, "header"),
    "no JSON": (b"commit this please", 1, "line"),
    "half a line": (b'{"key": "header", "value": {"summ', 1, "line"),
    "bytes that are not UTF-8": (b'{"key": "header", "value": {"summary": "\xff"}}', 1, "line"),
    "a list": (b"[1, 2]", 1, "key"),
    "a number": (b"17", 1, "key"),
    "a key that is no text": (lines({"key": 5, "value": {}}), 1, "key"),
    "no value": (lines({"key": "header"}), 1, "value"),
    "a value that is no object": (lines({"key": "header", "value": "x"}), 1, "value"),
    "an unknown field beside key": (lines({**HEADER, "extra": 1}), 1, "extra"),
    "no header": (lines(file("a.txt")), 1, "key"),
    "an empty summary": (lines({"key": "header", "value": {"summary": "  "}}), 1, "summary"),
    "a summary that is no text": (lines({"key": "header", "value": {"summary": 5}}), 1, "summary"),
    "an unknown field in the header": (lines({"key": "header", "value": {"summary": "x", "sumary": "y"}}), 1, "sumary"),
    "half a parent": (lines({"key": "header", "value": {"summary": "x", "parentCommit": "abc1234"}}), 1, "parentCommit"),
    "an unknown key": (lines(HEADER, {"key": "symlink", "value": {"path": "a"}}), 2, "key"),
    "a second header": (lines(HEADER, HEADER), 2, "key"),
    "a file without a path": (lines(HEADER, {"key": "file", "value": {"content": "x"}}), 2, "path"),
    "a file without content": (lines(HEADER, {"key": "file", "value": {"path": "a"}}), 2, "content"),
    "an unknown encoding": (lines(HEADER, file("a", encoding="utf-16")), 2, "encoding"),
    "base64 with a foreign letter": (lines(HEADER, file("a", "aGVsbG8*", encoding="base64")), 2, "content"),
    "base64 without its end": (lines(HEADER, file("a", "aGVsbG8", encoding="base64")), 2, "content"),
    "base64 with a line's end": (lines(HEADER, file("a", "aGVs\nbG8=", encoding="base64")), 2, "content"),
    "half a surrogate pair": (lines(HEADER, file("a", "\ud800")), 2, "content"),
    "an unknown field of a file": (lines(HEADER, file("a", mode="100755")), 2, "mode"),
    "one path twice": (lines(HEADER, file("a"), file("a")), 3, "path"),
    "a hash that is none": (lines(HEADER, large("a.bin", oid="xyz")), 2, "oid"),
    "a hash in capitals": (lines(HEADER, large("a.bin", oid=SHA.upper())), 2, "oid"),
    "another kind of hash": (lines(HEADER, large("a.bin", algo="md5")), 2, "algo"),
    "a negative size": (lines(HEADER, large("a.bin", size=-1)), 2, "size"),
    "a size that is no number": (lines(HEADER, large("a.bin", size="5")), 2, "size"),
    "an unknown field of a deletion": (lines(HEADER, {"key": "deletedFile", "value": {"path": "kept.txt", "x": 1}}), 2, "x"),
    "an unknown field of a copy": (
        lines(HEADER, {"key": "copyFile", "value": {"path": "a", "srcPath": "kept.txt", "x": 1}}), 2, "x"
    ),
    "a mistake behind good lines": (lines(HEADER, file("good.txt"), b"{", file("more.txt")), 3, "line"),
}  # fmt: skip


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_commit_is_refused_at_its_line(desk: Desk, what: str) -> None:
    body, line, named = MALFORMED[what]
    desk.refuses(desk.commit(body), 400, "BadRequest", line=line, field=named)


BAD_PATHS = {
    "empty": "", "absolute": "/etc/passwd", "up": "../up.txt", "up inside": "a/../../b", "here": "./a", "here inside": "a/./b",
    "dots alone": "..", "an empty part": "a//b", "a slash at its end": "a/", "a backslash": "a\\b", "backslashes up": "..\\..\\up",
    "a drive": "C:\\x", "a NUL": "a\0b", "a newline": "a\nb", "an escape": "a\x1bb", "a C1 control": "a\x85b",
    "git's own folder": ".git/config", "git's own folder inside": "a/.git/hooks/x", "in capitals": ".GIT/x", "mixed": ".GiT",
    "by its short name": "git~1/x", "with a stream": ".git::$INDEX_ALLOCATION/x", "with dots behind": ".git. . /x",
    "with an ignored letter": ".g\u200cit/x", "with a joined one": "\u200d.git/x", "in wide letters": "\uff0egit/x",
    "in other wide letters": ".\uff47\uff49\uff54/x", "half a surrogate pair": "a\ud800b", "long": "a/" * 2500 + "b",
    "a long part": "a" * 256, "many parts": "/".join(["a"] * 129), "a long part of letters of two bytes": "\u00e9" * 128,
}  # fmt: skip


@pytest.mark.parametrize("what", BAD_PATHS)
def test_path_that_some_system_could_not_or_must_not_check_out_is_refused(desk: Desk, what: str) -> None:
    path = BAD_PATHS[what]
    for line in (
        file(path),
        large(path),
        {"key": "copyFile", "value": {"path": path, "srcPath": "kept.txt"}},
    ):
        reply = desk.refuses(desk.commit(lines(HEADER, line)), 400, "BadRequest", field="path", line=2)
        assert "path" in reply.json["error"]
    planned = {"files": [{"path": path, "size": 1}]}
    desk.refuses(
        desk.sender("POST", f"/api/models/{desk.repo}/preupload/main", planned),
        400,
        "InvalidPath",
        field="path",
    )
    begun = {"path": path, "size": 1}
    desk.refuses(
        desk.sender("POST", f"/api/models/{desk.repo}/uploads", begun), 400, "InvalidPath", field="path"
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [("Kept.txt", "kept.txt"), ("FOLDER/x.txt", "folder/inside.txt"), ("caf\u00e9.txt", "cafe\u0301.txt"),
     ("stra\u00dfe.txt", "STRASSE.txt"), ("\u212a.txt", "k.txt")],
)  # fmt: skip
def test_two_paths_that_one_file_system_would_mix_up_are_refused(desk: Desk, one: str, other: str) -> None:
    there = other in ("kept.txt", "folder/inside.txt")
    found = [HEADER, file(one)] if there else [HEADER, file(one), file(other)]
    desk.refuses(desk.commit(lines(*found)), 400, "PathCollision", field="path")


def test_file_and_folder_of_one_name_are_refused(desk: Desk) -> None:
    for path in ("kept.txt/below", "folder"):
        desk.refuses(desk.commit(lines(HEADER, file(path))), 400, "InvalidPath", field="path")


def test_limits_are_told_with_the_refusal(desk: Desk) -> None:
    body = base64.b64encode(b"x" * (1 << 20)).decode()
    reply = desk.refuses(
        desk.commit(lines(HEADER, file("big.txt", body, encoding="base64"))), 400, "BadRequest"
    )
    assert reply.json["limit"] == 1 << 20
    reply = desk.refuses(desk.commit(lines(HEADER, file("a.txt", "x" * 3_000_000))), 400, "BadRequest")
    assert isinstance(reply.json["limit"], int)
    planned = {"files": [{"path": "a", "size": (1 << 30) + 1}]}
    reply = desk.sender("POST", f"/api/models/{desk.repo}/preupload/main", planned)
    desk.refuses(reply, 400, "BadRequest", field="size", limit=1 << 30)
    reply = desk.sender("POST", f"/api/models/{desk.repo}/uploads", {"path": "a", "size": (1 << 30) + 1})
    desk.refuses(reply, 413, "PayloadTooLarge", field="size", limit=1 << 30)
    desk.refuses(desk.commit(lines(HEADER) + b"\n" * 300_000), 400, "BadRequest", field="body", limit=200_000)


def test_deleting_or_copying_what_is_not_there_names_the_path(desk: Desk) -> None:
    for key, value in (
        ("deletedFile", {"path": "absent.txt"}), ("deletedFolder", {"path": "absent/"}),
        ("deletedFile", {"path": "folder"}), ("deletedFolder", {"path": "kept.txt"}),
        ("copyFile", {"path": "a", "srcPath": "absent.txt"}),
    ):  # fmt: skip
        reply = desk.commit(lines(HEADER, {"key": key, "value": value}))
        desk.refuses(reply, 404, "EntryNotFound")
        assert reply.json["value"].rstrip("/") in ("absent.txt", "absent", "folder", "kept.txt")
    copied = {"key": "copyFile", "value": {"path": "a", "srcPath": "kept.txt", "srcRevision": "absent"}}
    desk.refuses(desk.commit(lines(HEADER, copied)), 404, "RevisionNotFound", field="revision")


@pytest.mark.parametrize(
    ("revision", "status", "code"),
    [("absent", 404, "RevisionNotFound"), ("main~1", 404, "RevisionNotFound"), ("refs%2Fpr%2F99", 404, "RevisionNotFound"),
     ("refs%2Fheads%2F..%2F..%2Fx", 404, "RevisionNotFound"), ("HEAD", 400, "BadRequest"), ("%00", 404, "RevisionNotFound"),
     ("%ff", 404, "RevisionNotFound"), ("a" * 1500, 404, "RevisionNotFound")],
)  # fmt: skip
def test_commit_to_what_is_no_branch_is_refused(desk: Desk, revision: str, status: int, code: str) -> None:
    desk.refuses(desk.commit(lines(HEADER, file("a")), revision), status, code)


def test_stale_parent_is_told_the_head_and_nothing_is_lost(desk: Desk) -> None:
    stale = "1" * 40
    header = {"key": "header", "value": {"summary": "x", "parentCommit": stale}}
    reply = desk.commit(lines(header, file("a")))
    desk.refuses(reply, 412, "PreconditionFailed", field="parentCommit", value=stale, limit=desk.head)


@pytest.mark.parametrize("with_parent", [True, False])
def test_of_concurrent_commits_none_that_was_acknowledged_is_lost(
    server: Hub, unique: Callable[[str], str], with_parent: bool
) -> None:
    sender = Sender(server, server.user(unique("racer")))
    desk = Desk(sender, sender.create("raced"))
    start, replies = desk.look(), {}
    parent = {"parentCommit": start} if with_parent else {}

    def race(number: int) -> None:
        header = {"key": "header", "value": {"summary": f"commit {number}", **parent}}
        replies[number] = desk.commit(lines(header, file(f"file-{number}.txt", str(number))))

    threads = [threading.Thread(target=race, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = {number for number, reply in replies.items() if reply.status == 200}
    lost = {reply.status: reply for number, reply in replies.items() if number not in won}
    assert set(lost) <= {409, 412}
    assert all(reply.headers["x-error-code"] for reply in lost.values())
    assert len(won) == 1 if with_parent else len(won) >= 1
    tree = sender("GET", f"/api/models/{desk.repo}/tree/main").json
    there = {entry["path"] for entry in tree if entry["path"].startswith("file-")}
    assert there == {f"file-{number}.txt" for number in won}
    commits = sender("GET", f"/api/models/{desk.repo}/commits/main").json
    assert {commit["title"] for commit in commits} >= {f"commit {number}" for number in won}
    assert {commit["title"] for commit in commits} & {
        f"commit {number}" for number in set(replies) - won
    } == set()


def test_pointer_to_bytes_that_are_not_here_is_refused_and_named(desk: Desk) -> None:
    reply = desk.refuses(desk.commit(lines(HEADER, large("model.bin"))), 400, "MissingObjects")
    assert SHA in json.dumps(reply.json)
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{SHA}\nsize 5\n"
    desk.refuses(desk.commit(lines(HEADER, file("model.txt", pointer))), 400, "MissingObjects")


def test_bytes_of_another_size_or_hash_never_become_an_object(desk: Desk) -> None:
    content = b"what was announced"
    href = desk.sender.href(desk.repo, content)
    for body, code in (
        (content[:-1], "SizeMismatch"), (content + b"!", "SizeMismatch"), (content[::-1], "ChecksumMismatch"), (b"", "SizeMismatch"),
    ):  # fmt: skip
        reply = desk.sender("PUT", href, body, signed=True)
        assert (reply.status, reply.headers["x-error-code"]) == (400, code), reply.body
        commit = desk.commit(lines(HEADER, large("a.bin", oid=oid_of(content), size=len(content))))
        desk.refuses(commit, 400, "MissingObjects")


def test_true_object_under_a_wrong_size_is_refused_with_both_sizes(desk: Desk) -> None:
    content = b"exactly as long as it is"
    desk.sender.send(desk.repo, content)
    reply = desk.commit(lines(HEADER, large("a.bin", oid=oid_of(content), size=len(content) + 1)))
    desk.refuses(reply, 400, "BadRequest", field="size", value=str(len(content) + 1), limit=len(content))
    pointer = (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid_of(content)}\nsize {len(content) + 1}\n"
    )
    desk.refuses(desk.commit(lines(HEADER, file("a.bin", pointer))), 400, "PointerSizeMismatch")


BATCHES: dict[str, tuple[Any, int]] = {
    "no operation": ({"objects": []}, 422), "another operation": ({"operation": "erase", "objects": []}, 422),
    "no objects": ({"operation": "upload"}, 422), "objects that are no list": ({"operation": "upload", "objects": {}}, 422),
    "another hash": ({"operation": "upload", "objects": [], "hash_algo": "sha1"}, 409),
    "too many": ({"operation": "upload", "objects": [{"oid": SHA, "size": 1}] * 1001}, 413),
    "transfers that are no list": ({"operation": "upload", "objects": [], "transfers": "basic"}, 422),
}  # fmt: skip


@pytest.mark.parametrize("what", BATCHES)
def test_malformed_batch_is_refused_in_the_words_of_lfs(desk: Desk, what: str) -> None:
    body, status = BATCHES[what]
    reply = desk.sender("POST", f"/{desk.repo}.git/info/lfs/objects/batch", body)
    assert reply.status == status, reply.body
    assert reply.json["message"]
    assert reply.json["field"]
    assert reply.headers["x-error-code"]


@pytest.mark.parametrize("entry", [None, 5, {}, {"oid": SHA}, {"oid": "../x", "size": 1}, {"oid": SHA.upper(), "size": 1},
                                   {"oid": SHA, "size": -1}, {"oid": SHA, "size": 2**63}, {"oid": SHA, "size": 1.5}])  # fmt: skip
def test_one_bad_object_of_a_batch_is_told_beside_the_good_ones(desk: Desk, entry: Any) -> None:
    good = {"oid": oid_of(b"good"), "size": 4}
    body = {"operation": "upload", "objects": [good, entry]}
    objects = desk.sender("POST", f"/{desk.repo}.git/info/lfs/objects/batch", body).json["objects"]
    assert "upload" in objects[0]["actions"]
    assert objects[1]["error"]["code"] == 422


UNKNOWN_FIELDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "create": ("POST", "/api/repos/create", {"name": "never"}),
    "delete": ("DELETE", "/api/repos/delete", {"name": "target"}),
    "move": ("POST", "/api/repos/move", {"fromRepo": "ann/target", "toRepo": "ann/moved"}),
    "settings": ("PUT", "/api/models/{repo}/settings", {"private": True}),
    "branch": ("POST", "/api/models/{repo}/branch/never", {}),
    "tag": ("POST", "/api/models/{repo}/tag/main", {"tag": "never"}),
    "squash": ("POST", "/api/models/{repo}/super-squash/main", {"message": "x"}),
    "duplicate": ("POST", "/api/models/{repo}/duplicate", {"repository": "ann/never"}),
    "preupload": ("POST", "/api/models/{repo}/preupload/main", {"files": []}),
    "discussion": ("POST", "/api/models/{repo}/discussions", {"title": "x", "pullRequest": True}),
    "token": ("POST", "/api/settings/tokens", {"displayName": "never", "role": "read"}),
    "upload": ("POST", "/api/models/{repo}/uploads", {"path": "x", "size": 1}),
}


@pytest.mark.parametrize("what", UNKNOWN_FIELDS)
def test_unknown_field_is_an_error_that_names_it(desk: Desk, what: str) -> None:
    method, path, body = UNKNOWN_FIELDS[what]
    address = path.format(repo=desk.repo)
    reply = desk.sender(method, address, {**body, "privat": True})
    desk.refuses(reply, 400, "BadRequest", field="privat")
    for name in body:
        wrong = desk.sender(method, address, {**body, name: {"an": "object"}})
        assert (wrong.status, wrong.json["field"].split(".")[0]) == (400, name), wrong.body
        assert wrong.headers["x-error-code"] == "BadRequest"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"name": "x"', b'{"a":' + b"[" * 50_000]
)
def test_body_that_is_no_json_is_said_to_be_none(desk: Desk, body: bytes) -> None:
    reply = desk.sender("POST", "/api/repos/create", body, {"Content-Type": "application/json"})
    desk.refuses(reply, 400, "BadRequest", field="body")


NAMES = {
    "empty": "", "a dot": ".", "up": "..", "two hyphens": "a--b", "two dots": "a..b", "a space": "a b", "a hyphen first": "-a",
    "a dot last": "a.", "ends as git's folders do": "a.git", "ends as locks do": "a.lock", "long": "a" * 97, "a slash": "a/b/c",
    "letters that look like others": "m\u043edel", "a wide letter": "\uff4dodel", "an escape": "a%2fb", "NUL": "a\0b",
    "a reserved word": "settings", "a query": "a?b", "a fragment": "a#b", "a backslash": "a\\b",
}  # fmt: skip


@pytest.mark.parametrize("what", NAMES)
def test_name_that_no_repository_may_have_is_refused_with_the_rule(desk: Desk, what: str) -> None:
    for body in ({"name": NAMES[what]}, {"name": NAMES[what], "organization": "ann"}):
        desk.refuses(desk.sender("POST", "/api/repos/create", body), 400, "InvalidName", field="name")
    listed = desk.sender("GET", "/api/models?author=ann").json
    assert [row["id"] for row in listed] == [desk.repo]


def test_names_that_differ_in_case_alone_are_one_name(desk: Desk) -> None:
    desk.refuses(
        desk.sender("POST", "/api/repos/create", {"name": "TARGET"}), 409, "RepoExists", field="name"
    )


@pytest.mark.parametrize(
    ("body", "named"),
    [({"visibility": "secret"}, "visibility"), ({"visibility": "protected"}, "visibility"), ({"type": "modle"}, "type"),
     ({"visibility": "public", "private": True}, "private"), ({"sdk": "gradio"}, "sdk"), ({"type": "space", "sdk": "flask"}, "sdk"),
     ({"license": "../x"}, "license"), ({"gated": "perhaps"}, "gated")],
)  # fmt: skip
def test_wish_that_cannot_be_is_refused_before_anything_is_made(
    desk: Desk, body: dict[str, Any], named: str
) -> None:
    desk.refuses(
        desk.sender("POST", "/api/repos/create", {"name": "never", **body}), 400, "BadRequest", field=named
    )
    assert desk.sender("GET", "/api/models/ann/never").status == 404
