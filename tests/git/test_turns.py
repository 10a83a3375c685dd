"""Turns at what is heavy: nobody waits without need, nobody takes all, nobody's going leaves a turn taken."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from hutch.core.errors import Unavailable
from hutch.git.turns import Turns


class Line:
    """Callers that hold a turn until they are told to end."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.holding: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.ends: dict[str, asyncio.Event] = {}

    async def come(self, *names: str) -> None:
        for name in names:
            self.ends[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._hold(name))
        await asyncio.sleep(0.01)

    async def _hold(self, name: str) -> None:
        async with self.turns.one(name[0]):
            self.holding.append(name)
            try:
                await self.ends[name].wait()
            finally:
                self.holding.remove(name)

    async def end(self, *names: str) -> None:
        for name in names:
            self.ends[name].set()
            await self.tasks[name]
        await asyncio.sleep(0.01)


def with_line(most: int, do: Callable[[Line], Awaitable[None]], *, wait_s: float = 5) -> None:
    async def run() -> None:
        line = Line(Turns(most, wait_s=wait_s))
        await do(line)
        for task in line.tasks.values():
            task.cancel()
        await asyncio.gather(*line.tasks.values(), return_exceptions=True)
        # all turns are there again
        await line.come(*(f"{caller}9" for caller in "vwxy"[: most or 4]))
        assert len(line.holding) >= (most or 4)
        await line.end(*line.holding)

    asyncio.run(run())


def test_those_beyond_the_limit_wait_in_line() -> None:
    async def do(line: Line) -> None:
        await line.come("a1", "b1", "c1", "d1", "e1")
        assert line.holding == ["a1", "b1", "c1", "d1"]
        await line.come("f1")
        await line.end("c1")
        assert line.holding == ["a1", "b1", "d1", "e1"]
        await line.end("a1", "b1", "d1", "e1")
        assert line.holding == ["f1"]

    with_line(4, do)


def test_one_caller_has_at_most_half_and_keeps_nobody_else_waiting() -> None:
    async def do(line: Line) -> None:
        await line.come("a1", "a2", "a3", "a4", "b1")
        assert line.holding == ["a1", "a2", "b1"]
        await line.end("a2")
        assert line.holding == ["a1", "b1", "a3"]

    with_line(4, do)


def test_one_turn_alone_is_anybodys() -> None:
    async def do(line: Line) -> None:
        await line.come("a1", "b1")
        assert line.holding == ["a1"]

    with_line(1, do)


def test_nought_is_no_limit() -> None:
    async def do(line: Line) -> None:
        await line.come(*(f"a{number}" for number in range(50)))
        assert len(line.holding) == 50

    with_line(0, do)


def test_whoever_has_waited_long_is_told_to_come_again() -> None:
    async def do(line: Line) -> None:
        await line.come("a1", "b1", "c1")
        with pytest.raises(Unavailable) as caught:
            await line.tasks["c1"]
        assert caught.value.limit == 2
        await line.end("a1")
        await line.come("d1")
        assert line.holding == ["b1", "d1"]

    with_line(2, do, wait_s=0.05)


def test_whoever_goes_while_waiting_or_when_just_called_leaves_no_turn_taken() -> None:
    async def do(line: Line) -> None:
        await line.come("a1", "b1", "c1", "d1")
        line.tasks["c1"].cancel()
        line.ends["a1"].set()  # d1 is called, and cancelled before it runs
        await line.tasks["a1"]
        line.tasks["d1"].cancel()
        await asyncio.sleep(0.01)
        await line.come("e1")
        assert line.holding == ["b1", "e1"]

    with_line(2, do)
