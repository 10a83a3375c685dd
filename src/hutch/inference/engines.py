"""Loaded models. One is loaded at the first request for it, and let go when another needs its memory."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hutch.core import threads
from hutch.inference import weights
from hutch.inference.admission import Runnable
from hutch.lm.chat.render import Renderer
from hutch.lm.errors import RunnerFailed
from hutch.lm.runners.process import RunnerProcess

Shape = dict[str, Any]
_CONTEXT = 8192
_MOST_LOADED = 2


@dataclass(slots=True)
class Loaded:
    """A model in memory, and the renderer of its template; `busy` counts the requests that hold it."""

    runnable: Runnable
    process: RunnerProcess
    renderer: Renderer = field(default_factory=Renderer)
    busy: int = 0
    used_at: float = 0.0


class Engines:
    """All of this server's. One task at a time loads; who asks for what is loaded does not wait for it."""

    def __init__(self) -> None:
        self._loaded: dict[str, Loaded] = {}
        self._turn = asyncio.Lock()

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
        """Ends all."""
        async with self._turn:
            for key in list(self._loaded):
                await self._unload(key)

    def _alive(self, key: str) -> Loaded | None:
        loaded = self._loaded.get(key)
        return loaded if loaded is not None and loaded.process.failure is None else None

    async def _load(self, runnable: Runnable) -> Loaded:
        await self._unload(runnable.key)  # it has died
        idle = sorted((one for one in self.all() if not one.busy), key=lambda one: one.used_at)
        for one in idle[: max(0, len(self._loaded) + 1 - _MOST_LOADED)]:
            await self._unload(one.runnable.key)
        if len(self._loaded) >= _MOST_LOADED:
            raise RunnerFailed(f"{_MOST_LOADED} models are at work, and there is no room for another: try again later")
        path: Path = await threads.run(weights.file_of, runnable)
        process = await RunnerProcess.start({"runner": "openvino", "path": str(path), "context": _CONTEXT})
        loaded = self._loaded[runnable.key] = Loaded(runnable, process)
        return loaded

    async def _unload(self, key: str) -> None:
        loaded = self._loaded.pop(key, None)
        if loaded is not None:
            await loaded.process.close()
            await loaded.renderer.close()


ENGINES = Engines()
