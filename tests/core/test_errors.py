from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hutch.core.errors as tree
from hutch.core.errors import BadRequest, HutchError, NotFound, RangeNotSatisfiable, RateLimited, RepoNotFound
from hutch.core.wires import error_answer


def every(root: type[HutchError] = HutchError) -> Iterator[type[HutchError]]:
    yield root
    for branch in root.__subclasses__():
        yield from every(branch)


CORE = [error for error in every() if error.__module__ == "hutch.core.errors"]


@given(st.text(st.characters(), max_size=3000))
def test_headers_are_one_line_of_latin_1_whatever_the_message(message: str) -> None:
    for name, value in HutchError(message).headers().items():
        line = f"{name}: {value}".encode("latin-1")
        assert not any(byte < 0x20 or 0x7F <= byte < 0xA0 for byte in line)
        assert len(value) <= 1000


@given(
    st.text(), st.text() | st.binary() | st.integers(), st.none() | st.integers() | st.binary() | st.floats()
)
def test_body_is_json_whatever_was_wrong(field: str, value: object, limit: object) -> None:
    body = json.loads(json.dumps(BadRequest("no", field=field, value=value, limit=limit).body()))
    assert (body["error"], body["code"], body["field"]) == ("no", "BadRequest", field)
    assert len(body["value"]) <= 203


def test_value_is_shown_cut() -> None:
    assert BadRequest("no", value="x" * 500).body()["value"] == "x" * 200 + "..."


@pytest.mark.parametrize("error", [error for error in CORE if error is not RangeNotSatisfiable])
def test_error_without_a_message_says_its_sentence(error: type[HutchError]) -> None:
    assert len(error().message) > 10
    assert "\n" not in error().message


def test_tree_drawn_at_the_top_of_the_module_is_the_tree() -> None:
    drawn = {
        words[0]: (int(words[1]), words[2])
        for line in (tree.__doc__ or "").split("\n")
        if len(words := line.strip(" │├└─").split()) >= 3 and words[1].isdigit()
    }
    assert drawn == {error.__name__: (error.status, error.code) for error in CORE}


def test_range_and_retry_headers_are_added() -> None:
    assert RangeNotSatisfiable(12).headers()["Content-Range"] == "bytes */12"
    assert RateLimited(retry_after_s=7).headers()["Retry-After"] == "7"


@pytest.mark.parametrize(
    ("error", "headers", "status"),
    [
        (RepoNotFound(), {}, 401),
        (RepoNotFound(), {"authorization": "Bearer hf_x"}, 404),
        (RepoNotFound(), {"cookie": "hutch_session=x"}, 404),
        (NotFound(), {}, 404),
    ],
)
def test_nobody_is_asked_to_sign_in_where_others_find_no_repository(
    error: HutchError, headers: dict[str, str], status: int
) -> None:
    found, answer, body = error_answer(error, {"request_headers": headers})
    assert (found, "WWW-Authenticate" in answer) == (status, status == 401)
    assert json.loads(body)["error"] == error.message
