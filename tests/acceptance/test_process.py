"""One process tree: it starts, ends and is killed as one."""

from __future__ import annotations

import os
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.hub import Hub


def _children(pid: int) -> list[int]:
    """Every descendant of a process, from /proc."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    found, queue = [], [pid]
    while queue:
        below = parents.get(queue.pop(), [])
        found += below
        queue += below
    return found


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def hub(new_hub: Callable[..., Hub]) -> Iterator[Hub]:
    hub = new_hub()
    yield hub
    hub.kill()


def test_sigterm_ends_the_server_with_status_0_and_leaves_no_child(hub: Hub) -> None:
    hub.start()
    assert hub.process is not None
    children = _children(hub.process.pid)
    assert hub.stop() == 0
    assert not [pid for pid in children if _alive(pid)]


def test_sigkill_of_the_servers_pid_ends_every_child_within_a_second_and_the_same_folder_starts_again(
    hub: Hub,
) -> None:
    hub.start()
    assert hub.process is not None
    children = _children(hub.process.pid)
    assert children
    os.kill(hub.process.pid, signal.SIGKILL)
    hub.process.wait()
    deadline = time.monotonic() + 1
    while any(_alive(pid) for pid in children) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not [pid for pid in children if _alive(pid)]
    hub.process = None
    hub.start()
    with urllib.request.urlopen(f"{hub.url}/health", timeout=5) as answer:
        assert answer.status == 200
    hub.stop()


def test_a_taken_port_is_told_in_a_sentence(hub: Hub, new_hub: Callable[..., Hub]) -> None:
    hub.start()
    other = new_hub()
    other.port = hub.port
    with pytest.raises(AssertionError, match="is in use"):
        other.start()
    hub.stop()


def test_a_second_server_on_the_same_folder_is_refused(hub: Hub) -> None:
    hub.start()
    second = Hub(hub.data, hub.settings)
    with pytest.raises(AssertionError, match="Another server works on the data folder"):
        second.start()


def test_a_setting_that_does_not_exist_in_the_file_is_told_before_anything_starts(hub: Hub) -> None:
    hub.data.mkdir(parents=True)
    (hub.data / "hutch.toml").write_text("requir_sign_in = true\n")
    with pytest.raises(AssertionError, match="there is no setting 'requir_sign_in'"):
        hub.start()
