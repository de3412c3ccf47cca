"""What can go wrong with the environment, one line each: its own error, its own code, and what to do, in words."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from tandem.connectors.dynamics.connector import DynamicsConnector
from tandem.core.errors import AccessError, CursorExpiredError, RejectedError, RemoteError, TransientError
from tandem.core.record import CONTACT, LEAD, Cursor, Entity
from tandem.core.schema import NewField
from tests.connectors.dynamics.conftest import Connect
from tests.connectors.dynamics.emulator import Emulator
from tests.connectors.fake_clock import FakeClock

BY_PASSWORD = {"auth": "password"}
ENVIRONMENT: list[tuple[str, dict[str, Any], dict[str, Any], type[RemoteError], str, str]] = [
    ("administration mode", {"admin_mode": True}, {}, AccessError, "0x8004a113", "administration mode"),
    (
        "disabled organisation",
        {"organization_enabled": False},
        {},
        AccessError,
        "0x8004a104",
        "is disabled",
    ),
    ("disabled user", {"user_state": "disabled"}, {}, AccessError, "0x80040225", "user of this connection is disabled"),
    ("no role", {"user_state": "no_role"}, {}, AccessError, "0x80042f09", "no security role"),
    ("no member", {"user_state": "not_member"}, {}, AccessError, "0x80072560", "Application users"),
    (
        "expired secret",
        {"application_state": "secret_expired"},
        {},
        AccessError,
        "AADSTS7000222",
        "client secret has expired",
    ),
    ("no consent", {"application_state": "no_consent"}, BY_PASSWORD, AccessError, "AADSTS65001", "consent"),
    ("locked account", {"account_state": "locked"}, BY_PASSWORD, AccessError, "AADSTS50053", "locked"),
    ("expired password", {"account_state": "password_expired"}, BY_PASSWORD, AccessError, "AADSTS50055", "has expired"),
    ("disabled account", {"account_state": "disabled"}, BY_PASSWORD, AccessError, "AADSTS50057", "account .* disabled"),
    ("second factor", {"account_state": "needs_mfa"}, BY_PASSWORD, AccessError, "AADSTS50076", "multi-factor"),
    ("enrolment", {"account_state": "must_enrol_mfa"}, BY_PASSWORD, AccessError, "AADSTS50079", "enrol"),
    (
        "no public client",
        {"allow_public_client": False},
        {**BY_PASSWORD, "client_secret": None},
        AccessError,
        "AADSTS7000218",
        "TANDEM_CRM_CLIENT_SECRET",
    ),
]


@pytest.mark.parametrize(
    ("settings", "others", "kind", "code", "remedy"),
    [case[1:] for case in ENVIRONMENT],
    ids=[case[0] for case in ENVIRONMENT],
)
async def test_each_state_of_the_environment_is_an_error_of_its_own(
    connect: Connect,
    emulator: Emulator,
    settings: dict[str, Any],
    others: dict[str, Any],
    kind: type[RemoteError],
    code: str,
    remedy: str,
) -> None:
    with emulator.settings(**settings), pytest.raises(kind, match=remedy) as caught:
        await connect(emulator, **others).fetch_records(CONTACT, ["lastname"], [])
    assert caught.value.code == code


def test_no_two_of_them_share_a_code() -> None:
    codes = [case[4] for case in ENVIRONMENT]
    assert len(codes) == len(set(codes))


async def test_throttled_sign_in_says_when_to_come_back(connect: Connect, emulator: Emulator) -> None:
    with emulator.settings(sign_ins_per_minute=1):
        with suppress(TransientError):
            await connect(emulator).fetch_identity()
        with pytest.raises(TransientError) as caught:
            await connect(emulator, clock=FakeClock()).fetch_identity()
    assert caught.value.code == "429"
    assert caught.value.retry_after_s is not None


async def test_a_missing_privilege_is_named(connector: DynamicsConnector, emulator: Emulator) -> None:
    with emulator.revoked("prvReadLead"), pytest.raises(AccessError, match="prvReadLead") as caught:
        _ = [page async for page in connector.fetch_changes(LEAD, None, ["lastname"])]
    assert caught.value.code == "0x80040220"


async def test_a_token_that_has_expired_is_replaced_and_nobody_hears_of_it(
    connector: DynamicsConnector, emulator: Emulator
) -> None:
    await connector.fetch_identity()
    emulator.control("clock", {"advance_s": 4000})
    before = emulator.requests()["token"]
    assert await connector.fetch_identity()
    assert emulator.requests()["token"] == before + 1


@pytest.mark.parametrize("settings", [{"admin_mode": True}, {"organization_enabled": False}], ids=str)
@pytest.mark.parametrize("status", [400, 401, 500, 503])
async def test_a_closed_environment_is_known_by_its_code_whatever_its_status(
    connect: Connect, emulator: Emulator, settings: dict[str, Any], status: int
) -> None:
    with (
        emulator.settings(closed_environment_status=status, **settings),
        pytest.raises(AccessError, match=r"administration mode|is disabled"),
    ):
        await connect(emulator).fetch_identity()


@pytest.mark.parametrize("body", ["", '{"error":{"code":"0x80048306","message":"no"}}', "<html>401</html>", "[]"])
async def test_a_revoked_token_is_replaced_whatever_the_refusal_says(
    connector: DynamicsConnector, emulator: Emulator, body: str
) -> None:
    await connector.fetch_identity()
    with emulator.settings(challenge_body=body):
        emulator.control("tokens/revoke", {})
        assert await connector.fetch_identity()


async def test_a_token_that_is_never_taken_ends_in_words(connector: DynamicsConnector, emulator: Emulator) -> None:
    emulator.fault("whoami", "status", status=401, times=None)
    with pytest.raises(AccessError, match=r"crm\.url") as caught:
        await connector.fetch_identity()
    assert caught.value.code == "401"


async def test_a_changed_schema_asks_for_a_full_read(
    connector: DynamicsConnector, connect: Connect, emulator: Emulator
) -> None:
    pages = [page async for page in connector.fetch_changes(CONTACT, None, ["lastname"])]
    new = NewField("new_by_an_admin", "By an Admin", "String")
    await connect(emulator).create_fields(CONTACT, [new])
    with pytest.raises(CursorExpiredError, match="full read is due") as caught:
        await _read(connector, pages[-1].cursor)
    assert caught.value.code == "0x80044352"
    assert await connector.fetch_records(CONTACT, [new.name], []) == []


@pytest.mark.parametrize("status", [400, 403, 410, 500])
async def test_a_token_that_is_too_old_asks_for_a_full_read_whatever_the_status(
    connector: DynamicsConnector, emulator: Emulator, status: int
) -> None:
    pages = [page async for page in connector.fetch_changes(CONTACT, None, ["lastname"])]
    emulator.control("clock", {"advance_s": 100 * 86_400})
    with (
        emulator.settings(expired_token_status=status),
        pytest.raises(CursorExpiredError, match="full read is due") as caught,
    ):
        await _read(connector, pages[-1].cursor)
    assert caught.value.code == "0x80044352"


async def test_a_column_that_is_gone_is_named(connector: DynamicsConnector) -> None:
    with pytest.raises(RejectedError, match="no column new_gone") as caught:
        await connector.fetch_records(CONTACT, ["new_gone"], [])
    assert caught.value.code == "column"


@contextmanager
def another_organization(emulator: Emulator) -> Iterator[None]:
    ids = dict.fromkeys(("OrganizationId", "UserId", "BusinessUnitId"), "00000000-0000-4000-8000-00000000beef")
    emulator.fault("whoami", "body", status=200, body=ids, times=None)
    yield


async def test_another_organisation_behind_the_url_stops_the_side(
    connector: DynamicsConnector, emulator: Emulator, clock: FakeClock
) -> None:
    await connector.fetch_identity()
    pages = [page async for page in connector.fetch_changes(CONTACT, None, ["lastname"])]
    with another_organization(emulator):
        await _read(connector, pages[-1].cursor)  # Looked at a moment ago.
        clock.advance(301)
        for work in (_read(connector, pages[-1].cursor), connector.write(CONTACT, [])):
            with pytest.raises(AccessError, match="Another organisation") as caught:
                await work
            assert caught.value.code == "organization"


async def _read(connector: DynamicsConnector, cursor: Cursor) -> None:
    async for _ in connector.fetch_changes(CONTACT, cursor, ["lastname"]):
        pass


@pytest.mark.parametrize("code", ["0x80060888", "0x80040217"])
async def test_a_table_that_is_not_there_is_refused_whatever_its_code(
    connector: DynamicsConnector, emulator: Emulator, code: str
) -> None:
    with emulator.settings(missing_definition_code=code), pytest.raises(RejectedError) as caught:
        await connector.fetch_records(Entity("new_nothing"), ["new_name"], [])
    assert "new_nothing" in str(caught.value)
