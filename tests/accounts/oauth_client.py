"""What a device sends and reads, by hand, for the answers that the real client does not show."""

from __future__ import annotations

from typing import Any

import httpx

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


class Device:
    """A program that wants to act for somebody."""

    def __init__(self, url: str, client_id: str = "a-test") -> None:
        self.url, self.client_id = url, client_id
        answer = httpx.post(f"{url}/oauth/device", data={"client_id": client_id}, timeout=60)
        answer.raise_for_status()
        self.told: dict[str, Any] = answer.json()

    def poll(self) -> httpx.Response:
        """Asks whether it has been approved."""
        return self._token(grant_type=DEVICE, device_code=self.told["device_code"])

    def renew(self, refresh_token: str) -> httpx.Response:
        """Exchanges a refresh token."""
        return self._token(grant_type="refresh_token", refresh_token=refresh_token)

    def _token(self, **fields: str) -> httpx.Response:
        return httpx.post(f"{self.url}/oauth/token", data={"client_id": self.client_id, **fields}, timeout=60)


def who(url: str, token: str) -> httpx.Response:
    """Asks who a token's owner is."""
    return httpx.get(f"{url}/api/whoami-v2", headers={"Authorization": f"Bearer {token}"}, timeout=60)
