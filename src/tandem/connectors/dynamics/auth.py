"""Sign-in by Microsoft's own library, turned into one access token that is always fresh.

The sign-in service is Microsoft Entra, or for a server on premises the company's own AD FS: there a user signs in by
password, and what the token is for is said by ``resource``, which every AD FS understands that takes a password; that
of Windows Server 2016 does not look for it in the scope, where msal puts it by itself.

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
from tandem.connectors.dynamics.refusals import ADFS, ENTRA
from tandem.connectors.dynamics.transport import Transport
from tandem.core.errors import AccessError, ConfigError, RemoteError, TransientError
from tandem.core.record import Side
from tandem.ports import Clock

AuthMode = Literal["client_credentials", "password", "adfs"]
"""``adfs`` is a user's password, at an AD FS."""

PUBLIC_AUTHORITY: Final = "https://login.microsoftonline.com"
# A token is replaced this long before it ends, so that a slow call does not outlive it; a tenth of a short life.
_EARLY_S: Final = 300.0
_TRY_AGAIN_S: Final = 30.0
_LIFETIME_MAX_S: Final = 86_400.0 * 2
_OPERATION: Final = "sign-in"

# msal trusts the shape of what it reads.
_UNREADABLE: Final = (ValueError, TypeError, LookupError, AttributeError, RuntimeError, msal.exceptions.MsalError)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who signs in. Secrets are kept out of ``repr``, so that no log or crash report can show them.

    ``tenant_id`` is of Entra; AD FS has none. ``certificate_file``: a private key and its certificate as PEM, in the
    place of a client secret.
    """

    tenant_id: str | None
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
        if self.mode not in ("client_credentials", "password", "adfs"):
            raise ConfigError('crm.auth must be "client_secret", "certificate" or "password".')
        if self.mode != "adfs" and not self.tenant_id:
            raise ConfigError("crm.tenant_id is missing: Microsoft Entra asks for it.")
        if self.mode == "client_credentials" and not (self.client_secret or self.certificate_file):
            raise ConfigError("No proof for Dynamics: set TANDEM_CRM_CLIENT_SECRET, or crm.certificate_file.")
        if self.mode in ("password", "adfs") and not (self.username and self.password):
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
"""By authority, credentials, resource and clock. The only state that connectors share."""

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
        self._resource = resource
        self._authority = (authority or PUBLIC_AUTHORITY).rstrip("/")
        self._transport = Transport(self._authority, ca_file, on_call)
        self._clock = clock
        self._shared = _shared_token(self._authority, credentials, resource, clock)
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
            answer: Mapping[str, Any] = self._ask()
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

    def _ask(self) -> Mapping[str, Any]:
        who = self._credentials
        is_adfs = who.mode == "adfs"
        tenant = "" if is_adfs else f"/{who.tenant_id}"
        # This class for a public client too: without a secret it sends the same, and does not warn on every call.
        app = msal.ConfidentialClientApplication(
            who.client_id,
            authority=f"{self._transport.https_authority}{tenant}",
            client_credential=who.proof(),
            validate_authority=False,
            instance_discovery=False,
            http_client=self._transport,
            exclude_scopes=["profile", "offline_access"] if is_adfs else None,
        )
        if is_adfs:
            wanted = {"resource": f"{self._resource}/"}
            return dict(app.acquire_token_by_username_password(who.username, who.password, [], data=wanted))
        scopes = [f"{self._resource}/.default"]
        if who.mode == "password":
            return dict(app.acquire_token_by_username_password(who.username, who.password, scopes))
        return dict(app.acquire_token_for_client(scopes))

    def _refusal(self, answer: Mapping[str, Any]) -> RemoteError:
        """What the service's answer (or the last HTTP status, where msal swallowed the answer) means."""
        known = ADFS if self._credentials.mode == "adfs" else ENTRA
        status, number = self._transport.last_status, known.number(answer, self._transport.last_error_codes)
        is_known = number in known.remedies
        if not is_known and (status == 429 or status >= 500):
            text = f"The sign-in service at {self._authority} answered {status}."
            wait_s = self._transport.last_retry_after_s
            return TransientError(text, code=str(status), retry_after_s=wait_s, **_where())
        if not is_known and "error" not in answer and status < 400:
            text = f"The sign-in service at {self._authority} answered no usable token."
            return TransientError(text, code="shape", **_where())
        code = f"{known.prefix}{number or ''}"
        if not is_known and "error" not in answer:
            code, remedy = known.nobody  # msal found no sign-in service there.
        else:
            remedy = known.remedies.get(number or 0, f"Sign-in was refused ({answer.get('error')}, {code})")
        return AccessError(f"Dynamics sign-in: {remedy}.", code=code, **_where())


def _where() -> Any:
    return {"side": Side.CRM, "operation": _OPERATION}


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    return type(cause).__name__ if not isinstance(cause, OSError) else (cause.strerror or type(cause).__name__)
