"""The addresses of OAuth: forms in, the JSON of RFC 6749 out."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_http_methods, require_POST

from hutch.accounts import oauth, profiles
from hutch.accounts.api import actor_of, base_url
from hutch.core.errors import HutchError


@require_POST
def device(request: HttpRequest) -> JsonResponse:
    """Begins the sign-in of a device (RFC 8628, section 3.1)."""
    try:
        begun = oauth.start(
            request.POST.get("client_id", ""), request.POST.get("scope", ""), request.META["REMOTE_ADDR"]
        )
    except oauth.OAuthError as error:
        return _refused(error)
    page = f"{base_url(request)}/device"
    return _answer(
        {
            "device_code": begun.device_code, "user_code": begun.user_code, "verification_uri": page,
            "verification_uri_complete": f"{page}?{urlencode({'user_code': begun.user_code})}",
            "expires_in": oauth.CODE_LIFE_S, "interval": oauth.INTERVAL_S,
        }
    )  # fmt: skip


@require_POST
def token(request: HttpRequest) -> JsonResponse:
    """Gives tokens for an approved device code or a refresh token."""
    client_id = request.POST.get("client_id", "")
    try:
        match request.POST.get("grant_type", ""):
            case oauth.DEVICE_GRANT:
                issued = oauth.redeem(request.POST.get("device_code", ""), client_id)
            case "refresh_token":
                issued = oauth.renew(request.POST.get("refresh_token", ""), client_id)
            case other:
                raise oauth.OAuthError("unsupported_grant_type", f"grant_type {other!r} is not offered")
    except oauth.OAuthError as error:
        return _refused(error)
    shape: dict[str, Any] = {
        "access_token": issued.access_token, "refresh_token": issued.refresh_token, "token_type": "bearer",
        "expires_in": issued.expires_in_s,
    }  # fmt: skip
    return _answer({**shape, "scope": issued.scope} if issued.scope else shape)


@require_POST
def revoke(request: HttpRequest) -> JsonResponse:
    """Ends a sign-in (RFC 7009)."""
    oauth.revoke(request.POST.get("token", ""))
    return _answer({})


@require_http_methods(["GET", "POST"])
def userinfo(request: HttpRequest) -> JsonResponse:
    """Who the bearer is, in the words of OpenID Connect."""
    me = profiles.whoami(actor_of(request), base_url(request))
    shape: dict[str, Any] = {
        "sub": me["id"], "name": me["fullname"], "preferred_username": me["name"], "picture": me["avatarUrl"],
        "profile": f"{base_url(request)}/{me['name']}", "isPro": False,
        "orgs": [
            {"sub": org["id"], "name": org["fullname"], "preferred_username": org["name"], "picture": org["avatarUrl"],
             "isEnterprise": False, "roleInOrg": org["roleInOrg"]}
            for org in me["orgs"]
        ],
    }  # fmt: skip
    if me.get("email"):
        shape |= {"email": me["email"], "email_verified": me["emailVerified"]}
    return _answer(shape)


def _refused(error: oauth.OAuthError) -> JsonResponse:
    status = 401 if error.error == "invalid_client" else error.status
    shape = {"error": error.error, "error_description": error.message}
    return JsonResponse(
        shape, status=status, headers={**HutchError.headers(error), "Cache-Control": "no-store"}
    )


def _answer(shape: dict[str, Any]) -> JsonResponse:
    return JsonResponse(shape, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})
