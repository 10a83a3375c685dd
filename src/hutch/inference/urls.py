"""The addresses of the chat page. What is said goes to the wire (`chat_wire`)."""

from __future__ import annotations

from django.urls import URLPattern, path

from hutch.inference import pages

urlpatterns: list[URLPattern] = [
    path("chat", pages.start, name="chat"),
    path("chat/<seg:talk>", pages.talk, name="chat_talk"),
    path("chat/<seg:talk>/delete", pages.delete, name="chat_delete"),
]
