"""Sign-in: the token endpoints of both versions.

Who signs in with what proof is decided here. What is handed out is the business of `tokens.py`, refusals with their
AADSTS numbers of `sign_in_errors.py`, certificates of `client_assertion.py`, and the documents that libraries read
first of `discovery.py`.
"""

import hmac
import re
from base64 import b64decode
from collections import deque
from math import ceil
from urllib.parse import unquote, urlsplit
from uuid import uuid5

from tandem_emulators.dataverse import discovery
from tandem_emulators.dataverse import sign_in_errors as errors
from tandem_emulators.dataverse.client_assertion import ASSERTION_TYPE, ApplicationCertificate, check_assertion
from tandem_emulators.dataverse.organization import NAMESPACE, Organization
from tandem_emulators.dataverse.settings import Settings
from tandem_emulators.dataverse.sign_in_errors import SignInError, TooManySignInsError
from tandem_emulators.dataverse.tokens import OIDC_SCOPES, Tokens
from tandem_emulators.kit.clock import Clock
from tandem_emulators.kit.http import Reply, Request, json_reply

_TOKEN = re.compile(r"/(?P<tenant>[^/]+)/oauth2(?P<version>/v2\.0)?/token")
_SHARED_TENANTS = ("organizations", "common")
_NO_STORE = {"cache-control": "no-store, no-cache", "pragma": "no-cache"}
# Microsoft's smart lock-out: ten wrong passwords lock the account for a minute.
_WRONG_PASSWORDS_MAX = 10
_LOCKED_S = 60
_SIGN_IN_WINDOW_S = 60


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
        self.tokens = Tokens(organization, clock, settings)
        self._sign_ins: deque[float] = deque()
        self._wrong_passwords: deque[float] = deque()
        self._traced = 0

    # Requests.

    @staticmethod
    def operation(path: str) -> str | None:
        """`token` or `identity` for the paths served here, else None."""
        if _TOKEN.fullmatch(path):
            return "token"
        return "identity" if discovery.is_document(path) else None

    def authority(self, base_url: str) -> str:
        return base_url

    def challenge(self, base_url: str) -> str:
        uri = f"{base_url}/{self._organization.tenant_id}/oauth2/authorize"
        return f"Bearer authorization_uri={uri}, resource_id={base_url}/"

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
        return self.tokens.answer(form, user_id, resource, is_v2=is_v2, delegated=delegated)

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
        user_id = self.tokens.user_of_refresh_token(form.get("refresh_token", ""))
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
        self._traced += 1
        return str(uuid5(NAMESPACE, f"{kind}/{self._traced}"))


def _resource_of_scope(scope: str, *, app_only: bool) -> str:
    scopes = [one for one in scope.split() if one not in OIDC_SCOPES]
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
