"""Loaded models. One is loaded at the first request for it, and let go when another needs its memory."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass, field
from typing import Any

from hutch.core import threads
from hutch.inference import weights
from hutch.inference.admission import Runnable
from hutch.lm.chat.render import Renderer
from hutch.lm.errors import RunnerFailed
from hutch.lm.runners.process import RunnerProcess
from hutch.settings import current

Shape = dict[str, Any]


@dataclass(slots=True)
class Loaded:
    """A model in memory, and the renderer of its template; `busy` counts the requests that hold it."""

    runnable: Runnable
    process: RunnerProcess
    memory_bytes: int
    renderer: Renderer = field(default_factory=Renderer)
    busy: int = 0
    used_at: float = 0.0


class Engines:
    """All of this server's. One task at a time loads; who asks for what is loaded does not wait for it."""

    def __init__(self) -> None:
        self._loaded: dict[str, Loaded] = {}
        self._turn = asyncio.Lock()
        self.closing: asyncio.Task[None] | None = None

    async def hold(self, runnable: Runnable) -> Loaded:
        """The model, loaded and held: give it back by `release`. Raises RunnerFailed."""
        loaded = self._alive(runnable.key)
        if loaded is None:
            async with self._turn:
                loaded = self._alive(runnable.key) or await self._load(runnable)
        loaded.busy += 1
        return loaded

    def release(self, loaded: Loaded) -> None:
        """Lets go of a model; it stays loaded."""
        loaded.busy -= 1
        loaded.used_at = time.monotonic()

    def all(self) -> list[Loaded]:
        """What is loaded now."""
        return list(self._loaded.values())

    async def close(self) -> None:
        """Ends all, what is at work too."""
        async with self._turn:
            for key in list(self._loaded):
                await self._unload(key)

    def _alive(self, key: str) -> Loaded | None:
        loaded = self._loaded.get(key)
        return loaded if loaded is not None and loaded.process.failure is None else None

    async def _load(self, runnable: Runnable) -> Loaded:
        if self.closing is not None:
            raise RunnerFailed("The server is stopping")
        await self._unload(runnable.key)  # it has died
        needed = need_bytes(runnable)
        await self._make_room(needed, runnable)
        path = await threads.run(weights.file_of, runnable)
        process = await RunnerProcess.start(
            {
                "runner": "openvino", "path": str(path), "cache_bytes": current().model_cache_bytes,
                "shares_prefixes": runnable.shares_prefixes,
            }
        )  # fmt: skip
        loaded = self._loaded[runnable.key] = Loaded(runnable, process, needed)
        return loaded

    async def _make_room(self, needed: int, runnable: Runnable) -> None:
        """Unloads what was used longest ago, until there is room. Raises RunnerFailed where there is none."""
        limit = memory_bytes()
        if needed > limit:
            raise RunnerFailed(
                f"{runnable.full_name} needs about {needed >> 20} MB, and models have {limit >> 20} MB here"
                " (setting model_memory_bytes)",
                field="model", value=runnable.full_name, limit=limit,
            )  # fmt: skip
        for one in sorted(self.all(), key=lambda one: one.used_at):
            if needed + sum(other.memory_bytes for other in self.all()) <= limit:
                return
            if not one.busy:
                await self._unload(one.runnable.key)
        if needed + sum(other.memory_bytes for other in self.all()) > limit:
            raise RunnerFailed("The models at work leave no memory for another: try again later", limit=limit)

    async def _unload(self, key: str) -> None:
        loaded = self._loaded.pop(key, None)
        if loaded is not None:
            await loaded.process.close()
            await loaded.renderer.close()


def need_bytes(runnable: Runnable) -> int:
    """About what a model takes once loaded: its weights, what is made of them while loading, its cache."""
    return 2 * runnable.stored.size + current().model_cache_bytes


def memory_bytes() -> int:
    """What all models may take together."""
    return current().model_memory_bytes or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


ENGINES = Engines()
