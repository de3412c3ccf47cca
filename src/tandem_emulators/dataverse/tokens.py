"""The tokens that a sign-in hands out, and whose each one is.

They have the usual form and claims, but what counts is this memory: a token that is not in it is none.
"""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
import msgspec

from tandem_emulators.dataverse.organization import Organization
from tandem_emulators.dataverse.settings import Settings
from tandem_emulators.kit.clock import Clock

OIDC_SCOPES = frozenset({"openid", "profile", "offline_access", "email"})


@dataclass(frozen=True, slots=True)
class Grant:
    user_id: str
    expires_at: float


class Tokens:
    def __init__(self, organization: Organization, clock: Clock, settings: Settings) -> None:
        self._organization = organization
        self._clock = clock
        self._settings = settings
        self._grants: dict[str, Grant] = {}
        self._refresh_tokens: dict[str, str] = {}
        self._issued = 0

    def grant_of(self, authorization: str) -> Grant | None:
        scheme, _, token = authorization.partition(" ")
        grant = self._grants.get(token.strip()) if scheme.lower() == "bearer" else None
        return grant if grant is not None and grant.expires_at > self._clock.timestamp() else None

    def user_of_refresh_token(self, token: str) -> str | None:
        return self._refresh_tokens.get(token)

    def revoke_all(self) -> None:
        self._grants.clear()

    def grant(self, claims: Mapping[str, Any], user_id: str) -> str:
        """An access token with these claims, good for the user until its `exp`."""
        token = self.signed(claims)
        self._grants[token] = Grant(user_id, claims["exp"])
        return token

    def refresh_token(self, user_id: str) -> str:
        token = hashlib.sha256(f"{user_id}/{self._issued}/refresh".encode()).hexdigest()
        self._refresh_tokens[token] = user_id
        return token

    def answer(
        self, form: Mapping[str, str], user_id: str, resource: str, *, is_v2: bool, delegated: bool
    ) -> dict[str, object]:
        """The body of a sign-in that succeeded; v1 has its numbers as texts (sheet 1.2)."""
        lifetime, now = self._settings.token_lifetime_s, int(self._clock.timestamp())
        times = {"iat": now, "nbf": now, "exp": now + lifetime}
        claims = {"aud": resource, **self._identity(user_id), **times, "azp" if is_v2 else "appid": form["client_id"]}
        if delegated:
            claims["upn"] = self._organization.username
        token = self.grant(claims, user_id)
        numbers = {"expires_in": lifetime, "ext_expires_in": lifetime}
        answer: dict[str, object] = {"token_type": "Bearer", **numbers}
        if not is_v2:
            numbers |= {"expires_on": now + lifetime, "not_before": now}
            answer |= {name: str(number) for name, number in numbers.items()} | {"resource": resource}
        answer["access_token"] = token
        return answer | (self._delegated_extras(form, user_id, is_v2, times) if delegated else {})

    def _delegated_extras(
        self, form: Mapping[str, str], user_id: str, is_v2: bool, times: dict[str, int]
    ) -> dict[str, object]:
        asked = form.get("scope", "").split()
        scope = " ".join(s for s in asked if s not in OIDC_SCOPES) if is_v2 else "user_impersonation"
        extras: dict[str, object] = {"scope": scope}
        identity = self._identity(user_id)
        if not is_v2 or "offline_access" in asked:
            extras["refresh_token"] = self.refresh_token(user_id)
        if "openid" in asked:
            issuer = f"{self._organization.tenant_id}/v2.0"
            claims = {"aud": form["client_id"], "iss": issuer, "sub": identity["oid"], **identity, **times}
            extras["id_token"] = self.signed({**claims, "preferred_username": self._organization.username})
        if form.get("client_info"):
            info = msgspec.json.encode({"uid": identity["oid"], "utid": identity["tid"]})
            extras["client_info"] = urlsafe_b64encode(info).rstrip(b"=").decode()
        return extras

    def _identity(self, user_id: str) -> dict[str, str]:
        return {"tid": self._organization.tenant_id, "oid": self._organization.object_id_of(user_id)}

    def signed(self, claims: Mapping[str, object]) -> str:
        """The number in it makes each token different."""
        self._issued += 1
        return jwt.encode({**claims, "jti": str(self._issued)}, self._organization.client_secret, algorithm="HS256")
