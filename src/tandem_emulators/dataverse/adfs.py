"""Sign-in by AD FS, the sign-in service that a company runs itself in front of a server on premises.

It knows clients and relying parties instead of applications and tenants, speaks of numbers with MSIS in front, and
answers every refusal with 400. What it understands depends on its Windows Server (switch `adfs`): 2012 R2 signs in by
redirect only, 2016 is told the relying party by `resource`, 2019 also inside a scope, as `resource/scope`.
"""

import hmac
from collections.abc import Iterable

from tandem_emulators.dataverse.organization import Organization
from tandem_emulators.dataverse.settings import Settings
from tandem_emulators.dataverse.tokens import Tokens
from tandem_emulators.kit.clock import Clock
from tandem_emulators.kit.http import Reply, Request, json_reply

_TOKEN = "/adfs/oauth2/token"
_CONFIGURATION = "/adfs/.well-known/openid-configuration"
_KEYS = "/adfs/discovery/keys"
# What a token is for that was asked for without a relying party; no organisation takes it.
_USER_INFO = "urn:microsoft:userinfo"
_REFRESH_LIFETIME_S = 28_799
_NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}
_SCOPES = ("openid", "profile", "email", "user_impersonation", "allatclaims", "aza", "logon_cert", "vpn_cert")


class AdfsError(Exception):
    def __init__(self, number: int, error: str, text: str) -> None:
        super().__init__(text)
        self.number, self.error, self.text = number, error, text


class Adfs:
    def __init__(self, organization: Organization, clock: Clock, settings: Settings) -> None:
        self._organization = organization
        self._clock = clock
        self._settings = settings
        self.tokens = Tokens(organization, clock, settings)

    def operation(self, path: str) -> str | None:
        """`token` or `identity` for the paths served here, else None."""
        if _plain(path) == _TOKEN:
            return "token"
        return "identity" if _plain(path) in (_CONFIGURATION, _KEYS) else None

    def authority(self, base_url: str) -> str:
        return f"{base_url}/adfs"

    def challenge(self, base_url: str) -> str:
        return f"Bearer authorization_uri={base_url}/adfs/oauth2/authorize, resource_id={base_url}/"

    def handle(self, request: Request) -> Reply:
        if _plain(request.path) == _TOKEN:
            return self._token_reply(request)
        if self._settings.adfs == "2012r2" or request.method != "GET":
            return Reply(404)
        if _plain(request.path) == _KEYS:
            return json_reply({"keys": []})
        return json_reply(_configuration(request.base_url))

    def _token_reply(self, request: Request) -> Reply:
        if request.method != "POST":
            return Reply(405)
        try:
            return json_reply(self._token(request.form(), request.base_url), headers=dict(_NO_STORE))
        except AdfsError as error:
            description = f"MSIS{error.number}: {error.text}"
            return json_reply({"error": error.error, "error_description": description}, 400, dict(_NO_STORE))

    def _token(self, form: dict[str, str], base_url: str) -> dict[str, object]:
        self._check_grant(form.get("grant_type", ""))
        self._check_client(form)
        user_id = self._refreshed_user(form) if form["grant_type"] == "refresh_token" else self._user(form)
        resource = self._resource(form, base_url)
        if self._settings.application_state == "no_consent" and resource != _USER_INFO:
            raise AdfsError(9605, "access_denied", "The client is not allowed to access the requested resource.")
        return self._answer(form, user_id, resource, base_url)

    def _check_grant(self, grant_type: str) -> None:
        known = ["authorization_code", "refresh_token", *(["password"] if self._settings.adfs != "2012r2" else [])]
        if grant_type not in known or grant_type == "authorization_code":
            text = f"The received 'grant_type' parameter is invalid. The authorization server only supports {known}."
            raise AdfsError(9611, "unsupported_grant_type", text)

    def _check_client(self, form: dict[str, str]) -> None:
        if form.get("client_id", "").lower() != self._organization.client_id:
            text = (
                "The 'client_id' parameter in the request is invalid. No registered client is found with this "
                "identifier."
            )
            raise AdfsError(9607, "invalid_client", text)
        secret = form.get("client_secret")
        is_missing = secret is None and not self._settings.allow_public_client
        is_wrong = secret is not None and not _same(secret, self._organization.client_secret)
        if is_missing or is_wrong or self._settings.application_state == "secret_expired":
            text = (
                "Client authentication failed. Please verify the credential provided for client authentication is "
                "valid."
            )
            raise AdfsError(9622, "invalid_client", text)

    def _user(self, form: dict[str, str]) -> str:
        """By the name with a domain behind it or in front of it. Why an account may not sign in is not told."""
        name, _, domain = self._organization.username.partition("@")
        names = (self._organization.username, f"{domain.partition('.')[0]}\\{name}")
        is_right = form.get("username", "").lower() in names and _same(
            form.get("password", ""), self._organization.password
        )
        if not is_right or self._settings.account_state != "enabled":
            raise AdfsError(9659, "invalid_grant", "Invalid 'username' or 'password'.")
        return self._organization.delegated_user_id

    def _refreshed_user(self, form: dict[str, str]) -> str:
        user_id = self.tokens.user_of_refresh_token(form.get("refresh_token", ""))
        if user_id is None:
            text = "The refresh token received in 'refresh_token' parameter is invalid."
            raise AdfsError(9615, "invalid_grant", text)
        return user_id

    def _resource(self, form: dict[str, str], base_url: str) -> str:
        """The relying party: one whose identifier the wanted address begins with."""
        in_scopes = _resources_of(form.get("scope", "").split()) if self._settings.adfs == "2019" else []
        wanted = form.get("resource") or next(iter(in_scopes), _USER_INFO)
        if wanted != _USER_INFO and not wanted.lower().startswith(f"{base_url}/".lower()):
            text = (
                "The received 'resource' parameter is invalid. The authorization server can not find a registered "
                "resource with the specified identifier."
            )
            raise AdfsError(9602, "invalid_resource", text)
        return wanted

    def _answer(self, form: dict[str, str], user_id: str, resource: str, base_url: str) -> dict[str, object]:
        lifetime, now = self._settings.token_lifetime_s, int(self._clock.timestamp())
        times = {"iat": now, "nbf": now, "exp": now + lifetime}
        who = {"upn": self._organization.username, "appid": form["client_id"]}
        claims = {"iss": f"{base_url}/adfs/services/trust", "aud": resource, **who, **times}
        is_for_others = resource == _USER_INFO
        answer: dict[str, object] = {
            "access_token": self.tokens.signed(claims) if is_for_others else self.tokens.grant(claims, user_id),
            "token_type": "bearer",
            "expires_in": lifetime,
            "resource": resource,
            "refresh_token": self.tokens.refresh_token(user_id),
            "refresh_token_expires_in": _REFRESH_LIFETIME_S,
        }
        if "openid" in form.get("scope", "").split():
            own = {"iss": self.authority(base_url), "aud": form["client_id"], "sub": self._organization.username}
            answer |= {"scope": "openid", "id_token": self.tokens.signed({**own, **who, **times})}
        return answer


def _plain(path: str) -> str:
    """As AD FS compares it: without case, with or without a slash at its end."""
    return path.lower().rstrip("/")


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode(), right.encode())


def _resources_of(scopes: Iterable[str]) -> list[str]:
    return [scope.rpartition("/")[0] for scope in scopes if "://" in scope]


def _configuration(base: str) -> dict[str, object]:
    """As AD FS prints it, with slashes behind the two endpoints."""
    return {
        "issuer": f"{base}/adfs",
        "authorization_endpoint": f"{base}/adfs/oauth2/authorize/",
        "token_endpoint": f"{base}/adfs/oauth2/token/",
        "jwks_uri": f"{base}{_KEYS}",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic", "private_key_jwt"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token", "code token"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials", "implicit", "password"],
        "subject_types_supported": ["pairwise"],
        "scopes_supported": list(_SCOPES),
        "id_token_signing_alg_values_supported": ["RS256"],
        "access_token_issuer": f"{base}/adfs/services/trust",
        "claims_supported": ["aud", "iss", "iat", "exp", "auth_time", "nonce", "sub", "upn", "unique_name", "sid"],
        "userinfo_endpoint": f"{base}/adfs/userinfo",
        "end_session_endpoint": f"{base}/adfs/oauth2/logout",
    }
