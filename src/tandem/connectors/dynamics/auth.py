"""Sign-in to Microsoft Entra by Microsoft's own library, turned into one access token that is always fresh.

msal is synchronous and keeps its own time, so it runs in a thread and only ever fetches: when a token is due is decided
here, on the Clock. All callers that find the token due wait for one fetch.
"""

import asyncio
import http.client
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import Message
from typing import Any, Final, Literal

import msal  # type: ignore[import-untyped]

from tandem.core.errors import AccessError, ConfigError, RemoteError, TransientError
from tandem.core.record import Side
from tandem.ports import Clock

AuthMode = Literal["client_credentials", "password"]

PUBLIC_AUTHORITY: Final = "https://login.microsoftonline.com"
_TIMEOUT_S: Final = 30.0
# A token is replaced this long before it ends, so that a slow call does not outlive it; a tenth of a short life.
_EARLY_S: Final = 300.0
_OPERATION: Final = "sign-in"

_REMEDIES: Final = {
    50034: "The user of crm.username is not in this tenant. Check crm.username and crm.tenant_id",
    50053: "The account of crm.username is locked after too many attempts. Wait, or have an admin unlock it",
    50055: "The password of crm.username has expired. Set a new one in TANDEM_CRM_PASSWORD",
    50057: "The account of crm.username is disabled. Have an Entra admin enable it",
    50076: 'The account needs multi-factor sign-in, which a program cannot do. Use auth = "client_credentials"',
    50079: 'The account must enrol for multi-factor sign-in, which a program cannot. Use auth = "client_credentials"',
    50126: "The user name or password is wrong. Check crm.username and TANDEM_CRM_PASSWORD",
    65001: "The app has no consent in this tenant. Have an Entra admin grant it the Dynamics CRM permission",
    70011: "The scope was refused. Check crm.url",
    700016: "The app of crm.client_id is not registered in this tenant. Check crm.client_id and crm.tenant_id",
    90002: "The tenant was not found. Check crm.tenant_id (Entra > Overview > Tenant ID)",
    500011: "The environment is not known to this tenant. Check crm.url",
    7000215: "The client secret is wrong. Set TANDEM_CRM_CLIENT_SECRET to the secret's value, not to its id",
    7000218: "The app wants a client secret. Set TANDEM_CRM_CLIENT_SECRET",
    7000222: "The client secret has expired. Create a new one in the app registration and set TANDEM_CRM_CLIENT_SECRET",
}
"""By AADSTS number; sentences without their full stop."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who signs in. Secrets are kept out of ``repr``, so that no log or crash report can show them."""

    tenant_id: str
    client_id: str
    mode: AuthMode
    client_secret: str | None = None
    username: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"Credentials(client_id={self.client_id!r}, mode={self.mode!r})"

    def check(self) -> None:
        """Raises: ConfigError."""
        if self.mode not in ("client_credentials", "password"):
            raise ConfigError('crm.auth must be "client_credentials" or "password".')
        if self.mode == "client_credentials" and not self.client_secret:
            raise ConfigError("No client secret for Dynamics: set TANDEM_CRM_CLIENT_SECRET.")
        if self.mode == "password" and not (self.username and self.password):
            raise ConfigError('auth = "password" needs crm.username and TANDEM_CRM_PASSWORD.')


class TokenSource:
    """``token()`` gives a token that is good for some minutes; ``invalidate()`` after a 401 makes the next one new."""

    def __init__(
        self,
        credentials: Credentials,
        *,
        resource: str,
        authority: str | None,
        clock: Clock,
        ca_file: str | None,
        on_call: Callable[[], None],
    ) -> None:
        credentials.check()
        self._credentials = credentials
        self._scope = f"{resource}/.default"
        self._authority = (authority or PUBLIC_AUTHORITY).rstrip("/")
        self._transport = _Transport(self._authority, ca_file, on_call)
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token = ""
        self._renew_at: datetime | None = None

    async def token(self) -> str:
        async with self._lock:
            if self._renew_at is None or self._clock.now() >= self._renew_at:
                asked_at = self._clock.now()
                answer = await asyncio.to_thread(self._fetch)
                lifetime_s = float(answer["expires_in"])
                self._token = str(answer["access_token"])
                self._renew_at = asked_at + timedelta(seconds=lifetime_s - min(_EARLY_S, lifetime_s / 10))
            return self._token

    def invalidate(self) -> None:
        """The side refused the last token: the next ``token()`` asks for a fresh one."""
        self._renew_at = None

    def _fetch(self) -> Mapping[str, Any]:
        """Blocking. A new msal application each time: its cache would hand out the token that was just refused."""
        try:
            answer: Mapping[str, Any] = self._ask_entra()
        except (OSError, http.client.HTTPException) as error:
            if isinstance(getattr(error, "reason", None), ssl.SSLError):
                text = f"The certificate of {self._authority} is not trusted; name the authority's file in ca_file."
                raise AccessError(text, **_where()) from error
            raise TransientError(
                f"The sign-in service at {self._authority} cannot be reached ({_reason(error)}).", **_where()
            ) from error
        except (ValueError, msal.exceptions.MsalServiceError) as error:
            raise self._refusal({}) from error
        if "access_token" not in answer:
            raise self._refusal(answer)
        return answer

    def _ask_entra(self) -> Mapping[str, Any]:
        who = self._credentials
        # This class for a public client too: without a secret it sends the same, and does not warn on every call.
        app = msal.ConfidentialClientApplication(
            who.client_id,
            authority=f"{self._transport.https_authority}/{who.tenant_id}",
            client_credential=who.client_secret,
            validate_authority=False,
            instance_discovery=False,
            http_client=self._transport,
        )
        if who.mode == "password":
            answer = app.acquire_token_by_username_password(who.username, who.password, [self._scope])
        else:
            answer = app.acquire_token_for_client([self._scope])
        return dict(answer)

    def _refusal(self, answer: Mapping[str, Any]) -> RemoteError:
        """What Entra's answer (or the last HTTP status, where msal swallowed the answer) means."""
        status, numbers = self._transport.last_status, answer.get("error_codes") or self._transport.last_error_codes
        number = next((n for n in numbers if n in _REMEDIES), None)
        if number is None and (status == 429 or status >= 500):
            text = f"The sign-in service at {self._authority} answered {status}."
            return TransientError(text, retry_after_s=self._transport.last_retry_after_s, **_where())
        if number is None and "error" not in answer:
            number = 90002  # msal found no sign-in service under the tenant's name.
        remedy = _REMEDIES.get(number or 0, f"Sign-in was refused ({answer.get('error')}, AADSTS{_first(numbers)})")
        return AccessError(f"Dynamics sign-in: {remedy}.", code=f"AADSTS{number or _first(numbers)}", **_where())


def _where() -> Any:
    return {"side": Side.CRM, "operation": _OPERATION}


def _first(numbers: list[int]) -> str:
    return str(numbers[0]) if numbers else ""


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    return type(cause).__name__ if not isinstance(cause, OSError) else (cause.strerror or type(cause).__name__)


class _Transport:
    """The HTTP client that msal is given: counts calls, knows the CA file, and can speak plain http to an emulator.

    msal insists on https, in the authority and in every endpoint that the authority names. Where the authority is
    plain http, msal is told an https address of the same host, and both directions are translated here.
    """

    def __init__(self, authority: str, ca_file: str | None, on_call: Callable[[], None]) -> None:
        self._real = urllib.parse.urlsplit(authority)
        self._is_plain = self._real.scheme == "http"
        if self._is_plain and self._real.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise ConfigError("crm.authority must start with https:// unless it is on this machine.")
        self.https_authority = urllib.parse.urlunsplit(self._real._replace(scheme="https"))
        self._tls = None if self._is_plain else _trust(ca_file)
        self._on_call = on_call
        self.last_status = 0
        self.last_error_codes: list[int] = []
        self.last_retry_after_s: float | None = None

    def get(self, url: str, params: Any = None, headers: Any = None, **_: Any) -> "_Answer":
        query = f"?{urllib.parse.urlencode(params)}" if params else ""
        return self._send(urllib.request.Request(self._real_url(url) + query, headers=_given(headers)))

    def post(self, url: str, params: Any = None, data: Any = None, headers: Any = None, **_: Any) -> "_Answer":
        query = f"?{urllib.parse.urlencode(params)}" if params else ""
        form = urllib.parse.urlencode(_given(data)).encode()
        return self._send(urllib.request.Request(self._real_url(url) + query, data=form, headers=_given(headers)))

    def close(self) -> None:
        """Nothing stays open: each sign-in makes its two or three calls on connections of their own."""

    def _real_url(self, url: str) -> str:
        if not self._is_plain:
            return url
        asked = urllib.parse.urlsplit(url)
        return urllib.parse.urlunsplit(asked._replace(scheme="http", netloc=self._real.netloc))

    def _send(self, request: urllib.request.Request) -> "_Answer":
        self._on_call()
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S, context=self._tls) as response:
                answer = _Answer(response.status, response.read().decode(), response.headers)
        except urllib.error.HTTPError as error:
            with error:
                answer = _Answer(error.code, error.read().decode(errors="replace"), error.headers)
        if self._is_plain:
            answer.text = answer.text.replace(f"http://{self._real.netloc}", f"https://{self._real.netloc}")
        self._remember(answer)
        return answer

    def _remember(self, answer: "_Answer") -> None:
        self.last_status = answer.status_code
        wait = answer.headers.get("Retry-After", "")
        self.last_retry_after_s = float(wait) if wait.isdigit() else None
        self.last_error_codes = []
        if answer.status_code >= 400:
            try:
                self.last_error_codes = list(json.loads(answer.text).get("error_codes", []))
            except (ValueError, AttributeError):
                return


def _trust(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"ca_file {ca_file} cannot be read as PEM certificates.") from error


def _given(pairs: Any) -> dict[str, Any]:
    return {name: value for name, value in (pairs or {}).items() if value is not None}


class _Answer:
    """The shape that msal expects of a response."""

    def __init__(self, status_code: int, text: str, headers: Message) -> None:
        self.status_code = status_code
        self.text = text
        self.headers = headers

    def raise_for_status(self) -> None:
        if self.status_code >= 400:
            raise msal.exceptions.MsalServiceError(f"HTTP {self.status_code}", error=None, error_description=None)
