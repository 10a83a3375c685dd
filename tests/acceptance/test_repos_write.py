"""What huggingface_hub does to repositories, done to a real server."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.clients import Client, ClientFailed, Git, with_credentials
from tests.acceptance.hub import Hub, User


@pytest.fixture
def repo(client: Client, user: User, unique: Callable[[str], str]) -> str:
    name = f"{user.name}/{unique('repo')}"
    client.call("import huggingface_hub as h; h.HfApi().create_repo(args['repo'])", repo=name)
    return name


def test_repository_is_made_once_and_exist_ok_finds_it(client: Client, repo: str, server: Hub) -> None:
    found = client.call(
        """
        from huggingface_hub import HfApi
        api = HfApi()
        url = api.create_repo(args["repo"], exist_ok=True)
        result = [str(url), url.repo_id, url.repo_type]
        """,
        repo=repo,
    )
    assert found == [f"{server.url}/{repo}", repo, "model"]
    with pytest.raises(ClientFailed) as refused:
        client.call("import huggingface_hub as h; h.HfApi().create_repo(args['repo'])", repo=repo)
    assert refused.value.status == 409


def test_every_type_and_visibility_is_made_and_deleted(client: Client, user: User) -> None:
    client.call(
        """
        from huggingface_hub import HfApi
        api = HfApi()
        for type_, more in (("model", {}), ("dataset", {"private": True}), ("space", {"space_sdk": "static"})):
            name = f"{args['user']}/each"
            url = api.create_repo(name, repo_type=type_, **more)
            assert url.repo_type == type_, url
            info = api.repo_info(name, repo_type=type_)
            assert info.private is bool(more.get("private")), info
            assert info.sha
            api.delete_repo(name, repo_type=type_)
            assert not api.repo_exists(name, repo_type=type_)
            api.delete_repo(name, repo_type=type_, missing_ok=True)
        """,
        user=user.name,
    )


def test_repository_moves_and_its_old_name_leads_on(client: Client, repo: str) -> None:
    found = client.call(
        """
        from huggingface_hub import HfApi
        api = HfApi()
        api.upload_file(path_or_fileobj=b"one", path_in_repo="a.txt", repo_id=args["repo"])
        api.move_repo(args["repo"], args["repo"] + "-moved")
        result = [api.model_info(args["repo"]).id, open(api.hf_hub_download(args["repo"], "a.txt")).read()]
        """,
        repo=repo,
    )
    assert found == [f"{repo}-moved", "one"]


def test_branches_and_tags_are_made_and_removed(client: Client, repo: str) -> None:
    client.call(
        """
        from huggingface_hub import HfApi, errors
        api = HfApi()
        first = api.model_info(args["repo"]).sha
        api.create_branch(args["repo"], branch="feature/x")
        api.create_branch(args["repo"], branch="feature/x", exist_ok=True)
        odd = "a b/\\u00e9.txt"
        commit = api.upload_file(path_or_fileobj=b"one", path_in_repo=odd, repo_id=args["repo"], revision="feature/x")
        api.create_branch(args["repo"], branch="old", revision=first)
        api.create_tag(args["repo"], tag="v1", tag_message="One", revision="feature/x")
        refs = api.list_repo_refs(args["repo"])
        targets = {each.name: each.target_commit for each in refs.branches}
        assert targets == {"main": first, "feature/x": commit.oid, "old": first}
        assert [each.name for each in refs.tags] == ["v1"]
        assert api.file_exists(args["repo"], odd, revision="v1")
        api.delete_tag(args["repo"], tag="v1")
        api.delete_branch(args["repo"], branch="feature/x")
        assert [each.name for each in api.list_repo_refs(args["repo"]).branches] == ["main", "old"]
        for call in (
            lambda: api.delete_branch(args["repo"], branch="nowhere"),
            lambda: api.create_tag(args["repo"], tag="x", revision="nowhere"),
        ):
            try:
                call()
            except errors.RevisionNotFoundError:
                continue
            raise AssertionError("a revision that is not there was found")
        """,
        repo=repo,
    )


def test_commit_of_all_kinds_of_operations(client: Client, repo: str) -> None:
    client.call(
        """
        from huggingface_hub import HfApi, CommitOperationAdd as Add, CommitOperationCopy as Copy
        from huggingface_hub import CommitOperationDelete as Delete
        api = HfApi()
        weights = bytes(range(256)) * 100
        first = [Add("a.txt", b"one"), Add("d/w.safetensors", weights), Add("gone/x.txt", b"x")]
        api.create_commit(args["repo"], first, commit_message="First")
        made = api.create_commit(
            args["repo"],
            [
                Copy("a.txt", "copied.txt"), Copy("d/w.safetensors", "w2.safetensors"),
                Delete("gone/"), Add("a.txt", b"two"),
            ],
            commit_message="Second", commit_description="Because",
        )
        files = set(api.list_repo_files(args["repo"]))
        assert files == {".gitattributes", "a.txt", "copied.txt", "d/w.safetensors", "w2.safetensors"}, files
        assert open(api.hf_hub_download(args["repo"], "copied.txt")).read() == "one"
        assert open(api.hf_hub_download(args["repo"], "w2.safetensors"), "rb").read() == weights
        commits = api.list_repo_commits(args["repo"])
        assert [each.title for each in commits] == ["Second", "First", "initial commit"]
        assert commits[0].commit_id == made.oid
        assert made.repo_url.repo_id == args["repo"]
        """,
        repo=repo,
    )


def test_deleting_what_is_not_there_raises_the_clients_own_error(client: Client, repo: str) -> None:
    with pytest.raises(ClientFailed) as refused:
        client.call(
            "import huggingface_hub as h; h.HfApi().delete_file('nothing.txt', args['repo'])", repo=repo
        )
    assert "EntryNotFoundError" in refused.value.kinds
    assert "A file with this name doesn't exist" in refused.value.message


def test_stale_parent_is_a_412_to_the_client(client: Client, repo: str) -> None:
    with pytest.raises(ClientFailed) as refused:
        client.call(
            """
            from huggingface_hub import HfApi
            api = HfApi()
            first = api.model_info(args["repo"]).sha
            for content in (b"one", b"two"):
                api.upload_file(path_or_fileobj=content, path_in_repo="a", repo_id=args["repo"], parent_commit=first)
            """,
            repo=repo,
        )
    assert refused.value.status == 412


def test_invalid_card_is_refused_before_the_upload(client: Client, repo: str) -> None:
    with pytest.raises(ClientFailed) as refused:
        client.call(
            """
            from huggingface_hub import HfApi
            card = b"---\\nlanguage: English\\n---\\n"
            HfApi().upload_file(path_or_fileobj=card, path_in_repo="README.md", repo_id=args["repo"])
            """,
            repo=repo,
        )
    assert refused.value.kind == "ValueError"
    assert "ISO 639" in refused.value.message


def test_squash_leaves_one_commit(client: Client, repo: str) -> None:
    titles = client.call(
        """
        from huggingface_hub import HfApi
        api = HfApi()
        for name in ("a", "b"):
            api.upload_file(path_or_fileobj=b"x", path_in_repo=name, repo_id=args["repo"])
        api.super_squash_history(args["repo"], commit_message="All")
        result = [each.title for each in api.list_repo_commits(args["repo"])]
        """,
        repo=repo,
    )
    assert titles == ["All"]


def test_large_files_are_listed_and_deleted_for_good(client: Client, repo: str) -> None:
    client.call(
        """
        from huggingface_hub import HfApi, errors
        api = HfApi()
        for name in ("a", "b"):
            api.upload_file(path_or_fileobj=name.encode() * 5000, path_in_repo=f"{name}.bin", repo_id=args["repo"])
        files = {each.filename: each for each in api.list_lfs_files(args["repo"])}
        assert {name: each.size for name, each in files.items()} == {"a.bin": 5000, "b.bin": 5000}
        api.permanently_delete_lfs_files(args["repo"], [files["a.bin"]])
        assert "a.bin" not in api.list_repo_files(args["repo"])
        assert [each.filename for each in api.list_lfs_files(args["repo"])] == ["b.bin"]
        """,
        repo=repo,
    )


def test_copy_is_made_by_the_server(client: Client, repo: str) -> None:
    if client.name != "current":
        pytest.skip("older clients know no duplicate_repo")
    client.call(
        """
        from huggingface_hub import HfApi
        api = HfApi()
        api.upload_file(path_or_fileobj=b"w" * 5000, path_in_repo="w.bin", repo_id=args["repo"])
        url = api.duplicate_repo(args["repo"], args["repo"] + "-copy", private=True)
        assert url.repo_id == args["repo"] + "-copy"
        assert open(api.hf_hub_download(url.repo_id, "w.bin"), "rb").read() == b"w" * 5000
        assert api.model_info(url.repo_id).private
        names = {each.id: each.storage for each in api.list_user_repos()}
        assert names[args["repo"]] > 5000, names
        """,
        repo=repo,
    )


def test_large_file_of_any_name_comes_out_of_a_clone(
    client: Client, repo: str, server: Hub, user: User, git: Git, tmp_path: Path
) -> None:
    data = os.urandom(300)
    (tmp_path / "odd name.xyz").write_bytes(data)
    client.call(
        """
        from huggingface_hub import HfApi
        HfApi().upload_file(
            path_or_fileobj=args["path"], path_in_repo="sub/odd [1].xyz", repo_id=args["repo"]
        )
        """,
        repo=repo,
        path=tmp_path / "odd name.xyz",
    )
    git("clone", with_credentials(f"{server.url}/{repo}", user.name, user.token), tmp_path / "clone")
    assert (tmp_path / "clone" / "sub" / "odd [1].xyz").read_bytes() == data
    assert git("lfs", "ls-files", "--name-only", cwd=tmp_path / "clone") == "sub/odd [1].xyz"
