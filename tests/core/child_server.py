"""The front door of a server that knows the jobs of `child_jobs`."""

from __future__ import annotations

from hutch.asgi import app
from tests.core import child_jobs

__all__ = ["app", "child_jobs"]
