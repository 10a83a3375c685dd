"""The one list filter: which repositories an actor may see. It must agree with `permissions.allows`."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q, QuerySet

from hutch.core.permissions import Actor, Role
from hutch.repos.models import AccessRequest, Repo

_READ_SCOPES = frozenset({"repo.content.read", "repo.write"})


def visible_to(actor: Actor) -> QuerySet[Repo]:
    """All repositories that `actor` may see (`repo.view`), as a query to go on from."""
    return Repo.objects.filter(_rule(actor, Q(visibility__in=("public", "protected"))))


def readable_by(actor: Actor) -> QuerySet[Repo]:
    """All repositories whose files `actor` may read (`repo.read`): no protected Spaces, no shut gates."""
    return Repo.objects.filter(_rule(actor, Q(visibility="public")), _open_gates(actor), disabled=False)


def _rule(actor: Actor, is_open: Q) -> Q:
    rule = is_open if actor.sees_public else Q(pk__in=[])
    return rule if actor.is_nobody else rule | (_held(actor) & _granted(actor))


def _held(actor: Actor) -> Q:
    if actor.is_admin:
        return Q(pk__gt=0)
    spaces = [key for key, role in actor.roles.items() if role >= Role.READ]
    singles = [key for key, role in actor.repo_roles.items() if role >= Role.READ]
    return Q(namespace_id__in=spaces) | Q(pk__in=singles)


# As `gating.has_access`: a role on the repository or an accepted request, and a token that names it.
def _open_gates(actor: Actor) -> Q:
    if actor.is_nobody:
        return Q(gated="")
    accepted = AccessRequest.objects.filter(
        repo_id=OuterRef("pk"), user_id=actor.user_id, status=AccessRequest.Status.ACCEPTED
    )
    return Q(gated="") | (_granted(actor) & (_held(actor) | Q(Exists(accepted))))


def _granted(actor: Actor) -> Q:
    if actor.token_role != "fineGrained":
        return Q()
    rule = Q(pk__in=[])
    for grant in actor.grants:
        if not grant.permissions & _READ_SCOPES:
            continue
        kind, _, name = grant.entity.partition(":")
        if grant.entity == "*":
            return Q()
        if kind in ("org", "user"):
            rule |= Q(namespace__lower_name=name, namespace__is_organization=kind == "org")
        else:
            rule |= Q(type=kind, lower_full_name=name)
    return rule
