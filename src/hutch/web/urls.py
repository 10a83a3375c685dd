"""The addresses of pages that belong to no single room."""

from __future__ import annotations

from django.urls import path

from hutch.web import pages

urlpatterns = [path("", pages.home, name="home")]
