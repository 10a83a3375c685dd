"""Pages of an organisation: make one, its profile, its members, its teams."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from django import forms as django_forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from hutch.accounts import avatars, forms, invitations, lookup, organizations, profiles, teams
from hutch.accounts.api import actor_of, base_url
from hutch.accounts.entrance import page, signed_in
from hutch.accounts.lookup import NamespaceCard
from hutch.accounts.models import Organization
from hutch.accounts.pages_settings import save_picture
from hutch.core.permissions import Actor, allows, require

_form = require_http_methods(["GET", "HEAD", "POST"])


@_form
@signed_in
def new(request: HttpRequest) -> HttpResponseBase:
    """A new organisation."""
    form = forms.NewOrganization(request.POST or None)
    if request.method == "POST" and form.is_valid():
        made = forms.tried(form, organizations.create_organization, actor_of(request), **form.cleaned_data)
        if made is not None:
            return redirect("organization_members", name=made.namespace.name)
    return page(request, "organization_new", form=form, status=400 if form.errors else 200)


@_form
@signed_in
def profile(request: HttpRequest, name: str) -> HttpResponseBase:
    """What the organisation's page shows."""
    actor = actor_of(request)
    card = administered(actor, name)
    row = Organization.objects.get(pk=card.holder_id)
    initial = {"full_name": row.full_name, "bio": row.bio, "members_are_public": row.members_are_public}
    form = forms.OrganizationProfile(request.POST or None, initial=initial)
    saved: Organization | None = None
    if request.method == "POST" and form.is_valid():
        saved = forms.tried(form, organizations.change_organization, actor, card.name, **form.cleaned_data)
    if saved:
        messages.success(request, "The profile is saved.")
        return redirect("organization_profile", name=card.name)
    return _profile_page(request, card, form, forms.Avatar())


@require_POST
@signed_in
def picture(request: HttpRequest, name: str) -> HttpResponseBase:
    """Another picture, or the drawn one again."""
    actor = actor_of(request)
    card = administered(actor, name)
    if "remove" in request.POST:
        avatars.set_avatar(actor, card.name, b"")
        return redirect("organization_profile", name=card.name)
    form = forms.Avatar(request.POST, request.FILES)
    if form.is_valid() and save_picture(form, actor, card.name):
        messages.success(request, "The picture is saved.")
        return redirect("organization_profile", name=card.name)
    return _profile_page(
        request, card, forms.OrganizationProfile(initial={"full_name": card.full_name}), form
    )


@_form
@signed_in
def members(request: HttpRequest, name: str) -> HttpResponseBase:
    """Who belongs to the organisation; its admins add, change, remove and invite."""
    actor = actor_of(request)
    card = profiles.require_organization(actor, name)
    add, invite = forms.NewMember(), forms.Invite()
    link = ""
    match request.POST.get("do", "") if request.method == "POST" else "":
        case "add":
            add = forms.NewMember(request.POST)
            if add.is_valid() and _set_role(add, actor, card, add.cleaned_data):
                return redirect("organization_members", name=card.name)
        case "invite":
            invite = forms.Invite(request.POST)
            if invite.is_valid():
                link = _invite(request, actor, card, invite.cleaned_data)
        case "role" | "remove" | "withdraw" as what:
            return _change(request, actor, card, what)
    return _members_page(request, card, add, invite, link)


@_form
@signed_in
def team_page(request: HttpRequest, name: str) -> HttpResponseBase:
    """The teams of the organisation."""
    actor = actor_of(request)
    card = profiles.require_organization(actor, name)
    form = forms.NewTeam(request.POST if request.POST.get("do") == "create" else None)
    if request.method == "POST" and _change_teams(request, actor, card, form):
        return redirect("organization_teams", name=card.name)
    return page(
        request, "organization_teams", card=card, here="teams", form=form, teams=teams.teams_of(actor, card.name),
        is_admin=allows(actor, "org.admin", card.thing), status=400 if form.errors else 200,
    )  # fmt: skip


def _change_teams(request: HttpRequest, actor: Actor, card: NamespaceCard, form: forms.NewTeam) -> bool:
    what, team_id = request.POST.get("do", ""), request.POST.get("team", "")
    number = int(team_id) if team_id.isascii() and team_id.isdigit() else 0
    blank = django_forms.Form({})
    if what == "create":
        return (
            form.is_valid()
            and forms.tried(form, teams.create_team, actor, card.name, form.cleaned_data["name"]) is not None
        )
    if what == "add":
        forms.tried(
            blank, teams.add_to_team, actor, card.name, number, request.POST.get("username", "").strip()
        )
    elif what == "remove":
        forms.tried(blank, teams.remove_from_team, actor, card.name, number, request.POST.get("username", ""))
    elif what == "delete":
        forms.tried(blank, teams.delete_team, actor, card.name, number)
    _show(request, blank)
    return True


def _change(request: HttpRequest, actor: Actor, card: NamespaceCard, what: str) -> HttpResponseBase:
    blank = django_forms.Form({})
    username = request.POST.get("username", "")
    if what == "role":
        _set_role(blank, actor, card, {"username": username, "role": request.POST.get("role", "")})
    elif what == "remove":
        forms.tried(blank, organizations.remove_member, actor, card.name, username)
    else:
        number = request.POST.get("invitation", "")
        forms.tried(blank, invitations.withdraw, actor, card.name, int(number) if number.isdigit() else 0)
    _show(request, blank)
    return redirect("organization_members", name=card.name)


def _set_role(form: django_forms.Form, actor: Actor, card: NamespaceCard, data: dict[str, str]) -> bool:
    role = forms.tried(form, organizations.role_of, data["role"])
    if role is None:
        return False
    return (
        forms.tried(form, organizations.set_role, actor, card.name, data["username"].strip(), role)
        is not None
    )


def _invite(request: HttpRequest, actor: Actor, card: NamespaceCard, data: dict[str, str]) -> str:
    role = organizations.role_of(data["role"])
    link = invitations.organization_link(
        actor, card.name, role, email=data["email"], base_url=base_url(request)
    )
    mail_link(data["email"], link, f"{actor.username} invites you to {card.shown_name}")
    return link


def mail_link(email: str, link: str, sentence: str) -> None:
    """Sends a link where the hub sends mail. Raises Unavailable if the mail server does not take it."""
    if email:
        get_adapter().send_mail("accounts/mail/link", email, {"link": link, "sentence": sentence})


def _show(request: HttpRequest, form: django_forms.Form) -> None:
    for error in form.non_field_errors():
        messages.error(request, str(error))


def administered(actor: Actor, name: str) -> NamespaceCard:
    """An organisation that the actor administers; refuses others."""
    card = profiles.require_organization(actor, name)
    require(actor, "org.admin", card.thing, see="namespace.view")
    return card


def _members_page(
    request: HttpRequest, card: NamespaceCard, add: forms.NewMember, invite: forms.Invite, link: str
) -> HttpResponseBase:
    actor = actor_of(request)
    is_admin = allows(actor, "org.admin", card.thing)
    rows = list(profiles.members_of(actor, card.name))
    cards = lookup.users_by_ids(row.user_id for row in rows)
    people: list[dict[str, Any]] = [
        {"card": cards[row.user_id], "avatar": cards[row.user_id].avatar_url(""), "since": row.created_at,
         "role": organizations.role_name(row.role), "is_me": row.user_id == actor.user_id}
        for row in rows
    ]  # fmt: skip
    return page(
        request, "organization_members", card=card, here="members", people=people, add=add, invite=invite, link=link,
        is_admin=is_admin, shows_roles=allows(actor, "org.read_members", card.thing), roles=forms.ROLES,
        invitations=invitations.pending(actor, card.name) if is_admin else [],
        status=400 if add.errors or invite.errors else 200,
    )  # fmt: skip


def _profile_page(
    request: HttpRequest, card: NamespaceCard, form: forms.OrganizationProfile, picture_form: forms.Avatar
) -> HttpResponseBase:
    return page(
        request, "organization_profile", card=card, here="profile", form=form, picture_form=picture_form, is_admin=True,
        avatar_url=card.avatar_url(""), has_picture=bool(card.avatar_sha256),
        status=400 if form.errors or picture_form.errors else 200,
    )  # fmt: skip
