"""The identity endpoint: one token per custom service, shared by everyone who asks for it while it lives (1.2).

Its errors have OAuth's shape and are HTTP 401, as nothing else in this API is. Services, their users and their tokens
are stored: a token belongs to the service, so a restart does not end it.
"""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from tandem_emulators.kit.errors import ControlError
from tandem_emulators.kit.http import Reply, Request, json_reply
from tandem_emulators.marketo.errors import access_denied, token_expired, token_invalid
from tandem_emulators.marketo.settings import Settings
from tandem_emulators.marketo.store import Store

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
_TABLES = """
CREATE TABLE IF NOT EXISTS service (client_id TEXT PRIMARY KEY, client_secret TEXT NOT NULL, user TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS token (text TEXT PRIMARY KEY, client_id TEXT NOT NULL, expires_s REAL NOT NULL,
    expiry_was_told INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS api_user (name TEXT PRIMARY KEY, revoked TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Service:
    """A custom service of the subscription and the API-only user that owns it."""

    client_id: str
    client_secret: str
    user: str


@dataclass(slots=True)
class _Token:
    text: str
    user: str
    expires_s: float
    expiry_was_told: bool = False


class Identity:
    """Services, users and tokens. `service` is the one that the first line of output tells of."""

    def __init__(self, store: Store, service: Service, settings: Settings, permissions: Iterable[str]) -> None:
        self.service = service
        self._store = store
        self._settings = settings
        self._permissions = frozenset(permissions)
        store.db.executescript(_TABLES)
        self._services: dict[str, Service] = {}
        self._revoked: dict[str, set[str]] = {}
        self._current: dict[str, _Token] = {}
        self._issued: dict[str, _Token] = {}
        self.add(service)
        self._load()

    def add(self, service: Service) -> None:
        self._services[service.client_id] = service
        self._revoked.setdefault(service.user, set())
        self._store.run(
            "INSERT OR REPLACE INTO service VALUES (?, ?, ?)", (service.client_id, service.client_secret, service.user)
        )

    def services(self) -> list[Service]:
        return list(self._services.values())

    def may(self, user: str, needed: Iterable[str]) -> bool:
        """Whether one of the permissions is the user's; a call that needs none is everybody's."""
        wanted = set(needed)
        return not wanted or not wanted <= self._revoked[user]

    def privileges(self, user: str | None = None) -> Mapping[str, object]:
        revoked = self._revoked_of(user)
        return {"granted": sorted(self._permissions - revoked), "revoked": sorted(revoked)}

    def change_privileges(self, revoked: Iterable[str], granted: Iterable[str], user: str | None = None) -> None:
        taken, given = set(revoked), set(granted)
        unknown = (taken | given) - self._permissions
        if unknown:
            raise ControlError(f"There is no permission {', '.join(sorted(map(str, unknown)))}.")
        now_revoked = self._revoked_of(user)
        now_revoked |= taken
        now_revoked -= given
        stored = msgspec.json.encode(sorted(now_revoked)).decode()
        self._store.run("INSERT OR REPLACE INTO api_user VALUES (?, ?)", (user or self.service.user, stored))

    def answer(self, request: Request, now_s: float) -> Reply:
        if request.method not in ("GET", "POST"):
            return json_reply({"error": "method_not_allowed"}, 405, _HEADERS)
        given = dict(request.query())
        if request.method == "POST":
            given |= request.form()
        refusal = self._refusal(given)
        if refusal is not None:
            return json_reply({"error": refusal[0], "error_description": refusal[1]}, 401, _HEADERS)
        token = self._token(self._services[given["client_id"]], now_s)
        body = {
            "access_token": token.text,
            "token_type": "bearer",
            # Whole seconds that are certainly left, so that a fresh token shows 3599.
            "expires_in": max(0, int(token.expires_s - now_s - 0.001)),
            "scope": token.user,
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
            return token.user
        if token.expiry_was_told:
            raise token_invalid()
        token.expiry_was_told = True
        self._store.run("UPDATE token SET expiry_was_told = 1 WHERE text = ?", (text,))
        raise token_expired()

    def _refusal(self, given: dict[str, str]) -> tuple[str, str] | None:
        if given.get("grant_type") != "client_credentials":
            return "unsupported_grant_type", f"Unsupported grant type: {given.get('grant_type', '')}"
        service = self._services.get(given.get("client_id", ""))
        if service is None:
            return "unauthorized", f"No client with requested id: {given.get('client_id', '')}"
        if given.get("client_secret") != service.client_secret:
            return "invalid_client", "Bad client credentials"
        return None

    def _token(self, service: Service, now_s: float) -> _Token:
        current = self._current.get(service.client_id)
        if current is None or now_s >= current.expires_s:
            current = _Token(f"{uuid.uuid4()}:ab", service.user, now_s + self._settings.token_lifetime_s)
            self._remember(service.client_id, current)
            self._store.run(
                "INSERT INTO token VALUES (?, ?, ?, 0)", (current.text, service.client_id, current.expires_s)
            )
        return current

    def _remember(self, client_id: str, token: _Token) -> None:
        self._current[client_id] = token
        self._issued[token.text] = token

    def _load(self) -> None:
        """What an earlier process left in the database file."""
        for row in self._store.rows("SELECT client_id, client_secret, user FROM service"):
            self._services[row[0]] = Service(*row)
            self._revoked.setdefault(row[2], set())
        for name, revoked in self._store.rows("SELECT name, revoked FROM api_user"):
            self._revoked[name] = set(msgspec.json.decode(revoked, type=list[str]))
        for text, client_id, expires_s, told in self._store.rows("SELECT * FROM token ORDER BY expires_s"):
            self._remember(client_id, _Token(text, self._services[client_id].user, expires_s, bool(told)))

    def _revoked_of(self, user: str | None) -> set[str]:
        name = user or self.service.user
        if name not in self._revoked:
            raise ControlError(f"There is no API user {name!r}.")
        return self._revoked[name]
