"""Settings, new names, copies, deletions, large files, and what is stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hutch.cas import service as cas
from hutch.core.errors import BadRequest, Conflict, Forbidden, RepoNotFound, Unauthorized
from hutch.core.permissions import NOBODY, Actor, Role
from hutch.git import process, repository
from hutch.git.refs import read_ref
from hutch.repos import duplicating, service, settings, storage_list
from hutch.repos.changes import branches, large_files
from hutch.repos.changes.commits import create_commit
from hutch.repos.errors import InvalidName, QuotaExceeded, RepoExists
from hutch.repos.lookup import RepoRow, find_repo, repo_by_id
from hutch.repos.models import Repo, RepoRedirect
from tests.repos.commit_body import HEADER, body, deleted, file, has, large, upload

Make = Callable[..., RepoRow]


@pytest.fixture
def repo(ann: Actor, make_repo: Make) -> RepoRow:
    return make_repo(ann, "bert")


def test_visibility_is_changed_both_ways(ann: Actor, repo: RepoRow, api: Callable[..., Any]) -> None:
    assert api("PUT", "/api/models/ann/bert/settings", {"private": True}, actor=ann).json["private"] is True
    assert Repo.objects.get().visibility == "private"
    api("PUT", "/api/models/ann/bert/settings", {"visibility": "public"}, actor=ann)
    assert Repo.objects.get().visibility == "public"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({}, "settings"),
        ({"visibility": "protected"}, "visibility"),
        ({"visibility": "secret"}, "visibility"),
        ({"visibility": "public", "private": True}, "private"),
        ({"gated": True}, "gated"),
        ({"defaultBranch": "nowhere"}, "defaultBranch"),
        ({"protectedBranches": ["a..b"]}, "ref"),
        ({"protectedBranches": ["x"] * 101}, "protectedBranches"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_wrong_setting_is_named(
    ann: Actor, repo: RepoRow, api: Callable[..., Any], change: dict[str, Any], field: str
) -> None:
    answer = api("PUT", "/api/models/ann/bert/settings", change, actor=ann)
    assert (answer.status, answer.json["field"]) == (400, field)


def test_settings_are_for_those_who_may(ann: Actor, bob: Actor, repo: RepoRow) -> None:
    with pytest.raises(Forbidden):
        settings.update_settings(bob, repo, settings.Changes(visibility="private"))
    with pytest.raises(Forbidden):
        settings.update_settings(ann, repo, settings.Changes(disabled=True))


def test_disabled_repository_says_so_in_the_words_clients_know(
    ann: Actor, repo: RepoRow, make_actor: Callable[..., Actor], api: Callable[..., Any]
) -> None:
    settings.update_settings(make_actor("root", is_staff=True), repo, settings.Changes(disabled=True))
    answer = api("GET", "/api/models/ann/bert/auth-check", actor=ann)
    assert (answer.status, answer.headers["X-Error-Message"]) == (403, "Access to this resource is disabled.")


def test_default_branch_brings_its_card_along(ann: Actor, repo: RepoRow) -> None:
    branches.create_branch(ann, repo, "next")
    made = create_commit(ann, repo, "next", body(HEADER, file("README.md", "---\nlicense: mit\n---\n"))).oid
    assert Repo.objects.get().card == {}
    now = settings.update_settings(ann, repo, settings.Changes(default_branch="next"))
    row = Repo.objects.get()
    assert (now.default_branch, row.head_oid, row.card) == ("next", made, {"license": "mit"})
    assert repository.default_branch(repository.open(repo.path)) == "next"
    branches.delete_branch(ann, repo_by_id(repo.id), "main")
    with pytest.raises(BadRequest):
        branches.delete_branch(ann, repo_by_id(repo.id), "next")


def test_moved_repository_is_found_by_both_names(ann: Actor, repo: RepoRow) -> None:
    moved = service.move_repo(ann, repo, "ann/roberta")
    assert moved.full_name == "ann/roberta"
    assert find_repo(ann, "model", "ann/bert").id == find_repo(ann, "model", "ann/roberta").id == repo.id


def test_new_repository_takes_an_old_name_over(ann: Actor, repo: RepoRow, make_repo: Make) -> None:
    service.move_repo(ann, repo, "ann/roberta")
    other = make_repo(ann, "bert")
    assert find_repo(ann, "model", "ann/bert").id == other.id
    assert not RepoRedirect.objects.exists()


def test_repository_moved_back_leads_from_its_other_name(ann: Actor, repo: RepoRow) -> None:
    there = service.move_repo(ann, repo, "ann/roberta")
    service.move_repo(ann, there, "ann/bert")
    assert find_repo(ann, "model", "ann/roberta").full_name == "ann/bert"
    cased = service.move_repo(ann, repo_by_id(repo.id), "ann/BERT")
    assert cased.full_name == "ann/BERT"


def test_move_to_a_taken_name_or_anothers_namespace_is_refused(
    ann: Actor, bob: Actor, repo: RepoRow, make_repo: Make
) -> None:
    make_repo(ann, "taken")
    with pytest.raises(Conflict):
        service.move_repo(ann, repo, "ann/Taken")
    with pytest.raises(Forbidden):
        service.move_repo(ann, repo, "bob/bert")
    with pytest.raises(Forbidden):
        service.move_repo(bob, repo, "bob/bert")
    for name in ("a/b/c", "/x", "ann/", "ann/.x"):
        with pytest.raises(InvalidName):
            service.move_repo(ann, repo, name)
    assert Repo.objects.get(pk=repo.id).full_name == "ann/bert"


def test_old_name_does_not_delete(ann: Actor, repo: RepoRow, api: Callable[..., Any]) -> None:
    service.move_repo(ann, repo, "ann/roberta")
    answer = api("DELETE", "/api/repos/delete", {"name": "bert", "organization": "ann"}, actor=ann)
    assert (answer.status, answer.code) == (404, "RepoNotFound")


def test_deleted_repository_leaves_nothing(ann: Actor, repo: RepoRow, api: Callable[..., Any]) -> None:
    oid = upload(ann, repo, b"x" * 100)
    create_commit(ann, repo, "main", body(HEADER, large("w.bin", oid, 100)))
    answer = api(
        "DELETE", "/api/repos/delete", {"name": "bert", "organization": None, "type": "model"}, actor=ann
    )
    assert answer.status == 200
    assert not repo.path.exists()
    assert not Repo.objects.exists()
    assert cas.object_of(repo.id, oid) is None
    assert storage_list.usage(ann, None, after=0, limit=10).whole_bytes == 0
    assert api("DELETE", "/api/repos/delete", {"name": "bert", "organization": None}, actor=ann).status == 404


def test_only_those_who_may_delete(bob: Actor, repo: RepoRow) -> None:
    with pytest.raises(Forbidden):
        service.delete_repo(bob, repo)
    with pytest.raises(Unauthorized):
        service.delete_repo(NOBODY, repo)
    assert repo.path.exists()


def test_copy_has_history_refs_and_large_objects(ann: Actor, bob: Actor, repo: RepoRow) -> None:
    oid = upload(ann, repo, b"x" * 100)
    made = create_commit(ann, repo, "main", body(HEADER, large("w.bin", oid, 100))).oid
    branches.create_branch(ann, repo, "side")
    branches.create_tag(ann, repo, "v1", revision="main", message="one")
    create_commit(ann, repo, "main", body(HEADER, file("pr")), create_pr=True)
    copy = duplicating.duplicate_repo(bob, repo, "bob/copy")
    git = repository.open(copy.path)
    assert read_ref(git, "refs/heads/main") == read_ref(git, "refs/heads/side") == made == copy.head_oid
    assert read_ref(git, "refs/tags/v1") is not None
    assert read_ref(git, "refs/pr/1") is None
    process.run(copy.path, ["fsck", "--strict"])
    assert cas.object_of(copy.id, oid) is not None
    row = Repo.objects.get(pk=copy.id)
    assert (row.lfs_bytes, sorted(row.head_files)) == (100, [".gitattributes", "w.bin"])
    service.delete_repo(ann, repo)
    assert cas.object_of(copy.id, oid) is not None


def test_copy_is_refused_where_reading_or_creating_is(
    ann: Actor, bob: Actor, repo: RepoRow, make_repo: Make, api: Callable[..., Any]
) -> None:
    make_repo(ann, "secret", visibility="private")
    assert api("POST", "/api/models/ann/secret/duplicate", {"repository": "bob/x"}, actor=bob).status == 404
    assert api("POST", "/api/models/ann/bert/duplicate", {"repository": "ann/x"}, actor=bob).status == 403
    answer = api(
        "POST", "/api/models/ann/bert/duplicate", {"repository": "bob/x", "visibility": "private"}, actor=bob
    )
    assert (answer.status, answer.json["url"]) == (200, "http://hub.test/bob/x")
    assert Repo.objects.get(full_name="bob/x").visibility == "private"
    taken = api("POST", "/api/models/ann/bert/duplicate", {"repository": "bob/X"}, actor=bob)
    assert (taken.status, taken.json["url"]) == (409, "http://hub.test/bob/X")


def test_copy_does_not_exceed_the_quota(
    ann: Actor, bob: Actor, repo: RepoRow, configure: Callable[..., None]
) -> None:
    oid = upload(ann, repo, b"x" * 50_000)
    create_commit(ann, repo, "main", body(HEADER, large("w.bin", oid, 50_000)))
    configure(namespace_quota_bytes=40_000)
    with pytest.raises(QuotaExceeded):
        duplicating.duplicate_repo(bob, repo, "bob/copy")
    assert not Repo.objects.filter(full_name="bob/copy").exists()


def test_large_objects_are_copied_between_repositories(
    ann: Actor, bob: Actor, repo: RepoRow, make_repo: Make, api: Callable[..., Any]
) -> None:
    oid = upload(ann, repo, b"x" * 100)
    create_commit(ann, repo, "main", body(HEADER, large("w.bin", oid, 100)))
    other = make_repo(bob, "mine")
    send = {"target": {"type": "model", "name": "bob/mine"}, "files": [{"sha256": oid}, {"sha256": "0" * 64}]}
    answer = api("POST", "/api/models/ann/bert/lfs-files/duplicate", send, actor=bob)
    assert [each["sha256"] for each in answer.json["failed"]] == ["0" * 64]
    assert cas.object_of(other.id, oid) is not None
    refused = api(
        "POST",
        "/api/models/bob/mine/lfs-files/duplicate",
        {**send, "target": {"name": "ann/bert"}},
        actor=bob,
    )
    assert refused.status == 403


def test_large_files_are_listed_by_pages(ann: Actor, repo: RepoRow, api: Callable[..., Any]) -> None:
    oids = [upload(ann, repo, bytes([n]) * 10) for n in range(3)]
    create_commit(
        ann, repo, "main", body(HEADER, *[large(f"{n}.bin", oid, 10) for n, oid in enumerate(oids)])
    )
    create_commit(ann, repo, "main", body(HEADER, deleted("1.bin")))
    first = api("GET", "/api/models/ann/bert/lfs-files?limit=2", actor=ann)
    link = first.headers["Link"]
    assert link.startswith("<http://hub.test/api/models/ann/bert/lfs-files?")
    second = api("GET", link[1:].split(">")[0].removeprefix("http://hub.test"), actor=ann)
    listed = {each["fileOid"]: each["filename"] for each in first.json + second.json}
    assert listed == {oids[0]: "0.bin", oids[1]: oids[1], oids[2]: "2.bin"}
    assert "Link" not in second.headers


def test_deleted_large_file_leaves_history_too(ann: Actor, repo: RepoRow, api: Callable[..., Any]) -> None:
    gone, kept = upload(ann, repo, b"gone"), upload(ann, repo, b"kept!")
    create_commit(
        ann, repo, "main", body(HEADER, large("only/gone.bin", gone, 4), large("kept.bin", kept, 5))
    )
    branches.create_tag(ann, repo, "v1", revision="main", message="one")
    create_commit(ann, repo, "main", body(HEADER, file("x")))
    before = process.run(repo.path, ["log", "--format=%an %at %s", "main"])
    send = {"deletions": {"sha": [gone], "rewriteHistory": True}}
    assert api("POST", "/api/models/ann/bert/lfs-files/batch", send, actor=ann).json == {"deleted": 1}
    names = process.run(repo.path, ["log", "--all", "--format=", "--name-only"]).decode().split()
    assert "only/gone.bin" not in names
    assert "kept.bin" in names
    assert process.run(repo.path, ["log", "--format=%an %at %s", "main"]) == before
    process.run(repo.path, ["fsck", "--strict"])
    row = Repo.objects.get()
    assert (row.lfs_bytes, row.head_oid) == (5, read_ref(repository.open(repo.path), "refs/heads/main"))
    assert not has(repo, row.head_oid, "only")
    assert cas.object_of(repo.id, gone) is None


def test_deleted_large_file_may_leave_its_pointer(ann: Actor, bob: Actor, repo: RepoRow) -> None:
    oid = upload(ann, repo, b"gone")
    made = create_commit(ann, repo, "main", body(HEADER, large("gone.bin", oid, 4))).oid
    with pytest.raises(Forbidden):
        large_files.delete_large_files(bob, repo, [oid], rewrite_history=False)
    large_files.delete_large_files(ann, repo, [oid], rewrite_history=False)
    assert read_ref(repository.open(repo.path), "refs/heads/main") == made
    assert cas.object_of(repo.id, oid) is None
    assert Repo.objects.get().lfs_bytes == 0


def test_storage_is_told_to_members(
    ann: Actor,
    bob: Actor,
    repo: RepoRow,
    make_org: Callable[..., str],
    again: Callable[[Actor], Actor],
    api: Callable[..., Any],
) -> None:
    oid = upload(ann, repo, b"x" * 1000)
    create_commit(ann, repo, "main", body(HEADER, large("w.bin", oid, 1000)))
    (line,) = api("GET", "/api/settings/repositories", actor=ann).json
    assert (line["id"], line["type"], line["visibility"], line["storagePercent"]) == (
        "ann/bert",
        "model",
        "public",
        100.0,
    )
    assert line["storage"] == 1000 + Repo.objects.get().git_bytes
    make_org("acme", ann=Role.ADMIN)
    assert api("GET", "/api/organizations/acme/settings/repositories", actor=again(ann)).json == []
    assert api("GET", "/api/organizations/acme/settings/repositories", actor=bob).status == 403
    assert api("GET", "/api/organizations/none/settings/repositories", actor=bob).status == 404
    assert api("GET", "/api/settings/repositories").status == 401


def test_auth_check_tells_reading_from_writing(
    ann: Actor, bob: Actor, repo: RepoRow, make_repo: Make, api: Callable[..., Any]
) -> None:
    make_repo(ann, "secret", visibility="private")
    at = "/api/models/ann"
    assert api("GET", f"{at}/bert/auth-check").status == 200
    assert api("GET", f"{at}/bert/auth-check/write", actor=bob).status == 403
    assert api("GET", f"{at}/bert/auth-check/write", actor=ann).status == 200
    hidden, missing = (api("GET", f"{at}/{name}/auth-check", actor=bob) for name in ("secret", "nothing"))
    assert (hidden.status, hidden.body) == (missing.status, missing.body) == (404, hidden.body)
    assert api("GET", f"{at}/secret/auth-check").status == 401


def test_repository_gone_meanwhile_is_not_found(ann: Actor, repo: RepoRow) -> None:
    service.delete_repo(ann, repo)
    for call in (
        lambda: service.delete_repo(ann, repo),
        lambda: service.move_repo(ann, repo, "ann/x"),
        lambda: settings.update_settings(ann, repo, settings.Changes(visibility="private")),
    ):
        with pytest.raises(RepoNotFound):
            call()
    assert RepoExists.status == 409
