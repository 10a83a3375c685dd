"""Brings the database's tables up to date, by one process at a time, and holds all databases to the strictest."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from typing import Any

from django.core.management import call_command
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from hutch.core.text import require_storable
from hutch.settings import current


def hold_to_the_strictest(*, connection: BaseDatabaseWrapper, **_: Any) -> None:
    """For Django's `connection_created`: text that PostgreSQL refuses is refused before SQLite would take it.

    Whatever reads input names the bad field itself; this is the net below, so that none is met as a failure.
    """
    if _refuse_odd_text not in connection.execute_wrappers:
        connection.execute_wrappers.append(_refuse_odd_text)


def _refuse_odd_text(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
    _require_texts(params)
    return execute(sql, params, many, context)


def _require_texts(params: Any) -> None:
    for value in params.values() if isinstance(params, dict) else params or ():
        if isinstance(value, str):
            require_storable(value)
        elif isinstance(value, list | tuple | dict):  # the rows of `executemany`, and PostgreSQL's arrays
            _require_texts(value)


def migrate() -> None:
    """Applies what is missing. Beside a running server there is nothing missing, and nothing is locked."""
    if not _is_behind():
        return
    with (current().data / "migrate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_behind():
            call_command("migrate", verbosity=0, interactive=False)


def damage() -> list[str]:
    """What the database itself finds wrong with its file, one sentence each; asked of SQLite only."""
    if connection.vendor != "sqlite":
        return []
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA integrity_check(20)")
        found = [str(row[0]) for row in cursor.fetchall() if row[0] != "ok"]
        cursor.execute("PRAGMA foreign_key_check")
        return found + [
            f"row {row[1]} of {row[0]} refers to a missing row of {row[2]}" for row in cursor.fetchall()
        ]


def pending() -> tuple[int, list[str]]:
    """How many migrations wait, and the names of those that the database has and this version does not know."""
    executor = MigrationExecutor(connection)
    executor.loader.check_consistent_history(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    known = executor.loader.disk_migrations
    unknown = [
        f"{app}.{name}" for app, name in executor.loader.applied_migrations if (app, name) not in known
    ]
    return len(waiting), sorted(unknown)


def _is_behind() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
