"""What other rooms ask about names: whose they are and how they are shown. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from allauth.account.models import EmailAddress
from django.db.models import Q, QuerySet

from hutch.accounts.models import Namespace, User
from hutch.accounts.permissions import NamespaceThing, require_sight
from hutch.core.errors import NotFound
from hutch.core.permissions import Actor, Role, require
from hutch.core.text import storable

# What stands behind the name in an address that reaches nobody.
_NOBODY = "@users.noreply.localhost"


@dataclass(frozen=True, slots=True)
class NamespaceCard:
    """A user or an organisation as pages and answers show it. `holder_id` is the key of the user or organisation."""

    namespace_id: int
    name: str
    is_organization: bool
    holder_id: int
    full_name: str
    bio: str
    avatar_sha256: str
    is_active: bool

    @property
    def thing(self) -> NamespaceThing:
        """As permissions are asked about it."""
        return NamespaceThing(self.namespace_id, self.name, self.is_organization)

    @property
    def public_id(self) -> str:
        """The id that clients see: 24 hexadecimal digits, never given to another name."""
        return f"{self.namespace_id:024x}"

    @property
    def shown_name(self) -> str:
        """The full name, or the name where there is none."""
        return self.full_name or self.name

    def avatar_url(self, base_url: str) -> str:
        """The absolute address of the picture; another picture has another address."""
        version = f"?v={self.avatar_sha256[:12]}" if self.avatar_sha256 else ""
        return f"{base_url}/avatars/{quote(self.name)}{version}"


def find_namespace(actor: Actor, name: str, action: str = "namespace.view") -> NamespaceCard:
    """The user or organisation of that name in any case, if `actor` may do `action` to it.

    Raises NotFound; Unauthorized to nobody where the setting `require_sign_in` is on, whether the name exists or not.
    """
    require_sight(actor)
    card = namespace_by_name(name)
    if card is None:
        raise NotFound(f"There is no user or organization {name!r}", field="name", value=name)
    require(actor, action, card.thing, see="namespace.view")
    return card


def namespace_by_name(name: str) -> NamespaceCard | None:
    """The user or organisation of that name in any case, for work that has been permitted already."""
    return next(iter(_cards(Namespace.objects.filter(lower_name=storable(name.lower())))), None)


def namespaces_by_ids(namespace_ids: Iterable[int]) -> dict[int, NamespaceCard]:
    """Namespace key -> card; unknown keys are left out."""
    return {card.namespace_id: card for card in _cards(Namespace.objects.filter(pk__in=set(namespace_ids)))}


def users_by_ids(user_ids: Iterable[int]) -> dict[int, NamespaceCard]:
    """User key -> card; unknown keys are left out."""
    return {card.holder_id: card for card in _cards(Namespace.objects.filter(user__pk__in=set(user_ids)))}


def users_by_emails(emails: Iterable[str]) -> dict[str, NamespaceCard]:
    """Address (lower case) -> card, to tell who wrote a commit: verified ones, and those that `author_of` gives."""
    wanted = {email.lower() for email in emails}
    found = dict(EmailAddress.objects.filter(email__in=wanted, verified=True).values_list("email", "user_id"))
    cards = users_by_ids(found.values())
    verified = {email: cards[user_id] for email, user_id in found.items() if user_id in cards}
    names = [email.removesuffix(_NOBODY) for email in wanted if email.endswith(_NOBODY)]
    own = _cards(Namespace.objects.filter(lower_name__in=names, is_organization=False))
    return {f"{card.name.lower()}{_NOBODY}": card for card in own} | verified


def writable_namespaces(actor: Actor) -> list[NamespaceCard]:
    """Where `actor` may create repositories: the own name first, then organisations by name."""
    keys = [key for key, role in actor.roles.items() if role >= Role.CONTRIBUTOR]
    return sorted(
        _cards(Namespace.objects.filter(pk__in=keys)),
        key=lambda card: (card.is_organization, card.name.lower()),
    )


def author_of(actor: Actor) -> tuple[str, str]:
    """Name and address under which the actor's commits are written; the address is one that reaches nobody."""
    row = User.objects.filter(pk=actor.user_id).values_list("username", "full_name").first()
    username, full_name = row or ("hutch", "")
    return full_name or username, f"{username}{_NOBODY}"


def _cards(query: QuerySet[Namespace]) -> list[NamespaceCard]:
    rows = query.filter(Q(user__isnull=False) | Q(organization__isnull=False)).values_list(
        "pk", "name", "is_organization", "user__pk", "user__full_name", "user__bio", "user__avatar_sha256",
        "user__is_active", "organization__pk", "organization__full_name", "organization__bio",
        "organization__avatar_sha256", named=True,
    )  # fmt: skip
    return [_card(row) for row in rows]


def _card(row: object) -> NamespaceCard:
    kind = "organization" if row.is_organization else "user"  # type: ignore[attr-defined]

    def of(field: str) -> str:
        return str(getattr(row, f"{kind}__{field}"))

    return NamespaceCard(
        namespace_id=row.pk, name=row.name, is_organization=row.is_organization,  # type: ignore[attr-defined]
        holder_id=getattr(row, f"{kind}__pk"), full_name=of("full_name"), bio=of("bio"),
        avatar_sha256=of("avatar_sha256"),
        is_active=row.is_organization or row.user__is_active,  # type: ignore[attr-defined]
    )  # fmt: skip


def organization_count() -> int:
    """How many organisations there are."""
    return Namespace.objects.filter(is_organization=True).count()
