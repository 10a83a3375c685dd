"""Somebody with a browser that runs no scripts: keeps cookies, reads pages, fills in forms."""

from __future__ import annotations

import html
import re
from typing import Any

import httpx

from tests.acceptance.hub import PASSWORD


class Visitor:
    """One browser's worth of cookies on one hub."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(
            base_url=url, follow_redirects=True, timeout=60, headers={"Accept": "text/html"}
        )

    def get(self, path: str) -> httpx.Response:
        """A page."""
        return self._http.get(path)

    def send(
        self, path: str, form: str = "", files: dict[str, Any] | None = None, **fields: Any
    ) -> httpx.Response:
        """Opens a page, fills in its form and sends it to `form` (or to the page itself).

        A field may be a function of the page's text.
        """
        opened = self.get(path)
        fields = {name: value(opened.text) if callable(value) else value for name, value in fields.items()}
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', opened.text)
        data = {**fields, "csrfmiddlewaretoken": found.group(1) if found else ""}
        return self._http.post(form or str(opened.url), data=data, files=files, headers={"Origin": self.url})

    def pose_as(self, host: str) -> None:
        """Sends another Host from now on, as somebody with a program of their own can."""
        self._http.headers["Host"] = host
        self.url = f"http://{host}"

    def sign_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        """Signs in by the form."""
        return self.send("/login", login=name, password=password)

    def name(self) -> str | None:
        """Who the hub takes this visitor for."""
        answer = self._http.get("/api/whoami-v2", headers={"Accept": "application/json"})
        return answer.json()["name"] if answer.status_code == 200 else None

    def close(self) -> None:
        """Forgets everything."""
        self._http.close()


def errors(page: httpx.Response) -> str:
    """The sentences of a page that say what was wrong."""
    lists = re.findall(r'class="errorlist.*?</ul>', page.text, re.DOTALL)
    notices = re.findall(r'class="notice (?:bad|error)[^>]*>(.*?)</div>', page.text, re.DOTALL)
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", text) for text in [*lists, *notices]))


def found(pattern: str, page: httpx.Response) -> str:
    """The one place of a page that fits; fails with the page if there is none."""
    match = re.search(pattern, page.text)
    assert match, f"{page.status_code} {page.url}: {page.text[:3000]}"
    return html.unescape(match.group(0))
