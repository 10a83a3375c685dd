"""The part of the CAS address by which clients key what they have cached.

A client keeps for days or weeks what it learnt of xorbs, and every later upload fails if that names one which is gone,
or no longer the user's to use (hf_xet 1.8.0). Under another address it starts afresh.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import F

from hutch.accounts import actors
from hutch.cas import signing
from hutch.cas.models import Epoch, Told, XetFile
from hutch.cas.queries import kept
from hutch.cas.xet import rights
from hutch.core import clock
from hutch.core.errors import Unauthorized

ALL = 0


def of(user_id: int) -> str:
    """The address's part for a user (0: nobody): `e3-1-9f86d081`, of the hub, the user, and the data folder."""
    numbers = dict(Epoch.objects.filter(user_id__in={ALL, user_id}).values_list("user_id", "number"))
    mine = numbers.get(user_id, 1) if user_id else 1
    return f"e{numbers.get(ALL, 1)}-{mine}-{signing.nickname()}"


def begin_anew(user_ids: Iterable[int]) -> None:
    """What these users' clients have cached is void from now on; `ALL` stands for everybody's."""
    with transaction.atomic():
        for user_id in sorted(set(user_ids)):
            Epoch.objects.get_or_create(user_id=user_id)
            Epoch.objects.filter(user_id=user_id).update(number=F("number") + 1)


def note(user_id: int, file_ids: Iterable[int]) -> None:
    """Remembers that a user's client was told where these files lie."""
    moment = clock.now()
    with transaction.atomic():
        there = kept(XetFile.objects.filter(pk__in=list(file_ids)), "hash").values_list("pk", flat=True)
        Told.objects.bulk_create(
            [Told(user_id=user_id, file_id=key, at=moment) for key in there],
            update_conflicts=True, update_fields=["at"], unique_fields=["user_id", "file"],
        )  # fmt: skip


def review(user_id: int | None = None) -> list[int]:
    """Has those start anew who were told of a file that they may not read any more; their keys.

    For one user, or for all after a repository was shut. Call it when rights may have been taken away.
    """
    told = Told.objects.all() if user_id is None else Told.objects.filter(user_id=user_id)
    users = told.order_by("user_id").values_list("user_id", flat=True).distinct()
    stuck = [key for key in users if _has_lost(key)]
    with transaction.atomic():
        begin_anew(stuck)
        Told.objects.filter(user_id__in=stuck).delete()
    return stuck


def forget(before: datetime) -> int:
    """Removes the notes of what no client keeps any more; how many."""
    return Told.objects.filter(at__lt=before).delete()[0]


def _has_lost(user_id: int) -> bool:
    files = XetFile.objects.filter(told__user_id=user_id)
    try:
        actor = actors.again(user_id, 0)
    except Unauthorized:
        return True
    return files.exclude(rights.readable_files(actor, "pk")).exists()
