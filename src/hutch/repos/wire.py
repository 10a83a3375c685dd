"""The streams of this room: files by `resolve`, and git itself."""

from __future__ import annotations

from hutch.repos.wires import git_wire, resolve_wire

ROUTES = [*git_wire.ROUTES, *resolve_wire.ROUTES]
