"""A client keeps for weeks what it knows of chunks. When its user loses access to them, the next upload still works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.acceptance.clients import Client, ClientFailed
from tests.acceptance.contents import MEGABYTE, digest, laid, noise
from tests.acceptance.counting import Counting
from tests.acceptance.hub import Hub, User
from tests.acceptance.lfs_sender import Sender

UPLOAD = """
from huggingface_hub import HfApi, hf_hub_download
api = HfApi()
api.create_repo(args["repo"], exist_ok=True, private=True)
api.upload_file(path_or_fileobj=args["file"], path_in_repo=args["name"], repo_id=args["repo"])
result = hf_hub_download(args["repo"], args["name"])
"""
DOWNLOAD = "from huggingface_hub import hf_hub_download; result = hf_hub_download(args['repo'], 'a.bin')"


@dataclass
class Scene:
    """An organization's repository with a file, of which the member's client has cached where its chunks lie."""

    owner: Sender
    member: Client
    org: str
    repo: str
    content: bytes

    def lose(self, how: str) -> None:
        name = f"{self.org}/{self.repo}"
        if how == WAYS[0]:
            path = f"/api/organizations/{self.org}/members/{self.member_name}/role"
            reply = self.owner("PUT", path, {"role": "no_access"})
        elif how == WAYS[1]:
            reply = self.owner("PUT", f"/api/models/{name}/settings", {"private": True})
        else:
            body = {"type": "model", "name": self.repo, "organization": self.org}
            reply = self.owner("DELETE", "/api/repos/delete", body)
        assert reply.status == 200, reply.body

    def open(self) -> None:
        """The repository is public, and the member no member any more."""
        shown = self.owner("PUT", f"/api/models/{self.org}/{self.repo}/settings", {"private": False})
        path = f"/api/organizations/{self.org}/members/{self.member_name}/role"
        assert (shown.status, self.owner("PUT", path, {"role": "no_access"}).status) == (200, 200)

    @property
    def member_name(self) -> str:
        return self.org.replace("org", "member")


WAYS = ("the member is removed", "the repository is made private", "the repository is deleted")


Begin = Callable[[Client], Scene]


@pytest.fixture
def begin(server: Hub, xet_user: User, tmp_path: Path, unique: Callable[[str], str]) -> Begin:
    """`begin(client)`: the scene, for a client of some version."""

    def make(client: Client) -> Scene:
        org = unique("org")
        content, member = noise(4 * MEGABYTE, org), server.user(org.replace("org", "member"))
        server.cli(
            "org", "create", org, "--member", f"{xet_user.name}:admin", "--member", f"{member.name}:read"
        )
        file = laid(tmp_path / "up", {"a.bin": content}) / "a.bin"
        owners = client.at(client.endpoint, tmp_path / "owner")
        owners.call(UPLOAD, repo=f"{org}/shared", file=file, name="a.bin")
        return Scene(Sender(server, xet_user), replace(client, token=member.token), org, "shared", content)

    return make


@pytest.mark.parametrize("how", WAYS[1:])
def test_client_with_a_warm_cache_uploads_after_it_lost_what_it_had_cached(
    newest: Client, begin: Begin, front: Counting, tmp_path: Path, unique: Callable[[str], str], how: str
) -> None:
    _lose_and_upload(begin(newest), front, tmp_path, unique("own"), how)


@pytest.mark.matrix
def test_client_of_any_version_uploads_after_it_lost_what_it_had_cached(
    xet_client: Client, begin: Begin, front: Counting, tmp_path: Path, unique: Callable[[str], str]
) -> None:
    _lose_and_upload(begin(xet_client), front, tmp_path, unique("own"), WAYS[0])


def _lose_and_upload(scene: Scene, front: Counting, tmp_path: Path, own: str, how: str) -> None:
    if how == WAYS[1]:
        scene.open()
    shared = f"{scene.org}/{scene.repo}"
    assert digest(Path(scene.member.call(DOWNLOAD, repo=shared)).read_bytes()) == digest(scene.content)
    own = f"{scene.member_name}/{own}"
    files = laid(tmp_path / "member", {"part.bin": scene.content[:MEGABYTE], "all.bin": scene.content})
    front.forget()
    scene.member.call(UPLOAD, repo=own, file=files / "part.bin", name="part.bin")
    assert front.sent("/xorbs/") < 200_000, "the client did not learn where the chunks are"

    scene.lose(how)
    front.forget()
    with pytest.raises(ClientFailed) as failure:
        scene.member.at(front.url, tmp_path / "again").call(DOWNLOAD, repo=shared)
    assert failure.value.status in (401, 404)
    assert front.got() < 100_000
    down = scene.member.call(UPLOAD, repo=own, file=files / "all.bin", name="all.bin")
    assert digest(Path(down).read_bytes()) == digest(scene.content)
    assert front.sent("/xorbs/") > 2.5 * MEGABYTE, "what it may not use was not sent anew"
    assert 200 in {asked.status for asked in front.of("/shards", "POST")}
