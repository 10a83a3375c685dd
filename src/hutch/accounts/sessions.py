"""Where sessions are kept: in the database, as Django does, under keys that only Django has made."""

from __future__ import annotations

import re

from django.contrib.sessions.backends import db

_KEY = re.compile(r"[a-z0-9]{32}")


class SessionStore(db.SessionStore):
    """A cookie that holds anything but a key (a NUL, which a cookie may spell) is a cookie of nobody's."""

    def _validate_session_key(self, key: str | None) -> bool:
        return key is not None and _KEY.fullmatch(key) is not None
