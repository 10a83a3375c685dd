"""What nobody needs any more: the rules of collection, as queries.

Each holds before as after the step before it was taken: a file whose only object is dying is dying itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet

from hutch.cas.models import (
    FileLink,
    FileReceipt,
    FileXorb,
    LargeObject,
    ObjectLink,
    Receipt,
    Told,
    XetFile,
    Xorb,
    XorbReceipt,
)
from hutch.cas.xet.dedupe import ANSWER_S
from hutch.core import clock
from hutch.settings import current

SETTLING = timedelta(minutes=5)
"""So long an upload may take from its blob to its row, at most: a younger blob may belong to a row still to come."""
STRAY = timedelta(hours=1)
"""A blob without a row is nobody's after so long."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Moments before which something counts as old; `begun` is when the collector began to look."""

    begun: datetime
    grace: timedelta

    @classmethod
    def now(cls, grace_s: float) -> Limits:
        """For a collector that begins now and leaves alone what anybody touched in the last `grace_s` seconds."""
        return cls(clock.now(), timedelta(seconds=grace_s))

    @property
    def touched(self) -> datetime:
        """What was sent or told of since then is young."""
        return self.begun - self.grace

    @property
    def awaited(self) -> datetime:
        """A receipt from since then holds what it is for: so long an unfinished upload may be resumed."""
        return self.begun - timedelta(seconds=current().staging_keep_s)

    @property
    def settled(self) -> datetime:
        """Of a row that has gone, a blob from since then stays: somebody may be sending the same again."""
        return self.begun - SETTLING

    @property
    def stray(self) -> datetime:
        """Blobs without a row from since then stay."""
        return self.begun - max(self.grace, STRAY)

    @property
    def told(self) -> datetime:
        """What a client was told since then it may still build on."""
        return self.begun - timedelta(seconds=ANSWER_S)


def objects(limits: Limits) -> QuerySet[LargeObject]:
    """Objects that no repository links and that nobody may still be about to commit."""
    linked = Exists(ObjectLink.objects.filter(object=OuterRef("pk")))
    awaited = Exists(Receipt.objects.filter(object=OuterRef("pk"), renewed_at__gte=limits.awaited))
    return LargeObject.objects.filter(~linked, ~awaited, created_at__lt=limits.touched)


def twins(limits: Limits) -> QuerySet[LargeObject]:
    """Objects that are a blob and, for long enough, chunks as well."""
    both = LargeObject.objects.exclude(storage_key="").filter(xet_file__touched_at__lt=limits.touched)
    return both.exclude(pk__in=objects(limits).values("pk"))


def movable() -> QuerySet[LargeObject]:
    """Objects in chunks that no repository or bucket has as such, though a repository has the same object in others."""
    here = {"xet_file": OuterRef("xet_file")}
    told = Exists(ObjectLink.objects.filter(**here)) | Exists(
        FileLink.objects.filter(file=OuterRef("xet_file"))
    )
    elsewhere = Exists(ObjectLink.objects.filter(object=OuterRef("pk"), xet_file__isnull=False))
    return LargeObject.objects.filter(elsewhere, ~told, xet_file__isnull=False)


def files(limits: Limits) -> QuerySet[XetFile]:
    """Xet files behind no object, and in no repository or bucket, which nobody may still be about to commit."""
    leaving = Q(pk__in=objects(limits).values("pk")) | Q(pk__in=movable().values("pk"))
    behind = LargeObject.objects.filter(xet_file=OuterRef("pk")).exclude(leaving)
    linked = Exists(FileLink.objects.filter(file=OuterRef("pk")))
    told = Exists(ObjectLink.objects.filter(xet_file=OuterRef("pk")))
    awaited = Exists(FileReceipt.objects.filter(file=OuterRef("pk"), renewed_at__gte=limits.awaited))
    return XetFile.objects.filter(~Exists(behind), ~linked, ~told, ~awaited, touched_at__lt=limits.touched)


def xorbs(limits: Limits) -> QuerySet[Xorb]:
    """Xorbs that no file uses, and that no upload may still be about to use."""
    used = FileXorb.objects.filter(xorb=OuterRef("pk")).exclude(file__in=files(limits).values("pk"))
    return Xorb.objects.filter(~Exists(used), _is_quiet(limits), touched_at__lt=limits.touched)


def shrinkable(limits: Limits) -> QuerySet[Xorb]:
    """Xorbs in use that no client builds on just now: neither is it sent, nor was anybody told of it lately."""
    told = Told.objects.filter(file__uses__xorb=OuterRef("pk"), at__gte=limits.told)
    used = FileXorb.objects.filter(xorb=OuterRef("pk"))
    quiet = Xorb.objects.filter(Exists(used), ~Exists(told), _is_quiet(limits))
    return quiet.filter(created_at__lt=limits.touched, damaged=False)


def _is_quiet(limits: Limits) -> Q:
    sent = XorbReceipt.objects.filter(xorb=OuterRef("pk"), renewed_at__gte=limits.touched)
    return Q(~Exists(sent))
