"""One keep-alive connection with one kind of credentials, over which a thousand requests go in seconds."""

from __future__ import annotations

import base64
import http.client
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

# Tokens against forgery are masked anew in each answer.
_MASKED = re.compile(r'(?<=csrfmiddlewaretoken" value=")\w+|(?<=hutch_csrf=)\w+; expires=[^;]+')
# Sent with every request, so that answers differ in nothing but what they say.
REQUEST_ID = "the-same-for-all"


def _joined(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Headers by lower-case name; one that stands twice as one line."""
    found: dict[str, str] = {}
    for name, value in pairs:
        found[name.lower()] = f"{found[name.lower()]}, {value}" if name.lower() in found else value
    return found


@dataclass(frozen=True)
class Answer:
    """What the server answered; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        return self.headers.get("x-error-code", "")

    @property
    def seen(self) -> dict[str, str | int]:
        """All of it but what the connection adds: two answers with the same `seen` cannot be told apart."""
        kept = {
            name: _MASKED.sub("", value)
            for name, value in self.headers.items()
            if name not in ("date", "connection")
        }
        return {"status": self.status, "body": _MASKED.sub("", self.body.decode("latin-1")), **kept}


@dataclass
class Caller:
    """Whoever sends these headers. `token` may be a password for Basic (`user:token`)."""

    port: int
    headers: dict[str, str] = field(default_factory=dict)
    _line: http.client.HTTPConnection | None = None

    @classmethod
    def with_token(cls, port: int, token: str) -> Caller:
        return cls(port, {"Authorization": f"Bearer {token}"})

    @classmethod
    def with_password(cls, port: int, name: str, token: str) -> Caller:
        word = base64.b64encode(f"{name}:{token}".encode()).decode()
        return cls(port, {"Authorization": f"Basic {word}"})

    def __call__(
        self, method: str, address: str, body: bytes = b"", content_type: str = "", **headers: str
    ) -> Answer:
        sent = {"X-Request-Id": REQUEST_ID, "Host": f"127.0.0.1:{self.port}", **self.headers}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if content_type:
            sent["Content-Type"] = content_type
        for is_last in (False, True):
            self._line = self._line or http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            try:
                self._line.request(method, address, body or None, sent)
                reply = self._line.getresponse()
                found = Answer(reply.status, _joined(reply.getheaders()), reply.read())
            except (http.client.HTTPException, ConnectionError):
                self.close()
                if is_last:
                    raise
                continue
            if reply.will_close:
                self.close()
            return found
        raise AssertionError

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None
