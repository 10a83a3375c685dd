"""`resolve` and `raw`: the headers that clients read, ranges, conditions, refusals."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from pygit2.enums import ObjectType

from hutch.accounts.models import User
from hutch.core.permissions import Actor, Role
from hutch.git import process
from hutch.git.objects import hash_object
from hutch.git.refs import RefUpdate
from hutch.repos import service
from hutch.repos.changes import refs
from hutch.repos.lookup import RepoRow
from hutch.repos.models import Repo
from hutch.repos.wires import download_counts
from tests.repos.door import ask, close_connections, commit_files, token_of

pytestmark = pytest.mark.django_db(transaction=True)

Make = Callable[..., RepoRow]
WEIGHTS = bytes(range(256)) * 40
WEIGHTS_OID = hashlib.sha256(WEIGHTS).hexdigest()
PAGE = b"<!doctype html><script>alert(1)</script>"


@pytest.fixture(autouse=True)
def _settled(transactional_db: None) -> Iterator[None]:
    download_counts.forget()
    yield
    close_connections()


@pytest.fixture
def repo(ann: Actor, make_repo: Make) -> RepoRow:
    return make_repo(ann, "bert")


@pytest.fixture
def commit(ann: Actor, repo: RepoRow) -> str:
    files = {
        "README.md": "# Bert\n",
        "page.html": PAGE,
        "dir/ünïcode näme.txt": "x",
        "LICENSE": "Apache\n",
        "blob": b"\0\1",
    }
    return commit_files(ann, repo, {**files, "weights.bin": WEIGHTS, "photo.png": b"\x89PNG"})


def test_head_of_a_regular_file_tells_all_that_clients_read(commit: str) -> None:
    told = ask("HEAD", "/ann/bert/resolve/main/README.md")
    oid = hash_object(ObjectType.BLOB, b"# Bert\n")
    assert told.status == 200
    assert told.body == b""
    assert told.headers["x-repo-commit"] == commit
    assert told.headers["etag"] == told.headers["x-linked-etag"] == f'"{oid}"'
    assert told.headers["content-length"] == told.headers["x-linked-size"] == "7"
    assert told.headers["accept-ranges"] == "bytes"
    assert "location" not in told.headers


def test_head_of_a_large_file_tells_its_sha256_and_its_own_size(commit: str) -> None:
    told = ask("HEAD", "/ann/bert/resolve/main/weights.bin")
    assert told.headers["etag"] == told.headers["x-linked-etag"] == f'"{WEIGHTS_OID}"'
    assert told.headers["content-length"] == told.headers["x-linked-size"] == str(len(WEIGHTS))
    assert "location" not in told.headers


@pytest.mark.parametrize("path", ["README.md", "weights.bin", "photo.png", "page.html", "LICENSE"])
def test_get_and_head_tell_the_same(commit: str, path: str) -> None:
    head, get = (ask(method, f"/ann/bert/resolve/main/{path}") for method in ("HEAD", "GET"))
    told = [
        {key: value for key, value in each.headers.items() if key != "x-request-id"} for each in (head, get)
    ]
    assert told[0] == told[1]
    assert len(get.body) == int(get.headers["content-length"])


@pytest.mark.parametrize(
    ("path", "media_type", "kind"),
    [
        ("README.md", "text/plain; charset=utf-8", "inline"),
        ("page.html", "text/plain; charset=utf-8", "inline"),
        ("LICENSE", "text/plain; charset=utf-8", "inline"),
        ("photo.png", "image/png", "inline"),
        ("weights.bin", "application/octet-stream", "attachment"),
        ("blob", "application/octet-stream", "attachment"),
    ],
)
def test_bytes_of_users_never_run_here(commit: str, path: str, media_type: str, kind: str) -> None:
    told = ask("GET", f"/ann/bert/resolve/main/{path}")
    assert told.headers["content-type"] == media_type
    assert told.headers["content-disposition"].startswith(f"{kind};")
    assert told.headers["x-content-type-options"] == "nosniff"
    assert told.headers["content-security-policy"] == "sandbox; default-src 'none'"


def test_download_asked_for_is_an_attachment(commit: str) -> None:
    told = ask("GET", "/ann/bert/resolve/main/README.md?download=true")
    assert told.headers["content-disposition"].startswith("attachment;")


def test_name_beyond_ascii_is_given_twice(commit: str) -> None:
    told = ask("GET", "/ann/bert/resolve/main/dir/%C3%BCn%C3%AFcode%20n%C3%A4me.txt")
    assert told.body == b"x"
    assert told.headers["content-disposition"] == (
        "inline; filename=\"_n_code n_me.txt\"; filename*=UTF-8''%C3%BCn%C3%AFcode%20n%C3%A4me.txt"
    )


def test_raw_is_the_pointer_and_resolve_the_bytes(commit: str) -> None:
    assert ask("GET", "/ann/bert/resolve/main/weights.bin").body == WEIGHTS
    raw = ask("GET", "/ann/bert/raw/main/weights.bin")
    assert raw.body.startswith(b"version https://git-lfs.github.com/spec/v1\n")
    assert len(raw.body) == int(raw.headers["content-length"])


@pytest.mark.parametrize("path", ["README.md", "weights.bin"])
def test_range_is_sent_as_it_was_asked_for(commit: str, path: str) -> None:
    whole = ask("GET", f"/ann/bert/resolve/main/{path}").body
    size = len(whole)
    for header, start, end in [
        ("bytes=0-2", 0, 3),
        ("bytes=3-", 3, size),
        ("bytes=-4", size - 4, size),
        ("bytes=1-99999", 1, size),
    ]:
        told = ask("GET", f"/ann/bert/resolve/main/{path}", headers={"Range": header})
        assert (told.status, told.body) == (206, whole[start:end])
        assert told.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
        assert told.headers["content-length"] == str(end - start)


def test_suffix_longer_than_the_file_is_the_whole_of_it(commit: str) -> None:
    told = ask("GET", "/ann/bert/resolve/main/README.md", headers={"Range": "bytes=-262144"})
    assert (told.status, told.body, told.headers["content-range"]) == (206, b"# Bert\n", "bytes 0-6/7")


def test_several_ranges_come_in_parts(commit: str) -> None:
    told = ask("GET", "/ann/bert/resolve/main/weights.bin", headers={"Range": "bytes=0-1,10-12"})
    assert told.status == 206
    assert told.headers["content-type"].startswith("multipart/byteranges; boundary=")
    assert len(told.body) == int(told.headers["content-length"])
    assert b"Content-Range: bytes 0-1/10240\r\n\r\n\x00\x01\r\n" in told.body
    assert b"Content-Range: bytes 10-12/10240\r\n\r\n\x0a\x0b\x0c\r\n" in told.body


def test_range_behind_the_end_is_416_with_the_size(commit: str) -> None:
    told = ask("GET", "/ann/bert/resolve/main/README.md", headers={"Range": "bytes=7-"})
    assert (told.status, told.headers["content-range"]) == (416, "bytes */7")


def test_range_of_another_version_gives_the_whole_file(commit: str) -> None:
    etag = ask("HEAD", "/ann/bert/resolve/main/README.md").headers["etag"]
    same = {"Range": "bytes=0-1", "If-Range": etag}
    other = {"Range": "bytes=0-1", "If-Range": '"0123"'}
    assert ask("GET", "/ann/bert/resolve/main/README.md", headers=same).status == 206
    assert ask("GET", "/ann/bert/resolve/main/README.md", headers=other).status == 200


def test_what_the_client_has_is_not_sent_again(commit: str) -> None:
    etag = ask("HEAD", "/ann/bert/resolve/main/weights.bin").headers["etag"]
    for method in ("GET", "HEAD"):
        told = ask(method, "/ann/bert/resolve/main/weights.bin", headers={"If-None-Match": f'"x", {etag}'})
        assert (told.status, told.body, told.headers["etag"]) == (304, b"", etag)
        assert told.headers["x-repo-commit"] == commit


@pytest.mark.parametrize(
    "path", ["nothing.txt", "dir", "README.md/x", "dir/", "..", "a//b", "../../etc/passwd", "x%00y", "%ff"]
)
def test_missing_file_is_told_with_the_commit(commit: str, path: str) -> None:
    for method in ("HEAD", "GET"):
        told = ask(method, f"/ann/bert/resolve/main/{path}")
        assert (told.status, told.code, told.headers["x-repo-commit"]) == (404, "EntryNotFound", commit)


@pytest.mark.parametrize(
    "revision", ["nope", "0" * 40, "refs%2Fpr%2F99", "main~1", "main%5E", "HEAD%40%7B1%7D", "%00"]
)
def test_missing_revision_is_told(commit: str, revision: str) -> None:
    told = ask("HEAD", f"/ann/bert/resolve/{revision}/README.md")
    assert (told.status, told.code) == (404, "RevisionNotFound")


def test_private_repository_answers_as_if_it_did_not_exist(ann: Actor, bob: Actor, make_repo: Make) -> None:
    secret = make_repo(ann, "secret", visibility="private")
    commit_files(ann, secret, {"README.md": "x"})
    told = {}
    for who, token in (("nobody", None), ("bob", token_of(bob))):
        for name in ("secret", "missing"):
            answer = ask("GET", f"/ann/{name}/resolve/main/README.md", token=token)
            told[who, name] = (answer.status, answer.code, answer.body, sorted(answer.headers))
    assert told["nobody", "secret"] == told["nobody", "missing"]
    assert told["bob", "secret"] == told["bob", "missing"]
    assert told["nobody", "secret"][:2] == (401, "RepoNotFound")
    assert told["bob", "secret"][:2] == (404, "RepoNotFound")
    assert ask("GET", "/ann/secret/resolve/main/README.md", token=token_of(ann)).body == b"x"


def test_wrong_token_is_refused_in_the_words_that_clients_know(commit: str) -> None:
    told = ask("HEAD", "/ann/bert/resolve/main/README.md", token="hf_wrong")
    assert (told.status, told.headers["x-error-message"]) == (
        401,
        "Invalid credentials in Authorization header",
    )


def test_session_cookie_opens_private_files(ann: Actor, make_repo: Make) -> None:
    commit_files(ann, make_repo(ann, "secret", visibility="private"), {"a.txt": "mine"})
    user = User.objects.get(pk=ann.user_id)
    session = SessionStore()
    session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
    session.save()
    told = ask(
        "GET", "/ann/secret/resolve/main/a.txt", headers={"Cookie": f"hutch_session={session.session_key}"}
    )
    assert (told.status, told.body) == (200, b"mine")


def test_caches_keep_only_what_never_changes_and_everybody_may_read(
    ann: Actor, commit: str, make_repo: Make
) -> None:
    commit_files(ann, make_repo(ann, "secret", visibility="private"), {"a.txt": "mine"})
    by_name = ask("HEAD", "/ann/bert/resolve/main/README.md").headers["cache-control"]
    by_hash = ask("HEAD", f"/ann/bert/resolve/{commit}/README.md").headers["cache-control"]
    private = ask("HEAD", "/ann/secret/resolve/main/a.txt", token=token_of(ann)).headers["cache-control"]
    assert by_name == "public, no-cache"
    assert "immutable" in by_hash
    assert private == "private, no-store"


def test_every_way_to_write_a_revision(ann: Actor, repo: RepoRow, commit: str) -> None:
    names = ["refs/heads/feature/x", "refs/tags/v1.0", "refs/convert/parquet"]
    refs.advance(ann, repo, [RefUpdate(name, None, commit) for name in names], how="api")
    for revision in (
        commit, commit[:7], "main", "refs%2Fheads%2Fmain", "feature%2Fx", "v1.0", "refs%2Ftags%2Fv1.0",
        "refs%2Fconvert%2Fparquet", "refs/convert/parquet", "~parquet", "HEAD",
    ):  # fmt: skip
        told = ask("HEAD", f"/ann/bert/resolve/{revision}/README.md")
        assert (told.status, told.headers["x-repo-commit"]) == (200, commit), revision


def test_types_have_their_own_names(ann: Actor, make_repo: Make) -> None:
    for type_ in ("model", "dataset", "space", "kernel"):
        more = {"sdk": "static"} if type_ == "space" else {}
        commit_files(ann, make_repo(ann, "same", type=type_, **more), {"which.txt": type_})
    for prefix, type_ in (
        ("", "model"),
        ("models/", "model"),
        ("datasets/", "dataset"),
        ("spaces/", "space"),
        ("kernels/", "kernel"),
    ):
        assert ask("GET", f"/{prefix}ann/same/resolve/main/which.txt").body.decode() == type_
        assert ask("GET", f"/api/{type_}s/ann/same/resolve/main/which.txt").body.decode() == type_
        assert ask("GET", f"/api/resolve-cache/{type_}s/ann/same/main/which.txt").body.decode() == type_


def test_moved_repository_is_served_under_its_old_name(ann: Actor, repo: RepoRow, commit: str) -> None:
    service.move_repo(ann, repo, "ann/ernie")
    for name in ("bert", "ernie"):
        assert ask("GET", f"/ann/{name}/resolve/main/README.md").body == b"# Bert\n"


def test_repository_without_namespace_is_served(make_actor: Callable[..., Actor], make_repo: Make) -> None:
    admin = make_actor("root", is_staff=True)
    repo = make_repo(admin, "gpt2", namespace="")
    commit_files(admin, repo, {"config.json": "{}"})
    assert ask("GET", "/gpt2/resolve/main/config.json").body == b"{}"


def test_file_in_a_folder_called_like_an_address_is_found(ann: Actor, repo: RepoRow) -> None:
    commit_files(ann, repo, {"a/resolve/main/b.txt": "deep"})
    assert ask("GET", "/ann/bert/resolve/main/a/resolve/main/b.txt").body == b"deep"


def test_percent_and_slash_in_names_are_decoded_once(ann: Actor, repo: RepoRow) -> None:
    commit_files(ann, repo, {"100%25/50%.txt": "odd"})
    assert ask("GET", "/ann/bert/resolve/main/100%2525/50%25.txt").body == b"odd"
    assert ask("GET", "/ann/bert/resolve/main/100%2525%2F50%25.txt").body == b"odd"


def test_downloads_are_counted_once_a_reader(bob: Actor, repo: RepoRow, commit: str) -> None:
    token = token_of(bob)
    for path in ("README.md", "weights.bin"):
        ask("HEAD", f"/ann/bert/resolve/main/{path}")
        ask("GET", f"/ann/bert/resolve/main/{path}")
        ask("GET", f"/ann/bert/resolve/main/{path}", headers={"Range": "bytes=2-"})
        ask("GET", f"/ann/bert/resolve/main/{path}", token=token)
    assert Repo.objects.get(pk=repo.id).downloads == 0
    assert download_counts.flush() == 2
    assert download_counts.flush() == 0
    assert Repo.objects.get(pk=repo.id).downloads == 2


def test_empty_file_is_sent(ann: Actor, repo: RepoRow) -> None:
    commit_files(ann, repo, {"empty.txt": b""})
    told = ask("GET", "/ann/bert/resolve/main/empty.txt", headers={"Range": "bytes=0-"})
    assert told.status == 416
    told = ask("GET", "/ann/bert/resolve/main/empty.txt")
    assert (told.status, told.body, told.headers["content-length"]) == (200, b"", "0")


def test_nothing_is_readable_without_sign_in_where_the_setting_says_so(
    bob: Actor, commit: str, configure: Callable[..., None]
) -> None:
    configure(require_sign_in="1")
    assert ask("HEAD", "/ann/bert/resolve/main/README.md").status == 401
    told = ask("HEAD", f"/ann/bert/resolve/{commit}/README.md", token=token_of(bob))
    assert (told.status, told.headers["cache-control"]) == (200, "private, no-store")


def test_member_of_an_organisation_reads_its_private_files(
    ann: Actor, bob: Actor, make_org: Callable[..., str], make_repo: Make, again: Callable[[Actor], Actor]
) -> None:
    make_org("acme", ann=Role.WRITE, bob=Role.READ)
    ann = again(ann)
    commit_files(ann, make_repo(ann, "inner", namespace="acme", visibility="private"), {"a.txt": "ours"})
    assert ask("GET", "/acme/inner/resolve/main/a.txt", token=token_of(bob)).body == b"ours"
    assert ask("GET", "/acme/inner/resolve/main/a.txt").status == 401


def test_what_another_process_writes_is_seen_at_once(ann: Actor, repo: RepoRow, commit: str) -> None:
    assert ask("HEAD", "/ann/bert/resolve/main/README.md").headers["x-repo-commit"] == commit
    newer = commit_files(ann, repo, {"README.md": "# New\n"})
    told = ask("GET", "/ann/bert/resolve/main/README.md")
    assert (told.headers["x-repo-commit"], told.body) == (newer, b"# New\n")


def test_repack_under_a_repository_that_is_kept_open_disturbs_nobody(
    ann: Actor, repo: RepoRow, commit: str
) -> None:
    newer = commit_files(ann, repo, {"README.md": "# New\n"})
    for revision in (commit, newer):
        assert ask("GET", f"/ann/bert/resolve/{revision}/README.md").status == 200
    process.run(repo.path, ["repack", "-adfq"])
    for revision, body in ((commit, b"# Bert\n"), (newer, b"# New\n")):
        assert ask("GET", f"/ann/bert/resolve/{revision}/README.md").body == body


def test_gated_files_are_for_those_who_were_let_in(ann: Actor, bob: Actor, make_repo: Make) -> None:
    commit_files(ann, make_repo(ann, "gate", gated="manual"), {"a.txt": "x"})
    path = "/ann/gate/resolve/main/a.txt"
    assert (ask("GET", path).status, ask("GET", path).code) == (401, "GatedRepo")
    assert (ask("GET", path, token=token_of(bob)).status, ask("HEAD", path, token=token_of(bob)).code) == (
        403,
        "GatedRepo",
    )
    assert ask("GET", path, token=token_of(ann)).headers["cache-control"] == "private, no-store"
