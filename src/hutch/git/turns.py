"""Turns at what is heavy: so many at once, half of them for one caller at most; the others wait in line."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hutch.core.errors import Unavailable


class Turns:
    """`most` turns at once, 0 for any number. Whoever has waited `wait_s` is told to come again."""

    def __init__(self, most: int, *, wait_s: float = 50.0) -> None:
        self._most = most
        self._most_of_one = max(1, most // 2)
        self._wait_s = wait_s
        self._held: Counter[str] = Counter()
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def one(self, caller: str) -> AsyncIterator[None]:
        """A turn, once it is this caller's. Raises Unavailable."""
        await self._take(caller)
        try:
            yield
        finally:
            self._end(caller)

    async def _take(self, caller: str) -> None:
        mine = asyncio.get_running_loop().create_future()
        self._waiting.append((caller, mine))
        self._call_next()
        try:
            async with asyncio.timeout(self._wait_s):
                await mine
        except BaseException as error:
            if (caller, mine) in self._waiting:
                self._waiting.remove((caller, mine))
            else:  # called in the moment of leaving
                self._end(caller)
            if isinstance(error, TimeoutError):
                message = f"{self._most} clones and fetches are under way: try again in a minute"
                raise Unavailable(message, limit=self._most) from None
            raise

    def _end(self, caller: str) -> None:
        self._held[caller] -= 1
        self._held += Counter()  # forgets who has none
        self._call_next()

    def _call_next(self) -> None:
        for caller, future in list(self._waiting):
            if self._most and self._held.total() >= self._most:
                return
            if not future.done() and (not self._most or self._held[caller] < self._most_of_one):
                self._held[caller] += 1
                self._waiting.remove((caller, future))
                future.set_result(None)
