"""What several people do to one repository through huggingface_hub, on a real server."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.acceptance.clients import Client, ClientFailed
from tests.acceptance.hub import Hub, User


@pytest.fixture
def repo(client: Client, user: User, unique: Callable[[str], str]) -> str:
    name = f"{user.name}/{unique('repo')}"
    client.call("import huggingface_hub as h; h.HfApi().create_repo(args['repo'])", repo=name)
    return name


def test_settings_change_who_sees_it(client: Client, repo: str) -> None:
    with_token = """
        from huggingface_hub import HfApi
        api = HfApi()
        api.update_repo_settings(args["repo"], private=True)
        assert api.model_info(args["repo"]).private
        assert not HfApi(token=False).repo_exists(args["repo"])
        api.update_repo_settings(args["repo"], private=False, gated="manual")
        assert api.model_info(args["repo"]).gated == "manual"
        api.auth_check(args["repo"])
    """
    client.call(with_token, repo=repo)
    with pytest.raises(ClientFailed) as refused:
        client.signed_in(None).call(
            "import huggingface_hub as h; h.HfApi().auth_check(args['repo'])", repo=repo
        )
    assert refused.value.kind == "GatedRepoError"


def test_access_to_a_gated_repository_is_granted_and_taken(
    client: Client, repo: str, server: Hub, unique: Callable[[str], str]
) -> None:
    guest = server.user(unique("guest"))
    script = """
        from huggingface_hub import HfApi, errors
        mine, theirs = HfApi(), HfApi(token=args["guest"])
        mine.upload_file(path_or_fileobj=b"one", path_in_repo="a.txt", repo_id=args["repo"])
        mine.update_repo_settings(args["repo"], gated="manual")
        def reads():
            try:
                theirs.auth_check(args["repo"])
            except errors.GatedRepoError:
                return False
            return True
        assert not reads()
        try:
            theirs.hf_hub_download(args["repo"], "a.txt")
            raise AssertionError("a file came through a shut gate")
        except errors.GatedRepoError:
            pass
        mine.grant_access(args["repo"], args["name"])
        assert reads()
        assert [each.username for each in mine.list_accepted_access_requests(args["repo"])] == [args["name"]]
        mine.reject_access_request(args["repo"], args["name"], rejection_reason="Sorry")
        assert not reads()
        assert [each.username for each in mine.list_rejected_access_requests(args["repo"])] == [args["name"]]
        mine.cancel_access_request(args["repo"], args["name"])
        assert [each.username for each in mine.list_pending_access_requests(args["repo"])] == [args["name"]]
        mine.accept_access_request(args["repo"], args["name"])
        assert reads()
        assert open(theirs.hf_hub_download(args["repo"], "a.txt")).read() == "one"
    """
    client.call(script, repo=repo, guest=guest.token, name=guest.name)


def test_pull_request_from_a_stranger_to_the_merge(
    client: Client, repo: str, server: Hub, unique: Callable[[str], str]
) -> None:
    guest = server.user(unique("guest"))
    client.call(
        """
        from huggingface_hub import HfApi
        mine, theirs = HfApi(), HfApi(token=args["guest"])
        repo = args["repo"]
        made = theirs.upload_file(
            path_or_fileobj=b"one", path_in_repo="a.txt", repo_id=repo, create_pr=True, commit_message="Add a"
        )
        assert (made.pr_num, made.pr_revision) == (1, "refs/pr/1"), made
        theirs.upload_file(path_or_fileobj=b"two", path_in_repo="b.txt", repo_id=repo, revision=made.pr_revision)
        found = mine.get_discussion_details(args["repo"], 1)
        assert (found.title, found.status, found.author) == ("Add a", "open", args["name"]), found
        assert found.is_pull_request
        assert "+one" in found.diff
        assert not found.conflicting_files
        assert found.target_branch == "refs/heads/main"
        said = mine.comment_discussion(args["repo"], 1, "Thank you")
        assert said.content == "Thank you"
        assert mine.change_discussion_status(args["repo"], 1, "closed").new_status == "closed"
        assert mine.change_discussion_status(args["repo"], 1, "open").new_status == "open"
        assert mine.rename_discussion(args["repo"], 1, "Add a and b").new_title == "Add a and b"
        assert "a.txt" not in mine.list_repo_files(args["repo"])
        mine.merge_pull_request(args["repo"], 1)
        found = mine.get_discussion_details(args["repo"], 1)
        assert found.status == "merged"
        assert found.merge_commit_oid == mine.model_info(args["repo"]).sha
        assert {"a.txt", "b.txt"} <= set(mine.list_repo_files(args["repo"]))
        drafted = mine.create_pull_request(args["repo"], title="Plan")
        assert (drafted.num, drafted.status) == (2, "draft")
        assert [each.num for each in mine.get_repo_discussions(args["repo"])] == [2, 1]
        assert [each.num for each in mine.get_repo_discussions(args["repo"], discussion_status="open")] == [2]
        """,
        repo=repo,
        guest=guest.token,
        name=guest.name,
    )
