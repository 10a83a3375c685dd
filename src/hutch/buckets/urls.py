"""The addresses of buckets' pages. They come before those of repositories, which fit nearly everything."""

from __future__ import annotations

from django.urls import URLPattern, path

from hutch.buckets import pages

_BUCKET = "buckets/<seg:namespace>/<seg:name>"

urlpatterns: list[URLPattern] = [
    path(_BUCKET, pages.folder, name="bucket"),
    path(f"{_BUCKET}/settings", pages.settings, name="bucket_settings"),
    path(f"{_BUCKET}/tree", pages.folder, name="bucket_tree"),
    path(f"{_BUCKET}/tree/<tail:path>", pages.folder, name="bucket_folder"),
]
