"""Tables of who exists. Private to the room: others call `accounts.service`."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models

from hutch.core.permissions import Role

ROLES = [(role.value, role.name.lower()) for role in Role]


class Namespace(models.Model):
    """A name that a user or an organisation holds; unique without regard to case."""

    name = models.CharField(max_length=96)
    lower_name = models.CharField(max_length=96, unique=True)
    is_organization = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    def save(self, *args: object, **kwargs: object) -> None:
        """Keeps the folded name beside the name."""
        self.lower_name = self.name.lower()
        super().save(*args, **kwargs)  # type: ignore[arg-type]


class User(AbstractUser):
    """A person. `username` equals the namespace's name; `is_staff` marks an administrator of the hub."""

    # allauth and Django's forms validate; an administrator may create names that they would refuse
    username = models.CharField(max_length=96, unique=True)
    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    full_name = models.CharField(max_length=200, blank=True)
    namespace = models.OneToOneField(Namespace, on_delete=models.PROTECT, related_name="user")
    avatar_sha256 = models.CharField(max_length=64, blank=True)
    bio = models.TextField(max_length=1000, blank=True)

    REQUIRED_FIELDS: list[str] = []


class Organization(models.Model):
    """A group of people that holds repositories."""

    namespace = models.OneToOneField(Namespace, on_delete=models.PROTECT, related_name="organization")
    full_name = models.CharField(max_length=200, blank=True)
    avatar_sha256 = models.CharField(max_length=64, blank=True)
    bio = models.TextField(max_length=1000, blank=True)
    members_are_public = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)


class Membership(models.Model):
    """A user's role in an organisation."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.PositiveSmallIntegerField(choices=ROLES)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "user"], name="membership_once")]


class Team(models.Model):
    """Members of an organisation who hold roles on single repositories together."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="teams")
    name = models.CharField(max_length=96)
    members = models.ManyToManyField(User, related_name="teams")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "name"], name="team_name_once")]


class RepoRole(models.Model):
    """A role on one repository, held by a team or by a user by name. `repo_id` is the repository's key."""

    repo_id = models.BigIntegerField(db_index=True)
    namespace_id = models.BigIntegerField(
        null=True, db_index=True
    )  # where the repository was when the role was given
    team = models.ForeignKey(Team, null=True, on_delete=models.CASCADE, related_name="repo_roles")
    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="repo_roles")
    role = models.PositiveSmallIntegerField(choices=ROLES)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["repo_id", "team"], name="repo_role_team_once"),
            models.UniqueConstraint(fields=["repo_id", "user"], name="repo_role_user_once"),
        ]


class AccessToken(models.Model):
    """An `hf_...` token; only the SHA-256 of it is kept."""

    class Kind(models.TextChoices):
        READ = "read"
        WRITE = "write"
        FINE_GRAINED = "fineGrained"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="access_tokens")
    name = models.CharField(max_length=96)
    sha256 = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=12)  # what a list shows of it
    kind = models.CharField(max_length=12, choices=Kind.choices)
    # [{"entity": "org:acme", "permissions": ["repo.content.read"]}], for fine-grained tokens
    grants = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    # given out by the device flow; lasts hours and comes with a RefreshToken
    is_oauth = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "name"], condition=models.Q(revoked_at=None), name="token_name_once"
            )
        ]


class RefreshToken(models.Model):
    """Renews an OAuth token once; `family` ties together all that came from one sign-in."""

    sha256 = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="refresh_tokens")
    access_token = models.ForeignKey(AccessToken, on_delete=models.CASCADE, related_name="+")
    client_id = models.CharField(max_length=200)
    family = models.CharField(max_length=32, db_index=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)


class Invitation(models.Model):
    """A one-time link: to the hub, to an organisation, to a new password, or to the first administrator's account."""

    class Purpose(models.TextChoices):
        SETUP = "setup"
        SIGN_UP = "sign_up"
        ORGANIZATION = "organization"
        PASSWORD = "password"

    purpose = models.CharField(max_length=16, choices=Purpose.choices)
    sha256 = models.CharField(max_length=64, unique=True)
    email = models.EmailField(blank=True)
    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="invitations")
    organization = models.ForeignKey(
        Organization, null=True, on_delete=models.CASCADE, related_name="invitations"
    )
    role = models.PositiveSmallIntegerField(choices=ROLES, default=Role.READ.value)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)


class DeviceGrant(models.Model):
    """A sign-in on another device under way (RFC 8628): `hf auth login` polls while its user approves in a browser."""

    device_sha256 = models.CharField(max_length=64, unique=True)
    user_code = models.CharField(max_length=16, unique=True)
    client_id = models.CharField(max_length=200)
    scope = models.CharField(max_length=500, blank=True)
    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="+")
    denied = models.BooleanField(default=False)
    interval_s = models.PositiveSmallIntegerField(default=5)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    polled_at = models.DateTimeField(null=True)
