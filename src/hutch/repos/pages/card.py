"""A repository's first page: its card beside what is known of it. And `/{name}`, which may be an account's instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.http import require_safe

from hutch.accounts import lookup
from hutch.accounts.permissions import require_sight
from hutch.cas import usage
from hutch.core.errors import HutchError, RevisionNotFound
from hutch.core.permissions import Actor, allows
from hutch.git import trees
from hutch.repos import access_requests, gating, storage_overview
from hutch.repos.cards import front_matter
from hutch.repos.cards.front_matter import FrontMatterError
from hutch.repos.lookup import RepoRow
from hutch.repos.pages import card_facts, markdown, snippets
from hutch.repos.pages.links import TextLinks
from hutch.repos.pages.markdown import Rendered
from hutch.repos.pages.profile import profile
from hutch.repos.pages.shell import actor_of, base_url, full_row, of_repo, repo_page
from hutch.repos.reading import info
from hutch.repos.reading.contents import At
from hutch.repos.wires.resolving import resolve_commit

MAX_CARD_BYTES = 2 << 20
README = "README.md"


@require_safe
def first(request: HttpRequest, type_: str, name: str) -> HttpResponseBase:
    """A repository's card; or the page of a user or an organisation, whose names no model without namespace has."""
    if type_ == "model" and "/" not in name:
        require_sight(actor_of(request))
        account = lookup.namespace_by_name(name)
        if account is not None:
            return profile(request, account, name)
    return card(request, type_=type_, name=name)


@of_repo("repo.view")
def card(request: HttpRequest, repo: RepoRow) -> HttpResponseBase:
    """The rendered card."""
    actor, row = actor_of(request), full_row(repo)
    here = _head(repo) if allows(actor, "repo.read", repo) else None
    shown = readme(here, "", base_url(request)) if here else None
    is_empty = here is None or not (set(row.head_files) - {".gitattributes"})
    context: dict[str, Any] = {
        "shown": shown, "is_empty": is_empty, "revision": repo.default_branch, "snippets": snippets.of(row, base_url(request)),  # noqa: E501
        "first_push": snippets.first_push(row, base_url(request)) if is_empty else [],
        "facts": card_facts.facts(actor, row), "results": card_facts.results(row.card),
        **_gate(actor, repo), "weights": _weights(actor, repo), "total_bytes": row.git_bytes + row.lfs_bytes,
        "stored_bytes": storage_overview.stored_bytes(row, usage.of(row.pk)),
    }  # fmt: skip
    return repo_page(request, repo, "card", "card", **context)


# The card of a gated repository is for everybody who may see it: it says what they would ask for.
def _head(repo: RepoRow) -> At | None:
    try:
        return At(repo, *resolve_commit(repo, repo.default_branch))
    except RevisionNotFound:
        return None


def _gate(actor: Actor, repo: RepoRow) -> dict[str, str]:
    if not repo.gated or not allows(actor, "repo.read", repo) or gating.has_access(actor, repo):
        return {}
    asked = access_requests.own(actor, repo)
    return {"gate": asked.status if asked else "open", "gate_reason": asked.rejection_reason if asked else ""}


@dataclass(frozen=True, slots=True)
class Card:
    """A README as it is shown; `problem` is what is wrong with its metadata."""

    path: str
    rendered: Rendered
    problem: str


def readme(here: At, folder: str, base: str) -> Card | None:
    """The README of a folder, rendered; None if there is none that can be shown."""
    path = f"{folder}/{README}" if folder else README
    entry = trees.find_files(here.git, here.commit, [path]).get(path)
    if entry is None or entry.kind != "file" or entry.pointer is not None or entry.size > MAX_CARD_BYTES:
        return None
    text = trees.read_blob(here.git, entry.oid, MAX_CARD_BYTES).decode("utf-8", "replace")
    return rendered(here, path, entry.oid, text, base)


def rendered(here: At, path: str, oid: str, text: str, base: str, revision: str = "") -> Card:
    """A Markdown file as it is shown, its links leading to the same revision."""
    problem = ""
    try:
        text = front_matter.parse(text).body
    except FrontMatterError as error:
        where = f" (line {error.line})" if error.line else ""
        problem = f"The metadata at the head of this file cannot be read{where}: {error}"
    links = TextLinks(here.row, revision or here.commit, path.rpartition("/")[0], base)
    return Card(path, markdown.render_blob(oid, text, links), problem)


def _weights(actor: Actor, repo: RepoRow) -> dict[str, Any]:
    if repo.type != "model":
        return {}
    try:
        return info.info(actor, repo.type, repo.full_name, expand=["safetensors", "gguf"])
    except HutchError:
        return {}
