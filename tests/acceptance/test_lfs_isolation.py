"""A large object is for those who could read it or sent its bytes: knowing its name and size opens nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.acceptance.hub import Hub, User
from tests.acceptance.lfs_sender import Reply, Sender, oid_of

SIZE = 50_000


@dataclass
class Scene:
    """Alice keeps an object in a private repository; Bob, who has one too, knows all about it but its bytes."""

    alice: Sender
    bob: Sender
    private: str
    bobs: str
    secret: bytes


@pytest.fixture(scope="module")
def people(server: Hub) -> tuple[Sender, Sender]:
    return Sender(server, server.user("lfs-alice")), Sender(server, server.user("lfs-bob"))


@pytest.fixture
def scene(people: tuple[Sender, Sender], unique: Callable[[str], str]) -> Scene:
    alice, bob = people
    private, secret = alice.create(unique("private")), os.urandom(SIZE)
    alice.send(private, secret)
    assert alice.commit(private, "secret.bin", secret).status == 200
    return Scene(alice, bob, private, bob.create(unique("mine")), secret)


def test_batch_of_a_stranger_asks_for_the_bytes_as_if_nobody_had_them(scene: Scene) -> None:
    unknown = os.urandom(SIZE)
    known, fresh = scene.bob.batch(scene.bobs, scene.secret, unknown)
    assert {*known} == {*fresh}
    assert {*known["actions"]} == {*fresh["actions"]} == {"upload", "verify"}
    lie = {"oid": oid_of(scene.secret), "size": 7}
    reply = scene.bob(
        "POST", f"/{scene.bobs}.git/info/lfs/objects/batch", {"operation": "upload", "objects": [lie]}
    )
    assert "upload" in reply.json["objects"][0]["actions"]


def test_private_repository_of_others_answers_as_one_that_does_not_exist(scene: Scene) -> None:
    nobody = Sender(scene.bob.hub, None)
    owner = scene.private.split("/")[0]
    for sender, status in ((scene.bob, 404), (nobody, 401)):
        for operation in ("upload", "download"):
            body = {"operation": operation, "objects": [{"oid": oid_of(scene.secret), "size": SIZE}]}
            there, absent = (
                sender("POST", f"/{name}.git/info/lfs/objects/batch", body)
                for name in (scene.private, f"{owner}/absent")
            )
            assert there.status == absent.status == status
            assert _without_request(there) == _without_request(absent)
        for method, path, body_or_none in (
            ("POST", "locks", {"path": "x"}), ("GET", "locks", None), ("POST", "locks/verify", {}),
            ("POST", "locks/1/unlock", {}),
        ):  # fmt: skip
            there, absent = (
                sender(method, f"/{name}.git/info/lfs/{path}", body_or_none)
                for name in (scene.private, f"{owner}/absent")
            )
            assert there.status == absent.status == status
            assert _without_request(there) == _without_request(absent)


def test_stranger_cannot_download_by_a_batch_of_their_own_repository(scene: Scene) -> None:
    unknown = os.urandom(SIZE)
    known, fresh = scene.bob.batch(scene.bobs, scene.secret, unknown, operation="download")
    assert known["error"] == fresh["error"]
    assert known["error"]["code"] == 404


def test_stranger_cannot_commit_or_verify_by_name(scene: Scene) -> None:
    oid = oid_of(scene.secret)
    known = scene.bob.commit_oid(scene.bobs, "a.bin", oid, SIZE)
    fresh = scene.bob.commit_oid(scene.bobs, "a.bin", "0" * 64, SIZE)
    assert known.status == fresh.status == 400
    assert known.headers["x-error-code"] == fresh.headers["x-error-code"]
    assert known.body.replace(oid.encode(), b"0" * 64) == fresh.body
    verify = scene.bob.batch(scene.bobs, scene.secret)[0]["actions"]["verify"]["href"]
    assert scene.bob("POST", verify, {"oid": oid, "size": SIZE}, signed=True).status == 404
    assert scene.bob("GET", f"/{scene.bobs}/resolve/main/a.bin").status == 404


def test_stranger_cannot_complete_an_upload_without_its_parts(scene: Scene) -> None:
    body = {
        "operation": "upload", "transfers": ["multipart"], "objects": [{"oid": oid_of(scene.secret), "size": SIZE}],
    }  # fmt: skip
    reply = scene.bob("POST", f"/{scene.bobs}.git/info/lfs/objects/batch", body)
    action = reply.json["objects"][0]["actions"]["upload"]
    complete = scene.bob("POST", action["href"], {"oid": oid_of(scene.secret), "parts": []}, signed=True)
    assert complete.status == 400
    assert "actions" in scene.bob.batch(scene.bobs, scene.secret)[0]


def test_signed_address_is_good_for_nothing_else(scene: Scene) -> None:
    mine = os.urandom(SIZE)
    scene.bob.send(scene.bobs, mine)
    assert scene.bob.commit(scene.bobs, "mine.bin", mine).status == 200
    href = scene.bob.href(scene.bobs, mine, operation="download")
    ticket = href.rpartition("/")[2]
    for method, verb in (("PUT", "upload"), ("PUT", "part"), ("POST", "complete"), ("POST", "verify")):
        reply = scene.bob(method, f"/_cas/lfs/{verb}/{ticket}", b"{}", signed=True)
        assert (reply.status, reply.headers["x-error-code"]) == (403, "TicketInvalid")
    assert scene.bob("PATCH", f"/_cas/uploads/{ticket}", b"", signed=True).status == 403
    for at in (0, len(ticket) // 2, len(ticket) - 1):
        changed = ticket[:at] + ("A" if ticket[at] != "A" else "B") + ticket[at + 1 :]
        assert scene.bob("GET", f"/_cas/lfs/download/{changed}", signed=True).status == 403


def test_stranger_with_the_very_bytes_may_use_them(scene: Scene) -> None:
    scene.bob.send(scene.bobs, scene.secret)
    assert scene.bob.commit(scene.bobs, "same.bin", scene.secret).status == 200
    assert scene.bob("GET", f"/{scene.bobs}/resolve/main/same.bin").body == scene.secret


def test_receipt_for_one_repository_opens_no_other(scene: Scene, unique: Callable[[str], str]) -> None:
    scene.bob.send(scene.bobs, scene.secret)
    other = scene.bob.create(unique("other"))
    assert "actions" in scene.bob.batch(other, scene.secret)[0]
    assert scene.bob.commit(other, "same.bin", scene.secret).status == 400


def test_object_of_a_public_repository_need_not_be_sent_again(
    scene: Scene, unique: Callable[[str], str]
) -> None:
    public = scene.alice.create(unique("public"), visibility="public")
    assert scene.alice.commit(public, "open.bin", scene.secret).status == 200
    assert scene.bob.batch(scene.bobs, scene.secret) == [{"oid": oid_of(scene.secret), "size": SIZE}]
    assert scene.bob.commit(scene.bobs, "same.bin", scene.secret).status == 200


def test_reader_may_fetch_and_propose_but_not_lock_and_nobody_may_send(
    scene: Scene, unique: Callable[[str], str]
) -> None:
    public = scene.alice.create(unique("public"), visibility="public")
    scene.alice.commit(public, "open.bin", scene.secret)
    nobody = Sender(scene.bob.hub, None)
    for sender in (scene.bob, nobody):
        href = sender.href(public, scene.secret, operation="download")
        assert sender("GET", href, signed=True).body == scene.secret
    body = {"operation": "upload", "objects": [{"oid": oid_of(scene.secret), "size": SIZE}]}
    assert nobody("POST", f"/{public}.git/info/lfs/objects/batch", body).status == 401
    assert scene.bob("POST", f"/{public}.git/info/lfs/locks", {"path": "x"}).status == 403
    proposed = os.urandom(SIZE)
    scene.bob.send(public, proposed)
    assert scene.bob.commit(public, "new.bin", proposed).status == 403
    assert scene.bob.commit(public, "new.bin", proposed, create_pr=True).status == 200


def test_token_that_may_only_read_sends_nothing(scene: Scene, unique: Callable[[str], str]) -> None:
    assert scene.alice.user is not None
    token = scene.alice.hub.token(scene.alice.user.name, role="read", name=unique("read"))
    reader = Sender(scene.alice.hub, User(scene.alice.user.name, token))
    body = {"operation": "upload", "objects": [{"oid": oid_of(scene.secret), "size": SIZE}]}
    assert reader("POST", f"/{scene.private}.git/info/lfs/objects/batch", body).status == 403
    assert reader("POST", f"/api/models/{scene.private}/uploads", {"path": "a", "size": 1}).status == 403
    href = reader.href(scene.private, scene.secret, operation="download")
    assert reader("GET", href, signed=True).body == scene.secret


def _without_request(reply: Reply) -> dict[str, object]:
    return {key: value for key, value in reply.json.items() if key != "request_id"}
