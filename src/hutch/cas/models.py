"""Tables of large objects. Private to the room."""

from __future__ import annotations

from django.db import models


class Xorb(models.Model):
    """Compressed chunks that are in storage, whole and checked against `hash`. `index` is a packed `XorbIndex`.

    A collector leaves a xorb alone that was sent, or told of to a client, lately (`touched_at`). A damaged one backs
    what it still can, but is offered to nobody, and is replaced by whoever sends it again.
    """

    hash = models.CharField(max_length=64, unique=True)
    storage_key = models.CharField(max_length=200)
    size_bytes = models.BigIntegerField()
    raw_bytes = models.BigIntegerField()
    chunks = models.IntegerField()
    index = models.BinaryField()
    damaged = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    touched_at = models.DateTimeField(db_index=True)
    # when all of it was last read and hashed
    checked_at = models.DateTimeField(null=True, db_index=True)


class XorbReceipt(models.Model):
    """A user sent the bytes of this xorb, and so may use every chunk of it."""

    user_id = models.BigIntegerField()
    xorb = models.ForeignKey(Xorb, on_delete=models.CASCADE, related_name="receipts")
    renewed_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user_id", "xorb"], name="xorb_receipt_once")]


class DedupeChunk(models.Model):
    """A chunk that clients may ask for (one of about a thousand, and the first of each file), and where it stands."""

    chunk = models.CharField(max_length=64)
    xorb = models.ForeignKey(Xorb, on_delete=models.CASCADE, related_name="offered")
    position = models.IntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["chunk", "xorb"], name="dedupe_chunk_once")]


class XetFile(models.Model):
    """A file as runs of chunks. `terms` is packed (`xet.files.pack_terms`); `hash` was recomputed from the chunks.

    One file may lie here more than once: who sends what they may not know of sees it where their own chunks are.
    """

    hash = models.CharField(max_length=64, db_index=True)
    size_bytes = models.BigIntegerField()
    terms = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)
    touched_at = models.DateTimeField(db_index=True)


class FileXorb(models.Model):
    """A file uses these chunks of a xorb: `ranges` reads `0-12,40-41`, ends exclusive."""

    file = models.ForeignKey(XetFile, on_delete=models.CASCADE, related_name="uses")
    xorb = models.ForeignKey(Xorb, on_delete=models.PROTECT, related_name="users")
    ranges = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["file", "xorb"], name="file_xorb_once")]


class FileReceipt(models.Model):
    """A user may put a file into a repository: they sent it for it, or could read it when they asked."""

    user_id = models.BigIntegerField()
    repo_id = models.BigIntegerField(db_index=True)
    file = models.ForeignKey(XetFile, on_delete=models.CASCADE, related_name="receipts")
    renewed_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user_id", "repo_id", "file"], name="file_receipt_once")
        ]


class FileLink(models.Model):
    """A bucket has a file. Repositories link a LargeObject instead."""

    repo_id = models.BigIntegerField()
    file = models.ForeignKey(XetFile, on_delete=models.PROTECT, related_name="links")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["repo_id", "file"], name="file_link_once")]
        indexes = [models.Index(fields=["file", "repo_id"], name="file_link_lookup")]


class Told(models.Model):
    """A user's client was told which xorbs hold a file that the user could read, and keeps that in its cache."""

    user_id = models.BigIntegerField()
    file = models.ForeignKey(XetFile, on_delete=models.CASCADE, related_name="told")
    at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user_id", "file"], name="told_once")]


class Epoch(models.Model):
    """How often what a client may have cached became void: for one user, or (user 0) for all."""

    user_id = models.BigIntegerField(unique=True)
    number = models.BigIntegerField(default=1)


class LargeObject(models.Model):
    """Bytes that are in storage, whole and checked against their SHA-256.

    They are the blob `storage_key`, or the file `xet_file`; both while the one takes the place of the other.
    """

    sha256 = models.CharField(max_length=64, unique=True)
    size_bytes = models.BigIntegerField()
    storage_key = models.CharField(max_length=200, blank=True)
    xet_file = models.ForeignKey(
        XetFile, null=True, blank=True, on_delete=models.PROTECT, related_name="objects_of"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    # when its blob was last read and hashed
    checked_at = models.DateTimeField(null=True, db_index=True)


class Usage(models.Model):
    """What the large files of a repository or bucket take up: as they are, and what is stored for them."""

    repo_id = models.BigIntegerField(unique=True)
    logical_bytes = models.BigIntegerField()
    stored_bytes = models.BigIntegerField()
    measured_at = models.DateTimeField()


class ObjectLink(models.Model):
    """A repository may read an object: it was committed there by somebody who could read it or sent its bytes.

    Its readers are told of the chunks of `xet_file`, and of none without one, whatever the object lies in.
    """

    repo_id = models.BigIntegerField()
    object = models.ForeignKey(LargeObject, on_delete=models.PROTECT, related_name="links")
    xet_file = models.ForeignKey(
        XetFile, null=True, blank=True, on_delete=models.PROTECT, related_name="object_links"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["repo_id", "object"], name="object_link_once")]
        indexes = [models.Index(fields=["object", "repo_id"], name="object_link_lookup")]


class Receipt(models.Model):
    """A user may commit an object to a repository: they sent its bytes for it, or could read it when they asked.

    If they sent it as chunks, or could read those, `xet_file` is where they lie.
    """

    user_id = models.BigIntegerField()
    repo_id = models.BigIntegerField(db_index=True)
    object = models.ForeignKey(LargeObject, on_delete=models.CASCADE, related_name="receipts")
    xet_file = models.ForeignKey(
        XetFile, null=True, blank=True, on_delete=models.SET_NULL, related_name="object_receipts"
    )
    renewed_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user_id", "repo_id", "object"], name="receipt_once")]


class Upload(models.Model):
    """A browser's upload, which goes on after a reload; its bytes lie in staging under `staging_id`.

    `fingerprint` is the page's word for the very file that is sent, so that another of the same name and size does not
    go on where the first broke off. `sha256` stands once all bytes are in storage.
    """

    staging_id = models.CharField(max_length=32, unique=True)
    user_id = models.BigIntegerField()
    repo_id = models.BigIntegerField(db_index=True)
    path = models.TextField()
    size_bytes = models.BigIntegerField()
    fingerprint = models.CharField(max_length=200, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    touched_at = models.DateTimeField(db_index=True)


class FileLock(models.Model):
    """A git-lfs lock on a path of a repository."""

    repo_id = models.BigIntegerField()
    path = models.TextField()
    # A path may be longer than an index entry of PostgreSQL.
    path_sha256 = models.CharField(max_length=64)
    ref = models.CharField(max_length=500, blank=True)
    owner = models.ForeignKey("accounts.User", on_delete=models.CASCADE, related_name="file_locks")
    locked_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["repo_id", "path_sha256"], name="file_lock_once")]
