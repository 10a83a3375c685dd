"""The ground of a run: its data folder, its database, Django set up over both.

A module of its own, since pytest may load a conftest twice in one process; this is made once.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import django
import pytest

from tests.postgres import Postgres

DATABASE = os.environ.get("HUTCH_TEST_DATABASE") or "sqlite"
FOLDER = Path(tempfile.mkdtemp(prefix="hutch-tests-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)

# Settings are read when Django is set up, so what they are for this run comes before.
for _name in [
    name for name in os.environ if name.startswith(("HUTCH_", "HF_")) and not name.startswith("HUTCH_TEST_")
]:
    del os.environ[_name]
os.environ["HUTCH_DATA"] = str(FOLDER)
os.environ["DJANGO_SETTINGS_MODULE"] = "hutch.djangoconf"
# A fixture of Playwright's keeps an event loop running in the thread of the tests that come after it.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

POSTGRES: Postgres | None = None
if DATABASE == "postgres":
    POSTGRES = Postgres()
    atexit.register(POSTGRES.stop)
    POSTGRES.start()
    os.environ["HUTCH_DATABASE_URL"] = POSTGRES.new_database("rooms")
elif DATABASE != "sqlite":
    raise pytest.UsageError(f"HUTCH_TEST_DATABASE is {DATABASE!r}; known are sqlite and postgres")
django.setup()
# pytest-xdist's workers get this process's environment, and pytest-django would set Django up over our folder there,
# before a worker has one of its own.
del os.environ["DJANGO_SETTINGS_MODULE"]
