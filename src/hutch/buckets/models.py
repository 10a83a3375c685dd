"""Tables of buckets' files. Private to the room. A bucket itself is a `Repo` of type bucket."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

# An index entry of PostgreSQL, in which a path stands twice, has at most 2,704 bytes.
MAX_PATH_BYTES = 1024


class PathField(models.CharField):
    """A path, sorted by its UTF-8 bytes by every database: pages of lists go on from a path."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_length"] = MAX_PATH_BYTES
        super().__init__(*args, **kwargs)

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, str | None]:
        """SQLite sorts by bytes anyway."""
        found = super().db_parameters(connection)
        return {**found, "collation": "C"} if connection.vendor == "postgresql" else found


class Bucket(models.Model):
    """What is counted of a bucket. The row comes with the first change of its files."""

    repo = models.OneToOneField(
        "repos.Repo", primary_key=True, on_delete=models.CASCADE, related_name="bucket"
    )
    files = models.BigIntegerField(default=0)
    size_bytes = models.BigIntegerField(default=0)
    # keys of BucketChange: the newest, and the newest that is no longer kept, with its time
    newest_change = models.BigIntegerField(default=0)
    forgotten_change = models.BigIntegerField(default=0)
    forgotten_at = models.DateTimeField(null=True)


class BucketFile(models.Model):
    """A file. Its bytes are the Xet file `hash` (zeros: no bytes), which the bucket has linked."""

    bucket = models.ForeignKey(Bucket, on_delete=models.CASCADE, related_name="content", db_index=False)
    path = PathField()
    folder = PathField(blank=True)
    hash = models.CharField(max_length=64)
    size_bytes = models.BigIntegerField()
    content_type = models.CharField(max_length=200, blank=True)
    # of the file where it came from; None where nobody said so
    mtime = models.DateTimeField(null=True)
    uploaded_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["bucket", "path"], name="bucket_file_once")]
        indexes = [
            models.Index(fields=["bucket", "folder", "path"], name="bucket_file_list"),
            models.Index(fields=["bucket", "hash"], name="bucket_file_uses"),
        ]


class BucketFolder(models.Model):
    """A folder that has files somewhere below it, and what they are together."""

    bucket = models.ForeignKey(Bucket, on_delete=models.CASCADE, related_name="folders", db_index=False)
    path = PathField()
    folder = PathField(blank=True)
    files = models.BigIntegerField()
    size_bytes = models.BigIntegerField()
    uploaded_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["bucket", "path"], name="bucket_folder_once")]
        indexes = [models.Index(fields=["bucket", "folder", "path"], name="bucket_folder_list")]


class BucketChange(models.Model):
    """One batch of changes, in the shape in which followers read it. Keys of a bucket grow in the order of commits."""

    bucket = models.ForeignKey(Bucket, on_delete=models.CASCADE, related_name="changes", db_index=False)
    changes = models.JSONField()
    created_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["bucket", "id"], name="bucket_change_list"),
            models.Index(fields=["created_at"], name="bucket_change_age"),
        ]
