"""The gate before a repository's files: they are for members, and for those whose request was accepted."""

from __future__ import annotations

from django.db import connection

from hutch.core.errors import Forbidden
from hutch.core.permissions import Actor, Role, role_on, token_covers
from hutch.repos.errors import GatedForNobody, GatedRepo
from hutch.repos.things import GatedThing

_GRANTED_SQL = "SELECT 1 FROM repos_accessrequest WHERE repo_id = %s AND user_id = %s AND status = 'accepted'"


class DisabledRepo(Forbidden):
    """Access to this resource is disabled."""

    # huggingface_hub tells a disabled repository by exactly this sentence
    code = "DisabledRepo"


def require_access(actor: Actor, repo: GatedThing) -> None:
    """Returns if the actor, who may read the repository, may have its files too.

    One query, and only where there is a gate. Raises GatedRepo (403; 401 to nobody), DisabledRepo.
    """
    if repo.disabled and not actor.is_admin:
        raise DisabledRepo()
    if not repo.gated or has_access(actor, repo):
        return
    sentence = f"Access to {repo.type} {repo.full_name} is restricted and you are not in the authorized list"
    if actor.is_nobody:
        raise GatedForNobody(f"{sentence}: sign in and ask for access on its page")
    raise GatedRepo(f"{sentence}: ask for access on its page")


def has_access(actor: Actor, repo: GatedThing) -> bool:
    """Whether a gate stands open for the actor: by a role on the repository, or by an accepted request.

    A token that is narrow must name the repository: it is not good for all that its user may read.
    """
    if actor.is_nobody or not token_covers(actor, "repo.read", repo):
        return False
    if role_on(actor, repo) >= Role.READ:
        return True
    with connection.cursor() as cursor:
        cursor.execute(_GRANTED_SQL, [repo.id, actor.user_id])
        return cursor.fetchone() is not None
