"""Sign-in: the token endpoints of both versions, and the discovery documents that sign-in libraries read first.

Tokens are opaque to clients; this service remembers each with its user and its end. Refusals carry the AADSTS
numbers, which are the stable part of them.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import uuid5

import msgspec

from tandem_emulators.dataverse.organization import NAMESPACE, Organization
from tandem_emulators.dataverse.settings import Settings
from tandem_emulators.kit.clock import Clock
from tandem_emulators.kit.http import Reply, Request, json_reply

_TENANT = r"/(?P<tenant>[^/]+)"
_TOKEN_V1 = re.compile(_TENANT + r"/oauth2/token")
_TOKEN_V2 = re.compile(_TENANT + r"/oauth2/v2\.0/token")
_DISCOVERY = re.compile(_TENANT + r"(?P<version>/v2\.0)?/\.well-known/openid-configuration")
_KEYS = re.compile(_TENANT + r"/discovery/(v2\.0/)?keys")
_REALM = re.compile(r"/common/userrealm/(?P<user>[^/]+)")
_OIDC_SCOPES = frozenset({"openid", "profile", "offline_access", "email"})


@dataclass(frozen=True, slots=True)
class Grant:
    user_id: str
    expires_at: float


class SignInError(Exception):
    def __init__(self, number: int, error: str, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.number, self.error, self.text, self.status = number, error, text, status


class Entra:
    def __init__(self, organization: Organization, clock: Clock, settings: Settings) -> None:
        self._organization = organization
        self._clock = clock
        self._settings = settings
        self._grants: dict[str, Grant] = {}
        self._refresh_tokens: dict[str, str] = {}
        self._issued = 0

    # The Web API asks here whose token it got.

    def grant_of(self, authorization: str) -> Grant | None:
        scheme, _, token = authorization.partition(" ")
        grant = self._grants.get(token.strip()) if scheme.lower() == "bearer" else None
        return grant if grant is not None and grant.expires_at > self._clock.timestamp() else None

    def revoke_all(self) -> None:
        self._grants.clear()

    # Requests.

    @staticmethod
    def operation(path: str) -> str | None:
        """`token` or `identity` for the paths served here, else None."""
        if _TOKEN_V1.fullmatch(path) or _TOKEN_V2.fullmatch(path):
            return "token"
        served = (_DISCOVERY, _KEYS, _REALM)
        if path == "/common/discovery/instance" or any(pattern.fullmatch(path) for pattern in served):
            return "identity"
        return None

    def handle(self, request: Request) -> Reply:
        try:
            for pattern, is_v2 in ((_TOKEN_V1, False), (_TOKEN_V2, True)):
                if match := pattern.fullmatch(request.path):
                    self._require_tenant(match["tenant"])
                    return json_reply(self._token(request, match["tenant"], is_v2), headers=_NO_STORE)
            return json_reply(self._document(request))
        except SignInError as error:
            return self._refusal(error)

    def _document(self, request: Request) -> dict[str, object]:
        host = urlsplit(request.base_url).netloc
        if request.path == "/common/discovery/instance":
            alias = {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
            discovery = f"{request.base_url}/{self._organization.tenant_id}/v2.0/.well-known/openid-configuration"
            return {"tenant_discovery_endpoint": discovery, "api-version": "1.1", "metadata": [alias]}
        if match := _REALM.fullmatch(request.path):
            return {"ver": "1.0", "account_type": "Managed", "domain_name": match["user"].partition("@")[2]}
        if match := _KEYS.fullmatch(request.path):
            return {"keys": []}
        match = _DISCOVERY.fullmatch(request.path)
        tenant = match["tenant"] if match else "common"
        self._require_tenant(tenant, also=("common", "organizations"))
        return self._discovery(request.base_url, tenant, "/v2.0" if match and match["version"] else "")

    def _discovery(self, base: str, tenant: str, version: str) -> dict[str, object]:
        return {
            "token_endpoint": f"{base}/{tenant}/oauth2{version}/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "jwks_uri": f"{base}/{tenant}/discovery{version}/keys",
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": f"{base}/{self._organization.tenant_id}{version}",
            "authorization_endpoint": f"{base}/{tenant}/oauth2{version}/authorize",
            "device_authorization_endpoint": f"{base}/{tenant}/oauth2{version}/devicecode",
            "claims_supported": ["sub", "iss", "aud", "exp", "iat", "oid", "tid", "upn"],
            "tenant_region_scope": "NA",
        }

    def _require_tenant(self, tenant: str, also: tuple[str, ...] = ("organizations", "common")) -> None:
        known = (self._organization.tenant_id, self._organization.tenant_domain, *also)
        if tenant.lower() not in known:
            text = (
                f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into "
                "the correct cloud. Check with your subscription administrator, this may happen if there are no "
                "active subscriptions for the tenant."
            )
            raise SignInError(90002, "invalid_request", text)

    def _token(self, request: Request, tenant: str, is_v2: bool) -> dict[str, object]:
        form = request.form()
        grant_type = _required(form, "grant_type")
        _required(form, "client_id")
        self._require_client(form["client_id"])
        if grant_type == "client_credentials":
            if tenant in ("common", "organizations"):
                text = f"The tenant '{tenant}' cannot be used with client credentials; use a tenant of its own."
                raise SignInError(90002, "invalid_request", text)
            self._require_secret(form)
            user_id = self._organization.application_user_id
        elif grant_type == "password":
            user_id = self._password_user(form, tenant)
        elif grant_type == "refresh_token":
            user_id = self._refreshed_user(form)
        else:
            text = f"The app requested an unsupported grant type '{grant_type}'."
            raise SignInError(70003, "unsupported_grant_type", text)
        resource = self._resource(form, request, is_v2, app_only=grant_type == "client_credentials")
        return self._response(form, user_id, resource, is_v2, delegated=grant_type != "client_credentials")

    def _require_client(self, client_id: str) -> None:
        if client_id.lower() != self._organization.client_id:
            text = (
                f"Application with identifier '{client_id}' was not found in the directory 'Contoso'. This can happen "
                "if the application has not been installed by the administrator of the tenant or consented to by any "
                "user in the tenant. You may have sent your authentication request to the wrong tenant."
            )
            raise SignInError(700016, "unauthorized_client", text)

    def _require_secret(self, form: dict[str, str]) -> None:
        secret = form.get("client_secret")
        if not secret:
            text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
            raise SignInError(7000218, "invalid_client", text, 401)
        if not hmac.compare_digest(secret.encode(), self._organization.client_secret.encode()):
            text = (
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret "
                f"value, not the client secret ID, for a secret added to app '{self._organization.client_id}'."
            )
            raise SignInError(7000215, "invalid_client", text, 401)

    def _password_user(self, form: dict[str, str], tenant: str) -> str:
        if form.get("client_secret"):
            self._require_secret(form)
        username, password = form.get("username", ""), form.get("password", "")
        if tenant == "common":
            raise SignInError(9001023, "invalid_request", "The grant type is not supported over the /common endpoint.")
        if username.lower() != self._organization.username:
            text = f"The user account {username} does not exist in the {self._organization.tenant_id} directory."
            raise SignInError(50034, "invalid_grant", text)
        if not hmac.compare_digest(password.encode(), self._organization.password.encode()):
            text = "Error validating credentials due to invalid username or password."
            raise SignInError(50126, "invalid_grant", text)
        return self._organization.delegated_user_id

    def _refreshed_user(self, form: dict[str, str]) -> str:
        user_id = self._refresh_tokens.get(form.get("refresh_token", ""))
        if user_id is None:
            text = "The provided value for the input parameter 'refresh_token' is not valid."
            raise SignInError(70000, "invalid_grant", text)
        return user_id

    def _resource(self, form: dict[str, str], request: Request, is_v2: bool, *, app_only: bool) -> str:
        """The organisation's URL, named as resource (v1) or inside a scope (v2); any other is refused."""
        if is_v2:
            resource = self._resource_of_scope(form.get("scope", ""), app_only=app_only)
        else:
            resource = _required(form, "resource")
        if urlsplit(resource.rstrip("/")).netloc != urlsplit(request.base_url).netloc:
            text = (
                f"The resource principal named {resource} was not found in the tenant named Contoso. This can happen "
                "if the application has not been installed by the administrator of the tenant or consented to by any "
                "user in the tenant. You might have sent your authentication request to the wrong tenant."
            )
            raise SignInError(500011, "invalid_resource", text)
        return resource

    def _resource_of_scope(self, scope: str, *, app_only: bool) -> str:
        scopes = [one for one in scope.split() if one not in _OIDC_SCOPES]
        kinds = (".default",) if app_only else (".default", "user_impersonation")
        if len(scopes) != 1 or scopes[0].rpartition("/")[2] not in kinds or "/" not in scopes[0]:
            text = f"The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid."
            raise SignInError(70011, "invalid_scope", text)
        return scopes[0].rpartition("/")[0]

    def _response(
        self, form: dict[str, str], user_id: str, resource: str, is_v2: bool, *, delegated: bool
    ) -> dict[str, object]:
        lifetime = self._settings.token_lifetime_s
        now = int(self._clock.timestamp())
        claims = {
            "aud": resource,
            "tid": self._organization.tenant_id,
            "oid": user_id,
            "iat": now,
            "exp": now + lifetime,
        }
        claims["azp" if is_v2 else "appid"] = form["client_id"]
        token = self._signed(claims)
        self._grants[token] = Grant(user_id, now + lifetime)
        answer: dict[str, object] = {"token_type": "Bearer"}
        if is_v2:
            answer |= {"expires_in": lifetime, "ext_expires_in": lifetime}
        else:
            numbers = {
                "expires_in": lifetime,
                "ext_expires_in": lifetime,
                "expires_on": now + lifetime,
                "not_before": now,
            }
            answer |= {name: str(number) for name, number in numbers.items()} | {"resource": resource}
        answer["access_token"] = token
        if delegated:
            answer |= self._delegated_extras(form, user_id, resource, is_v2, now + lifetime)
        return answer

    def _delegated_extras(
        self, form: dict[str, str], user_id: str, resource: str, is_v2: bool, expires_at: int
    ) -> dict[str, object]:
        asked = form.get("scope", "").split()
        scope = " ".join(s for s in asked if s not in _OIDC_SCOPES) if is_v2 else "user_impersonation"
        extras: dict[str, object] = {"scope": scope}
        if not is_v2 or "offline_access" in asked:
            refresh = hashlib.sha256(f"{user_id}/{self._issued}/refresh".encode()).hexdigest()
            self._refresh_tokens[refresh] = user_id
            extras["refresh_token"] = refresh
        if "openid" in asked:
            tenant = self._organization.tenant_id
            claims = {"aud": form["client_id"], "iss": f"{tenant}/v2.0", "tid": tenant, "oid": user_id, "sub": user_id}
            times = {"exp": expires_at, "iat": expires_at - self._settings.token_lifetime_s}
            extras["id_token"] = self._signed({**claims, **times, "preferred_username": self._organization.username})
        if form.get("client_info"):
            info = msgspec.json.encode({"uid": user_id, "utid": self._organization.tenant_id})
            extras["client_info"] = urlsafe_b64encode(info).rstrip(b"=").decode()
        return extras

    def _signed(self, claims: dict[str, object]) -> str:
        """A token in the usual three parts. The number in it makes each one different."""
        self._issued += 1
        parts = [{"typ": "JWT", "alg": "HS256"}, {**claims, "jti": self._issued}]
        body = ".".join(urlsafe_b64encode(msgspec.json.encode(p)).rstrip(b"=").decode() for p in parts)
        key = self._organization.client_secret.encode()
        signature = urlsafe_b64encode(hmac.new(key, body.encode(), hashlib.sha256).digest()).rstrip(b"=").decode()
        return f"{body}.{signature}"

    def _refusal(self, error: SignInError) -> Reply:
        self._issued += 1
        moment = f"{self._clock.now():%Y-%m-%d %H:%M:%S}Z"
        trace, correlation = (str(uuid5(NAMESPACE, f"{kind}/{self._issued}")) for kind in ("trace", "correlation"))
        description = (
            f"AADSTS{error.number}: {error.text}\r\nTrace ID: {trace}\r\nCorrelation ID: {correlation}\r\n"
            f"Timestamp: {moment}"
        )
        body = {
            "error": error.error,
            "error_description": description,
            "error_codes": [error.number],
            "timestamp": moment,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={error.number}",
        }
        return json_reply(body, error.status, _NO_STORE)


def _required(form: dict[str, str], name: str) -> str:
    value = form.get(name)
    if not value:
        text = f"The request body must contain the following parameter: '{name}'."
        raise SignInError(900144, "invalid_request", text)
    return value


_NO_STORE = {"cache-control": "no-store, no-cache", "pragma": "no-cache"}
