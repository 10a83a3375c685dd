"""Fills a data folder with people, tokens and repositories by the rooms' own verbs; prints the tokens as JSON.

A process of its own: the tests' process has another data folder. What is in the scene stands in `rights.txt`.
"""

from __future__ import annotations

import io
import json
import sys
from datetime import timedelta
from typing import Any

from hutch.command.root import prepare

prepare(sys.argv[1])

from hutch.accounts import actors, organizations, teams, tokens, users  # noqa: E402
from hutch.accounts.models import AccessToken, User  # noqa: E402
from hutch.buckets import service as buckets  # noqa: E402
from hutch.buckets.batch_lines import AddFile  # noqa: E402
from hutch.buckets.planning import EMPTY_FILE  # noqa: E402
from hutch.cas import service as cas  # noqa: E402
from hutch.core import clock  # noqa: E402
from hutch.core.permissions import Actor, Grant, Role  # noqa: E402
from hutch.repos import service  # noqa: E402
from hutch.repos.changes import branches, commits  # noqa: E402
from hutch.repos.lookup import RepoRow, find_repo  # noqa: E402

ROLES = {
    "noah": Role.NO_ACCESS,
    "rita": Role.READ,
    "cora": Role.CONTRIBUTOR,
    "wim": Role.WRITE,
    "ada": Role.ADMIN,
    "tia": Role.NO_ACCESS,
    "dora": Role.ADMIN,
}
# thing -> type, creator, namespace, visibility, gate
THINGS: dict[str, tuple[str, str, str, str, str]] = json.loads(sys.argv[2])
operator = actors.operator()


def person(name: str) -> Actor:
    return actors.of_user(User.objects.get(username=name))


def token(name: str, label: str = "main", role: str = "write", *grants: tuple[str, str]) -> str:
    lines = [Grant(entity, frozenset(words.split())) for entity, words in grants]
    return tokens.create_token(operator, name, name=label, role=role, grants=lines)[1]


def line(key: str, **value: Any) -> bytes:
    return json.dumps({"key": key, "value": value}).encode() + b"\n"


def commit(actor: Actor, repo: RepoRow, marker: str, *lines: bytes, pull: bool = False) -> str:
    body = io.BytesIO(line("header", summary=f"commit i-{marker}") + b"".join(lines))
    return commits.create_commit(actor, repo, "main", body, create_pr=pull).oid


def fill(marker: str, type_: str, creator: str, namespace: str, visibility: str, gate: str) -> None:
    """A repository with a small and a large file, a branch, a tag and a pull request, all of them marked."""
    actor = person(creator)
    wanted = service.NewRepo(
        type=type_, name=f"n-{marker}", namespace=namespace, visibility=visibility, gated=gate,
        sdk="static" if type_ == "space" else "",
    )  # fmt: skip
    repo = service.create_repo(actor, wanted)
    if type_ == "bucket":
        paths = (f"f-{marker}.txt", "folder/inside.txt")
        files = [AddFile(path, EMPTY_FILE, content_type=f"text/i-{marker}") for path in paths]
        assert buckets.change_files(actor, repo, files).failed == []
        return
    large = cas.store_bytes(actor.user_id or 0, repo.id, f"large i-{marker}".encode())
    commit(
        actor, repo, marker,
        line("file", path=f"f-{marker}.txt", content=f"text i-{marker}", encoding="utf-8"),
        line("file", path="folder/inside.txt", content=f"text i-{marker}", encoding="utf-8"),
        line("lfsFile", path="large.bin", oid=large.oid, size=large.size),
    )  # fmt: skip
    repo = find_repo(actor, type_, repo.full_name)
    branches.create_branch(actor, repo, f"i-{marker}-branch")
    branches.create_tag(actor, repo, f"i-{marker}-tag", revision="main")
    commit(actor, repo, marker, line("file", path="pull.txt", content="pull", encoding="utf-8"), pull=True)


for name in ("olive", "sam", "cal", "root", *ROLES):
    users.create_user(
        operator, name, password=sys.argv[3] if name in ("olive", "wim") else None, is_admin=name == "root"
    )
organizations.create_organization(operator, "acme", members=list(ROLES.items()))
organizations.change_organization(operator, "acme", members_are_public=False)
for marker, (type_, creator, namespace, visibility, gate) in THINGS.items():
    fill(marker, type_, creator, namespace, visibility, gate)
service.create_repo(person("olive"), service.NewRepo(type="model", name="other", visibility="private"))
team = teams.create_team(operator, "acme", "readers")
teams.add_to_team(operator, "acme", team.pk, "tia")
teams.set_repo_role(
    operator, find_repo(operator, "model", "acme/n-orgprivate", "repo.view"), role=Role.WRITE, team="readers"
)
teams.set_repo_role(
    operator,
    find_repo(operator, "dataset", "olive/n-userprivate", "repo.view"),
    role=Role.READ,
    username="cal",
)

made = {name: token(name) for name in ("olive", "sam", "cal", "root", *ROLES)}
made["olive-read"] = token("olive", "read", "read")
made["olive-reads-one"] = token(
    "olive", "one", "fineGrained", ("dataset:olive/n-userprivate", "repo.content.read")
)
made["olive-writes-other"] = token("olive", "other", "fineGrained", ("model:olive/other", "repo.write"))
made["olive-nothing"] = token("olive", "nothing", "fineGrained")
made["ada-reads-org"] = token("ada", "org", "fineGrained", ("org:acme", "repo.content.read org.read"))
made["ada-nothing"] = token("ada", "nothing", "fineGrained")
made["root-read"] = token("root", "read", "read")
made["revoked"] = token("olive", "revoked")
tokens.revoke_token(operator, "olive", name="revoked")
made["expired"] = token("olive", "expired")
AccessToken.objects.filter(user__username="olive", name="expired").update(
    expires_at=clock.now() - timedelta(seconds=1)
)
made["disabled"] = token("dora", "disabled")
users.disable_user(operator, "dora")
del made["dora"]
made["garbage"] = "hf_" + "x" * 34
print(json.dumps(made))
