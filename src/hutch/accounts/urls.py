"""The pages of people and organisations, the addresses of OAuth, and allauth's views at short addresses."""

from __future__ import annotations

from allauth.account import views as account
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as passkeys
from allauth.usersessions import views as sessions
from django.urls import URLPattern, path, re_path
from django.views.generic import RedirectView

from hutch.accounts import oauth_api, pages_admin, pages_entry, pages_naming, pages_orgs, pages_settings
from hutch.accounts.pages_entry import after_reauthentication as again

_OAUTH = [
    path("oauth/device", oauth_api.device, name="oauth_device"),
    path("oauth/token", oauth_api.token, name="oauth_token"),
    path("oauth/revoke", oauth_api.revoke, name="oauth_revoke"),
    path("oauth/userinfo", oauth_api.userinfo, name="oauth_userinfo"),
]
_ENTRANCE = [
    path("login", account.login, name="account_login"),
    path("logout", account.logout, name="account_logout"),
    path("signup", account.signup, name="account_signup"),
    path("inactive", account.account_inactive, name="account_inactive"),
    path("confirm-email", account.email_verification_sent, name="account_email_verification_sent"),
    path("confirm-email/<str:key>", account.confirm_email, name="account_confirm_email"),
    path("password/reset", pages_entry.password_reset, name="account_reset_password"),
    path("password/reset/sent", account.password_reset_done, name="account_reset_password_done"),
    path(
        "password/reset/done",
        account.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    re_path(
        r"^password/reset/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>[^/]+)$",
        account.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path("password/link/<seg:word>", pages_entry.password_link, name="password_link"),
    path("login/two-factor", mfa.authenticate, name="mfa_authenticate"),
    path("login/passkey", passkeys.login_webauthn, name="mfa_login_webauthn"),
    path("reauthenticate", again(account.reauthenticate), name="account_reauthenticate"),
    path("reauthenticate/two-factor", again(mfa.reauthenticate), name="mfa_reauthenticate"),
    path(
        "reauthenticate/passkey", again(passkeys.reauthenticate_webauthn), name="mfa_reauthenticate_webauthn"
    ),
    path("setup/<seg:word>", pages_entry.setup, name="setup"),
    path("invitations/<seg:word>", pages_entry.invitation, name="invitation"),
    path("device", pages_entry.device, name="device"),
    path("avatars/<seg:name>", pages_entry.avatar, name="avatar"),
]
_SETTINGS = [
    path("settings", RedirectView.as_view(pattern_name="settings_profile"), name="settings"),
    path("settings/profile", pages_settings.profile, name="settings_profile"),
    path("settings/profile/picture", pages_settings.picture, name="settings_picture"),
    path("settings/account", pages_settings.account, name="settings_account"),
    path("settings/account/name", pages_naming.rename_account, name="settings_rename"),
    path("settings/tokens", pages_settings.access_tokens, name="settings_tokens"),
    path("settings/tokens/<int:token_id>/revoke", pages_settings.revoke_token, name="settings_token_revoke"),
    path("settings/email", account.email, name="account_email"),
    path("settings/password", account.password_change, name="account_change_password"),
    path("settings/password/new", account.password_set, name="account_set_password"),
    path("settings/sessions", sessions.list_usersessions, name="usersessions_list"),
    path("settings/two-factor", mfa.index, name="mfa_index"),
    path("settings/two-factor/app/activate", totp.activate_totp, name="mfa_activate_totp"),
    path("settings/two-factor/app/deactivate", totp.deactivate_totp, name="mfa_deactivate_totp"),
    path("settings/two-factor/codes", codes.view_recovery_codes, name="mfa_view_recovery_codes"),
    path("settings/two-factor/codes/new", codes.generate_recovery_codes, name="mfa_generate_recovery_codes"),
    path(
        "settings/two-factor/codes/download",
        codes.download_recovery_codes,
        name="mfa_download_recovery_codes",
    ),
    path("settings/passkeys", passkeys.list_webauthn, name="mfa_list_webauthn"),
    path("settings/passkeys/new", passkeys.add_webauthn, name="mfa_add_webauthn"),
    path("settings/passkeys/<int:pk>", passkeys.edit_webauthn, name="mfa_edit_webauthn"),
    path("settings/passkeys/<int:pk>/remove", passkeys.remove_webauthn, name="mfa_remove_webauthn"),
]
_ORGANIZATIONS = [
    path("organizations/new", pages_orgs.new, name="organization_new"),
    path(
        "organizations/<seg:name>/settings",
        RedirectView.as_view(pattern_name="organization_profile"),
        name="organization_settings",
    ),
    path("organizations/<seg:name>/settings/profile", pages_orgs.profile, name="organization_profile"),
    path("organizations/<seg:name>/settings/picture", pages_orgs.picture, name="organization_picture"),
    path(
        "organizations/<seg:name>/settings/name", pages_naming.rename_organization, name="organization_rename"
    ),
    path(
        "organizations/<seg:name>/settings/delete",
        pages_naming.delete_organization,
        name="organization_delete",
    ),
    path("organizations/<seg:name>/settings/members", pages_orgs.members, name="organization_members"),
    path("organizations/<seg:name>/settings/teams", pages_orgs.team_page, name="organization_teams"),
]

urlpatterns: list[URLPattern] = [
    *_OAUTH,
    *_ENTRANCE,
    *_SETTINGS,
    *_ORGANIZATIONS,
    path("admin/users", pages_admin.people, name="admin_users"),
]
