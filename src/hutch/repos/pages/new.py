"""The pages that make a repository."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from hutch.accounts import lookup
from hutch.core.errors import BadRequest, Conflict, Forbidden
from hutch.core.permissions import Actor
from hutch.repos import service
from hutch.repos.pages import forms, links
from hutch.repos.pages.shell import actor_of, base_url, to_sign_in

_FIELDS = {"organization": "namespace", "license_id": "license"}


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, type_: str) -> HttpResponseBase:
    """A form with owner, name, licence and visibility."""
    actor = actor_of(request)
    if actor.is_nobody:
        return to_sign_in(request)
    owners = _owners(actor, type_)
    asked = request.GET.get("owner", actor.username)
    form = forms.NewRepo(type_, owners, request.POST or None, initial={"namespace": asked})
    if request.method == "POST" and form.is_valid():
        made = _create(actor, type_, form)
        if made:
            return HttpResponseRedirect(made)
    context = {
        "form": form, "type_": type_, "licenses": forms.LICENSES, "base_url": base_url(request), "nav": f"{type_}s",
    }  # fmt: skip
    return render(request, "repos/new.html", context, status=400 if form.errors else 200)


def _create(actor: Actor, type_: str, form: forms.NewRepo) -> str:
    data = form.cleaned_data
    wanted = service.NewRepo(
        type=type_, name=data["name"].strip(), namespace=data["namespace"], sdk=data.get("sdk", ""),
        license_id=data.get("license", "").strip(), visibility=data["visibility"],
    )  # fmt: skip
    try:
        return links.page(service.create_repo(actor, wanted))
    except (BadRequest, Conflict, Forbidden) as error:
        forms.blame(form, error, **_FIELDS)
        return ""


def _owners(actor: Actor, type_: str) -> list[tuple[str, str]]:
    found = [(card.name, card.name) for card in lookup.writable_namespaces(actor)]
    may_be_bare = actor.is_admin and type_ != "bucket"
    return [*found, ("", "No owner (for the hub itself)")] if may_be_bare else found
