"""Sign-in against the emulator's Entra: both ways in, tokens that end, and a remedy for every refusal."""

import asyncio
import socket

import pytest

from tandem.core.errors import AccessError, ConfigError, TransientError
from tests.connectors.dynamics.conftest import Connect
from tests.connectors.dynamics.emulator import Emulator
from tests.connectors.fake_clock import FakeClock


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
