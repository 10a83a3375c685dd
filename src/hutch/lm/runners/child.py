"""The process that holds a model: `python -m hutch.lm.runners.child SETTINGS`. Its parent talks to it by JSON lines.

In: `{"add": key, "prompt": text or ids, "sampling": {...}}`, `{"abort": key}`. Out: `{"ready": {...}}` or
`{"failed": {...}}`, then the events of `lm.engine`, and `{"stats": {...}}` once a second while there is work. It ends
when its standard input does, so that it never outlives its parent.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

from hutch.core.errors import HutchError
from hutch.lm.engine import Engine, Shape
from hutch.lm.errors import NotSupported
from hutch.lm.runners.port import Runner

_STATS_EVERY_S = 1.0


def open_runner(settings: Shape) -> Runner:
    """The runner that `settings` names: `runner`, `path`, and what its constructor takes. Raises NotSupported."""
    told = dict(settings)
    name, path = told.pop("runner"), Path(told.pop("path"))
    if name == "openvino":
        from hutch.lm.runners.openvino import OpenVinoRunner

        return OpenVinoRunner(path, **told)
    raise NotSupported(f"There is no runner {name!r}", field="runner", value=name, limit="openvino")


class _Pipe:
    """The parent's end: what it wrote, read by a thread of its own, and where to answer."""

    def __init__(self, output: int) -> None:
        self.commands: queue.SimpleQueue[Shape | None] = queue.SimpleQueue()
        self._output = output
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin.buffer:
            self.commands.put(json.loads(line))
        self.commands.put(None)

    def write(self, *events: Shape) -> None:
        """Whole lines; blocks while the parent does not read."""
        data = b"".join(json.dumps(event, separators=(",", ":")).encode() + b"\n" for event in events)
        while data:
            data = data[os.write(self._output, data) :]


def run(settings: Shape, pipe: _Pipe) -> None:
    """Loads the model and serves until the parent is gone."""
    try:
        runner = open_runner(settings)
    except HutchError as error:
        pipe.write({"failed": {**error.body(), "status": error.status}})
        return
    model = {**asdict(runner.model), "eos_ids": sorted(runner.model.eos_ids)}
    pipe.write({"ready": {**model, "features": sorted(runner.model.features)}})
    engine, told_at = Engine(runner), 0.0
    while _take(engine, pipe):
        if events := engine.step():
            pipe.write(*events)
        if time.monotonic() - told_at > _STATS_EVERY_S or engine.is_idle:
            told_at = time.monotonic()
            pipe.write({"stats": asdict(runner.stats())})


def _take(engine: Engine, pipe: _Pipe) -> bool:
    """Does what the parent has asked for, and waits for it while there is nothing to do; False once it is gone."""
    while True:
        try:
            command = pipe.commands.get(block=engine.is_idle)
        except queue.Empty:
            return True
        if command is None:
            return False
        pipe.write(*_done(engine, command))


def _done(engine: Engine, command: Shape) -> list[Shape]:
    if "abort" in command:
        return engine.abort(command["abort"])
    return engine.add(command["add"], command["prompt"], command["sampling"])


def main(arguments: list[str]) -> None:
    """Whatever a library prints goes to standard error: standard output is the parent's."""
    output = os.dup(1)
    os.dup2(2, 1)
    run(json.loads(arguments[0]), _Pipe(output))


if __name__ == "__main__":
    main(sys.argv[1:])
