"""What two do at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connection

from hutch.accounts import actors, organizations, users
from hutch.accounts.models import Membership, Namespace, User
from hutch.core.errors import Conflict, Forbidden, HutchError
from hutch.core.permissions import Role

pytestmark = pytest.mark.django_db(transaction=True)


def together(*verbs: Callable[[], object]) -> list[HutchError | None]:
    """Runs each in a thread of its own, all from one start; how each ended."""
    start = threading.Barrier(len(verbs))
    ends: list[HutchError | None] = [None] * len(verbs)

    def run(place: int, verb: Callable[[], object]) -> None:
        start.wait()
        try:
            verb()
        except HutchError as error:
            ends[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(verbs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ends


def test_one_of_many_gets_a_name_and_the_others_are_told(transactional_db: None) -> None:
    operator = actors.operator()
    makers: list[Callable[[], object]] = [
        lambda: users.create_user(operator, "ann"),
        lambda: users.create_user(operator, "ANN"),
        lambda: organizations.create_organization(operator, "Ann"),
        lambda: organizations.create_organization(operator, "ann"),
    ]
    ends = together(*makers)
    assert ends.count(None) == 1
    assert all(isinstance(end, Conflict) for end in ends if end)
    assert Namespace.objects.count() == 1


def test_two_admins_who_end_each_other_leave_one(transactional_db: None) -> None:
    operator = actors.operator()
    for name in ("ann", "bob"):
        users.create_user(operator, name, is_admin=True)
    organizations.create_organization(operator, "acme", members=[("ann", Role.ADMIN), ("bob", Role.ADMIN)])
    ann, bob = (actors.of_user(User.objects.get(username=name)) for name in ("ann", "bob"))
    ends = together(
        lambda: organizations.set_role(ann, "acme", "bob", Role.READ),
        lambda: organizations.set_role(bob, "acme", "ann", Role.READ),
    )
    assert [type(end) for end in ends if end] == [Forbidden]
    assert Membership.objects.filter(role=Role.ADMIN.value).count() == 1
    ends = together(lambda: users.set_admin(ann, "bob", False), lambda: users.set_admin(bob, "ann", False))
    assert [type(end) for end in ends if end] == [Forbidden]
    assert User.objects.filter(is_staff=True).count() == 1
