"""Followers have places, as many as a server can spare; an alarm rings for those who have something to learn."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from hutch.buckets import changelog, following
from hutch.buckets.errors import TooManyFollowers
from hutch.buckets.following import Follower

NEWEST: dict[int, int] = {}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(following, "_LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(changelog, "newest", lambda keys: {key: NEWEST[key] for key in keys if key in NEWEST})
    NEWEST.clear()
    yield
    following._ending.clear()


def rings(follower: Follower) -> bool:
    return follower.alarm.is_set()


def test_one_caller_has_so_many_places_and_others_have_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "MOST", 3)
    monkeypatch.setattr(following, "MOST_OF_ONE", 2)

    async def follow() -> None:
        with ExitStack() as places:
            for _ in range(2):
                places.enter_context(following.following(1, "ann"))
            with pytest.raises(TooManyFollowers) as refused, following.following(1, "ann"):
                pass
            assert refused.value.headers()["Retry-After"] == "60"
            places.enter_context(following.following(1, "bob"))
            with pytest.raises(TooManyFollowers), following.following(1, "carl"):
                pass
        with following.following(1, "ann"):  # places are given back
            pass

    asyncio.run(follow())


def test_alarm_rings_for_news_and_for_a_bucket_that_is_gone() -> None:
    async def follow() -> None:
        NEWEST.update({1: 5, 2: 5})
        with following.following(1, "ann") as one, following.following(2, "ann") as two:
            one.position = two.position = 5
            await asyncio.sleep(0.1)
            assert not rings(one)
            assert not rings(two)
            NEWEST[1] = 6
            await asyncio.wait_for(one.alarm.wait(), 5)
            assert not rings(two)
            del NEWEST[2]
            await asyncio.wait_for(two.alarm.wait(), 5)

    asyncio.run(follow())


def test_database_that_fails_once_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([RuntimeError("busy"), {1: 1}])

    def newest(keys: set[int]) -> dict[int, int]:
        answer = next(answers, {1: 1})
        if isinstance(answer, RuntimeError):
            raise answer
        return answer

    monkeypatch.setattr(changelog, "newest", newest)

    async def follow() -> None:
        with following.following(1, "ann") as follower:
            await asyncio.wait_for(follower.alarm.wait(), 5)

    asyncio.run(follow())


def test_end_of_the_server_rings_for_all() -> None:
    async def follow() -> None:
        with following.following(1, "ann") as one, following.following(2, "ann") as two:
            following.end()
            assert following.is_ending()
            assert rings(one)
            assert rings(two)

    asyncio.run(follow())
