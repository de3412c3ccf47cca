"""Sign-in: the token endpoints of both versions.

Tokens are opaque to clients; this service remembers each with its user and its end. Refusals carry the AADSTS
numbers, which are the stable part of them (`sign_in_errors.py`); certificates are the business of
`client_assertion.py`, and the documents that libraries read first of `discovery.py`.
"""

import hashlib
import hmac
import re
from base64 import b64decode, urlsafe_b64encode
from collections import deque
from dataclasses import dataclass
from math import ceil
from urllib.parse import unquote, urlsplit
from uuid import uuid5

import msgspec

from tandem_emulators.dataverse import discovery
from tandem_emulators.dataverse import sign_in_errors as errors
from tandem_emulators.dataverse.client_assertion import ASSERTION_TYPE, ApplicationCertificate, check_assertion
from tandem_emulators.dataverse.organization import NAMESPACE, Organization
from tandem_emulators.dataverse.settings import Settings
from tandem_emulators.dataverse.sign_in_errors import SignInError, TooManySignInsError
from tandem_emulators.kit.clock import Clock
from tandem_emulators.kit.http import Reply, Request, json_reply

_TOKEN = re.compile(r"/(?P<tenant>[^/]+)/oauth2(?P<version>/v2\.0)?/token")
_OIDC_SCOPES = frozenset({"openid", "profile", "offline_access", "email"})
_SHARED_TENANTS = ("organizations", "common")
_NO_STORE = {"cache-control": "no-store, no-cache", "pragma": "no-cache"}
# Microsoft's smart lock-out: ten wrong passwords lock the account for a minute.
_WRONG_PASSWORDS_MAX = 10
_LOCKED_S = 60
_SIGN_IN_WINDOW_S = 60


@dataclass(frozen=True, slots=True)
class Grant:
    user_id: str
    expires_at: float


class Entra:
    def __init__(
        self,
        organization: Organization,
        clock: Clock,
        settings: Settings,
        certificate: ApplicationCertificate | None = None,
    ) -> None:
        self._organization = organization
        self._clock = clock
        self._settings = settings
        self._certificate = certificate
        self._grants: dict[str, Grant] = {}
        self._refresh_tokens: dict[str, str] = {}
        self._sign_ins: deque[float] = deque()
        self._wrong_passwords: deque[float] = deque()
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
        if _TOKEN.fullmatch(path):
            return "token"
        return "identity" if discovery.is_document(path) else None

    def handle(self, request: Request) -> Reply:
        try:
            if match := _TOKEN.fullmatch(request.path):
                self._require_tenant(match["tenant"])
                answer = self._token(request, match["tenant"], is_v2=match["version"] is not None)
                reply = json_reply(answer, headers=dict(_NO_STORE))
            else:
                tenant = discovery.tenant_of(request.path)
                if tenant is not None:
                    self._require_tenant(tenant)
                reply = json_reply(discovery.document(request.path, request.base_url, self._organization))
        except SignInError as error:
            reply = self._refusal(error, request)
        except TooManySignInsError as error:
            reply = Reply(429, b"Too Many Requests", {"retry-after": str(error.retry_after_s)})
        reply.headers["x-ms-request-id"] = self._trace_id("request")
        return reply

    def _require_tenant(self, tenant: str) -> None:
        known = (self._organization.tenant_id, self._organization.tenant_domain, *_SHARED_TENANTS)
        if tenant.lower() not in known:
            raise errors.unknown_tenant(tenant)

    def _token(self, request: Request, tenant: str, *, is_v2: bool) -> dict[str, object]:
        if request.method != "POST":
            raise errors.only_post(request.method)
        self._count_sign_in()
        form = _with_basic_credential(request)
        grant_type = _required(form, "grant_type")
        client_id = _required(form, "client_id").lower()
        if client_id != self._organization.client_id:
            raise errors.unknown_application(client_id)
        delegated = grant_type != "client_credentials"
        if grant_type == "client_credentials":
            user_id = self._application_user(form, tenant, request.base_url)
        elif grant_type == "password":
            user_id = self._password_user(form, tenant, request.base_url)
        elif grant_type == "refresh_token":
            user_id = self._refreshed_user(form)
        else:
            raise errors.unsupported_grant(grant_type)
        resource = self._resource(form, request, is_v2, app_only=not delegated)
        if delegated and self._settings.application_state == "no_consent":
            raise errors.no_consent(client_id)
        return self._response(form, user_id, resource, is_v2, delegated=delegated)

    def _count_sign_in(self) -> None:
        """More in a minute than the setting allows meet Entra's own throttling; 0 is no limit."""
        now = self._clock.timestamp()
        while self._sign_ins and self._sign_ins[0] <= now - _SIGN_IN_WINDOW_S:
            self._sign_ins.popleft()
        if 0 < self._settings.sign_ins_per_minute <= len(self._sign_ins):
            raise TooManySignInsError(max(1, ceil(self._sign_ins[0] + _SIGN_IN_WINDOW_S - now)))
        self._sign_ins.append(now)

    # Who signs in, and what proves it.

    def _application_user(self, form: dict[str, str], tenant: str, base_url: str) -> str:
        if tenant in _SHARED_TENANTS:
            raise errors.tenant_not_allowed(tenant)
        self._require_credential(form, tenant, base_url)
        return self._organization.application_user_id

    def _require_credential(self, form: dict[str, str], tenant: str, base_url: str) -> None:
        client_id = self._organization.client_id
        if form.get("client_assertion"):
            if _required(form, "client_assertion_type") != ASSERTION_TYPE:
                raise errors.malformed_request()
            known = {tenant, self._organization.tenant_id}
            endings = ("oauth2/v2.0/token", "oauth2/token", "v2.0")
            audiences = {f"{base_url}/{one}/{end}" for one in known for end in endings}
            audiences |= {f"{base_url}/{one}" for one in known}
            check_assertion(
                form["client_assertion"],
                self._certificate,
                client_id=client_id,
                audiences=audiences,
                now_s=self._clock.timestamp(),
            )
            return
        secret = form.get("client_secret")
        if not secret:
            raise errors.credential_missing()
        if not hmac.compare_digest(secret.encode(), self._organization.client_secret.encode()):
            raise errors.wrong_secret(client_id)
        if self._settings.application_state == "secret_expired":
            raise errors.secret_expired(client_id)

    def _password_user(self, form: dict[str, str], tenant: str, base_url: str) -> str:
        if tenant == "common":
            raise errors.not_over_common()
        if "client_secret" in form or "client_assertion" in form or not self._settings.allow_public_client:
            self._require_credential(form, tenant, base_url)
        username, password = form.get("username", ""), form.get("password", "")
        if username.lower() != self._organization.username:
            raise errors.unknown_user(username, self._organization.tenant_id)
        self._check_password(password)
        refusal = errors.account_refusal(self._settings.account_state)
        if refusal is not None:
            raise refusal
        return self._organization.delegated_user_id

    def _check_password(self, password: str) -> None:
        now = self._clock.timestamp()
        while self._wrong_passwords and self._wrong_passwords[0] <= now - _LOCKED_S:
            self._wrong_passwords.popleft()
        if len(self._wrong_passwords) >= _WRONG_PASSWORDS_MAX:
            raise errors.account_locked()
        if not hmac.compare_digest(password.encode(), self._organization.password.encode()):
            self._wrong_passwords.append(now)
            raise errors.wrong_password()
        self._wrong_passwords.clear()

    def _refreshed_user(self, form: dict[str, str]) -> str:
        user_id = self._refresh_tokens.get(form.get("refresh_token", ""))
        if user_id is None:
            raise errors.bad_refresh_token()
        return user_id

    # For what, and the answer.

    def _resource(self, form: dict[str, str], request: Request, is_v2: bool, *, app_only: bool) -> str:
        """The organisation's URL, named as resource (v1) or inside a scope (v2); any other is refused."""
        if is_v2:
            resource = _resource_of_scope(form.get("scope", ""), app_only=app_only)
        else:
            resource = _required(form, "resource")
        if _host(resource) != _host(request.base_url):
            raise errors.unknown_resource(resource)
        return resource

    def _response(
        self, form: dict[str, str], user_id: str, resource: str, is_v2: bool, *, delegated: bool
    ) -> dict[str, object]:
        lifetime = self._settings.token_lifetime_s
        now = int(self._clock.timestamp())
        times = {"iat": now, "nbf": now, "exp": now + lifetime}
        object_id = self._organization.object_id_of(user_id)
        claims = {"aud": resource, "tid": self._organization.tenant_id, "oid": object_id, **times}
        claims["azp" if is_v2 else "appid"] = form["client_id"]
        if delegated:
            claims["upn"] = self._organization.username
        token = self._signed(claims)
        self._grants[token] = Grant(user_id, now + lifetime)
        numbers = {"expires_in": lifetime, "ext_expires_in": lifetime}
        answer: dict[str, object] = {"token_type": "Bearer", **numbers}
        if not is_v2:
            numbers |= {"expires_on": now + lifetime, "not_before": now}
            answer |= {name: str(number) for name, number in numbers.items()} | {"resource": resource}
        answer["access_token"] = token
        if delegated:
            answer |= self._delegated_extras(form, user_id, is_v2, times)
        return answer

    def _delegated_extras(
        self, form: dict[str, str], user_id: str, is_v2: bool, times: dict[str, int]
    ) -> dict[str, object]:
        asked = form.get("scope", "").split()
        scope = " ".join(s for s in asked if s not in _OIDC_SCOPES) if is_v2 else "user_impersonation"
        extras: dict[str, object] = {"scope": scope}
        if not is_v2 or "offline_access" in asked:
            refresh = hashlib.sha256(f"{user_id}/{self._issued}/refresh".encode()).hexdigest()
            self._refresh_tokens[refresh] = user_id
            extras["refresh_token"] = refresh
        if "openid" in asked:
            tenant, object_id = self._organization.tenant_id, self._organization.object_id_of(user_id)
            who = {"oid": object_id, "sub": object_id}
            claims = {"aud": form["client_id"], "iss": f"{tenant}/v2.0", "tid": tenant, **who}
            name = {"preferred_username": self._organization.username}
            extras["id_token"] = self._signed({**claims, **times, **name})
        if form.get("client_info"):
            object_id = self._organization.object_id_of(user_id)
            info = msgspec.json.encode({"uid": object_id, "utid": self._organization.tenant_id})
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

    def _refusal(self, error: SignInError, request: Request) -> Reply:
        moment = f"{self._clock.now():%Y-%m-%d %H:%M:%S}Z"
        trace = self._trace_id("trace")
        correlation = request.headers.get("client-request-id") or self._trace_id("correlation")
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
        return json_reply(body, error.status, dict(_NO_STORE))

    def _trace_id(self, kind: str) -> str:
        self._issued += 1
        return str(uuid5(NAMESPACE, f"{kind}/{self._issued}"))


def _resource_of_scope(scope: str, *, app_only: bool) -> str:
    scopes = [one for one in scope.split() if one not in _OIDC_SCOPES]
    kinds = (".default",) if app_only else (".default", "user_impersonation")
    if len(scopes) != 1 or scopes[0].rpartition("/")[2] not in kinds or "/" not in scopes[0]:
        raise errors.bad_scope(scope)
    return scopes[0].rpartition("/")[0]


def _host(url: str) -> str:
    try:
        return urlsplit(url.rstrip("/")).netloc.lower()
    except ValueError:
        return ""


def _with_basic_credential(request: Request) -> dict[str, str]:
    """The form, with the application's id and secret from a Basic header where they are not in the form."""
    form = request.form()
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return form
    try:
        client_id, _, secret = b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        raise errors.malformed_request() from None
    return {"client_id": unquote(client_id), "client_secret": unquote(secret), **form}


def _required(form: dict[str, str], name: str) -> str:
    value = form.get(name)
    if not value:
        raise errors.parameter_missing(name)
    return value
