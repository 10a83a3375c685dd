"""What stands behind the question mark, in the ways in which clients write it, and answers as clients read them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from hutch.core import paging
from hutch.core.permissions import Actor
from hutch.repos.api.shapes import as_json, flag


def actor_of(request: HttpRequest) -> Actor:
    """Whoever makes the request."""
    return request.actor  # type: ignore[attr-defined]


def base_url(request: HttpRequest) -> str:
    """The address under which the hub was called."""
    return str(request.META["hutch.scope"]["origin"].base_url)


def words(request: HttpRequest, field: str) -> list[str]:
    """The values of a field that may stand several times, as `field`, as `field[]`, or with commas."""
    values = [*request.GET.getlist(field), *request.GET.getlist(f"{field}[]")]
    return [word for value in values for part in value.split(",") if (word := part.strip())]


def switch(request: HttpRequest, field: str) -> bool:
    """A switch, off if absent. Raises BadRequest."""
    return flag(request.GET.get(field), field)


def answer(value: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    """A JSON answer without spaces."""
    return HttpResponse(as_json(value), status=status, content_type="application/json", headers=headers)


def page(request: HttpRequest, rows: Any, cursor: str | None) -> HttpResponse:
    """A page of a list with the absolute address of the next one, which repeats this one's query."""
    if cursor is None:
        return answer(rows)
    path = request.META["hutch.scope"]["raw_path"].split(b"?")[0].decode("latin-1")
    query: dict[str, str | list[str]] = {key: request.GET.getlist(key) for key in request.GET}
    return answer(rows, headers={"Link": paging.next_link(base_url(request), path, query, cursor)})
