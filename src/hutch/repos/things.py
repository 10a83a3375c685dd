"""What the gate is asked about."""

from __future__ import annotations

from typing import Protocol

from hutch.core.permissions import Thing


class GatedThing(Thing, Protocol):
    """A repository with its gate."""

    @property
    def id(self) -> int: ...
    @property
    def type(self) -> str: ...
    @property
    def full_name(self) -> str: ...
    @property
    def gated(self) -> str: ...
    @property
    def disabled(self) -> bool: ...
