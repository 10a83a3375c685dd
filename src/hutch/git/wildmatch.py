"""Git's glob patterns (its wildmatch), matched in time linear in pattern times path.

Backtracking would let a hostile `.gitattributes` of `*a*a*a*a*b` hold a thread for minutes: instead every
position in the pattern that can be reached is followed at once.
"""

from __future__ import annotations

import string
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hutch.git.errors import PatternsTooCostly

# What one request may cost: a second or two of a core, and as much again for each 2,500 paths.
REQUEST_STEPS = 5_000_000
PATH_STEPS = 2_000

_SLASH = 0x2F
_POSIX_CLASSES: dict[bytes, frozenset[int]] = {
    b"alnum": frozenset((string.ascii_letters + string.digits).encode()),
    b"alpha": frozenset(string.ascii_letters.encode()),
    b"blank": frozenset(b" \t"),
    b"cntrl": frozenset([*range(32), 127]),
    b"digit": frozenset(string.digits.encode()),
    b"graph": frozenset(range(33, 127)),
    b"lower": frozenset(string.ascii_lowercase.encode()),
    b"print": frozenset(range(32, 127)),
    b"punct": frozenset(string.punctuation.encode()),
    b"space": frozenset(b" \t\n\v\f\r"),
    b"upper": frozenset(string.ascii_uppercase.encode()),
    b"xdigit": frozenset(string.hexdigits.encode()),
}
_ANY = frozenset(range(256))
_NOT_SLASH = _ANY - {_SLASH}


@dataclass(frozen=True, slots=True)
class _One:
    """One byte out of a set."""

    allowed: frozenset[int]


@dataclass(frozen=True, slots=True)
class _Many:
    """Any number of bytes out of a set."""

    allowed: frozenset[int]


@dataclass(frozen=True, slots=True)
class _Maybe:
    """The next `elements` may be left out: the `**` and slash of `**/`."""

    elements: int
    allowed: frozenset[int] = frozenset()


_Element = _One | _Many | _Maybe


class Malformed(ValueError):
    """A pattern that can match nothing."""


def matcher(pattern: bytes, *, pathname: bool) -> Callable[[bytes], bool]:
    """A function that tells whether a text matches `pattern`; with `pathname` only `**` crosses slashes."""
    try:
        elements = _compile(pattern, pathname)
    except Malformed:
        return lambda _text: False
    return lambda text: _matches(elements, text)


class _Work(threading.local):
    """The steps that are left to this thread's matchers; None: no limit."""

    left: int | None = None


_work = _Work()


@contextmanager
def bounded(steps: int) -> Iterator[None]:
    """Within the block all matchers together take at most so many steps, of which some millions are a second.

    Linear is not cheap where a hostile file of patterns is held against a thousand paths. Raises PatternsTooCostly.
    """
    before, _work.left = _work.left, steps
    try:
        yield
    finally:
        _work.left = before


def allow(steps: int) -> None:
    """Adds so many steps to what is left inside a `bounded` block."""
    if _work.left is not None:
        _work.left += steps


def _spend(steps: int) -> None:
    if _work.left is not None:
        _work.left -= steps
        if _work.left < 0:
            raise PatternsTooCostly()


def _matches(elements: list[_Element], text: bytes) -> bool:
    states = _close(elements, {0})
    for byte in text:
        _spend(len(states))
        reached = set()
        for state in states:
            if state == len(elements) or byte not in elements[state].allowed:
                continue
            reached.add(state if isinstance(elements[state], _Many) else state + 1)
        if not reached:
            return False
        states = _close(elements, reached)
    return len(elements) in states


def _close(elements: list[_Element], states: set[int]) -> set[int]:
    pending = list(states)
    while pending:
        state = pending.pop()
        for following in _free_steps(elements, state):
            if following not in states:
                states.add(following)
                pending.append(following)
    return states


def _free_steps(elements: list[_Element], state: int) -> tuple[int, ...]:
    match elements[state] if state < len(elements) else None:
        case _Many():
            return (state + 1,)
        case _Maybe(count):
            return (state + 1, state + 1 + count)
        case _:
            return ()


def _compile(pattern: bytes, pathname: bool) -> list[_Element]:
    elements: list[_Element] = []
    at = 0
    while at < len(pattern):
        byte = pattern[at : at + 1]
        if byte == b"*":
            stars, at = _stars(pattern, at, pathname)
            elements += stars
            continue
        element: _Element
        if byte == b"?":
            element, at = _One(_NOT_SLASH if pathname else _ANY), at + 1
        elif byte == b"[":
            element, at = _bracket(pattern, at, pathname)
        else:
            at += byte == b"\\"
            if at == len(pattern):
                raise Malformed("a backslash at the end")
            element, at = _One(frozenset(pattern[at : at + 1])), at + 1
        elements.append(element)
    return elements


def _stars(pattern: bytes, start: int, pathname: bool) -> tuple[list[_Element], int]:
    end = start
    while end < len(pattern) and pattern[end : end + 1] == b"*":
        end += 1
    if not pathname:
        return [_Many(_ANY)], end
    rest = pattern[end:]
    free_before = start == 0 or pattern[start - 1] == _SLASH
    free_behind = not rest or rest.startswith((b"/", b"\\/"))
    if end - start < 2 or not free_before or not free_behind:
        return [_Many(_NOT_SLASH)], end
    return [_Maybe(2), _Many(_ANY)] if rest.startswith(b"/") else [_Many(_ANY)], end


def _bracket(pattern: bytes, start: int, pathname: bool) -> tuple[_Element, int]:
    at = start + 1
    negated = pattern[at : at + 1] in (b"!", b"^")
    at += negated
    allowed: set[int] = set()
    first = True
    while first or pattern[at : at + 1] != b"]":
        first = False
        members, at = _bracket_item(pattern, at)
        allowed |= members
    chosen = frozenset(_ANY - allowed if negated else allowed)
    return _One(chosen & _NOT_SLASH if pathname else chosen), at + 1


def _bracket_item(pattern: bytes, at: int) -> tuple[frozenset[int], int]:
    if pattern[at : at + 2] == b"[:":
        end = pattern.find(b"]", at + 2)
        if end > at + 2 and pattern[end - 1 : end] == b":":
            name = pattern[at + 2 : end - 1]
            if name not in _POSIX_CLASSES:
                raise Malformed("an unknown class")
            return _POSIX_CLASSES[name], end + 1
        if end < 0:
            raise Malformed("a class without end")
    low, at = _bracket_byte(pattern, at)
    if pattern[at : at + 1] == b"-" and pattern[at + 1 : at + 2] not in (b"", b"]"):
        high, at = _bracket_byte(pattern, at + 1)
        return frozenset(range(low, high + 1)), at
    return frozenset([low]), at


def _bracket_byte(pattern: bytes, at: int) -> tuple[int, int]:
    at += pattern[at : at + 1] == b"\\"
    if at >= len(pattern):
        raise Malformed("a bracket without end")
    return pattern[at], at + 1
