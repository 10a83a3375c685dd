"""git's requests that no git would send, and the headers around those that it does."""

from __future__ import annotations

import gzip
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator

import pytest

from hutch.core.permissions import Actor
from hutch.git import repository
from hutch.git.refs import list_refs
from hutch.repos.changes.pulls import open_pull
from hutch.repos.lookup import RepoRow
from tests.repos.door import Told, ask, close_connections, commit_files, token_of

pytestmark = pytest.mark.django_db(transaction=True)

Make = Callable[..., RepoRow]
ZERO = "0" * 40


@pytest.fixture(autouse=True)
def _settled(transactional_db: None) -> Iterator[None]:
    yield
    close_connections()


@pytest.fixture
def repo(ann: Actor, make_repo: Make) -> RepoRow:
    return make_repo(ann, "bert")


@pytest.fixture
def commit(ann: Actor, repo: RepoRow) -> str:
    return commit_files(ann, repo, {"README.md": "# Bert\n"})


def basic(token: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"anything:{token}".encode()).decode()}


def post(service: str, body: bytes | list[bytes], **headers: str) -> Told:
    return ask(
        "POST",
        f"/ann/bert/git-{service}",
        headers={k.replace("_", "-"): v for k, v in headers.items()},
        body=body,
    )


def line(text: str) -> bytes:
    return f"{len(text) + 4:04x}{text}".encode()


def fetch_of(commit: str) -> bytes:
    return line(f"want {commit} ofs-delta\n") + b"0000" + line("done\n")


def test_advertisements_have_their_types_and_are_never_cached(ann: Actor, commit: str) -> None:
    for service, headers in (("upload-pack", {}), ("receive-pack", basic(token_of(ann)))):
        told = ask("GET", f"/ann/bert/info/refs?service=git-{service}", headers=headers)
        assert told.headers["content-type"] == f"application/x-git-{service}-advertisement"
        assert "no-cache" in told.headers["cache-control"]
        assert told.body.startswith(line(f"# service=git-{service}\n") + b"0000")
        assert commit.encode() in told.body


def test_protocol_2_is_spoken_when_asked_for(commit: str) -> None:
    for _ in range(2):  # the second answer comes from memory
        told = ask(
            "GET", "/ann/bert/info/refs?service=git-upload-pack", headers={"Git-Protocol": "version=2"}
        )
        assert b"version 2\n" in told.body
        assert commit.encode() not in told.body
    odd = ask(
        "GET", "/ann/bert/info/refs?service=git-upload-pack", headers={"Git-Protocol": "version=2; rm -rf /"}
    )
    assert commit.encode() in odd.body


def test_nobody_is_asked_for_a_password_before_pushing_and_before_private_things(
    ann: Actor, commit: str, make_repo: Make
) -> None:
    make_repo(ann, "secret", visibility="private")
    for path in (
        "/ann/bert/info/refs?service=git-receive-pack",
        "/ann/secret/info/refs?service=git-upload-pack",
        "/ann/none/info/refs?service=git-upload-pack",
    ):
        told = ask("GET", path)
        assert (told.status, told.headers["www-authenticate"][:5]) == (401, "Basic")
        assert told.headers["content-type"].startswith("text/plain")


def test_token_is_the_password_whatever_the_name(ann: Actor, make_repo: Make) -> None:
    commit_files(ann, make_repo(ann, "secret", visibility="private"), {"a": "b"})
    path = "/ann/secret/info/refs?service=git-upload-pack"
    assert ask("GET", path, headers=basic(token_of(ann))).status == 200
    assert ask("GET", path, headers=basic("hf_wrong")).status == 401
    assert ask("GET", path, headers={"Authorization": "Basic %%%"}).status == 401


def test_read_token_cannot_push(ann: Actor, commit: str) -> None:
    told = ask("GET", "/ann/bert/info/refs?service=git-receive-pack", headers=basic(token_of(ann, "read")))
    assert told.status == 403
    assert b"You do not have the right" in told.body


@pytest.mark.parametrize("service", ["", "?service=git-upload-archive", "?service=upload-pack", "?service="])
def test_other_services_are_refused_with_a_sentence(commit: str, service: str) -> None:
    told = ask("GET", f"/ann/bert/info/refs{service}")
    assert (told.status, b"smart HTTP" in told.body) == (403, True)


def test_fetch_may_be_gzipped_and_in_pieces(commit: str) -> None:
    plain = post("upload-pack", fetch_of(commit))
    assert (plain.status, plain.headers["content-type"]) == (200, "application/x-git-upload-pack-result")
    assert plain.body.startswith(b"0008NAK\nPACK")
    packed = gzip.compress(fetch_of(commit), mtime=0)
    assert post("upload-pack", packed, Content_Encoding="gzip").body == plain.body
    pieces = [bytes([byte]) for byte in packed]
    assert post("upload-pack", pieces, Content_Encoding="gzip").body == plain.body


def test_small_gzip_of_a_huge_body_is_refused(commit: str, configure: Callable[..., None]) -> None:
    configure(max_request_bytes=1_000_000)
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(squeeze.compress(bytes(1 << 20)) for _ in range(300)) + squeeze.flush()
    told = post("upload-pack", bomb, Content_Encoding="gzip")
    assert told.status == 413
    assert b"1000000" in told.body


@pytest.mark.parametrize(
    ("body", "coding"),
    [(b"no gzip at all", "gzip"), (gzip.compress(b"0000" * 99, mtime=0)[:-9], "gzip"), (b"x", "br")],
)
def test_body_that_cannot_be_decoded_is_refused(commit: str, body: bytes, coding: str) -> None:
    assert post("upload-pack", body, Content_Encoding=coding).status == 400


@pytest.mark.parametrize("body", [b"zzzz", b"0003", b"ffffffff", b"0032want " + b"x" * 41 + b"\n", b""])
def test_nonsense_for_a_fetch_is_no_crash(commit: str, body: bytes) -> None:
    assert post("upload-pack", body).status == 400
    assert post("upload-pack", fetch_of(commit)).status == 200


@pytest.mark.parametrize(
    "body", [b"zzzz", b"0003", b"fff0abc", line("hello") + b"0000", line(f"{ZERO} {ZERO}") + b"0000", b""]
)
def test_nonsense_for_a_push_is_refused(ann: Actor, repo: RepoRow, commit: str, body: bytes) -> None:
    before = list_refs(repository.open(repo.path))
    told = post("receive-pack", body, **basic(token_of(ann)))
    assert (told.status, told.headers["content-type"]) == (400, "text/plain; charset=utf-8")
    assert list_refs(repository.open(repo.path)) == before


def test_probe_before_a_push_is_answered(ann: Actor, commit: str) -> None:
    told = post("receive-pack", b"0000", **basic(token_of(ann)))
    assert (told.status, told.body) == (200, b"")


def test_push_for_which_no_ref_may_move_is_told_so_for_each(ann: Actor, repo: RepoRow, commit: str) -> None:
    commands = [f"{commit} {ZERO} refs/heads/main", f"{ZERO} {commit} refs/hidden/x"]
    body = line(f"{commands[0]}\0report-status") + line(commands[1]) + b"0000"
    told = post("receive-pack", body + _empty_pack(), **basic(token_of(ann)))
    assert b"ng refs/heads/main 'main' is the default branch" in told.body
    assert b"ng refs/hidden/x " in told.body


def _empty_pack() -> bytes:
    import hashlib

    head = b"PACK\0\0\0\2\0\0\0\0"
    return head + hashlib.sha1(head).digest()


def test_branch_is_made_by_a_push_without_new_objects(ann: Actor, repo: RepoRow, commit: str) -> None:
    body = line(f"{ZERO} {commit} refs/heads/copy\0report-status") + b"0000" + _empty_pack()
    told = post("receive-pack", body, **basic(token_of(ann)))
    assert b"ok refs/heads/copy" in told.body
    assert ("refs/heads/copy", commit) in [
        (ref.name, ref.target) for ref in list_refs(repository.open(repo.path))
    ]


def test_author_of_a_pull_request_may_push_to_it_and_nowhere_else(
    ann: Actor, bob: Actor, repo: RepoRow, commit: str
) -> None:
    credentials = basic(token_of(bob))
    assert ask("GET", "/ann/bert/info/refs?service=git-receive-pack", headers=credentials).status == 403
    number = open_pull(bob, repo, base_ref="refs/heads/main", head=commit, title="A change")
    assert ask("GET", "/ann/bert/info/refs?service=git-receive-pack", headers=credentials).status == 200
    for ref, word in ((f"refs/pr/{number}", b"ng"), ("refs/heads/mine", b"ng")):
        body = line(f"{commit} {ZERO} {ref}\0report-status") + b"0000"
        assert word + b" " + ref.encode() in post("receive-pack", body, **credentials).body
    body = line(f"{ZERO} {commit} refs/heads/mine\0report-status") + b"0000" + _empty_pack()
    assert b"ng refs/heads/mine You do not have the right" in post("receive-pack", body, **credentials).body


def test_refused_push_leaves_nothing_behind(ann: Actor, repo: RepoRow, commit: str) -> None:
    body = line(f"{ZERO} {'1' * 40} refs/heads/x\0report-status") + b"0000PACK garbage"
    told = post("receive-pack", body, **basic(token_of(ann)))
    assert b"ng refs/heads/x" in told.body
    assert list(repo.path.glob("objects/incoming-*")) == []
