"""Reads `rights.txt` and `routes.txt`, and says what each actor must be answered, not asking the code."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
# thing -> type, creator, namespace, visibility, gate
THINGS = {
    "userpublic": ("model", "olive", "olive", "public", ""),
    "userprivate": ("dataset", "olive", "olive", "private", ""),
    "orgpublic": ("model", "ada", "acme", "public", ""),
    "orgprivate": ("model", "ada", "acme", "private", ""),
    "orggated": ("model", "ada", "acme", "public", "manual"),
    "orgprotected": ("space", "ada", "acme", "protected", ""),
    "orgown": ("model", "cora", "acme", "private", ""),
    "userbucket": ("bucket", "olive", "olive", "public", ""),
    "orgbucket": ("bucket", "ada", "acme", "private", ""),
}
NOBODY, SESSION = "nobody", "wim-session"
# Credentials that do not hold: refused wherever anybody's identity is asked for.
BROKEN = ("revoked", "expired", "disabled", "garbage")
_SAFE = frozenset({"GET", "HEAD"})
# What a copy is made of where a route would change the thing itself.
_COPIED = ("userprivate", "orgprivate", "orgown", "orgbucket")
_IS_BUCKET = {name: made[0] == "bucket" for name, made in THINGS.items()}


@dataclass(frozen=True)
class Row:
    """One line of `routes.txt` for one method."""

    method: str
    route: str
    needs: tuple[tuple[str, str], ...]
    ok: frozenset[int]
    refused: int
    nobody: int
    body: str
    address: str

    @property
    def is_safe(self) -> bool:
        """Whether it may change nothing whoever asks."""
        return self.method in _SAFE

    @property
    def is_page(self) -> bool:
        """Whether a browser's form sends it, which a forged one could send too."""
        return (
            not self.address.startswith(("/api/", "/oauth/", "/_cas/", "/v1/"))
            and ".git/" not in self.address
        )

    @property
    def things(self) -> tuple[str, ...]:
        """The repositories that it is tried on; one empty word where it is about none."""
        match self.needs[0][0] if self.needs else "":
            case "repo" | "copy":
                return tuple(name for name in THINGS if not _IS_BUCKET[name])
            case "bucket" | "bucketcopy":
                return tuple(name for name in THINGS if _IS_BUCKET[name])
            case "model":
                return tuple(name for name, made in THINGS.items() if made[0] == "model")
            case name if name in THINGS:
                return (name,)
        return ("",)

    @property
    def spare_thing(self) -> str:
        """Of which a copy is tried where it does not matter what becomes of it."""
        return "userbucket" if self.needs and self.needs[0][0].startswith("bucket") else "userpublic"

    @property
    def is_on_copy(self) -> bool:
        """Whether those who have the right use it on a copy."""
        return bool(self.needs) and self.needs[0][0] in ("copy", "bucketcopy")

    def __str__(self) -> str:
        return f"{self.method} {self.address}" + (f" ({self.body})" if self.body != "-" else "")


@dataclass(frozen=True)
class Expected:
    """What must be answered. `hidden`: the same as if the repository did not exist."""

    statuses: frozenset[int]
    is_allowed: bool = False
    is_hidden: bool = False


@cache
def rights() -> dict[str, dict[str, str]]:
    """Actor -> thing -> letters."""
    head, *lines = _lines("rights.txt")
    return {line[0].rstrip("!"): dict(zip(head[1:], line[1:], strict=True)) for line in lines}


@cache
def by_name() -> frozenset[str]:
    """The actors whose rights hang on one repository."""
    return frozenset(line[0].rstrip("!") for line in _lines("rights.txt") if line[0].endswith("!"))


@cache
def rows() -> tuple[Row, ...]:
    """All lines, one for each method."""
    found = []
    for methods, route, needs, ok, refused, nobody, body, address in _lines("routes.txt"):
        pairs = () if needs == "open" else tuple(_need(word) for word in needs.split(","))
        for method in methods.split(","):
            found.append(
                Row(
                    method, route, pairs, frozenset(map(int, ok.split("/"))), _status(refused, 403),
                    _status(nobody, 401), body, address,
                )
            )  # fmt: skip
    return tuple(found)


def _need(word: str) -> tuple[str, str]:
    thing, _, letters = word.partition(":")
    return (thing, letters)


def _status(text: str, default: int) -> int:
    return default if text == "-" else int(text)


def _lines(name: str) -> list[list[str]]:
    text = (HERE / name).read_text()
    return [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def expected(actor: str, row: Row, thing: str) -> Expected:
    """What `actor` must be answered who uses the route on the thing."""
    if actor in BROKEN:
        if not row.needs:
            return Expected(row.ok | {401}, is_allowed=True)
        return Expected(frozenset({401}), is_hidden=thing != "")
    for number, (named, letters) in enumerate(row.needs, 1):
        target = thing if named in ("repo", "copy", "model", "bucket", "bucketcopy") else named
        held = _held(actor, target)
        if set(letters) <= held:
            continue
        if target in THINGS and "v" not in held:
            return Expected(frozenset({_missing(actor, row)}), is_hidden=True)
        refused = row.refused if number == len(row.needs) else 403
        return Expected(frozenset({row.nobody if actor == NOBODY else refused}))
    return Expected(row.ok, is_allowed=True)


def _held(actor: str, target: str) -> set[str]:
    return set(rights()[actor][target].strip("-"))


# Nobody's form comes with a cookie, or it would not be looked at; and whoever sends one is told 404 as all others.
def _missing(actor: str, row: Row) -> int:
    return 401 if actor == NOBODY and (row.is_safe or not row.is_page) else 404


def is_tried_on(row: Row, actor: str, thing: str) -> bool:
    """Whether an allowed change is really made, on a copy where the route needs one."""
    return not row.is_on_copy or (thing in _COPIED and actor not in by_name())
