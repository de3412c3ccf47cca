"""The HTTP client that msal is given: counts calls, knows the CA file, and can speak plain http to an emulator.

msal is synchronous, so this is ``urllib``: two or three small calls an hour, each on a connection of its own.
"""

import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from email.message import Message
from typing import Any, Final

import msal  # type: ignore[import-untyped]

from tandem.connectors.pacing import parse_retry_after
from tandem.core.errors import ConfigError

_TIMEOUT_S: Final = 30.0


class Transport:
    """msal insists on https, in the authority and in every endpoint that the authority names. Where the authority is
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

    def get(self, url: str, params: Any = None, headers: Any = None, **_: Any) -> "Answer":
        query = f"?{urllib.parse.urlencode(params)}" if params else ""
        return self._send(urllib.request.Request(self._real_url(url) + query, headers=_given(headers)))

    def post(self, url: str, params: Any = None, data: Any = None, headers: Any = None, **_: Any) -> "Answer":
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

    def _send(self, request: urllib.request.Request) -> "Answer":
        self._on_call()
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S, context=self._tls) as response:
                answer = Answer(response.status, response.read().decode(), response.headers)
        except urllib.error.HTTPError as error:
            with error:
                answer = Answer(error.code, error.read().decode(errors="replace"), error.headers)
        if self._is_plain:
            answer.text = answer.text.replace(f"http://{self._real.netloc}", f"https://{self._real.netloc}")
        self._remember(answer)
        return answer

    def _remember(self, answer: "Answer") -> None:
        self.last_status = answer.status_code
        self.last_retry_after_s = parse_retry_after(answer.headers.get("Retry-After", ""))
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


class Answer:
    """The shape that msal expects of a response."""

    def __init__(self, status_code: int, text: str, headers: Message) -> None:
        self.status_code = status_code
        self.text = text
        self.headers = headers

    def raise_for_status(self) -> None:
        if self.status_code >= 400:
            raise msal.exceptions.MsalServiceError(f"HTTP {self.status_code}", error=None, error_description=None)
