"""The server's memory does not grow with what clients send at the same moment. `make bench` asks for more of it."""

from __future__ import annotations

import pytest

from tests.acceptance.hub import Hub
from tests.acceptance.lfs_sender import Sender
from tests.acceptance.xet_crowd import Crowd
from tests.acceptance.xet_sender import cas_of


@pytest.mark.slow
def test_sixteen_xorbs_at_once_leave_the_memory_as_it_was(fresh_server: Hub) -> None:
    sender = Sender(fresh_server, fresh_server.user("crowd"))
    cas = cas_of(sender, sender.create("crowd"))
    warm, _ = Crowd(2, 16).send_all(fresh_server, cas)
    assert warm == [200] * 2
    statuses, grown = Crowd(16, 512).send_all(fresh_server, cas)
    assert statuses == [200] * 16
    # A first crowd costs 70 to 100 MiB for the threads' own memory, a second a few; kept whole they would be 512.
    assert grown < 160 << 20, f"{grown >> 20} MiB for 16 times 32 MiB"
