"""Pictures of people and organisations: uploaded ones in a store of their own, drawn ones for all others."""

from __future__ import annotations

import hashlib
import os
import uuid

from django.db import transaction
from django.utils.html import escape

from hutch.accounts import images, lookup
from hutch.accounts.events import OrganizationChanged, UserChanged
from hutch.accounts.lookup import NamespaceCard
from hutch.accounts.models import Organization, User
from hutch.accounts.permissions import require_somebody
from hutch.core.events import emit
from hutch.core.permissions import Actor
from hutch.settings import current
from hutch.storage.errors import BlobNotFound
from hutch.storage.keys import content_key
from hutch.storage.local import LocalBlobStore
from hutch.storage.port import Staged

_COLOURS = (
    "#b4532a",
    "#8a6d1d",
    "#4f7a28",
    "#1f7a5c",
    "#1d6f8a",
    "#3d5fb0",
    "#6b4fb3",
    "#9a3f86",
    "#a83a52",
    "#5c6470",
)


def set_avatar(actor: Actor, name: str, content: bytes) -> None:
    """Gives a user or an organisation a picture; empty content takes it away. Raises as `images.checked_image` does."""
    require_somebody(actor)
    card = lookup.find_namespace(actor, name)
    lookup.find_namespace(actor, name, "org.admin" if card.is_organization else "user.admin")
    digest = _keep(content) if content else ""
    with transaction.atomic():
        if card.is_organization:
            Organization.objects.filter(pk=card.holder_id).update(avatar_sha256=digest)
            emit(
                OrganizationChanged(
                    organization_id=card.holder_id, name=card.name, by_user_id=actor.user_id or None
                )
            )
        else:
            User.objects.filter(pk=card.holder_id).update(avatar_sha256=digest)
            emit(UserChanged(user_id=card.holder_id, username=card.name, by_user_id=actor.user_id or None))


def picture(card: NamespaceCard) -> tuple[bytes, str]:
    """Content and type of somebody's picture; a drawn one where none was uploaded or it is not to be had."""
    if card.avatar_sha256:
        try:
            with _store().open(content_key("avatars", card.avatar_sha256)) as file:
                content = file.read()
            return content, images.media_type(content)
        except BlobNotFound:
            pass
    return _drawn(card).encode(), "image/svg+xml"


def _keep(content: bytes) -> str:
    images.checked_image(content)
    digest = hashlib.sha256(content).hexdigest()
    staged = current().data / "avatars" / "incoming" / uuid.uuid4().hex
    staged.parent.mkdir(parents=True, exist_ok=True)
    with staged.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    _store().put(content_key("avatars", digest), Staged(staged, len(content), digest))
    return digest


def _store() -> LocalBlobStore:
    return LocalBlobStore(current().data / "avatars" / "blobs")


def _drawn(card: NamespaceCard) -> str:
    words = [
        word for word in card.shown_name.replace("-", " ").replace("_", " ").replace(".", " ").split() if word
    ]
    letters = "".join(word[0] for word in words[:2]).upper() or "?"
    colour = _COLOURS[int(hashlib.sha256(card.name.lower().encode()).hexdigest()[:8], 16) % len(_COLOURS)]
    corner = 14 if card.is_organization else 48
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96" width="96" height="96">'
        f'<rect width="96" height="96" rx="{corner}" fill="{colour}"/>'
        '<text x="48" y="50" fill="#fff" font-family="system-ui, sans-serif" font-size="40" font-weight="600"'
        f' text-anchor="middle" dominant-baseline="central">{escape(letters)}</text></svg>'
    )
