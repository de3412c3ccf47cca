"""Signing in: one token for the whole connector, fetched once however many calls want it, renewed before it ends.

Marketo hands every asker the same token with the seconds it has left, so a fresh answer may be nearly spent; then it
is used while it lasts. Identity calls cost nothing of the quota.
"""

import asyncio
from datetime import datetime, timedelta

import msgspec

from tandem.connectors.http import HttpClient
from tandem.connectors.marketo.wire import WireToken, parse_token
from tandem.core.errors import AccessError, TransientError
from tandem.core.record import Side
from tandem.ports import Clock

MARGIN_S = 60.0
OPERATION = "identity"
_REMEDY = "check client_id and TANDEM_MARKETING_CLIENT_SECRET (Admin → LaunchPoint → View Details of the service)"


class MarketoTokens:
    """A ``TokenSource``."""

    def __init__(self, http: HttpClient, client_id: str, client_secret: str, clock: Clock) -> None:
        self._http = http
        self._client_id = client_id
        self._client_secret = client_secret
        self._clock = clock
        self._door = asyncio.Lock()
        self._token = ""
        self._renew_at: datetime | None = None
        self._scope = ""

    async def token(self) -> str:
        async with self._door:
            if self._renew_at is None or self._clock.now() >= self._renew_at:
                await self._fetch()
            return self._token

    async def scope(self) -> str:
        """The API-only user that the token speaks for."""
        await self.token()
        return self._scope

    def invalidate(self) -> None:
        self._renew_at = None

    async def _fetch(self) -> None:
        asked_at = self._clock.now()
        response = await self._http.request(
            OPERATION,
            "GET",
            "/identity/oauth/token",
            params={
                "grant_type": "client_credentials",
                "client_id": self._client_id,
                "client_secret": self._client_secret,
            },
        )
        answer = self._judge(response.body)
        lasts_s = answer.expires_in - MARGIN_S if answer.expires_in > MARGIN_S else answer.expires_in / 2
        self._token, self._scope = answer.access_token, answer.scope
        self._renew_at = asked_at + timedelta(seconds=lasts_s)

    @staticmethod
    def _judge(body: bytes) -> WireToken:
        try:
            answer = parse_token(body)
        except msgspec.DecodeError:
            text = "What answered the sign-in is not Marketo's identity service; check the url setting."
            raise TransientError(text, side=Side.MARKETING, operation=OPERATION, code="unreadable") from None
        if answer.access_token and not answer.error:
            return answer
        # The code is the service's own word; a text beside it would repeat the client id.
        known = answer.error if answer.error in ("invalid_client", "unauthorized") else "no token"
        text = f"Marketo refused the sign-in ({known}); {_REMEDY}."
        raise AccessError(text, side=Side.MARKETING, operation=OPERATION, code=known)
