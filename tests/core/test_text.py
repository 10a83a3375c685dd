from __future__ import annotations

import pytest
from django.db import connection, transaction

from hutch.core.errors import BadRequest
from hutch.core.models import Job
from hutch.core.text import is_storable, require_storable, storable

pytestmark = pytest.mark.django_db
ODD = ["\0", "a\0b", "\ud800", "b\udcff", "\U0001f4a9\udc00"]


@pytest.mark.parametrize("text", ["", "a", "é", "\U0001f4a9", "\ufffd", "\x01\x7f\x80", "\n"])
def test_text_is_storable_as_it_is(text: str) -> None:
    assert is_storable(text)
    require_storable(text)
    assert storable(text) == text


@pytest.mark.parametrize("text", ODD)
def test_odd_text_is_refused_by_its_field_and_shown(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        require_storable(text, "bio")
    assert caught.value.field == "bio"
    assert is_storable(str(caught.value.value))
    assert caught.value.message.startswith("bio ")


@pytest.mark.parametrize("text", ODD)
def test_every_database_refuses_odd_text_as_bad_input(text: str) -> None:
    """SQLite would keep a NUL that PostgreSQL refuses: what is tried on one must hold on the other."""
    with connection.cursor() as cursor:
        for ask in (
            lambda: Job.objects.filter(name=text).exists(),
            lambda: Job.objects.filter(name__icontains=text).count(),
            lambda: Job.objects.update(name=text),
            lambda: Job.objects.bulk_create([Job(name="a", arguments={}), Job(name=text, arguments={})]),
            lambda: cursor.execute("SELECT %s", [text]),
            lambda: cursor.execute("SELECT %(a)s", {"a": text}),
            lambda: cursor.executemany("SELECT %s", [["a"], [text]]),
        ):
            with pytest.raises(BadRequest), transaction.atomic():
                ask()
        cursor.execute("SELECT %s", ["after"])
        assert cursor.fetchone() == ("after",)
