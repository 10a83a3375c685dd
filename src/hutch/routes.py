"""Every address of the hub: the wires, the API's routers, the pages."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from hutch import __version__
from hutch.accounts.api import router as accounts_router
from hutch.accounts.api_tokens import router as tokens_router
from hutch.buckets import wire as buckets_wire
from hutch.buckets.api import router as buckets_router
from hutch.cas import wire as cas_wire
from hutch.cas.xet import wire as xet_wire
from hutch.core import converters
from hutch.core.errors import BadRequest, HutchError
from hutch.core.wires import Receive, Route, Scope, Send, answer, error_answer, route
from hutch.inference import wire as inference_wire
from hutch.repos import wire as repos_wire
from hutch.repos.api import info as api_info
from hutch.repos.api import lists as api_lists
from hutch.repos.api import read as api_read
from hutch.repos.api import writing
from hutch.repos.api.uploads import router as uploads_router
from hutch.repos.wires import lfs_wire
from hutch.web import wire as web_wire

converters.install()


async def health(scope: Scope, receive: Receive, send: Send) -> None:
    """Says that the server answers."""
    await answer(send, 200, [("Content-Type", "application/json")], b'{"status":"ok"}')


WIRES: list[Route] = [
    route("health", "GET HEAD", "/health", health, "Whether the server answers"),
    *web_wire.ROUTES,
    *cas_wire.ROUTES,
    *xet_wire.ROUTES,
    *inference_wire.ROUTES,
    *lfs_wire.ROUTES,
    *buckets_wire.ROUTES,  # before the files of repositories, whose addresses fit nearly everything
    *repos_wire.ROUTES,
]

api = NinjaAPI(
    title="Hutch", version=__version__, urls_namespace="api", docs_url=None, openapi_url="/api/openapi.json"
)


@api.exception_handler(HutchError)
def _on_error(request: HttpRequest, error: Any) -> HttpResponse:
    status, headers, body = error_answer(error, request.META["hutch.scope"])
    return HttpResponse(body, status=status, headers=headers)


@api.exception_handler(HttpError)
def _on_refused(request: HttpRequest, error: Any) -> HttpResponse:
    """ninja's own refusal, which is of a body that it cannot parse."""
    reason = str(error.__cause__ or error)[:200]
    return _on_error(request, BadRequest(f"The body is not JSON: {reason}", field="body"))


@api.exception_handler(ValidationError)
def _on_invalid(request: HttpRequest, error: Any) -> HttpResponse:
    first = error.errors[0]
    source, *named = (str(part) for part in first["loc"])
    field = (
        ".".join(named[1:] if source == "body" else named) or "body"
    )  # a body's first word is our own parameter
    return _on_error(request, BadRequest(f"{field}: {first['msg']}", field=field, value=first.get("input")))


for _router in (
    accounts_router, tokens_router, uploads_router, buckets_router, *writing.ROUTERS,
):  # fmt: skip
    api.add_router("", _router)

# An address that ends with a repository's name also fits those that go on after it: it comes last.
for _router in (api_lists.router, api_read.router, api_info.router, api_info.router_last):
    api.add_router("", _router)

urlpatterns = [
    path(
        "", include("hutch.web.urls")
    ),  # before the API, which answers at its own root that there is nothing
    path("", api.urls),
    path("", include("hutch.accounts.urls")),
    path("", include("hutch.buckets.urls")),
    path("", include("hutch.inference.urls")),
    path("", include("hutch.repos.urls")),  # its last addresses fit nearly everything
]
handler400 = "hutch.web.pages.malformed"
handler404 = "hutch.web.pages.missing"
handler403 = "hutch.web.pages.refused"
handler500 = "hutch.web.pages.failed"
