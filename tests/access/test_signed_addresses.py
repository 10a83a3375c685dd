"""A signed address is good for what stands in it, and for nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from tests.access.bodies import JSON
from tests.access.caller import Answer
from tests.access.scene import Scene

CONTENT = b"bytes that are sent by a signed address"
OID = hashlib.sha256(CONTENT).hexdigest()
LFS = "/olive/n-userpublic.git/info/lfs/objects/batch"
# A large object that every owner's batch answers with parts.
LARGE = {"oid": "a" * 64, "size": 300 << 20}


@dataclass(frozen=True)
class Signed:
    """Addresses by what they are for."""

    by_purpose: dict[str, str]
    scene: Scene

    def send(self, method: str, path: str, body: bytes = b"") -> Answer:
        return self.scene.caller("nobody")(method, path, body, JSON if method == "POST" else "")


def batch(
    scene: Scene, operation: str, objects: list[dict[str, object]], transfer: str = "basic"
) -> list[dict[str, object]]:
    body = {"operation": operation, "transfers": [transfer], "objects": objects}
    found = scene.caller("olive")("POST", LFS, json.dumps(body).encode(), JSON)
    return json.loads(found.body)["objects"]  # type: ignore[no-any-return]


def path_of(action: object) -> str:
    assert isinstance(action, dict)
    return urlsplit(str(action["href"])).path


@pytest.fixture(scope="module")
def signed(scene: Scene) -> Signed:
    words = scene.words("olive", "userpublic")
    whole = batch(scene, "upload", [{"oid": OID, "size": len(CONTENT)}])[0]["actions"]
    parts = batch(scene, "upload", [LARGE], "multipart")[0]["actions"]
    there = batch(scene, "download", [{"oid": words["oid"], "size": int(words["size"])}])[0]["actions"]
    assert isinstance(whole, dict)
    assert isinstance(parts, dict)
    assert isinstance(there, dict)
    header = parts["upload"]["header"]
    begun = json.dumps({"path": "signed.bin", "size": 10, "fingerprint": "signed"}).encode()
    resume = scene.caller("olive")("POST", "/api/models/olive/n-userpublic/uploads", begun, JSON)
    found = {
        "upload": path_of(whole["upload"]), "verify": path_of(whole["verify"]), "download": path_of(there["download"]),
        "complete": path_of(parts["upload"]), "part": urlsplit(header["00001"]).path,
        "resume": urlsplit(json.loads(resume.body)["url"]).path,
    }  # fmt: skip
    return Signed(found, scene)


ROOMS = {
    "upload": ("PUT", "/_cas/lfs/upload/"),
    "part": ("PUT", "/_cas/lfs/part/"),
    "complete": ("POST", "/_cas/lfs/complete/"),
    "verify": ("POST", "/_cas/lfs/verify/"),
    "download": ("GET", "/_cas/lfs/download/"),
    "resume": ("PATCH", "/_cas/uploads/"),
}


def test_ticket_of_one_purpose_opens_no_other(signed: Signed) -> None:
    before = signed.scene.state()
    for purpose, address in signed.by_purpose.items():
        ticket = address.rsplit("/", 1)[1]
        for other, (method, room) in ROOMS.items():
            if other != purpose:
                assert signed.send(method, room + ticket, b"{}").status == 403, (purpose, other)
    assert signed.scene.state() == before


@pytest.mark.parametrize("purpose", ROOMS)
def test_ticket_with_another_repository_user_object_size_or_expiry_is_refused(
    signed: Signed, purpose: str
) -> None:
    method, room = ROOMS[purpose]
    claims, signature = signed.by_purpose[purpose].rsplit("/", 1)[1].split(".")
    values = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    forged = [claims + "A", claims[:-1], "", claims + "=", "x"]
    for at, value in enumerate(values):
        for other in (value + 1, 0, -1, 2**70) if isinstance(value, int) else (value + "0", "", "../x", OID):
            if other != value:
                changed = json.dumps([*values[:at], other, *values[at + 1 :]], separators=(",", ":")).encode()
                forged.append(base64.urlsafe_b64encode(changed).decode().rstrip("="))
    for text in forged:
        assert signed.send(method, f"{room}{text}.{signature}", b"{}").status == 403, text
    for wrong in ("", "A" * 43, signature[:-1], signature + "A", "%ff", signature.swapcase()):
        assert signed.send(method, f"{room}{claims}.{wrong}", b"{}").status == 403, wrong


def test_address_to_send_takes_only_the_bytes_it_was_signed_for(signed: Signed) -> None:
    address = signed.by_purpose["upload"]
    for body, status in ((CONTENT[:-1], 400), (CONTENT + b"!", 400), (CONTENT[::-1], 400), (CONTENT, 200)):
        answer = signed.send("PUT", address, body)
        assert answer.status == status, answer.body
        if status == 400:
            assert answer.code in ("SizeMismatch", "ChecksumMismatch")
            assert (
                signed.send(
                    "POST",
                    signed.by_purpose["verify"],
                    json.dumps({"oid": OID, "size": len(CONTENT)}).encode(),
                ).status
                == 404
            )


def test_object_that_left_its_repository_is_not_sent_by_an_older_address(
    scene: Scene, signed: Signed
) -> None:
    name = scene.copy("userpublic")
    words = scene.words("olive", "userpublic", name)
    body = {"operation": "download", "objects": [{"oid": words["oid"], "size": int(words["size"])}]}
    asked = scene.caller("olive")(
        "POST", f"/olive/{name}.git/info/lfs/objects/batch", json.dumps(body).encode(), JSON
    )
    address = urlsplit(json.loads(asked.body)["objects"][0]["actions"]["download"]["href"]).path
    assert signed.send("GET", address).status == 200
    gone = json.dumps({"type": "model", "organization": "olive", "name": name}).encode()
    assert scene.caller("olive")("DELETE", "/api/repos/delete", gone, JSON).status == 200
    assert signed.send("GET", address).status == 404


def test_signed_address_says_nothing_by_its_ticket_that_its_holder_did_not_know(signed: Signed) -> None:
    for address in signed.by_purpose.values():
        claims = address.rsplit("/", 1)[1].split(".")[0]
        text = base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))
        assert b"olive" not in text
        assert b"n-userpublic" not in text


def test_tokens_and_tickets_are_not_written_to_the_log(scene: Scene, signed: Signed) -> None:
    scene.caller("olive")("GET", "/api/models/olive/absent-thing")
    signed.send("GET", signed.by_purpose["download"] + "x")
    log = scene.hub.log.read_text(errors="replace")
    assert not [name for name, token in scene.tokens.items() if token in log]
    assert not [purpose for purpose, address in signed.by_purpose.items() if address.rsplit(".", 1)[1] in log]
