"""Files over HTTP: `resolve` as every client downloads, `raw` for what git itself holds. One hop to the database."""

from __future__ import annotations

import asyncio
import logging

from hutch.cas.sending import Content, send_content
from hutch.cas.xet import tokens
from hutch.core import threads, wires
from hutch.core.permissions import Actor
from hutch.core.wires import Receive, Scope, Send, route
from hutch.repos.lookup import RepoRow
from hutch.repos.wires import content_types, download_counts, resolving
from hutch.repos.wires.resolving import FoundFile
from hutch.settings import current
from hutch.storage.port import SignedUrl

_KINDS = r"(?P<kinds>models|datasets|spaces|kernels)"
_REPO = r"(?P<repo>[^/]+(?:/[^/]+)?)"
_REVISION = r"(?P<revision>refs/(?:pr|convert|heads|tags)/[^/]+|[^/]+)"
_FILE = rf"(?:/api)?/(?:{_KINDS}/)?{_REPO}/(?P<verb>resolve|raw)/{_REVISION}/(?P<path>.+)"
_CACHED = rf"/api/resolve-cache/{_KINDS}/{_REPO}/(?P<revision>[^/]+)/(?P<path>.+)"

log = logging.getLogger(__name__)
_COUNT_EVERY_S = 10.0
# @huggingface/hub asks so, with a range of one byte, whether a file has chunks.
XET_FILE_INFO = "application/vnd.xet-fileinfo+json"
_PINNED = "max-age=31536000, immutable"


async def resolve(scope: Scope, receive: Receive, send: Send) -> None:
    """A file's bytes or, for HEAD, what huggingface_hub wants to know of it."""
    headers, content = await threads.run(_find, scope)
    if isinstance(content, SignedUrl):
        kept = [pair for pair in headers if pair[0] != "Cache-Control"]
        await wires.answer(send, 302, [*kept, ("Cache-Control", "no-store"), ("Location", content.url)])
        return
    await send_content(scope, receive, send, content, headers)


def _find(scope: Scope) -> tuple[list[tuple[str, str]], Content | SignedUrl]:
    params, asked = scope["path_params"], scope["request_headers"]
    type_ = params.get("kinds", "models")[:-1]
    found = resolving.find_file(
        asked, type_, params["repo"], params["revision"], params["path"], is_raw=params.get("verb") == "raw"
    )
    stored = resolving.object_behind(found)
    headers = _headers(found, as_download=_wants_download(scope))
    if stored is not None and stored.xet_hash:
        headers += xet_headers(
            found.actor, found.repo, found.commit, stored.xet_hash, scope["origin"].base_url
        )
        if XET_FILE_INFO in asked.get("accept", ""):
            headers = [pair for pair in headers if pair[0] not in ("Content-Disposition", "ETag")]
            return headers, Content(b"{}", 2, found.etag, XET_FILE_INFO)
    if scope["method"] == "HEAD":  # never redirected: clients read size and hash from this very answer
        return headers, Content(b"", found.size, found.etag, found.content.media_type)
    forced = {
        "Content-Type": found.content.media_type,
        "Content-Disposition": dict(headers)["Content-Disposition"],
    }
    content = resolving.content_of(found, stored, forced)
    if _begins(asked.get("range", "")):
        download_counts.count(found.repo.id, found.actor.user_id, scope["origin"].client_ip)
    return headers, content


def xet_headers(
    actor: Actor, repo: RepoRow, commit: str, xet_hash: str, base_url: str
) -> list[tuple[str, str]]:
    """What makes clients fetch a file by its chunks (huggingface_hub 2.4.0, @huggingface/hub 2.17.5)."""
    auth = f"{base_url}/api/{repo.type}s/{repo.full_name}/xet-read-token/{commit}"
    rebuilt = f"{tokens.cas_url(actor, base_url)}/v1/reconstructions/{xet_hash}"
    link = f'<{auth}>; rel="xet-auth", <{rebuilt}>; rel="xet-reconstruction-info"'
    return [("X-Xet-Hash", xet_hash), ("Link", link)]


def _headers(found: FoundFile, *, as_download: bool) -> list[tuple[str, str]]:
    return [
        *content_types.safety_headers(found.content, found.path, as_download=as_download),
        ("X-Repo-Commit", found.commit),
        ("X-Linked-Size", str(found.size)),
        ("X-Linked-ETag", found.etag),
        ("Cache-Control", _cache_control(found)),
        ("Vary", "Authorization, Cookie"),
    ]


# A resumed or piecewise download is one download: the piece with the first byte stands for it.
def _begins(range_header: str) -> bool:
    return not range_header or range_header.replace(" ", "").startswith("bytes=0-")


def _wants_download(scope: Scope) -> bool:
    if not scope.get("query_string"):
        return False
    return wires.query(scope).get("download", ["false"])[-1].lower() not in ("false", "0", "no")


def _cache_control(found: FoundFile) -> str:
    if found.repo.visibility != "public" or found.repo.gated or current().require_sign_in:
        return "private, no-store"
    return f"public, {_PINNED}" if found.is_pinned else "public, no-cache"


_counting: set[asyncio.Task[None]] = set()


async def begin_counting() -> None:
    """Has downloads written down every ten seconds, for as long as the server runs."""
    _counting.add(asyncio.create_task(_count()))


async def _count() -> None:
    while True:
        await asyncio.sleep(_COUNT_EVERY_S)
        await _write_counts()


async def end_counting() -> None:
    """Writes down what is left."""
    while _counting:
        _counting.pop().cancel()
    await _write_counts()


async def _write_counts() -> None:
    try:
        await threads.run(download_counts.flush)
    except Exception:  # a busy database: they stay counted and are written next time
        log.exception("downloads could not be written down")


ROUTES = [
    route(
        "resolve_cache", "GET HEAD", _CACHED, resolve, "A file of a commit, by the hub's address for caches"
    ),
    route(
        "resolve",
        "GET HEAD",
        _FILE,
        resolve,
        "A file of a repository: its bytes, or HEAD for its size and hash",
    ),
]
