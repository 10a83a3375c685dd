"""The addresses of repositories' pages. They come last: `/{name}` and `/{namespace}/{name}` fit nearly everything."""

from __future__ import annotations

from django.urls import URLPattern, path

from hutch.repos.models import RepoType
from hutch.repos.pages import card as pages_card
from hutch.repos.pages import edit as pages_edit
from hutch.repos.pages import files as pages_files
from hutch.repos.pages import gate as pages_gate
from hutch.repos.pages import history as pages_history
from hutch.repos.pages import lists as pages_lists
from hutch.repos.pages import new as pages_new
from hutch.repos.pages import pulls as pages_pulls
from hutch.repos.pages import settings as pages_settings
from hutch.repos.pages import storage as pages_storage
from hutch.repos.pages import upload as pages_upload

_REPO = "<kindprefix:type_><repoid:name>"
_REV = "<rev:revision>"
_PATH = "<tail:path>"

_LISTS = [
    path(f"{type_}s", pages_lists.repos, {"type_": type_}, name=f"{type_}s") for type_ in RepoType.values
]
_NEW = [
    path("new", pages_new.new, {"type_": "model"}, name="new_model"),
    path("new-dataset", pages_new.new, {"type_": "dataset"}, name="new_dataset"),
    path("new-space", pages_new.new, {"type_": "space"}, name="new_space"),
    path("new-bucket", pages_new.new, {"type_": "bucket"}, name="new_bucket"),
]
_FILES = [
    path(f"{_REPO}/tree/{_REV}", pages_files.tree, name="tree"),
    path(f"{_REPO}/tree/{_REV}/{_PATH}", pages_files.tree, name="tree_path"),
    path(f"{_REPO}/blob/{_REV}/{_PATH}", pages_files.blob, name="blob"),
    path(f"{_REPO}/blame/{_REV}/{_PATH}", pages_files.blame, name="blame"),
]
_HISTORY = [
    path(f"{_REPO}/commits/{_REV}", pages_history.commits, name="commits"),
    path(f"{_REPO}/commits/{_REV}/{_PATH}", pages_history.commits, name="commits_path"),
    path(f"{_REPO}/commit/{_REV}", pages_history.commit, name="commit"),
    path(f"{_REPO}/compare/<tail:spec>", pages_history.compare, name="compare"),
]
_WRITING = [
    path(f"{_REPO}/new/{_REV}", pages_edit.new, name="new_file"),
    path(f"{_REPO}/new/{_REV}/<tail:folder>", pages_edit.new, name="new_file_in"),
    path(f"{_REPO}/edit/{_REV}/{_PATH}", pages_edit.edit, name="edit_file"),
    path(f"{_REPO}/delete/{_REV}/{_PATH}", pages_edit.delete, name="delete_file"),
    path(f"{_REPO}/preview/{_REV}", pages_edit.preview, name="preview"),
    path(f"{_REPO}/upload/{_REV}", pages_upload.upload, name="upload"),
    path(f"{_REPO}/upload/{_REV}/<tail:folder>", pages_upload.upload, name="upload_in"),
]
_OTHERS = [
    path(f"{_REPO}/discussions", pages_pulls.discussions, name="discussions"),
    path(f"{_REPO}/discussions/new", pages_pulls.open_pull, name="discussion_new"),
    path(f"{_REPO}/discussions/<int:number>", pages_pulls.discussion, name="discussion"),
    path(f"{_REPO}/settings", pages_settings.of_repository, name="repo_settings"),
    path(f"{_REPO}/settings/access", pages_gate.ask, name="ask_access"),
    path(_REPO, pages_card.first, name="repo"),
]

urlpatterns: list[URLPattern] = [
    path("admin/storage", pages_storage.storage, name="admin_storage"),
    path("search", pages_lists.search, name="search"), *_LISTS, *_NEW, *_FILES, *_HISTORY, *_WRITING, *_OTHERS,
]  # fmt: skip
