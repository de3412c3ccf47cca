"""The HTTP client against a server of its own: what is counted, repeated, given up, and what is never sent."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from itertools import pairwise
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tandem.connectors.http import (
    Call,
    HttpClient,
    Response,
    TokenRefusedError,
    classify_status,
)
from tandem.connectors.pacing import BudgetSpentError, Pacer, Rule
from tandem.core.errors import (
    AccessError,
    ConfigError,
    RemoteError,
    TransientError,
    UnknownOutcomeError,
)
from tandem.core.record import Side
from tests.connectors.fake_clock import FakeClock

Handler = Callable[[web.Request], Awaitable[web.Response]]


class Server:
    """Answers each request with the next handler; the last one stays."""

    def __init__(self) -> None:
        self.handlers: list[Handler] = []
        self.requests: list[web.Request] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        handler = self.handlers.pop(0) if len(self.handlers) > 1 else self.handlers[0]
        return await handler(request)


@asynccontextmanager
async def serving(server: Server, context: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    host, port = runner.addresses[0][:2]
    server.url = f"{'https' if context else 'http'}://{host}:{port}"
    try:
        yield server
    finally:
        await runner.cleanup()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving(Server()) as server:
        yield server


class Tokens:
    def __init__(self) -> None:
        self.number = 1

    async def token(self) -> str:
        return f"token-{self.number}"

    def invalidate(self) -> None:
        self.number += 1


def status(code: int, **headers: str) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=code, headers={name.replace("_", "-"): text for name, text in headers.items()})

    return handler


def text(body: str) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(text=body)

    return handler


async def drop(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def too_slow(_: web.Request) -> web.Response:
    await asyncio.sleep(0.6)
    return web.Response()


def a_client(url: str, clock: FakeClock, *, tokens: Tokens | None = None, pacer: Pacer | None = None) -> HttpClient:
    return HttpClient(Side.MARKETING, url, tokens, pacer or Pacer(clock), clock)


async def test_an_answer_comes_whole_with_status_headers_and_body(server: Server) -> None:
    server.handlers = [text("good")]
    client = a_client(server.url, FakeClock(), tokens=Tokens())
    response = await client.request(
        "x", "GET", "/a/b", params={"q": "a&b c"}, headers={"X-One": "1"}, is_write=False, timeout_s=5
    )
    await client.close()
    assert (response.status, response.body) == (200, b"good")
    assert response.headers["content-type"].startswith("text/plain")
    request = server.requests[0]
    assert request.raw_path == "/a/b?q=a%26b%20c"
    assert request.headers["Authorization"] == "Bearer token-1"
    assert request.headers["X-One"] == "1"
    assert client.calls == 1


async def test_an_absolute_link_keeps_its_spelling(server: Server) -> None:
    server.handlers = [text("")]
    client = a_client(server.url, FakeClock())
    await client.request("x", "GET", server.url + "/p?$skiptoken=%3Ccookie%20a%3D%221%22%2F%3E", params={"b": "2"})
    await client.close()
    assert server.requests[0].raw_path == "/p?$skiptoken=%3Ccookie%20a%3D%221%22%2F%3E&b=2"


async def test_a_link_to_another_host_gets_no_token(server: Server) -> None:
    server.handlers = [text("")]
    client = a_client("http://127.0.0.1:9", FakeClock(), tokens=Tokens())
    with pytest.raises(AccessError):
        await client.request("x", "GET", server.url + "/p")
    await client.close()
    assert server.requests == []


async def test_what_was_surely_not_done_is_tried_again_after_the_time_the_side_asked_for(server: Server) -> None:
    server.handlers = [status(429, Retry_After="7"), status(503, Retry_After="3"), text("done")]
    clock = FakeClock()
    client = a_client(server.url, clock)
    response = await client.request("x", "POST", "/", body=b"{}", is_write=True)
    await client.close()
    assert response.body == b"done"
    assert client.calls == 3
    assert clock.slept == [7, 3]


async def test_a_side_that_stays_busy_is_given_up_after_five_calls(server: Server) -> None:
    server.handlers = [status(429, Retry_After="1")]
    client = a_client(server.url, FakeClock())
    with pytest.raises(TransientError) as caught:
        await client.request("x", "GET", "/")
    await client.close()
    assert caught.value.retry_after_s == 1
    assert client.calls == len(server.requests) == 5


async def test_a_long_wait_is_the_runtimes_business(server: Server) -> None:
    server.handlers = [status(429, Retry_After="3600")]
    clock = FakeClock()
    client = a_client(server.url, clock)
    with pytest.raises(TransientError) as caught:
        await client.request("x", "GET", "/")
    await client.close()
    assert caught.value.retry_after_s == 3600
    assert (client.calls, clock.slept) == (1, [])


@pytest.mark.parametrize("lost", [drop, too_slow])
async def test_a_write_without_an_answer_is_never_repeated(server: Server, lost: Handler) -> None:
    server.handlers = [lost]
    client = a_client(server.url, FakeClock())
    with pytest.raises(UnknownOutcomeError):
        await client.request("x", "POST", "/", body=b"{}", is_write=True, timeout_s=0.2)
    await client.close()
    assert client.calls == len(server.requests) == 1


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_a_write_lost_on_a_used_connection_is_sent_once(server: Server, method: str) -> None:
    """The library repeats idempotent methods on a pooled connection by itself; here it must not."""
    server.handlers = [text("warm"), drop]
    client = a_client(server.url, FakeClock())
    await client.request("x", "GET", "/")
    with pytest.raises(UnknownOutcomeError):
        await client.request("x", method, "/", is_write=True)
    await client.close()
    assert client.calls == len(server.requests) == 2


async def test_a_read_without_an_answer_is_repeated_and_every_call_counts(server: Server) -> None:
    server.handlers = [text("warm"), drop, drop, text("done")]
    client = a_client(server.url, FakeClock())
    await client.request("x", "GET", "/")
    assert (await client.request("x", "GET", "/")).body == b"done"
    await client.close()
    assert client.calls == len(server.requests) == 4


async def test_a_refused_connection_is_transient_even_for_a_write(unused_tcp_port: int) -> None:
    client = a_client(f"http://127.0.0.1:{unused_tcp_port}", FakeClock())
    with pytest.raises(TransientError) as caught:
        await client.request("leads.sync", "POST", "/secret-path", body=b"x", is_write=True)
    await client.close()
    assert client.calls == 5
    assert "leads.sync" in str(caught.value)
    assert "secret-path" not in str(caught.value)


async def test_a_refused_token_is_replaced_once(server: Server) -> None:
    server.handlers = [status(401), text("done")]
    client = a_client(server.url, FakeClock(), tokens=Tokens())
    assert (await client.request("x", "GET", "/")).body == b"done"
    await client.close()
    assert [request.headers["Authorization"] for request in server.requests] == ["Bearer token-1", "Bearer token-2"]


async def test_a_token_refused_twice_is_for_a_person(server: Server) -> None:
    server.handlers = [status(401)]
    client = a_client(server.url, FakeClock(), tokens=Tokens())
    with pytest.raises(AccessError):
        await client.request("x", "GET", "/")
    await client.close()
    assert client.calls == 2


async def test_redirects_are_not_followed(server: Server) -> None:
    server.handlers = [status(302, Location="http://127.0.0.1:9/elsewhere")]
    client = a_client(server.url, FakeClock(), tokens=Tokens())
    assert (await client.request("x", "GET", "/")).status == 302
    await client.close()


async def test_no_error_shows_a_url_or_a_body(server: Server) -> None:
    server.handlers = [drop]
    client = a_client(server.url, FakeClock())
    with pytest.raises(UnknownOutcomeError) as caught:
        await client.request("x", "POST", "/", params={"q": "ann@example.com"}, body=b"ann@example.com", is_write=True)
    await client.close()
    assert "ann" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("url", ["htp://127.0.0.1:9", "example.com", "https://"])
async def test_a_url_that_is_none_is_a_setting_to_correct(url: str) -> None:
    client = a_client(url, FakeClock())
    with pytest.raises(ConfigError, match="url"):
        await client.request("x", "GET", "/")
    await client.close()


async def test_a_busy_side_holds_every_call_of_ours(server: Server) -> None:
    server.handlers = [status(429, Retry_After="7"), text("done")]
    clock = FakeClock()
    pacer = Pacer(clock)
    before = clock.now()
    client = HttpClient(Side.CRM, server.url, None, pacer, clock, attempts_max=1)
    with pytest.raises(TransientError):
        await client.request("x", "GET", "/")
    await client.request("y", "GET", "/")
    await client.close()
    assert clock.now() - before == timedelta(seconds=7)


async def test_a_long_wait_is_kept_to_the_second_and_nobody_sleeps_through_it(server: Server) -> None:
    server.handlers = [status(429, Retry_After="90"), text("done")]
    clock = FakeClock()
    client = HttpClient(Side.CRM, server.url, None, Pacer(clock), clock)
    with pytest.raises(TransientError):
        await client.request("x", "GET", "/")
    clock.advance(29)
    with pytest.raises(TransientError) as caught:
        await client.request("y", "GET", "/")
    assert (caught.value.code, caught.value.retry_after_s) == ("paused", 61.0)
    assert len(server.requests) == 1
    clock.advance(1)
    await client.request("y", "GET", "/")
    await client.close()
    assert clock.slept == [60.0]


async def test_calls_that_meet_one_refusal_replace_the_token_once(server: Server) -> None:
    async def checked(request: web.Request) -> web.Response:
        return web.Response(status=200 if request.headers["Authorization"] == "Bearer token-2" else 401)

    server.handlers = [checked]
    clock, tokens = FakeClock(), Tokens()
    client = HttpClient(Side.CRM, server.url, tokens, Pacer(clock), clock)
    await asyncio.gather(*(client.request("x", "GET", "/") for _ in range(4)))
    await client.close()
    assert tokens.number == 2


async def test_a_token_does_not_grow_old_while_its_call_waits_for_a_turn(server: Server) -> None:
    clock = FakeClock()

    class HourlyTokens(Tokens):
        async def token(self) -> str:
            return f"token of {clock.now():%H}"

    async def checked(request: web.Request) -> web.Response:
        return web.Response(
            status=200 if request.headers["Authorization"] == f"Bearer token of {clock.now():%H}" else 401
        )

    server.handlers = [checked]
    client = HttpClient(Side.CRM, server.url, HourlyTokens(), Pacer(clock, rules=[Rule(1, 3600.0)]), clock)
    await asyncio.gather(*(client.request("x", "GET", "/") for _ in range(3)))
    await client.close()
    assert len(server.requests) == 3


async def test_every_answer_is_watched(server: Server) -> None:
    server.handlers = [status(503, Retry_After="0", Left="1"), status(200, Left="2")]
    clock = FakeClock()
    seen: list[str] = []
    client = HttpClient(
        Side.CRM, server.url, None, Pacer(clock), clock, watch=lambda response: seen.append(response.headers["Left"])
    )
    await client.request("x", "GET", "/")
    await client.close()
    assert seen == ["1", "2"]


async def test_an_unreadable_ca_file_is_a_setting_to_correct() -> None:
    clock = FakeClock()
    client = HttpClient(Side.CRM, "https://127.0.0.1:9", None, Pacer(clock), clock, ca_file="no-such-file.pem")
    with pytest.raises(ConfigError, match="ca_file"):
        await client.request("x", "GET", "/")


async def test_a_certificate_is_trusted_only_where_ca_file_names_its_authority(tmp_path: Path) -> None:
    certificate = write_certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server = Server()
    server.handlers = [text("good")]
    async with serving(server, context):
        clock = FakeClock()
        stranger = HttpClient(Side.CRM, server.url, None, Pacer(clock), clock)
        with pytest.raises(AccessError, match="ca_file"):
            await stranger.request("x", "POST", "/", is_write=True)
        friend = HttpClient(Side.CRM, server.url, None, Pacer(clock), clock, ca_file=str(certificate))
        assert (await friend.request("x", "GET", "/")).body == b"good"
        await stranger.close()
        await friend.close()


def write_certificate(folder: Path) -> Path:
    """A key and its own certificate for 127.0.0.1, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now, day = datetime.now(UTC), timedelta(days=1)
    address = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - day).not_valid_after(now + day)
    certificate = builder.add_extension(address, critical=False).sign(key, hashes.SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / "server.pem"
    path.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    return path


@pytest.mark.parametrize(
    ("code", "headers", "is_write", "expected"),
    [
        (200, {}, True, type(None)),
        (404, {}, True, type(None)),
        (401, {}, False, TokenRefusedError),
        (429, {}, True, TransientError),
        (503, {"Retry-After": "5"}, True, TransientError),
        (503, {}, True, UnknownOutcomeError),
        (502, {}, True, UnknownOutcomeError),
        (504, {}, True, UnknownOutcomeError),
        (502, {}, False, TransientError),
        (503, {}, False, TransientError),
    ],
)
def test_what_a_status_says(
    code: int, headers: dict[str, str], is_write: bool, expected: type[RemoteError | None]
) -> None:
    found = classify_status(Call(Side.CRM, "x", is_write), Response(code, headers, b""))
    assert type(found) is expected


# --- pacing ------------------------------------------------------------------------------------------------------


async def take(pacer: Pacer, clock: FakeClock, *, lasts_s: float = 0.0) -> datetime:
    async with pacer.turn():
        started = clock.now()
        clock.advance(lasts_s)
    return started


async def test_no_window_ever_holds_more_calls_than_its_rule() -> None:
    clock = FakeClock()
    pacer = Pacer(clock, rules=[Rule(5, 20), Rule(12, 60)], concurrent_max=2)
    began = [await take(pacer, clock, lasts_s=0.5) for _ in range(60)]
    for first, later in zip(began, began[5:], strict=False):
        assert (later - first).total_seconds() >= 20
    for first, later in zip(began, began[12:], strict=False):
        assert (later - first).total_seconds() >= 60


async def test_half_a_window_goes_at_once_and_a_busy_one_never_makes_the_next_call_wait_long() -> None:
    clock = FakeClock()
    pacer = Pacer(clock, rules=[Rule(50, 20)])
    began = [await take(pacer, clock) for _ in range(300)]
    gaps = [(later - first).total_seconds() for first, later in pairwise(began)]
    assert (began[24] - began[0]).total_seconds() == 0
    assert max(gaps) <= 1.0
    assert (began[-1] - began[0]).total_seconds() <= 300 / 50 * 20 + 1


async def test_a_call_still_counts_until_the_window_has_passed_after_its_end() -> None:
    """The side may have seen a long call at its very end."""
    clock = FakeClock()
    pacer = Pacer(clock, rules=[Rule(1, 20)])
    first = await take(pacer, clock, lasts_s=15)
    second = await take(pacer, clock)
    assert (second - first).total_seconds() == 35


async def test_no_more_run_at_once_than_allowed() -> None:
    pacer = Pacer(FakeClock(), concurrent_max=3)
    running, most = 0, 0

    async def work() -> None:
        nonlocal running, most
        async with pacer.turn():
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

    await asyncio.gather(*(work() for _ in range(20)))
    assert most == 3


async def test_a_call_that_is_seen_early_frees_its_place_before_its_end() -> None:
    clock = FakeClock()
    pacer = Pacer(clock, rules=[Rule(1, 20, seen_within_s=0.5)])
    first = await take(pacer, clock, lasts_s=15)
    second = await take(pacer, clock)
    assert (second - first).total_seconds() == 20.5


class SpentLedger:
    """A day without calls."""

    def spend(self) -> None:
        raise BudgetSpentError(3600)

    def give_back(self) -> None:
        raise AssertionError("nothing was taken")


async def test_a_pause_holds_every_call() -> None:
    clock = FakeClock()
    pacer = Pacer(clock)
    pacer.pause(30)
    before = clock.now()
    assert await take(pacer, clock) - before == timedelta(seconds=30)


async def test_a_spent_budget_is_transient_and_nothing_is_sent(server: Server) -> None:
    server.handlers = [text("")]
    clock = FakeClock()
    client = a_client(server.url, clock, pacer=Pacer(clock, ledger=SpentLedger()))
    with pytest.raises(TransientError) as caught:
        await client.request("x", "GET", "/")
    await client.close()
    assert caught.value.retry_after_s == 3600
    assert server.requests == []


async def test_how_many_go_at_once_can_change_meanwhile() -> None:
    clock = FakeClock()
    pacer = Pacer(clock, rules=[Rule(100, 10.0)], concurrent_max=6)
    done, running, most = asyncio.Event(), 0, 0

    async def call() -> None:
        nonlocal running, most
        async with pacer.turn():
            running += 1
            most = max(most, running)
            await done.wait()
            running -= 1

    pacer.at_once = 2
    calls = [asyncio.create_task(call()) for _ in range(8)]
    await asyncio.sleep(0.01)
    assert running == 2
    pacer.at_once = 50
    await asyncio.sleep(0.01)
    assert running == 6
    pacer.at_once = 0
    assert pacer.at_once == 1
    done.set()
    await asyncio.gather(*calls)
    assert most == 6


async def test_a_call_that_stops_waiting_leaves_its_turn_to_the_next() -> None:
    pacer = Pacer(FakeClock(), concurrent_max=1)

    async def call() -> None:
        async with pacer.turn():
            await asyncio.sleep(0.01)

    first, second, third = (asyncio.create_task(call()) for _ in range(3))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait_for(asyncio.gather(first, third), 1.0)
    assert second.cancelled()


async def test_after_it_takes_fewer_the_calls_already_made_count() -> None:
    clock = FakeClock()
    pacer = Pacer(clock, rules=[Rule(100, 300.0)], concurrent_max=4)
    for _ in range(10):
        async with pacer.turn():
            pass
    pacer.allow(4)
    async with pacer.turn():
        pass
    assert sum(clock.slept) == 300.0


async def test_a_side_that_takes_fewer_calls_gets_fewer() -> None:
    clock = FakeClock()
    pacer = Pacer(clock, rules=[Rule(100, 300.0)], concurrent_max=4)
    pacer.allow(2)
    for _ in range(3):
        async with pacer.turn():
            pass
    assert sum(clock.slept) >= 300.0
    assert pacer.at_once == 2


@pytest.mark.parametrize("calls", [3, 7, 11, 13])
@pytest.mark.parametrize("window_s", [0.1, 60.0, 300.0])
async def test_what_rounding_leaves_of_a_wait_is_no_wait(calls: int, window_s: float) -> None:
    """A clock that counts microseconds never gets through a shorter one."""
    clock = FakeClock()
    pacer = Pacer(clock, rules=[Rule(calls, window_s)], concurrent_max=1)
    for _ in range(8 * calls):
        async with pacer.turn():
            clock.advance(0.000_007)
    assert min(clock.slept) > 0.000_001
    assert len(clock.slept) <= 8 * calls
