"""Where Microsoft's documentation is silent the emulator has a switch; the connector keeps its contract under each.

The heart of the connectors' contract runs once for every setting. A switch that the emulator gets must be placed here.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Final

import pytest

from tests.conformance.connector_contract import (
    ChangesContract,
    DescriptionContract,
    Follower,
    FullReadContract,
    ReadContract,
    WriteContract,
)
from tests.conformance.connector_world import ConnectorWorld, DynamicsWorld
from tests.connectors.dynamics.emulator import Emulator, EmulatorClock, running

SWITCHES: Final[list[dict[str, Any]]] = [
    {"environment": "trial"},
    {"read_only_when_inactive": ""},
    {"read_only_when_inactive": "lead,contact,account"},
    {"status_implies_state": True},
    {"empty_string_is_null": False},
    {"ignore_read_only_columns": False},
    {"state_ignored_on_create": "lead"},
    {"strong_etags": False},
    {"qualify_links_rows": False},
    {"required_columns": "application"},
    {"required_columns": "none"},
    {"close_opportunity_by_update": False},
    {"owners_without_role": "00000000-0000-4000-8000-00000000beef"},
    {"duplicate_status": 500},
    {"version_raised_after_write": "contact"},
    {"address_rows": False},
    {"user_time_zone": "Asia/Tokyo"},
    {"schema_ends_delta_tokens": False},
    {"allow_public_client": False},
    {"token_lifetime_s": 60},
    {"user_language": 1031},
    {"limits": "off"},
    {"servers": 3},
    {"dop_hint": 1},
    {"dop_hint": 52},
    {"limits_window_s": 5, "concurrency_limit": 1},
    {"limits_window_s": 5, "requests_limit": 6},
    {"limits_window_s": 5, "requests_limit": 6, "pressing_adds_s": 20.0},
    {"limits_window_s": 5, "execution_limit_ms": 20},
    {"payload_bytes_max": 200_000},
    {"recycle_bin_days": 30},
    {"background_operations": False},
    {"webhook_timeout_s": 1.0},
    {"webhook_delay_s": 60.0},
    {"key_index_s": 120.0},
    {"metadata_cache_s": 30.0},
    {"solutions": "Default"},
    {"missing_definition_code": "0x80040217"},
    {"global_choices_apart": True},
    {"newer_organization_detail": True},
    {"copy_keeps_organization_id": False},
    {"copy_keeps_environment_id": False},
    {"copy_ends_sign_ins": True},
    {"copy_ends_delta_tokens": True},
]

ELSEWHERE: Final = {
    "untracked_tables": "another feed, without deletions (test_feed)",
    "account_state": "no way in (test_remedies)",
    "application_state": "no way in (test_remedies)",
    "sign_ins_per_minute": "no way in (test_remedies)",
    "user_state": "no way in (test_remedies)",
    "admin_mode": "no way in (test_remedies)",
    "organization_enabled": "no way in (test_remedies)",
    "closed_environment_status": "no way in (test_remedies)",
    "challenge_body": "a token that has ended (test_remedies)",
    "expired_token_status": "a full read is due (test_remedies)",
    "on_premises": "another server (below, and test_on_premises)",
    "adfs": "on premises only (test_on_premises)",
    "oauth_enabled": "on premises only (test_on_premises)",
    "addresses": "on premises only (tests/scenarios/test_on_premises.py)",
}

HEART: Final[list[Callable[..., Awaitable[None]]]] = [
    lambda world, follower: FullReadContract().test_it_brings_every_record_as_it_is(world, follower),
    lambda world, follower: ChangesContract().test_every_change_is_seen(world, follower),
    lambda world, _: ReadContract().test_text_is_found_whatever_its_case(world),
    lambda world, _: WriteContract().test_a_create_whose_key_is_taken_writes_nothing(world),
    lambda world, _: WriteContract().test_an_update_writes_its_fields_and_no_other(world),
    lambda world, _: WriteContract().test_none_empties_a_field(world),
    lambda world, _: WriteContract().test_an_update_of_nobody_is_missing_and_makes_nobody(world),
    lambda world, _: WriteContract().test_a_record_that_moved_since_it_was_read_is_not_overwritten(world),
    lambda world, _: WriteContract().test_a_refusal_names_the_field_and_stops_no_other_record(world),
    lambda world, _: DescriptionContract().test_access_is_told_line_by_line(world),
]
SCHEMA: Final = ("key_index_s", "metadata_cache_s", "missing_definition_code", "solutions")


@pytest.fixture(scope="module")
def small_emulator() -> Iterator[Emulator]:
    with running(250) as emulator:
        yield emulator


@pytest.fixture
async def world(small_emulator: Emulator) -> AsyncIterator[ConnectorWorld]:
    """Nothing of the test before is in a window of the service's limits any more."""
    world = DynamicsWorld(small_emulator, EmulatorClock(small_emulator))
    world.pass_time(400)
    yield world
    await world.connector.close()


@pytest.mark.parametrize("switch", SWITCHES, ids=str)
async def test_the_contract_holds_under_every_switch(
    world: ConnectorWorld, small_emulator: Emulator, switch: dict[str, Any]
) -> None:
    with small_emulator.settings(**switch):
        for test in HEART:
            await test(world, Follower(world))
        if any(name in SCHEMA for name in switch):
            await DescriptionContract().test_a_field_that_is_made_can_be_written_when_the_call_returns(world)


async def test_the_contract_holds_on_premises() -> None:
    with running(250, "--on-premises") as server:
        world = DynamicsWorld(server, EmulatorClock(server))
        for test in HEART:
            await test(world, Follower(world))
        await DescriptionContract().test_a_field_that_is_made_can_be_written_when_the_call_returns(world)
        await world.connector.close()


def test_every_switch_has_its_place(small_emulator: Emulator) -> None:
    placed = {name for switch in SWITCHES for name in switch} | set(ELSEWHERE)
    assert set(small_emulator.control("settings")) == placed, "give the new switch a line in SWITCHES or ELSEWHERE"
