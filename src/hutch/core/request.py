"""The request that Django's views get: whatever they read of its query and its form is text that a database takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.core.handlers.wsgi import WSGIRequest
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict
from django.utils.functional import cached_property
from django.utils.http import parse_header_parameters

from hutch.core.addresses import Origin, host_name
from hutch.core.errors import BadRequest
from hutch.core.text import require_all_storable

_CHARSETS = ("utf-8", "utf8", "us-ascii", "ascii")


class Request(WSGIRequest):
    """Raises BadRequest, which names the field, from `GET`, `POST` and `FILES` where there is a NUL.

    Both are UTF-8; bytes that are not are read as U+FFFD. The names of files are git's to judge.
    """

    _post: QueryDict
    _files: MultiValueDict

    def get_host(self) -> str:
        """Where the client sent this, as a link may have it: Django refuses `my_hub`, which containers are named."""
        origin: Origin = self.META["hutch.scope"]["origin"]
        return origin.host if host_name(origin.host) else urlsplit(origin.base_url).netloc

    @cached_property
    def GET(self) -> QueryDict:  # type: ignore[override]  # noqa: N802  (Django's name)
        """The query."""
        self.__dict__["GET"] = QueryDict()  # a page that tells of the error finds something to read
        found = QueryDict(self.META["QUERY_STRING"], encoding="utf-8")
        require_all_storable(found.lists())
        return found

    # Django would decode both by any of Python's codecs that the client names, `unicode_escape` and `hex` too.
    def _set_content_type_params(self, meta: Mapping[str, Any]) -> None:
        header = meta.get("CONTENT_TYPE", "")
        try:
            self.content_type, self.content_params = parse_header_parameters(header)
        except (LookupError, ValueError):
            self.content_type, self.content_params = header.partition(";")[0].strip().lower(), {}

    def _load_post_and_files(self) -> None:
        charset = (self.content_params or {}).get("charset", "utf-8")
        try:
            if charset.lower() not in _CHARSETS:
                raise BadRequest("A form must be UTF-8", field="Content-Type", value=charset, limit="utf-8")
            super()._load_post_and_files()
            require_all_storable(self._post.lists())
        except (BadRequest, LookupError) as error:
            self._post, self._files = QueryDict(), MultiValueDict()
            if isinstance(error, BadRequest):
                raise
            raise BadRequest(f"A part of the form cannot be read: {error}", field="body") from error
