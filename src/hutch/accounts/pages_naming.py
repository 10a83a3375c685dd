"""Forms by which a user or an organisation gets another name, or an organisation goes. Each answers by a message."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from hutch.accounts import renaming
from hutch.accounts.api import actor_of
from hutch.accounts.entrance import signed_in
from hutch.accounts.pages_orgs import administered
from hutch.core.errors import BadRequest, Conflict


@require_POST
@signed_in
def rename_account(request: HttpRequest) -> HttpResponseBase:
    """Another name for the user."""
    actor, new = actor_of(request), request.POST.get("new_name", "").strip()
    said(request, f"Your name is {new} now.", lambda: renaming.rename(actor, actor.username, new))
    return redirect("settings_account")


@require_POST
@signed_in
def rename_organization(request: HttpRequest, name: str) -> HttpResponseBase:
    """Another name for an organisation."""
    actor, new = actor_of(request), request.POST.get("new_name", "").strip()
    card = administered(actor, name)
    is_done = said(request, f"The name is {new} now.", lambda: renaming.rename(actor, card.name, new))
    return redirect("organization_profile", name=new if is_done else card.name)


@require_POST
@signed_in
def delete_organization(request: HttpRequest, name: str) -> HttpResponseBase:
    """An organisation that holds nothing goes, once its name has been typed."""
    actor, typed = actor_of(request), request.POST.get("typed", "").strip()
    card = administered(actor, name)

    def delete() -> None:
        require_typed(typed, card.name)
        renaming.delete_organization(actor, card.name)

    is_done = said(request, f"{card.name} is gone.", delete)
    return redirect("home") if is_done else redirect("organization_profile", name=card.name)


def require_typed(typed: str, name: str) -> None:
    """Raises BadRequest unless the name was typed as it is, which nobody does by mistake."""
    if typed != name:
        raise BadRequest(f"Type {name} to confirm", field="typed", value=typed)


def said(request: HttpRequest, done: str, verb: Callable[[], object]) -> bool:
    """Whether the verb did it; a message on the next page tells that, or why not."""
    try:
        verb()
    except (BadRequest, Conflict) as error:
        messages.error(request, error.message)
        return False
    messages.success(request, done)
    return True
