"""Sign-in against the emulator's Entra: both ways in, tokens that end, and a remedy for every refusal."""

import asyncio
import socket
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tandem.connectors.dynamics.connector import DynamicsConnector
from tandem.core.errors import AccessError, ConfigError, TransientError
from tests.connectors.dynamics.conftest import Connect
from tests.connectors.dynamics.emulator import Emulator
from tests.connectors.fake_clock import FakeClock


def a_certificate(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | None = None) -> tuple[str, str]:
    """A private key and its own certificate, as PEM."""
    key = key or rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app.example")])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=365))
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(), certificate


@pytest.mark.parametrize("auth", ["client_credentials", "password"])
async def test_both_ways_lead_in(connect: Connect, emulator: Emulator, auth: str) -> None:
    identity = await connect(emulator, auth=auth).fetch_identity()
    assert set(identity) == {"organization_id", "user_id", "environment_id", "url_name", "tenant_id"}
    assert identity["tenant_id"] == emulator.first_line["tenant_id"]


async def test_a_public_client_signs_in_by_password_alone(connect: Connect, emulator: Emulator) -> None:
    connector = connect(emulator, auth="password", client_secret=None)
    assert await connector.fetch_identity()


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        ({"client_secret": "wrong-secret"}, "TANDEM_CRM_CLIENT_SECRET"),
        ({"client_id": "00000000-0000-0000-0000-00000000beef"}, "crm.client_id"),
        ({"tenant_id": "00000000-0000-0000-0000-00000000beef"}, "crm.tenant_id"),
        ({"auth": "password", "password": "wrong-secret"}, "TANDEM_CRM_PASSWORD"),
        ({"auth": "password", "username": "nobody@contoso.example"}, "crm.username"),
    ],
)
async def test_a_refusal_says_what_to_set_and_shows_no_secret(
    connect: Connect, emulator: Emulator, wrong: dict[str, str], remedy: str
) -> None:
    with pytest.raises(AccessError) as caught:
        await connect(emulator, **wrong).fetch_identity()
    assert remedy in str(caught.value)
    assert "wrong-secret" not in str(caught.value)
    assert emulator.first_line["client_secret"] not in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "setting"),
    [
        ({"client_secret": None}, "TANDEM_CRM_CLIENT_SECRET"),
        ({"auth": "password", "password": None}, "TANDEM_CRM_PASSWORD"),
        ({"auth": "magic"}, "crm.auth"),
        ({"client_secret": None, "certificate_file": "no-such-file.pem"}, r"crm\.certificate_file"),
        ({"url": "contoso.crm.dynamics.com"}, "crm.url"),
        ({"url": "http://contoso.crm.dynamics.com"}, "crm.url"),
        ({"authority": "http://login.example"}, "crm.authority"),
        ({"authority": "https://login.example", "ca_file": "no-such-file.pem"}, "ca_file"),
    ],
)
async def test_a_wrong_setting_is_named_before_anything_is_sent(
    connect: Connect, emulator: Emulator, wrong: dict[str, str], setting: str
) -> None:
    with pytest.raises(ConfigError, match=setting):
        connect(emulator, **wrong)


async def test_an_unreachable_sign_in_service_is_tried_again_later(connect: Connect, emulator: Emulator) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        authority = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(TransientError, match="cannot be reached"):
            await connect(emulator, authority=authority).fetch_identity()


async def test_a_busy_sign_in_service_says_when_to_come_back(connect: Connect, emulator: Emulator) -> None:
    emulator.fault("token", "status", status=429, headers={"Retry-After": "300"})
    with pytest.raises(TransientError) as caught:
        await connect(emulator).fetch_identity()
    assert caught.value.retry_after_s == 300.0


async def test_callers_share_one_sign_in_and_calls_counts_it(connect: Connect, emulator: Emulator) -> None:
    before = emulator.requests().get("token", 0)
    connector = connect(emulator)
    await asyncio.gather(*(connector.fetch_identity() for _ in range(4)))
    assert emulator.requests()["token"] == before + 1
    # Discovery of the tenant, the token, and two calls for each identity.
    assert connector.calls == 2 + 4 * 2


async def test_a_token_is_renewed_before_it_ends(connect: Connect, emulator: Emulator, clock: FakeClock) -> None:
    connector = connect(emulator)
    await connector.fetch_identity()
    before = emulator.requests()["token"]
    clock.advance(3000)
    await connector.fetch_identity()
    assert emulator.requests()["token"] == before
    clock.advance(400)
    await connector.fetch_identity()
    assert emulator.requests()["token"] == before + 1


async def test_a_refused_token_is_replaced_once(connect: Connect, emulator: Emulator) -> None:
    connector = connect(emulator)
    await connector.fetch_identity()
    before = emulator.requests()["token"]
    emulator.fault("whoami", "status", status=401)
    await connector.fetch_identity()
    assert emulator.requests()["token"] == before + 1
    emulator.fault("whoami", "status", status=401, times=2)
    with pytest.raises(AccessError, match=r"crm\.url"):
        await connector.fetch_identity()


async def test_connectors_of_one_identity_share_one_sign_in(connect: Connect, emulator: Emulator) -> None:
    before = emulator.requests().get("token", 0)
    first, second = connect(emulator), connect(emulator)
    await asyncio.gather(first.fetch_identity(), second.fetch_identity())
    assert emulator.requests()["token"] == before + 1
    # Two calls of each for the identity; the sign-in is two more, of whoever came first.
    assert sorted([first.calls, second.calls]) == [2, 4]


@pytest.mark.parametrize(
    "other", [{"auth": "password"}, {"client_id": "00000000-0000-0000-0000-00000000beef"}, {"clock": FakeClock()}]
)
async def test_another_identity_signs_in_for_itself(
    connect: Connect, emulator: Emulator, other: dict[str, object]
) -> None:
    await connect(emulator).fetch_identity()
    before = emulator.requests()["token"]
    with suppress(AccessError):
        await connect(emulator, **other).fetch_identity()
    assert emulator.requests()["token"] == before + 1


async def test_workers_with_loops_of_their_own_share_one_sign_in(
    connect: Connect, emulator: Emulator, clock: FakeClock
) -> None:
    before = emulator.requests().get("token", 0)
    kept = connect(emulator)
    await kept.fetch_identity()

    def work() -> None:
        names = ("url", "tenant_id", "client_id", "client_secret", "username", "password", "authority")
        given = {name: emulator.first_line[name] for name in names}

        async def read() -> None:
            connector = DynamicsConnector(**given, clock=clock)
            await connector.fetch_identity()
            await connector.close()

        asyncio.run(read())

    await asyncio.gather(*(asyncio.to_thread(work) for _ in range(3)))
    assert emulator.requests()["token"] == before + 1


async def test_while_sign_in_is_down_the_old_token_serves_to_its_end(
    connect: Connect, emulator: Emulator, clock: FakeClock
) -> None:
    connector = connect(emulator)
    await connector.fetch_identity()
    emulator.fault("token", "status", status=503, times=None)
    clock.advance(3400)
    before = emulator.requests()["token"]
    await connector.fetch_identity()
    await connector.fetch_identity()
    assert emulator.requests()["token"] == before + 1
    clock.advance(40)
    await connector.fetch_identity()
    assert emulator.requests()["token"] == before + 2
    clock.advance(200)
    with pytest.raises(TransientError, match="503"):
        await connector.fetch_identity()


@pytest.mark.parametrize("content", ["", "no PEM", "KEY", "CERTIFICATE", "EC"])
async def test_a_certificate_file_must_hold_a_key_and_its_certificate(
    connect: Connect, emulator: Emulator, tmp_path: Path, content: str
) -> None:
    key, certificate = a_certificate()
    elliptic, _ = a_certificate(ec.generate_private_key(ec.SECP256R1()))
    text = {"KEY": key, "CERTIFICATE": certificate, "EC": elliptic + certificate}.get(content, content)
    file = tmp_path / "app.pem"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"crm\.certificate_file"):
        connect(emulator, client_secret=None, certificate_file=str(file))


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        "text",
        {"access_token": 5, "expires_in": 3599},
        {"access_token": "x"},
        {"access_token": "x", "expires_in": "soon"},
        {"access_token": "x", "expires_in": -1},
        {"access_token": "x", "expires_in": 1e300},
        {"error": 5},
        {"error": "odd", "error_codes": "x"},
        {"error": "odd", "error_codes": [None]},
    ],
)
async def test_whatever_the_sign_in_service_answers_an_error_of_the_tree_comes_of_it(
    connect: Connect, emulator: Emulator, answer: object
) -> None:
    emulator.fault("token", "body", status=200, body=answer, times=None)
    with pytest.raises((AccessError, TransientError)):
        await connect(emulator).fetch_identity()
