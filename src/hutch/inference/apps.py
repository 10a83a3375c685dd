"""Registers the room with Django, and ends its models when the server is told to stop."""

from __future__ import annotations

import asyncio

from django.apps import AppConfig

from hutch import boot


class InferenceConfig(AppConfig):
    """The inference room."""

    name = "hutch.inference"
    label = "inference"

    def ready(self) -> None:
        """A server that stops ends what its models are saying: an answer may be long."""
        boot.on_stopping.append(_stop_soon)
        boot.on_stop.append(_close)


# Imported late: tables need Django set up.
async def _close() -> None:
    from hutch.inference.engines import ENGINES

    await ENGINES.close()


def _stop_soon() -> None:
    from hutch.inference.engines import ENGINES

    ENGINES.closing = asyncio.get_running_loop().create_task(ENGINES.close())
