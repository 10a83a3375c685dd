"""Tables of large objects. Private to the room."""

from __future__ import annotations

from django.db import models


class LargeObject(models.Model):
    """Bytes that are in storage, whole and checked against their SHA-256. `storage_key` is where."""

    sha256 = models.CharField(max_length=64, unique=True)
    size_bytes = models.BigIntegerField()
    storage_key = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)


class ObjectLink(models.Model):
    """A repository may read an object: it was committed there by somebody who could read it or sent its bytes."""

    repo_id = models.BigIntegerField()
    object = models.ForeignKey(LargeObject, on_delete=models.PROTECT, related_name="links")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["repo_id", "object"], name="object_link_once")]
        indexes = [models.Index(fields=["object", "repo_id"], name="object_link_lookup")]


class Receipt(models.Model):
    """A user may commit an object to a repository: they sent its bytes for it, or could read it when they asked."""

    user_id = models.BigIntegerField()
    repo_id = models.BigIntegerField(db_index=True)
    object = models.ForeignKey(LargeObject, on_delete=models.CASCADE, related_name="receipts")
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
