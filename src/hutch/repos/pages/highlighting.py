"""Source text as HTML lines with classes of colour, by Pygments, within bounds."""

from __future__ import annotations

import threading
from collections import OrderedDict
from functools import lru_cache

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.token import STANDARD_TYPES, Token, _TokenType
from pygments.util import ClassNotFound

# Longer texts are shown without colours: some lexers need seconds for a megabyte.
MAX_HIGHLIGHTED_CHARACTERS = 300_000
MAX_LINE_CHARACTERS = 5_000
_KEPT_CHARACTERS = 8_000_000

# Names of files, their endings and names of languages that Pygments does not know.
_FILES = {".gitattributes": "ini", ".gitignore": "ini", "README": "markdown", "LICENSE": "text"}
_ENDINGS = {"jsonl": "json", "jinja": "html+jinja", "yml": "yaml"}
_LANGUAGES = {"jsonl": "json", "jsonlines": "json", "jinja": "html+jinja", "shell": "console", "sh": "bash"}

_lock = threading.Lock()
_known: OrderedDict[tuple[str, str], list[SafeString]] = OrderedDict()
_known_characters = 0


def lines_of(text: str, language: str) -> list[SafeString]:
    """The lines of a text as safe HTML, without their ends. `language` is a lexer's name, '' for none."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lexer = _lexer(language) if language and _is_bounded(text) else None
    if lexer is None:
        return [SafeString(escape(line)) for line in _split(text)]
    return _coloured(text, lexer)


def block(code: str, language: str) -> str:
    """A fenced block's content as HTML."""
    return "\n".join(lines_of(code, language))


def lines_of_blob(oid: str, text: str, language: str) -> list[SafeString]:
    """As `lines_of`, kept by the blob's id: contents never change."""
    global _known_characters  # noqa: PLW0603
    key = (oid, language)
    with _lock:
        if key in _known:
            _known.move_to_end(key)
            return _known[key]
    found = lines_of(text, language)
    size = sum(map(len, found))
    with _lock:
        if size < _KEPT_CHARACTERS // 4 and key not in _known:
            _known[key] = found
            _known_characters += size
        while _known_characters > _KEPT_CHARACTERS:
            _, dropped = _known.popitem(last=False)
            _known_characters -= sum(map(len, dropped))
    return found


@lru_cache(maxsize=2000)
def language_of(path: str) -> str:
    """The lexer's name for a file by its name; '' where nothing is known."""
    name = path.rsplit("/", 1)[-1]
    named = _FILES.get(name) or (_ENDINGS.get(name.rpartition(".")[2]) if "." in name else None)
    if named:
        return named
    try:
        return get_lexer_for_filename(name).aliases[0]
    except (ClassNotFound, IndexError):
        return ""


@lru_cache(maxsize=200)
def _lexer(language: str) -> Lexer | None:
    name = language.strip().lower()[:40]
    try:
        return get_lexer_by_name(_LANGUAGES.get(name, name), stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


def _is_bounded(text: str) -> bool:
    return len(text) <= MAX_HIGHLIGHTED_CHARACTERS and all(
        len(line) <= MAX_LINE_CHARACTERS for line in text.split("\n")
    )


def _split(text: str) -> list[str]:
    lines = text.split("\n")
    return lines[:-1] if lines and not lines[-1] else lines


def _coloured(text: str, lexer: Lexer) -> list[SafeString]:
    lines: list[list[str]] = [[]]
    for kind, value in lexer.get_tokens(text):
        word = _class_of(kind)
        for number, piece in enumerate(value.split("\n")):
            if number:
                lines.append([])
            if piece:
                shown = escape(piece)
                lines[-1].append(f'<span class="{word}">{shown}</span>' if word else shown)
    if lines and not lines[-1]:
        lines.pop()
    return [mark_safe("".join(line)) for line in lines]  # noqa: S308 - every piece was escaped above


def _class_of(kind: _TokenType) -> str:
    while kind is not Token and kind not in STANDARD_TYPES:
        kind = kind.parent or Token
    word = STANDARD_TYPES.get(kind, "")
    # Plain names and punctuation are most of all tokens, and have the ink's own colour.
    return "" if word in ("", "n", "p", "w", "err", "x") else f"k-{word}"
