"""What is in a private repository shows in no answer of the CAS: not by chunks, xorbs, shards, tokens or addresses."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from hutch.xet import hashes
from hutch.xet.shard import build_upload
from tests.acceptance.hub import Hub, User
from tests.acceptance.lfs_sender import Reply, Sender
from tests.acceptance.xet_sender import CHUNK, Cas, Packed, ask_for_cas, cas_of, described, packed, stored

SIZE = 6 * CHUNK + 11


@dataclass
class Scene:
    """Alice keeps a file in a private repository; Bob, who has one too, knows all about it but its bytes."""

    alice: Sender
    bob: Sender
    private: str
    bobs: str
    secret: Packed
    a: Cas
    b: Cas


@pytest.fixture(scope="module")
def people(server: Hub) -> tuple[Sender, Sender]:
    return Sender(server, server.user("xet-alice")), Sender(server, server.user("xet-bob"))


@pytest.fixture
def scene(people: tuple[Sender, Sender], unique: Callable[[str], str]) -> Scene:
    alice, bob = people
    private, bobs = alice.create(unique("private")), bob.create(unique("mine"))
    secret = stored(alice, private, "secret.bin", os.urandom(SIZE))
    return Scene(alice, bob, private, bobs, secret, cas_of(alice, private), cas_of(bob, bobs))


def _unknown() -> Packed:
    return packed(os.urandom(SIZE))


def _alike(known: Reply, unknown: Reply, *changed: tuple[str, str]) -> None:
    """Two answers that differ in nothing but what was asked, and the number of the request."""
    assert known.status == unknown.status
    body = known.body.decode()
    for here, there in changed:
        body = body.replace(here, there)
    one, two = (replace(known, body=body.encode()).json, unknown.json) if body else ({}, {})
    for answer in (one, two):
        answer.pop("request_id", None) if isinstance(answer, dict) else None
    assert one == two
    assert known.headers.get("x-error-code") == unknown.headers.get("x-error-code")


def test_chunk_of_a_private_file_is_no_hit_for_a_stranger(scene: Scene) -> None:
    unknown = _unknown()
    assert scene.a.hit(scene.secret.chunks[0]).status == 200
    _alike(scene.b.hit(scene.secret.chunks[0]), scene.b.hit(unknown.chunks[0]),
           (hashes.to_hex(scene.secret.chunks[0]), hashes.to_hex(unknown.chunks[0])))  # fmt: skip
    assert scene.b.hit(scene.secret.chunks[0]).status == 404
    assert scene.b.hit(scene.secret.chunks[0], "default-merkledb").status == 404


def test_reconstruction_of_a_private_file_is_not_there_for_a_stranger(scene: Scene) -> None:
    unknown = _unknown()
    for version in (1, 2):
        assert scene.a.reconstruction(scene.secret.file, version).status == 200
        known = scene.b.reconstruction(scene.secret.file, version)
        assert known.status == 404
        _alike(known, scene.b.reconstruction(unknown.file, version), (scene.secret.file, unknown.file))


def test_xorb_that_a_stranger_sends_too_was_new_as_far_as_they_learn(scene: Scene) -> None:
    assert scene.a.send_xorb(scene.secret.xorb, scene.secret.name).json == {"was_inserted": False}
    reply = scene.b.send_xorb(scene.secret.xorb, scene.secret.name)
    assert reply.json == {"was_inserted": True}
    fresh = _unknown()
    _alike(reply, scene.b.send_xorb(fresh.xorb, fresh.name))


def test_shard_that_names_a_xorb_of_others_is_refused_as_for_one_that_is_not_there(scene: Scene) -> None:
    unknown = _unknown()
    known = scene.b.send_shard(scene.secret.shard())
    fresh = scene.b.send_shard(unknown.shard())
    assert known.status == 400
    _alike(known, fresh, (scene.secret.name, unknown.name), (scene.secret.file, unknown.file))
    without = scene.b.send_shard(scene.secret.shard(with_xorb=False))
    _alike(without, scene.b.send_shard(unknown.shard(with_xorb=False)), (scene.secret.name, unknown.name),
           (scene.secret.file, unknown.file))  # fmt: skip
    assert scene.b.reconstruction(scene.secret.file).status == 404


def test_shard_alone_lets_nobody_commit_what_another_has(scene: Scene) -> None:
    scene.b.send_shard(scene.secret.shard(with_xorb=False))
    known = scene.bob.commit(scene.bobs, "a.bin", scene.secret.content)
    assert known.status == 400
    assert scene.bob("GET", f"/{scene.bobs}/resolve/main/a.bin").status == 404


def test_stranger_with_the_very_bytes_may_use_them(scene: Scene) -> None:
    scene.b.send(scene.secret)
    assert scene.bob.commit(scene.bobs, "same.bin", scene.secret.content).status == 200
    assert scene.bob("GET", f"/{scene.bobs}/resolve/main/same.bin").body == scene.secret.content
    assert scene.b.reconstruction(scene.secret.file).status == 200


# Only who has every byte of the file, and sends it cut into other xorbs, learns of it.
def test_file_that_somebody_else_has_too_lies_where_its_sender_put_it(scene: Scene) -> None:
    """The same chunks in other xorbs: the stranger is told of theirs alone, as if nobody else had the file."""
    halves = [packed(scene.secret.content[: 3 * CHUNK]), packed(scene.secret.content[3 * CHUNK :])]
    for half in halves:
        assert scene.b.send_xorb(half.xorb, half.name).json == {"was_inserted": True}
    parts = [(half.index.xorb_hash(), half.index, 0, half.index.count) for half in halves]
    entry = described(parts, scene.secret.content)
    assert entry.hash == scene.secret.entry.hash
    assert scene.b.send_shard(build_upload([entry], [])).json == {"result": 1}
    assert scene.bob.commit(scene.bobs, "same.bin", scene.secret.content).status == 200
    assert scene.bob("GET", f"/{scene.bobs}/resolve/main/same.bin").body == scene.secret.content
    for version in (1, 2):
        told = scene.b.reconstruction(scene.secret.file, version)
        assert told.status == 200
        assert scene.secret.name.encode() not in told.body
    hit = scene.b.hit(scene.secret.chunks[0])
    assert hit.status == 200
    assert scene.secret.index.xorb_hash() not in hit.body


def test_shard_of_a_file_that_somebody_else_has_is_answered_as_any_other(scene: Scene) -> None:
    unknown = _unknown()
    told = []
    for file in (scene.secret, unknown):
        assert scene.b.send_xorb(file.xorb, file.name).status == 200
        told.append(scene.b.streamed_shard(file.shard()))
    assert told[0] == told[1]
    for file in (scene.secret, unknown):
        again = packed(file.content)
        reply = scene.b.send_shard(again.shard(again.described(sha256="ab" * 32)))
        assert reply.status == 400
        assert again.oid not in reply.body.decode()


def test_file_made_of_private_and_own_chunks_is_refused(scene: Scene) -> None:
    mine = _unknown()
    assert scene.b.send_xorb(mine.xorb, mine.name).status == 200
    parts = [
        (mine.index.xorb_hash(), mine.index, 0, 2),
        (scene.secret.index.xorb_hash(), scene.secret.index, 1, 3),
    ]
    content = mine.content[: 2 * CHUNK] + scene.secret.content[CHUNK : 3 * CHUNK]
    shard = build_upload([described(parts, content)], [])
    reply = scene.b.send_shard(shard)
    assert reply.status == 400
    assert "xorb" in reply.json["error"].lower()


def test_hit_on_a_file_that_shares_a_xorb_shows_only_the_chunks_that_are_open(
    scene: Scene, unique: Callable[[str], str]
) -> None:
    """Alice's public file uses two chunks of the xorb that her private one fills."""
    public = scene.alice.create(unique("public"), visibility="public")
    content = scene.secret.content[: 2 * CHUNK]
    entry = described([(scene.secret.index.xorb_hash(), scene.secret.index, 0, 2)], content)
    assert scene.a.send_shard(build_upload([entry], [])).status == 200
    assert cas_of(scene.alice, public).send_shard(build_upload([entry], [])).status == 200
    assert scene.alice.commit(public, "part.bin", content).status == 200
    hit = scene.b.hit(scene.secret.chunks[0])
    assert hit.status == 200
    key = _hmac_key(hit.body)
    shown = [hashes.hmac_hash(chunk, key) in hit.body for chunk in scene.secret.chunks]
    assert shown[:2] == [True, True]
    assert not any(shown[2:])
    assert not any(chunk in hit.body for chunk in scene.secret.chunks)
    # nor may a file use the others, or learn from a term's refusal
    rest = described(
        [(scene.secret.index.xorb_hash(), scene.secret.index, 0, scene.secret.index.count)],
        scene.secret.content,
    )
    assert scene.b.send_shard(build_upload([rest], [])).status == 400
    scene.b.send_shard(scene.secret.shard())
    assert scene.bob.commit(scene.bobs, "all.bin", scene.secret.content).status == 400
    assert scene.b.send_xorb(scene.secret.xorb, scene.secret.name).json == {"was_inserted": True}


def test_token_reads_files_of_its_own_repository_alone(scene: Scene, unique: Callable[[str], str]) -> None:
    public = scene.alice.create(unique("public"), visibility="public")
    shown = stored(scene.alice, public, "open.bin", os.urandom(SIZE))
    for sender in (scene.bob, Sender(scene.bob.hub, None)):
        cas = cas_of(sender, public, "read")
        assert cas.reconstruction(shown.file).status == 200
        assert cas.reconstruction(scene.secret.file).status == 404
        assert cas.hit(scene.secret.chunks[0]).status == 404
    for cas in (scene.a, scene.b):
        assert cas.reconstruction(shown.file).status == 404


def test_asking_for_a_token_of_a_private_repository_is_as_for_one_that_does_not_exist(scene: Scene) -> None:
    owner = scene.private.split("/")[0]
    for sender in (scene.bob, Sender(scene.bob.hub, None)):
        for right in ("read", "write"):
            there = ask_for_cas(sender, scene.private, right)
            absent = ask_for_cas(sender, f"{owner}/absent", right)
            assert there.status in (401, 404)
            _alike(there, absent, (scene.private, f"{owner}/absent"))


def test_reader_may_send_for_a_pull_request_and_nothing_else(
    scene: Scene, unique: Callable[[str], str]
) -> None:
    public = scene.alice.create(unique("public"), visibility="public")
    assert ask_for_cas(Sender(scene.bob.hub, None), public, "write").status == 401
    file = _unknown()
    cas_of(scene.bob, public, query="?create_pr=1").send(file)
    assert scene.bob.commit(public, "new.bin", file.content).status == 403
    assert scene.bob.commit(public, "new.bin", file.content, create_pr=True).status == 200


def test_token_that_may_only_read_sends_nothing(scene: Scene, unique: Callable[[str], str]) -> None:
    read = cas_of(scene.alice, scene.private, "read")
    fresh = _unknown()
    for reply in (
        read.send_xorb(fresh.xorb, fresh.name), read.send_shard(fresh.shard()),
        read("POST", "/v2/shards", fresh.shard()),
    ):  # fmt: skip
        assert (reply.status, reply.headers["x-error-code"]) == (403, "Forbidden")
    assert read.reconstruction(scene.secret.file).status == 200
    assert scene.alice.user is not None
    token = scene.alice.hub.token(scene.alice.user.name, role="read", name=unique("read"))
    reader = Sender(scene.alice.hub, User(scene.alice.user.name, token))
    assert ask_for_cas(reader, scene.private, "write").status == 403
    assert ask_for_cas(reader, scene.private, "read").status == 200


def test_changed_missing_or_foreign_token_is_refused(scene: Scene) -> None:
    token = scene.a.token
    forged = [
        token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :] for at in range(0, len(token), 9)
    ]
    assert scene.alice.user is not None
    for text in [*forged, "", "x", scene.alice.user.token, token + "A", token[:-1], token * 2]:
        cas = replace(scene.a, token=text)
        for reply in (
            cas.reconstruction(scene.secret.file),
            cas.send_xorb(scene.secret.xorb, scene.secret.name),
        ):
            assert (reply.status, reply.headers["x-error-code"]) == (401, "Unauthorized"), text
    for headers in ({"Authorization": ""}, {"Authorization": f"Basic {token}"}):
        assert scene.a("GET", f"/v2/reconstructions/{scene.secret.file}", headers=headers).status == 401


def test_cas_token_opens_nothing_but_the_cas(scene: Scene) -> None:
    holder = Sender(scene.alice.hub, User("xet-alice", scene.a.token))
    assert holder("GET", f"/api/models/{scene.private}").status == 401
    assert holder("GET", "/api/whoami-v2").status == 401
    for verb in ("upload", "download", "verify"):
        assert holder("GET", f"/_cas/lfs/{verb}/{scene.a.token}", signed=True).status >= 401


def test_token_taken_back_ends_what_was_made_from_it(scene: Scene, unique: Callable[[str], str]) -> None:
    user = scene.alice.hub.user(unique("leaver"))
    sender = Sender(scene.alice.hub, user)
    repo = sender.create("own")
    file = stored(sender, repo, "a.bin", os.urandom(SIZE))
    cas = cas_of(sender, repo)
    assert cas.reconstruction(file.file).status == 200
    scene.alice.hub.cli("token", "revoke", user.name, "test")
    assert cas.reconstruction(file.file).status == 401
    assert cas.send_xorb(file.xorb, file.name).status == 401


def test_fetch_address_is_good_for_its_range_of_its_xorb_alone(scene: Scene) -> None:
    answer = scene.a(
        "GET", f"/v1/reconstructions/{scene.secret.file}", headers={"Range": f"bytes=0-{CHUNK - 1}"}
    )
    (fetch,) = answer.json["fetch_info"][scene.secret.name]
    start, end = fetch["url_range"]["start"], fetch["url_range"]["end"]
    got = scene.b.plain("GET", fetch["url"], headers={"Range": f"bytes={start}-{end}"})
    assert (got.status, got.body) == (206, scene.secret.xorb[start : end + 1])
    beyond = scene.b.plain("GET", fetch["url"], headers={"Range": f"bytes={start}-{end + 1000}"})
    assert len(beyond.body) <= end + 1 - start or beyond.status in (403, 416)
    after = scene.b.plain("GET", fetch["url"], headers={"Range": f"bytes={end + 1}-{end + 1000}"})
    assert after.status in (403, 416)
    assert scene.secret.xorb[end + 1 : end + 100] not in after.body
    whole = scene.b.plain("GET", fetch["url"])
    assert len(whole.body) <= end + 1 - start
    url = fetch["url"]
    base = url.rindex("/") + 1
    for at in range(base, len(url), 7):
        changed = url[:at] + ("A" if url[at] != "A" else "B") + url[at + 1 :]
        reply = scene.b.plain("GET", changed, headers={"Range": f"bytes={start}-{end}"})
        assert reply.status in (403, 404)
        assert scene.secret.xorb[start + 100 : start + 200] not in reply.body


def test_alias_without_a_version_keeps_the_same_secrets(scene: Scene) -> None:
    chunk = hashes.to_hex(scene.secret.chunks[0])
    assert scene.a("GET", f"/reconstructions/{scene.secret.file}").status == 200
    for path in (f"/reconstructions/{scene.secret.file}", f"/chunks/default/{chunk}"):
        assert scene.b("GET", path).status == 404
    assert scene.b("POST", "/shards", scene.secret.shard()).status == 400
    assert scene.b("POST", f"/xorbs/default/{scene.secret.name}", b"x").status == 400


def test_grants_batches_and_heads_confirm_nothing(scene: Scene) -> None:
    unknown = _unknown()
    body = b'{"length": 400000, "checksum": {"algo": "crc64nvme", "value": "1"}}'
    json = {"Content-Type": "application/json"}
    for method, path, sent in (
        ("POST", "/v1/xorb-grants/default/{xorb}", body), ("POST", "/v1/xorb-commits/default/{xorb}/grant/1", b""),
        ("HEAD", "/v1/xorbs/default/{xorb}", None), ("GET", "/v1/reconstructions?file_id={file}", None),
        ("HEAD", "/v1/files/{file}", None), ("GET", "/v2/file-chunk-hashes/{file}", None),
    ):  # fmt: skip
        asked = [path.format(xorb=each.name, file=each.file) for each in (scene.secret, unknown)]
        known, fresh = (scene.b(method, address, sent, json) for address in asked)
        assert known.status == fresh.status
        if "grant" in path:
            assert known.status == 404
        _alike(known, fresh, (scene.secret.name, unknown.name), (scene.secret.file, unknown.file))


def _hmac_key(shard: bytes) -> bytes:
    """The key of a dedupe reply, from its footer."""
    return shard[-200 + 72 : -200 + 104]
