"""A running hub with the people and repositories of `rights.txt`, and callers for each of them."""

from __future__ import annotations

import itertools
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg

from tests.acceptance.hub import PASSWORD, Hub
from tests.access.bodies import BODIES, FORM
from tests.access.caller import Answer, Caller
from tests.access.table import NOBODY, SESSION, THINGS, Row

_CHILD = Path(__file__).with_name("scene_child.py")
_numbers = itertools.count(1)
# Rows that time or a look alone may change.
_RESTLESS = re.compile(
    r"django_session|core_|sqlite_sequence|usersessions|accounts_user\.last_login|last_used_at|\.downloads$|download|cas_usage"
)


@dataclass
class Scene:
    """The hub, the tokens by actor, and what is known of each thing."""

    hub: Hub
    tokens: dict[str, str]
    heads: dict[str, str] = field(default_factory=dict)
    callers: dict[str, Caller] = field(default_factory=dict)
    proof: dict[str, str] = field(default_factory=dict)

    def caller(self, actor: str) -> Caller:
        """The connection of an actor, made at the first call."""
        if actor not in self.callers:
            self.callers[actor] = self._new(actor)
        return self.callers[actor]

    def _new(self, actor: str) -> Caller:
        if actor == NOBODY:
            return Caller(self.hub.port)
        if actor == SESSION:
            return signed_in(self.hub, "wim")
        return Caller.with_token(self.hub.port, self.tokens[actor])

    def words(self, actor: str, thing: str, name: str = "") -> dict[str, str]:
        """What stands for the braces of an address or body; `name` in place of the thing's own."""
        words = {"n": str(next(_numbers)), "me": actor.partition("-")[0], "orgpublic": "acme/n-orgpublic"}
        if thing:
            type_, _, namespace, _, _ = THINGS[thing]
            name = name or f"n-{thing}"
            content = f"large i-{thing}".encode()
            words |= {
                "type": type_, "kinds": f"{type_}s", "prefix": "" if type_ == "model" else f"{type_}s/",
                "namespace": namespace, "name": name, "repo": f"{namespace}/{name}", "file": f"f-{thing}.txt",
                "sha": self.heads.get(thing, ""), "oid": _sha256(content), "size": str(len(content)),
            }  # fmt: skip
        return words

    def ask(self, actor: str, row: Row, thing: str, name: str = "", **replaced: str) -> tuple[Answer, str]:
        """Sends a row's request as an actor; also what was sent, as text. `replaced` goes into the words."""
        words = self.words(actor, thing, name) | replaced
        address = row.address.format(**words)
        body, kind = BODIES[row.body](words)
        caller, headers = self.caller(actor), {}
        if row.is_page:
            headers["Accept"] = "text/html"
            kind = kind or ("" if row.is_safe else FORM)
        if actor == NOBODY and not row.is_safe and row.is_page:
            self.proof = self.proof or forgery_proof(self.caller(NOBODY))
            headers |= self.proof
        if "git-upload-pack" in address:
            headers["Git_Protocol"] = "version=2"
        return caller(row.method, address, body, kind, **headers), address + body.decode()

    def copy(self, thing: str) -> str:
        """A copy of a thing by its creator, with a pull request; of a bucket another one. Its last name."""
        words = self.words("", thing)
        name = f"copied-{next(_numbers)}"
        maker = self.caller(THINGS[thing][1])
        if words["type"] == "bucket":
            body, kind = BODIES["bucket"](words)
            made = maker("POST", f"/api/buckets/{words['namespace']}/{name}", body, kind)
            assert made.status == 200, made.body
            return name
        made = maker(
            "POST", f"/api/{words['kinds']}/{words['repo']}/duplicate",
            json.dumps({"repository": f"{words['namespace']}/{name}"}).encode(), "application/json",
        )  # fmt: skip
        assert made.status == 200, made.body
        body, kind = BODIES["commit"](words)
        there = f"/api/{words['kinds']}/{words['namespace']}/{name}"
        pull = maker("POST", f"{there}/commit/main?create_pr=1", body, kind)
        assert pull.status == 200, pull.body
        return name

    def state(self) -> dict[str, Any]:
        """All that is kept: the rows of every table and every ref; a refused request must leave it as it was."""
        return {**_rows(self.hub), **_refs(self.hub.data / "git")}


@contextmanager
def set_up(hub: Hub) -> Iterator[Scene]:
    """Fills the hub's folder, starts it, and looks up what requests name."""
    done = subprocess.run(
        [sys.executable, _CHILD, hub.data, json.dumps(THINGS), PASSWORD],
        env=hub.environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    hub.start()
    scene = Scene(hub, json.loads(done.stdout))
    try:
        root = scene.caller("root")
        for thing in THINGS:
            words = scene.words("root", thing)
            found = root("GET", f"/api/{words['kinds']}/{words['repo']}")
            scene.heads[thing] = json.loads(found.body).get("sha", "")
        yield scene
    finally:
        for caller in scene.callers.values():
            caller.close()
        hub.stop()


def signed_in(hub: Hub, name: str) -> Caller:
    """A browser in which somebody has signed in by the form, with the token against forgery."""
    caller = Caller(hub.port)
    cookies = _cookies(caller("GET", "/login", Accept="text/html"))
    token = cookies["hutch_csrf"]
    fields = {"login": name, "password": PASSWORD, "csrfmiddlewaretoken": token}
    done = caller(
        "POST", "/login", urlencode(fields).encode(), FORM, Cookie=f"hutch_csrf={token}", Accept="text/html"
    )
    assert done.status == 302, done.body
    cookies |= _cookies(done)
    caller.headers = {
        "Cookie": "; ".join(f"{key}={value}" for key, value in cookies.items()), "X-CSRFToken": cookies["hutch_csrf"],
    }  # fmt: skip
    return caller


def forgery_proof(nobody: Caller) -> dict[str, str]:
    """What a page gives to nobody, so that nobody's forms are looked at."""
    token = _cookies(nobody("GET", "/login", Accept="text/html"))["hutch_csrf"]
    return {"Cookie": f"hutch_csrf={token}", "X-CSRFToken": token}


def _cookies(answer: Answer) -> dict[str, str]:
    return dict(re.findall(r"(hutch_\w+)=([^;]+)", answer.headers.get("set-cookie", "")))


def _sha256(content: bytes) -> str:
    from hashlib import sha256

    return sha256(content).hexdigest()


def _rows(hub: Hub) -> dict[str, Any]:
    url = hub.settings.get("database_url")
    if url:
        listed = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        with psycopg.connect(url) as database:
            return _tables(
                lambda sql: (c := database.execute(sql), [d[0] for d in c.description or []]), listed
            )
    with closing(sqlite3.connect(f"file:{hub.data / 'hutch.sqlite3'}?mode=ro", uri=True)) as lite:
        listed = "SELECT name FROM sqlite_master WHERE type = 'table'"
        return _tables(lambda sql: (c := lite.execute(sql), [d[0] for d in c.description or []]), listed)


def _tables(select: Callable[[str], tuple[Any, list[str]]], listed: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for (table,) in select(listed)[0].fetchall():
        if _RESTLESS.search(table):
            continue
        cursor, columns = select(f'SELECT * FROM "{table}"')
        kept = [at for at, column in enumerate(columns) if not _RESTLESS.search(f"{table}.{column}")]
        found[table] = sorted(repr([row[at] for at in kept]) for row in cursor.fetchall())
    return found


def _refs(folder: Path) -> dict[str, Any]:
    found = {}
    for path in sorted(folder.glob("*/*.git")):
        done = subprocess.run(
            ["git", "--git-dir", path, "for-each-ref"], capture_output=True, text=True, check=True
        )
        found[path.name] = (done.stdout, (path / "HEAD").read_text())
    return found
