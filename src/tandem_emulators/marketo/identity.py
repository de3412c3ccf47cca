"""The identity endpoint: one token per custom service, shared by everyone who asks for it while it lives (1.2).

Its errors have OAuth's shape and are HTTP 401, as nothing else in this API is.
"""

import uuid
from dataclasses import dataclass

from tandem_emulators.kit.http import Reply, Request, json_reply
from tandem_emulators.marketo.errors import access_denied, token_expired, token_invalid
from tandem_emulators.marketo.settings import Settings

PATH = "/identity/oauth/token"
_HEADERS = {
    "server": "nginx",
    "content-type": "application/json;charset=UTF-8",
    "cache-control": "no-store",
    "pragma": "no-cache",
    "x-xss-protection": "1; mode=block",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Service:
    """A custom service of the subscription and the API-only user that owns it."""

    client_id: str
    client_secret: str
    user: str


@dataclass(slots=True)
class _Token:
    text: str
    expires_s: float
    expiry_was_told: bool = False


class Identity:
    def __init__(self, service: Service, settings: Settings) -> None:
        self.service = service
        self._settings = settings
        self._current: _Token | None = None
        self._issued: dict[str, _Token] = {}

    def answer(self, request: Request, now_s: float) -> Reply:
        if request.method not in ("GET", "POST"):
            return json_reply({"error": "method_not_allowed"}, 405, _HEADERS)
        given = dict(request.query())
        if request.method == "POST":
            given |= request.form()
        refusal = self._refusal(given)
        if refusal is not None:
            return json_reply({"error": refusal[0], "error_description": refusal[1]}, 401, _HEADERS)
        token = self._token(now_s)
        body = {
            "access_token": token.text,
            "token_type": "bearer",
            # Whole seconds that are certainly left, so that a fresh token shows 3599.
            "expires_in": max(0, int(token.expires_s - now_s - 0.001)),
            "scope": self.service.user,
        }
        return json_reply(body, 200, _HEADERS)

    def check(self, text: str | None, now_s: float) -> str:
        """The user behind a token.

        Raises:
            ApiError: 603 without one, 601 for a wrong one, 602 the first time it is used after its end.
        """
        if not text:
            raise access_denied()
        token = self._issued.get(text)
        if token is None:
            raise token_invalid()
        if now_s < token.expires_s:
            return self.service.user
        if token.expiry_was_told:
            raise token_invalid()
        token.expiry_was_told = True
        raise token_expired()

    def _refusal(self, given: dict[str, str]) -> tuple[str, str] | None:
        client_id = given.get("client_id", "")
        if given.get("grant_type") != "client_credentials":
            return "unsupported_grant_type", f"Unsupported grant type: {given.get('grant_type', '')}"
        if client_id != self.service.client_id:
            return "unauthorized", f"No client with requested id: {client_id}"
        if given.get("client_secret") != self.service.client_secret:
            return "invalid_client", "Bad client credentials"
        return None

    def _token(self, now_s: float) -> _Token:
        if self._current is None or now_s >= self._current.expires_s:
            self._current = _Token(f"{uuid.uuid4()}:ab", now_s + self._settings.token_lifetime_s)
            self._issued[self._current.text] = self._current
        return self._current
