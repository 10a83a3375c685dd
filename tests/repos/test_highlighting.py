"""Source text in colour: line by line, escaped, and as it was."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutch.repos.pages import highlighting


def plain(line: str) -> str:
    return unescape(re.sub(r"</?span[^>]*>", "", line))


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("train.py", "python"), ("a/b/config.json", "json"), (".gitattributes", "ini"), ("x.yml", "yaml"),
        ("data.jsonl", "json"), ("Dockerfile", "docker"), ("strange.zzz", ""), ("py", ""),
    ],
)  # fmt: skip
def test_language_is_known_by_the_file_s_name(path: str, language: str) -> None:
    assert highlighting.language_of(path) == language


def test_token_over_many_lines_is_coloured_on_each() -> None:
    lines = highlighting.lines_of('"""one\ntwo"""\nx = 1\n', "python")
    assert len(lines) == 3
    assert all(line.count("<span") == line.count("</span>") for line in lines)
    assert "k-sd" in lines[0]
    assert "k-sd" in lines[1]


@settings(deadline=None)
@given(
    st.text(alphabet="<>&\"'\nab \t#{}[]:=\\/*\r", max_size=80),
    st.sampled_from(["python", "json", "html", "", "no such", "markdown"]),
)
def test_lines_are_the_text_that_went_in(text: str, language: str) -> None:
    lines = highlighting.lines_of(text, language)
    wanted = text.replace("\r\n", "\n").replace("\r", "\n")
    assert "\n".join(plain(line) for line in lines) == (wanted[:-1] if wanted.endswith("\n") else wanted)
    assert not re.search(r"<(?!/?span)", "".join(lines))


def test_very_long_text_is_shown_without_colours() -> None:
    lines = highlighting.lines_of("x = 1\n" * 60_000, "python")
    assert len(lines) == 60_000
    assert lines[0] == "x = 1"
