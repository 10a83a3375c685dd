"""Text out of tokens as they come: no half characters, no stop string, and nothing that may become one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

_REPLACEMENT = "\ufffd"
_LOOK_BACK = 8


class Unfolding:
    """One answer on its way. `decode` turns token ids into text; a half character decodes to U+FFFD or "".

    A stop string ends the answer and is not part of it.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str], stops: Sequence[str] = ()) -> None:
        self._decode = decode
        self._stops = tuple(stops)
        self._ids: list[int] = []
        self._begin = (
            0  # of the tokens that are decoded again, so that a token's text may hang on the one before
        )
        self._shown = ""  # what they gave until now
        self._held = ""
        self.stopped = False

    def add(self, ids: Sequence[int]) -> str:
        """Takes tokens; the text that is certain now."""
        self._ids += ids
        text = self._decode(self._ids[self._begin :])
        if text.endswith(_REPLACEMENT) or len(text) <= len(self._shown):
            return ""
        fresh, self._shown = text[len(self._shown) :], text
        if len(self._ids) - self._begin > 2 * _LOOK_BACK:
            self._begin = len(self._ids) - _LOOK_BACK
            self._shown = self._decode(self._ids[self._begin :])
        return self._past_stops(fresh)

    def finish(self) -> str:
        """What was held back, once no more tokens come."""
        text = self._decode(self._ids[self._begin :])
        fresh = self._past_stops(text[len(self._shown) :]) if len(text) > len(self._shown) else ""
        held, self._held = self._held, ""
        return "" if self.stopped else fresh + held

    def _past_stops(self, fresh: str) -> str:
        if self.stopped:
            return ""
        text = self._held + fresh
        places = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        if places:
            self.stopped, self._held = True, ""
            return text[: min(places)]
        keep = max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of the text may be the beginning of the stop string."""
    return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if stop.startswith(text[-n:])), 0)
