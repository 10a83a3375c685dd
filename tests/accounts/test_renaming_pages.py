"""Names that change and accounts that go, by forms."""

from __future__ import annotations

from collections.abc import Callable

from tests.acceptance.clients import Client
from tests.acceptance.hub import Hub, User
from tests.accounts.visitor import Visitor, errors

Visit = Callable[[Hub], Visitor]
Unique = Callable[[str], str]


def test_user_changes_their_name_and_stays_signed_in(
    server: Hub, user: User, client: Client, visit: Visit, unique: Unique
) -> None:
    new, visitor = unique("renamed"), visit(server)
    client.call("import huggingface_hub as h; h.create_repo('mine'); result = 1")
    visitor.sign_in(user.name)
    refused = visitor.send("/settings/account", "/settings/account/name", new_name="a--b")
    assert "must not have" in errors(refused)
    done = visitor.send("/settings/account", "/settings/account/name", new_name=new)
    assert done.status_code == 200
    assert f"Your name is {new} now." in done.text
    assert visitor.name() == new
    assert client.call("import huggingface_hub as h; result = h.whoami()['name']") == new
    old = client.call(
        "import huggingface_hub as h; result = h.model_info(args['id']).id", id=f"{user.name}/mine"
    )
    assert old == f"{new}/mine"
    assert visitor.get(f"/{user.name}/mine").url.path == f"/{new}/mine"
    assert visitor.get(f"/{user.name}").status_code == 404


def test_organization_is_renamed_and_deleted_by_its_admin_once_it_is_empty(
    server: Hub, user: User, client: Client, visit: Visit, unique: Unique
) -> None:
    name, new, visitor = unique("acme"), unique("labs"), visit(server)
    server.cli("org", "create", name, "--member", f"{user.name}:admin")
    client.call("import huggingface_hub as h; h.create_repo(args['id']); result = 1", id=f"{name}/x")
    visitor.sign_in(user.name)
    there = f"/organizations/{name}/settings"
    done = visitor.send(f"{there}/profile", f"{there}/name", new_name=new)
    assert str(done.url.path) == f"/organizations/{new}/settings/profile"
    there = f"/organizations/{new}/settings"
    for typed, sentence in ((name, f"Type {new} to confirm"), (new, "still holds 1 repository")):
        assert sentence in errors(visitor.send(f"{there}/profile", f"{there}/delete", typed=typed))
    client.call("import huggingface_hub as h; h.delete_repo(args['id']); result = 1", id=f"{new}/x")
    done = visitor.send(f"{there}/profile", f"{there}/delete", typed=new)
    assert (done.url.path, f"{new} is gone." in done.text) == ("/", True)
    assert visitor.get(f"/{new}").status_code == 404


def test_administrator_renames_and_deletes_accounts(
    server: Hub, user: User, visit: Visit, unique: Unique
) -> None:
    root, new, visitor = server.user(unique("root"), "--admin"), unique("renamed"), visit(server)
    guest = visit(server)
    guest.sign_in(user.name)
    visitor.sign_in(root.name)
    visitor.send("/admin/users", do="rename", username=user.name, value=new)
    assert guest.name() == new
    refused = visitor.send("/admin/users", do="delete", username=new, value=user.name)
    assert f"Type {new} to confirm" in errors(refused)
    assert guest.name() == new
    assert f"Done for {new}." in visitor.send("/admin/users", do="delete", username=new, value=new).text
    assert guest.name() is None
    assert visitor.get(f"/{new}").status_code == 404
    refused = visitor.send("/admin/users", do="delete", username=root.name, value=root.name)
    assert "your own account" in errors(refused)
