"""Signed addresses: good for what they were signed for, and for nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutch.cas import signing
from hutch.cas.errors import TicketExpired, TicketInvalid
from hutch.cas.signing import Ticket

TICKET = Ticket("upload", repo_id=7, user_id=3, oid="ab" * 32, size=12, part_bytes=5, part=2, upload="u")


def test_ticket_is_read_back_as_it_was_signed() -> None:
    read = signing.read(signing.sign(TICKET), "upload")
    assert replace(read, expires=0) == TICKET
    assert read.expires > time.time()


def test_ticket_is_good_for_its_purpose_only() -> None:
    text = signing.sign(TICKET)
    for purpose in ("part", "complete", "verify", "download", "resume"):
        with pytest.raises(TicketInvalid):
            signing.read(text, purpose)  # type: ignore[arg-type]


def test_ticket_that_has_expired_is_refused_as_such() -> None:
    with pytest.raises(TicketExpired):
        signing.read(signing.sign(replace(TICKET, expires=int(time.time()) - 1)), "upload")


def test_ticket_expires_when_the_setting_says(configure: Callable[..., None]) -> None:
    configure(signed_url_s=100)
    left = signing.read(signing.sign(TICKET), "upload").expires - time.time()
    assert 90 < left <= 100


@given(st.data())
def test_any_changed_character_makes_a_ticket_invalid(data: st.DataObject) -> None:
    text = signing.sign(TICKET)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters().filter(lambda c: c != text[at]))
    with pytest.raises(TicketInvalid):
        signing.read(text[:at] + other + text[at + 1 :], "upload")


@given(st.text(max_size=200))
def test_what_we_did_not_sign_is_invalid(text: str) -> None:
    with pytest.raises(TicketInvalid):
        signing.read(text, "upload")


@given(st.integers(1, 50))
def test_a_ticket_cut_short_is_invalid(count: int) -> None:
    with pytest.raises(TicketInvalid):
        signing.read(signing.sign(TICKET)[:-count], "upload")


def test_claims_of_one_ticket_do_not_pass_with_the_signature_of_another() -> None:
    mine, theirs = signing.sign(TICKET), signing.sign(replace(TICKET, repo_id=8))
    with pytest.raises(TicketInvalid):
        signing.read(mine.split(".")[0] + "." + theirs.split(".")[1], "upload")


def test_upload_in_parts_goes_on_under_the_same_name_for_the_same_sender_alone() -> None:
    name = signing.upload_name(TICKET)
    assert signing.upload_name(replace(TICKET, purpose="part", part=9, expires=1)) == name
    for other in (
        replace(TICKET, user_id=4), replace(TICKET, repo_id=8), replace(TICKET, size=13),
        replace(TICKET, oid="cd" * 32), replace(TICKET, part_bytes=6),
    ):  # fmt: skip
        assert signing.upload_name(other) != name
