"""The pages of people and organisations, and the addresses of OAuth."""

from __future__ import annotations

from django.urls import path

from hutch.accounts import oauth_api

urlpatterns = [
    path("oauth/device", oauth_api.device, name="oauth_device"),
    path("oauth/token", oauth_api.token, name="oauth_token"),
    path("oauth/revoke", oauth_api.revoke, name="oauth_revoke"),
    path("oauth/userinfo", oauth_api.userinfo, name="oauth_userinfo"),
]
