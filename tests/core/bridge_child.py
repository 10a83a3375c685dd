"""A real Granian over the real door and bridge, with views of this test in place of the rooms'.

bridge_child.py PORT TOKEN
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator

from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

import hutch.boot

assert hutch.boot
settings.ROOT_URLCONF = __name__
settings.MIDDLEWARE = ["hutch.web.middleware.PageMiddleware"]

# the bridge reads Django's middleware when it is imported
from hutch.asgi import app as app  # noqa: E402, PLC0414  (Granian finds it here)
from hutch.core import context  # noqa: E402
from hutch.core.errors import Conflict  # noqa: E402
from hutch.settings import current  # noqa: E402


def note(text: str) -> None:
    handle = os.open(current().data / "notes", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(handle, f"{text}\n".encode())
    os.close(handle)


def echo(request: HttpRequest, tail: str) -> HttpResponse:
    body = request.body
    note(f"echo {len(body)}")
    found = {
        "method": request.method,
        "bytes": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
        "path_info": request.path_info,
        "query": request.META["QUERY_STRING"],
        "host": request.get_host(),
        "secure": request.is_secure(),
        "address": request.META["REMOTE_ADDR"],
        "cookies": request.COOKIES,
        "headers": dict(request.headers),
    }
    return HttpResponse(json.dumps(found), content_type="application/json")


def cookies(request: HttpRequest) -> HttpResponse:
    response = HttpResponse("two")
    response.set_cookie("one", "1", httponly=True, samesite="Lax")
    response.set_cookie("two", "2; not another")
    return response


def empty(request: HttpRequest, status: int) -> HttpResponse:
    return HttpResponse(status=status)


def refuse(request: HttpRequest) -> HttpResponse:
    raise Conflict("two of one name\r\nX-Evil: 1", field="name", value="é☃")


def fail(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError("the secret is 42")


def _numbers(count: int, fail_at: int) -> Iterator[bytes]:
    try:
        for number in range(count):
            if number == fail_at:
                raise ZeroDivisionError
            yield f"{number}\n".encode()
            time.sleep(0.01)
        note("stream done")
    finally:
        note("stream closed")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(_numbers(int(request.GET["count"]), int(request.GET.get("fail", "-1"))))


def number(request: HttpRequest) -> HttpResponse:
    time.sleep(0.02)
    return HttpResponse(context.request_id.get())


urlpatterns = [
    path("echo/<path:tail>", echo),
    path("api/models/a/b/commit/<path:tail>", echo),
    path("cookies", cookies),
    path("empty/<int:status>", empty),
    path("refuse", refuse),
    path("fail", fail),
    path("stream", stream),
    path("number", number),
]

if __name__ == "__main__":
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces

    from hutch.accounts import actors, tokens, users
    from hutch.core import database

    database.migrate()
    users.create_user(actors.operator(), "ann")
    tokens.create_token(actors.operator(), "ann", name="test", role="write", value=sys.argv[2])
    Granian(
        "tests.core.bridge_child:app",
        address="127.0.0.1",
        port=int(sys.argv[1]),
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        workers=1,
        log_enabled=False,
    ).serve()
