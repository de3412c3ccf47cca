"""Sign-in to Microsoft Entra by Microsoft's own library, turned into one access token that is always fresh.

msal is synchronous and keeps its own time, so it runs in a thread and only ever fetches: when a token is due is decided
here, on the Clock. All connectors of a process that sign in as the same identity for the same environment share one
token and wait for one fetch. A token is replaced well before it ends; while the sign-in service is down, the old one
serves to its end.
"""

import asyncio
import http.client
import ssl
import threading
import urllib.error
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from weakref import WeakValueDictionary

import msal  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate

from tandem.connectors.dynamics.pace import parse_number
from tandem.connectors.dynamics.transport import Transport
from tandem.core.errors import AccessError, ConfigError, RemoteError, TransientError
from tandem.core.record import Side
from tandem.ports import Clock

AuthMode = Literal["client_credentials", "password"]

PUBLIC_AUTHORITY: Final = "https://login.microsoftonline.com"
# A token is replaced this long before it ends, so that a slow call does not outlive it; a tenth of a short life.
_EARLY_S: Final = 300.0
_TRY_AGAIN_S: Final = 30.0
_LIFETIME_MAX_S: Final = 86_400.0 * 2
_OPERATION: Final = "sign-in"

# msal trusts the shape of what it reads.
_UNREADABLE: Final = (ValueError, TypeError, LookupError, AttributeError, RuntimeError, msal.exceptions.MsalError)

_REMEDIES: Final = {
    50034: "The user of crm.username is not in this tenant. Check crm.username and crm.tenant_id",
    50053: "The account of crm.username is locked after too many attempts. Wait, or have an admin unlock it",
    50055: "The password of crm.username has expired. Set a new one in TANDEM_CRM_PASSWORD",
    50057: "The account of crm.username is disabled. Have an Entra admin enable it",
    50076: 'The account needs multi-factor sign-in, which a program cannot do. Use auth = "client_secret"',
    50079: 'The account must enrol for multi-factor sign-in, which a program cannot. Use auth = "client_secret"',
    50126: "The user name or password is wrong. Check crm.username and TANDEM_CRM_PASSWORD",
    65001: "The app has no consent in this tenant. Have an Entra admin grant it the Dynamics CRM permission",
    70011: "The scope was refused. Check crm.url",
    700016: "The app of crm.client_id is not registered in this tenant. Check crm.client_id and crm.tenant_id",
    90002: "The tenant was not found. Check crm.tenant_id (Entra > Overview > Tenant ID)",
    500011: "The environment is not known to this tenant. Check crm.url",
    7000215: "The client secret is wrong. Set TANDEM_CRM_CLIENT_SECRET to the secret's value, not to its id",
    7000218: "The app wants a client secret. Set TANDEM_CRM_CLIENT_SECRET",
    700024: "The certificate's statement came too early or too late. Set this machine's clock",
    700027: "The certificate of crm.certificate_file has expired or is not the app's. Register it for the app",
    7000222: "The client secret has expired. Create a new one in the app registration and set TANDEM_CRM_CLIENT_SECRET",
}
"""By AADSTS number; sentences without their full stop."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who signs in. Secrets are kept out of ``repr``, so that no log or crash report can show them.

    ``certificate_file``: a private key and its certificate as PEM, in the place of a client secret.
    """

    tenant_id: str
    client_id: str
    mode: AuthMode
    client_secret: str | None = None
    username: str | None = None
    password: str | None = None
    certificate_file: str | None = None

    def __repr__(self) -> str:
        return f"Credentials(client_id={self.client_id!r}, mode={self.mode!r})"

    def check(self) -> None:
        """Raises: ConfigError."""
        if self.mode not in ("client_credentials", "password"):
            raise ConfigError('crm.auth must be "client_secret", "certificate" or "password".')
        if self.mode == "client_credentials" and not (self.client_secret or self.certificate_file):
            raise ConfigError("No proof for Dynamics: set TANDEM_CRM_CLIENT_SECRET, or crm.certificate_file.")
        if self.mode == "password" and not (self.username and self.password):
            raise ConfigError('auth = "password" needs crm.username and TANDEM_CRM_PASSWORD.')
        self.proof()

    def proof(self) -> str | dict[str, str] | None:
        """What msal takes as the app's proof. The file is read each time, so that a renewed certificate is taken up."""
        if not self.certificate_file:
            return self.client_secret
        try:
            with open(self.certificate_file, "rb") as file:
                pem = file.read()
            key = load_pem_private_key(pem, password=None)
            certificate = load_pem_x509_certificate(pem)
        except (OSError, ValueError, TypeError):  # TypeError: the key is encrypted
            key = None
        if not isinstance(key, RSAPrivateKey):
            text = "must hold an RSA key without password and its certificate, both as PEM."
            raise ConfigError(f"crm.certificate_file {self.certificate_file} {text}")
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return {
            "private_key": private.decode(),
            "public_certificate": certificate.public_bytes(Encoding.PEM).decode(),
        }


@dataclass(slots=True, weakref_slot=True)
class _SharedToken:
    """The one token of an identity. It lives as long as a connector that uses it; the lock is for threads, because
    each fetch runs in one and workers may have event loops of their own."""

    value: str = ""
    renew_at: datetime | None = None
    ends_at: datetime | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def is_due(self, now: datetime) -> bool:
        return self.renew_at is None or now >= self.renew_at


_shared: Final[WeakValueDictionary[tuple[object, ...], _SharedToken]] = WeakValueDictionary()
"""By authority, credentials, scope and clock. The only state that connectors share."""

_shared_lock: Final = threading.Lock()


def _shared_token(*identity: object) -> _SharedToken:
    with _shared_lock:
        return _shared.setdefault(identity, _SharedToken())


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
        self._transport = Transport(self._authority, ca_file, on_call)
        self._clock = clock
        self._shared = _shared_token(self._authority, credentials, self._scope, clock)
        self._lock = asyncio.Lock()

    async def token(self) -> str:
        if self._shared.is_due(self._clock.now()):
            async with self._lock:  # One thread of ours is enough to wait for another connector's fetch.
                await asyncio.to_thread(self._renew)
        return self._shared.value

    def invalidate(self) -> None:
        """The side refused the last token: the next ``token()`` asks for a fresh one."""
        self._shared.renew_at = self._shared.ends_at = None

    def _renew(self) -> None:
        """Blocking."""
        shared = self._shared
        with shared.lock:
            asked_at = self._clock.now()
            if not shared.is_due(asked_at):
                return
            try:
                token, lifetime_s = self._fetch()
            except TransientError as error:
                if shared.ends_at is None or asked_at >= shared.ends_at:
                    raise
                shared.renew_at = asked_at + timedelta(seconds=error.retry_after_s or _TRY_AGAIN_S)
                shared.renew_at = min(shared.renew_at, shared.ends_at)
                return
            shared.value = token
            shared.ends_at = asked_at + timedelta(seconds=lifetime_s)
            shared.renew_at = shared.ends_at - timedelta(seconds=min(_EARLY_S, lifetime_s / 10))

    def _fetch(self) -> tuple[str, float]:
        """A token and its life in seconds. A new msal application each time: its cache would hand out the token that
        was just refused."""
        try:
            answer: Mapping[str, Any] = self._ask_entra()
        except (OSError, http.client.HTTPException) as error:
            if isinstance(getattr(error, "reason", None), ssl.SSLError):
                text = f"The certificate of {self._authority} is not trusted; name the authority's file in ca_file."
                raise AccessError(text, **_where()) from error
            raise TransientError(
                f"The sign-in service at {self._authority} cannot be reached ({_reason(error)}).", **_where()
            ) from error
        except _UNREADABLE as error:
            raise self._refusal({}) from error
        if "access_token" not in answer:
            raise self._refusal(answer)
        lifetime_s = parse_number(str(answer.get("expires_in")))
        if not lifetime_s or lifetime_s > _LIFETIME_MAX_S or not isinstance(answer["access_token"], str):
            raise self._refusal({})
        return answer["access_token"], lifetime_s

    def _ask_entra(self) -> Mapping[str, Any]:
        who = self._credentials
        # This class for a public client too: without a secret it sends the same, and does not warn on every call.
        app = msal.ConfidentialClientApplication(
            who.client_id,
            authority=f"{self._transport.https_authority}/{who.tenant_id}",
            client_credential=who.proof(),
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
            wait_s = self._transport.last_retry_after_s
            return TransientError(text, code=str(status), retry_after_s=wait_s, **_where())
        if number is None and "error" not in answer and status < 400:
            text = f"The sign-in service at {self._authority} answered no usable token."
            return TransientError(text, code="shape", **_where())
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
