"""Tables of what is stored. Private to the room: others call its services."""

from __future__ import annotations

import uuid

from django.db import models


class RepoType(models.TextChoices):
    """The kinds of repository that clients know."""

    MODEL = "model"
    DATASET = "dataset"
    SPACE = "space"
    KERNEL = "kernel"
    # files without git and without versions: rows of the room `buckets`
    BUCKET = "bucket"


GIT_TYPES = tuple(type_.value for type_ in RepoType if type_ != RepoType.BUCKET)


def new_storage_id() -> str:
    """A name for a repository's folder that never changes when the repository moves."""
    return uuid.uuid4().hex


class Repo(models.Model):
    """A repository. What stands here about its contents is a copy, made anew by each commit to the default branch.

    Of a bucket, which has no git, it is the copy of what its files' rows say: `lfs_bytes` and `updated_at`.
    """

    type = models.CharField(max_length=8, choices=RepoType.choices)
    # null for one-segment names such as `gpt2`
    namespace = models.ForeignKey(
        "accounts.Namespace", null=True, on_delete=models.PROTECT, related_name="repos"
    )
    name = models.CharField(max_length=96)
    full_name = models.CharField(max_length=200)
    lower_full_name = models.CharField(max_length=200)
    storage_id = models.CharField(max_length=32, unique=True, default=new_storage_id)
    visibility = models.CharField(max_length=9, default="public")
    gated = models.CharField(max_length=6, default="", blank=True)  # "", auto, manual
    disabled = models.BooleanField(default=False)
    creator = models.ForeignKey(
        "accounts.User", null=True, on_delete=models.SET_NULL, related_name="created_repos"
    )
    default_branch = models.CharField(max_length=255, default="main")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(db_index=True)
    head_oid = models.CharField(max_length=40, blank=True)
    head_files = models.JSONField(default=list)  # not all of a huge tree: the first thousand paths
    card = models.JSONField(default=dict)
    config = models.JSONField(default=dict)  # of transformers: architectures, model_type
    sdk = models.CharField(max_length=32, blank=True)
    pipeline_tag = models.CharField(max_length=64, blank=True)
    library_name = models.CharField(max_length=64, blank=True)
    downloads = models.BigIntegerField(default=0)
    likes = models.IntegerField(default=0)
    git_bytes = models.BigIntegerField(default=0)
    lfs_bytes = models.BigIntegerField(default=0)
    # branch names or patterns (`release/*`) that move forward only, and not by everybody
    protected_branches = models.JSONField(default=list)
    pushes_since_repack = models.IntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["type", "lower_full_name"], name="repo_name_once")]
        indexes = [
            models.Index(fields=["type", "-updated_at", "-id"], name="repo_newest"),
            models.Index(fields=["type", "-downloads", "-id"], name="repo_most_downloaded"),
        ]


class RepoTag(models.Model):
    """One tag of a repository, from its card and its files; lists filter by it."""

    repo = models.ForeignKey(Repo, on_delete=models.CASCADE, related_name="tags")
    tag = models.CharField(max_length=200)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["repo", "tag"], name="repo_tag_once")]
        indexes = [models.Index(fields=["tag", "repo"], name="repo_tag_lookup")]


class RepoRedirect(models.Model):
    """A name that a repository had before it moved."""

    type = models.CharField(max_length=8, choices=RepoType.choices)
    lower_full_name = models.CharField(max_length=200)
    repo = models.ForeignKey(Repo, on_delete=models.CASCADE, related_name="redirects")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["type", "lower_full_name"], name="redirect_name_once")]


class RefIntent(models.Model):
    """A ref about to move. It is the lock of that ref, and what a restart finishes or forgets.

    Written before the ref moves on disk and removed with the row that tells of the move.
    """

    repo = models.ForeignKey(Repo, on_delete=models.CASCADE, related_name="intents")
    ref = models.CharField(max_length=500)
    old = models.CharField(max_length=40, blank=True)
    new = models.CharField(max_length=40, blank=True)
    push_id = models.CharField(max_length=32)
    how = models.CharField(max_length=6, default="push")
    actor = models.ForeignKey("accounts.User", null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["repo", "ref"], name="ref_intent_once")]


class Pull(models.Model):
    """A pull request: the branch `refs/pr/<number>` and what is said about it."""

    class Status(models.TextChoices):
        DRAFT = "draft"
        OPEN = "open"
        CLOSED = "closed"
        MERGED = "merged"

    repo = models.ForeignKey(Repo, on_delete=models.CASCADE, related_name="pulls")
    number = models.PositiveIntegerField()
    title = models.CharField(max_length=200)
    author = models.ForeignKey("accounts.User", null=True, on_delete=models.SET_NULL, related_name="pulls")
    status = models.CharField(max_length=6, choices=Status.choices, default=Status.OPEN)
    base_branch = models.CharField(max_length=255)
    # empty until its ref exists: such a pull request was never acknowledged
    head_oid = models.CharField(max_length=40, blank=True)
    merge_oid = models.CharField(max_length=40, blank=True)
    # where the base branch was when it was merged, for the diff afterwards
    merged_onto_oid = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["repo", "number"], name="pull_number_once")]


class PullEvent(models.Model):
    """One line of a pull request's history, in the shape in which clients read it."""

    class Kind(models.TextChoices):
        COMMENT = "comment"
        STATUS = "status-change"
        TITLE = "title-change"
        COMMIT = "commit"

    pull = models.ForeignKey(Pull, on_delete=models.CASCADE, related_name="events")
    public_id = models.CharField(max_length=32, unique=True, default=new_storage_id)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    author = models.ForeignKey("accounts.User", null=True, on_delete=models.SET_NULL, related_name="+")
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)


class AccessRequest(models.Model):
    """A user's request to read the files of a gated repository, and what became of it."""

    class Status(models.TextChoices):
        PENDING = "pending"
        ACCEPTED = "accepted"
        REJECTED = "rejected"

    repo = models.ForeignKey(Repo, on_delete=models.CASCADE, related_name="access_requests")
    user = models.ForeignKey("accounts.User", on_delete=models.CASCADE, related_name="access_requests")
    public_id = models.CharField(max_length=32, unique=True, default=new_storage_id)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.PENDING)
    rejection_reason = models.CharField(max_length=1000, blank=True)
    fields = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    handled_by = models.ForeignKey("accounts.User", null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["repo", "user"], name="access_request_once")]
        indexes = [models.Index(fields=["repo", "status", "id"], name="access_request_list")]
