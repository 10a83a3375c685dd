from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar

import pytest
from django.db import OperationalError, connection, connections

from hutch.core import threads

WORD: ContextVar[str] = ContextVar("word", default="")


def test_verb_runs_in_a_rooms_thread_with_its_arguments_and_its_context() -> None:
    def verb(one: int, *, two: int) -> tuple[int, str, str]:
        return one + two, WORD.get(), threading.current_thread().name

    async def call() -> tuple[int, str, str]:
        WORD.set("said outside")
        return await threads.run(verb, 1, two=2)

    total, word, name = asyncio.run(call())
    assert (total, word) == (3, "said outside")
    assert name.startswith("room")


def test_error_of_a_verb_reaches_the_wire() -> None:
    def verb() -> None:
        raise ZeroDivisionError("as it was")

    with pytest.raises(ZeroDivisionError, match="as it was"):
        asyncio.run(threads.run(verb))
    with pytest.raises(ZeroDivisionError, match="as it was"):
        asyncio.run(threads.run_disk(verb))


@pytest.mark.django_db(transaction=True)
def test_thread_whose_connection_broke_is_mended_at_its_next_call() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no connections to lose")

    def ask() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return int(cursor.fetchone()[0])

    async def all_threads() -> list[int | BaseException]:
        gate = threading.Barrier(threads._ROOM_THREADS)

        def one() -> int:
            gate.wait(20)  # each thread gets one
            return ask()

        calls = [threads.run(one) for _ in range(threads._ROOM_THREADS)]
        return await asyncio.gather(*calls, return_exceptions=True)

    def close() -> None:
        connections.close_all()

    async def close_all() -> None:
        gate = threading.Barrier(threads._ROOM_THREADS)
        await asyncio.gather(
            *(threads.run(lambda: (gate.wait(20), close())) for _ in range(threads._ROOM_THREADS))
        )

    try:
        assert asyncio.run(all_threads()) == [1] * threads._ROOM_THREADS
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        broken = asyncio.run(all_threads())
        assert all(isinstance(error, OperationalError) for error in broken)
        assert asyncio.run(all_threads()) == [1] * threads._ROOM_THREADS
    finally:
        asyncio.run(close_all())
