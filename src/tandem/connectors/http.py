"""HTTP for both connectors: auth, pacing against a budget, retry, counting, and what a lost answer means.

``HttpClient.request`` is one logical call: it waits for its turn (``Pacer``), adds the token, sends, and hands the
response to the connector's own ``classify``. What surely was not done is tried again a few times; a write that was
sent and not answered is never tried again here, because nobody knows whether it happened.

Messages name the side and the operation, never a URL or a body: both may hold a person's data.
"""

import functools
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote, urlencode

import aiohttp
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)
from yarl import URL

from tandem.connectors.pacing import RETRY_AFTER_MAX_S, BudgetSpentError, Pacer, PausedError, parse_retry_after
from tandem.core.errors import AccessError, ConfigError, RemoteError, TransientError, UnknownOutcomeError
from tandem.core.record import Side
from tandem.ports import Clock

CONNECT_TIMEOUT_S = 15.0


class TokenRefusedError(AccessError):
    """The side did not take the token: a fresh one is tried once, then this is an AccessError like any other."""


class TokenSource(Protocol):
    async def token(self) -> str: ...

    def invalidate(self) -> None:
        """The side refused the last token: the next ``token()`` asks for a fresh one."""


@dataclass(frozen=True, slots=True)
class Call:
    """What is being asked of whom, as far as an error may tell."""

    side: Side
    operation: str
    is_write: bool


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, its body read to the end; header names compare without case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def retry_after_s(self) -> float | None:
        return parse_retry_after(self.headers.get("Retry-After", ""))


Classify = Callable[[Call, Response], RemoteError | None]


def classify_status(call: Call, response: Response) -> RemoteError | None:
    """What the status alone says. A gateway's error on a write leaves the outcome open."""
    about = f"{call.side} answered {call.operation} with HTTP {response.status}"
    code = str(response.status)
    after_s = response.retry_after_s
    match response.status:
        case 401:
            return TokenRefusedError(f"{about}.", side=call.side, operation=call.operation, code=code)
        case 429:
            return TransientError(
                f"{about}.", side=call.side, operation=call.operation, code=code, retry_after_s=after_s
            )
        case 503 if after_s is not None:
            return TransientError(
                f"{about}.", side=call.side, operation=call.operation, code=code, retry_after_s=after_s
            )
        case 502 | 503 | 504 if call.is_write:
            return UnknownOutcomeError(f"{about}.", side=call.side, operation=call.operation, code=code)
        case 502 | 503 | 504:
            return TransientError(f"{about}.", side=call.side, operation=call.operation, code=code)
    return None


# --- the client --------------------------------------------------------------------------------------------------


class HttpClient:
    """One side's HTTP. Without `tokens` no Authorization header is sent (a sign-in endpoint).

    `watch` sees every answer, whatever it says: headers may tell how much the side can take.
    """

    def __init__(
        self,
        side: Side,
        base_url: str,
        tokens: TokenSource | None,
        pacer: Pacer,
        clock: Clock,
        *,
        ca_file: str | None = None,
        classify: Classify = classify_status,
        watch: Callable[[Response], None] | None = None,
        attempts_max: int = 5,
    ) -> None:
        self.calls = 0
        self._side = side
        self._base_url = base_url.rstrip("/")
        self._tokens = tokens
        self._pacer = pacer
        self._clock = clock
        self._classify = classify
        self._watch = watch
        self._attempts_max = attempts_max
        self._ca_file = ca_file
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def request(
        self,
        operation: str,
        method: str,
        path_or_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        is_write: bool = False,
        timeout_s: float = 30.0,
        attempts_max: int | None = None,
    ) -> Response:
        """The answer to one call, tried again while it surely was not done (`attempts_max` times at most).

        `path_or_url` is sent as it is (encode it); an absolute one must lead to this side's own host.

        Raises:
            RemoteError: what `classify` made of the answer, or of having none: TransientError when surely nothing was
                done, UnknownOutcomeError when a write was sent and not answered.
        """
        call = Call(self._side, operation, is_write)
        url = self._url(call, path_or_url, params)

        async def attempt() -> Response:
            return await self._attempt(call, method, url, headers or {}, body, timeout_s)

        retrying = AsyncRetrying(
            sleep=self._clock.sleep,
            retry=retry_if_exception(_is_worth_waiting),
            wait=_wait_s,
            stop=stop_after_attempt(attempts_max or self._attempts_max),
            reraise=True,
        )
        return await retrying(attempt)

    async def _attempt(
        self, call: Call, method: str, url: URL, headers: Mapping[str, str], body: bytes | None, timeout_s: float
    ) -> Response:
        try:
            return await self._send_and_judge(call, method, url, headers, body, timeout_s)
        except TokenRefusedError:
            if self._tokens is None:
                raise
            return await self._send_and_judge(call, method, url, headers, body, timeout_s)

    async def _send_and_judge(
        self, call: Call, method: str, url: URL, headers: Mapping[str, str], body: bytes | None, timeout_s: float
    ) -> Response:
        token: str | None = None
        try:
            async with self._pacer.turn():
                if self._tokens is not None:  # Now, and not before the wait: a token may not outlive it.
                    token = await self._tokens.token()
                    headers = {**headers, "Authorization": f"Bearer {token}"}
                response = await self._send(call, method, url, headers, body, timeout_s)
        except BudgetSpentError as error:
            raise _not_now(call, "budget", "the calls for today are used up", error.retry_after_s) from None
        except PausedError as error:
            raise _not_now(call, "paused", "the side asked to wait", error.retry_after_s) from None
        if self._watch is not None:
            self._watch(response)
        error_of_side = self._classify(call, response)
        if error_of_side is None:
            return response
        if isinstance(error_of_side, TransientError):
            self._pacer.pause(error_of_side.retry_after_s or 0.0)
        if isinstance(error_of_side, TokenRefusedError):
            await self._replace(token)
        raise error_of_side

    async def _replace(self, refused: str | None) -> None:
        """Of several calls that meet the same refusal the first one replaces the token for all."""
        if self._tokens is not None and await self._tokens.token() == refused:
            self._tokens.invalidate()

    async def _send(
        self, call: Call, method: str, url: URL, headers: Mapping[str, str], body: bytes | None, timeout_s: float
    ) -> Response:
        # `from None`: the client's own error may show the URL, and a filter in it a person's e-mail.
        timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(CONNECT_TIMEOUT_S, timeout_s))
        self.calls += 1
        try:
            async with self._pool().request(
                method, url, headers=headers, data=body, timeout=timeout, allow_redirects=False
            ) as answer:
                return Response(answer.status, answer.headers, await answer.read())
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
            raise ConfigError(f"The url of the {call.side} side is not an address that starts with https://.") from None
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
            raise _untrusted(call, error) from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise _unreachable(call, error) from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _unanswered(call, error) from None

    def _pool(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(ssl=_trust(self._ca_file), limit=0)
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
            # The client repeats GET, PUT and DELETE by itself on a dead pooled connection: a call that nobody
            # counted, and a write that may be done twice. A test fails when this name no longer stops it.
            self._session._retry_connection = False
        return self._session

    def _url(self, call: Call, path_or_url: str, params: Mapping[str, str] | None) -> URL:
        if "://" in path_or_url:
            url = URL(path_or_url, encoded=True)
            if url.origin() != URL(self._base_url).origin():
                raise AccessError(
                    f"{call.side} answered {call.operation} with a link to another host; the token is not sent there.",
                    side=call.side,
                    operation=call.operation,
                )
        else:
            url = URL(f"{self._base_url}/{path_or_url.lstrip('/')}", encoded=True)
        if not params:
            return url
        joint = "&" if url.raw_query_string else "?"
        return URL(f"{url}{joint}{urlencode(params, quote_via=quote)}", encoded=True)


@functools.cache
def _system_trust() -> ssl.SSLContext:
    """Read once for all of a process: it takes as long as several calls."""
    return ssl.create_default_context()


def _trust(ca_file: str | None) -> ssl.SSLContext:
    if ca_file is None:
        return _system_trust()
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError:  # ssl.SSLError is one
        raise ConfigError(f"ca_file {ca_file} cannot be read as PEM certificates.") from None


def _not_now(call: Call, code: str, reason: str, retry_after_s: float) -> RemoteError:
    return TransientError(
        f"{call.operation} on {call.side} was not sent: {reason}.",
        side=call.side,
        operation=call.operation,
        code=code,
        retry_after_s=retry_after_s,
    )


def _untrusted(call: Call, error: Exception) -> RemoteError:
    return AccessError(
        f"The certificate of {call.side} is not trusted; name the authority's file in ca_file.",
        side=call.side,
        operation=call.operation,
        code=type(error).__name__,
    )


def _unreachable(call: Call, error: Exception) -> RemoteError:
    return TransientError(
        f"{call.side} cannot be reached for {call.operation} ({type(error).__name__}); check its url and the network.",
        side=call.side,
        operation=call.operation,
        code=type(error).__name__,
    )


def _unanswered(call: Call, error: Exception) -> RemoteError:
    message = f"{call.side} gave no answer to {call.operation} ({type(error).__name__})."
    if call.is_write:
        return UnknownOutcomeError(message, side=call.side, operation=call.operation, code=type(error).__name__)
    return TransientError(message, side=call.side, operation=call.operation, code=type(error).__name__)


# --- retry -------------------------------------------------------------------------------------------------------

_backoff = wait_exponential(multiplier=0.5, max=30.0) + wait_random(0.0, 0.5)


def _wait_s(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    if isinstance(error, TransientError) and error.retry_after_s is not None:
        return error.retry_after_s
    return _backoff(state)


def _is_worth_waiting(error: BaseException) -> bool:
    """A wait that the side asked for is kept here while it is short."""
    return isinstance(error, TransientError) and (error.retry_after_s or 0.0) <= RETRY_AFTER_MAX_S
