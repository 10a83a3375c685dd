"""Forms that reach a wire: read as Django reads them, and shown to come from one of the hub's own pages."""

from __future__ import annotations

from io import BytesIO

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.middleware.csrf import CsrfViewMiddleware

from hutch.core.errors import BadRequest, Forbidden
from hutch.core.text import require_all_storable
from hutch.core.wires import Scope

# The front door has looked at these, and at proxies (`core.addresses.is_foreign`).
_JUDGED = (b"origin", b"referer")


def form(scope: Scope, body: bytes, *, is_session: bool) -> dict[str, str]:
    """The last value of each field of a form. Where a session speaks (`is_session`) it must carry its token.

    Raises Forbidden without the token, BadRequest for what is no form or has a NUL in it.
    """
    headers = [pair for pair in scope["headers"] if pair[0].lower() not in _JUDGED]
    request = ASGIRequest({**scope, "headers": headers, "scheme": "http"}, BytesIO(body))
    try:
        fields = request.POST
    except Exception as error:
        raise BadRequest(f"The body is no form: {error}", field="body") from error
    require_all_storable(fields.lists())
    if is_session:
        check = _Check(_checked)
        check.process_request(request)
        if check.process_view(request, _checked, (), {}) is not None:
            raise Forbidden("The form was not sent by a page of this hub, or is too old: load the page anew")
    return {name: value for name, value in fields.items() if isinstance(value, str)}


class _Check(CsrfViewMiddleware):
    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        """The page that tells of it is for those whom Django answers."""
        return HttpResponseForbidden(reason)


def _checked(*_: object) -> HttpResponse:
    return HttpResponse()
