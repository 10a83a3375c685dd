"""Tables of conversations. Private to the room."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Conversation(models.Model):
    """What somebody and a model said. `system` and `sampling` hold for what is said from now on."""

    public_id = models.CharField(max_length=32, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    title = models.CharField(max_length=200)
    model = models.CharField(max_length=500)
    system = models.TextField(blank=True)
    sampling = models.JSONField(default=dict)
    updated_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["user", "-updated_at"], name="conversation_of_user")]


class Turn(models.Model):
    """One thing said. Turns are a tree: what was said anew stands beside what was said before."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="turns")
    parent = models.ForeignKey("self", on_delete=models.CASCADE, null=True, related_name="children")
    role = models.CharField(max_length=16)  # user, assistant
    text = models.TextField(blank=True)
    # of an answer: the model that gave it; `finish`, `prompt_tokens`, `completion_tokens`, `first_token_s`, `total_s`
    model = models.CharField(max_length=500, blank=True)
    usage = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
