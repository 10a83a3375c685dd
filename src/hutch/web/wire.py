"""Static files."""

from __future__ import annotations

from hutch.core.errors import NotFound
from hutch.core.wires import Receive, Scope, Send, answer, route
from hutch.web import assets


async def static(scope: Scope, receive: Receive, send: Send) -> None:
    """A file of the package; for ever cacheable under an address with its hash."""
    found = assets.read(scope["path_params"]["name"])
    if found is None:
        raise NotFound("There is no such file", field="name", value=scope["path_params"]["name"])
    content, kind = found
    hashed = scope.get("query_string", b"").startswith(b"v=")
    headers = [
        ("Content-Type", f"{kind}; charset=utf-8" if kind.startswith("text/") else kind),
        ("Cache-Control", "public, max-age=31536000, immutable" if hashed else "no-cache"),
        ("X-Content-Type-Options", "nosniff"),
    ]
    if scope["method"] == "HEAD":
        headers.append(("Content-Length", str(len(content))))
        await answer(send, 200, headers, with_length=False)
        return
    await answer(send, 200, headers, content)


ROUTES = [route("static", "GET HEAD", r"/static/(?P<name>.+)", static, "The pages' style sheets and scripts")]
