"""Where the sources are silent or divided, either way must do: the core of the contract under every setting of the
emulator that stands for such a doubt."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tandem.core.errors import CursorExpiredError
from tandem.core.record import RecordId
from tandem.ports import Missing, Refused, Taken, Written
from tests.conformance.connector_contract import Follower
from tests.conformance.connector_world import TOO_LONG, MarketoWorld, an_email
from tests.connectors.marketo.emulator import Emulator, running

WAITS_S = 130.0
"""Until activities have surely been committed, those that come late too."""

SWITCHES: list[dict[str, Any]] = [
    {},
    {"limits": "published"},
    {"token_lifetime_s": 20},
    {"access_token_in_query": True},
    {"quota_midnight": "standard"},
    {"activity_lag_s": 5.0},
    {"late_share": 0.5, "late_delay_s": 60.0},
    {"feed_block": 1},
    {"paging_token_since": "exclusive"},
    {"whitespace": "trimmed"},
    {"query_order": "descending"},
    {"new_lead_changes": True},
    {"upsert_race_s": 5.0},
    {"read_only_fields": "ignored"},
    {"async_processing": "empty"},
    {"merge_fallback": "last"},
    {"api_change_attributes": False},
    {"external_person_id": True},
    {"over_length": "truncate"},
    {"empty_string": "kept"},
    {"company_fields": "unmanaged"},
    {"company_detach": "ignored"},
    {"missing_lead": "empty"},
    {"merge_losers_in_deleted_feed": True},
    {"custom_fields_move_updated_at": True},
    {"custom_objects": False},
    {"custom_object_schema_api": False},
    {"dedupe_fields": "email,phone"},
    {"custom_link_values": "number"},
    {"native_crm": "dynamics"},
    {"native_crm": "salesforce"},
    {"import_blank_cells": "cleared"},
    {"lead_export_updated_at": False},
]


class SwitchedWorld(MarketoWorld):
    """After whatever a person does, some time goes by."""

    def create(self, **values: Any) -> RecordId:
        id_ = super().create(**values)
        self.pass_time(WAITS_S)
        return id_

    def edit(self, id_: RecordId, **values: Any) -> None:
        super().edit(id_, **values)
        self.pass_time(WAITS_S)

    def delete(self, id_: RecordId) -> None:
        super().delete(id_)
        self.pass_time(WAITS_S)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with running(20, "--limits", "off", "--set", "activity_lag_s=0") as emulator:
        yield emulator


@pytest.fixture(params=SWITCHES, ids=lambda switch: ",".join(f"{k}={v}" for k, v in switch.items()) or "defaults")
async def world(request: pytest.FixtureRequest, emulator: Emulator) -> AsyncIterator[SwitchedWorld]:
    before = emulator.control("settings")
    emulator.settings(**request.param)
    world = SwitchedWorld(emulator)
    yield world
    await world.connector.close()
    emulator.settings(**before)


async def test_everybody_and_every_change_is_seen(world: SwitchedWorld) -> None:
    follower = Follower(world)
    edited, deleted = world.create(name="Edited", email=an_email()), world.create(name="Deleted")
    winner, loser = world.create(name="Winner"), world.create(name="Loser")
    await follower.follow()
    assert follower.known == world.truth()
    world.edit(edited, phone="+44 1", name="Again")
    world.delete(deleted)
    world.emulator.control("people/merge", {"entity": "person", "winner": int(winner), "loser": int(loser)})
    world.create(name="Made", email=an_email())
    await follower.catch_up()
    assert follower.known == world.truth()
    pages = await follower.follow()
    assert [record for page in pages for record in page.touched] == []


async def test_writes_have_their_fates(world: SwitchedWorld) -> None:
    email = an_email()
    known, deleted = world.create(name="Known", email=email, phone="+44 0"), world.create(name="Deleted")
    world.delete(deleted)
    [created] = await world.connector.write(world.entity, [world.a_create(name="Created", phone="+44 2")])
    assert isinstance(created, Written)
    assert list(await world.connector.write(world.entity, [world.a_create(email=email.upper())])) == [Taken()]
    updates = [
        world.an_update(known, name="Anna", phone=None),
        world.an_update(deleted, name="Back"),
        world.an_update(created.id, phone=TOO_LONG),
    ]
    written, missing, long = await world.connector.write(world.entity, updates)
    truth = world.truth()
    assert (written, missing) == (Written(known), Missing())
    assert (truth[known][0], truth[known][2]) == ("Anna", None)
    assert truth[created.id][0] == "Created"
    if isinstance(long, Refused):
        assert (long.field, truth[created.id][2]) == (world.phone, "+44 2")
    else:
        assert str(truth[created.id][2]) in TOO_LONG
    found = await world.connector.find_records(world.entity, world.fields, world.email, [email.title()])
    assert [reading.id for reading in found] == [known]


async def test_a_field_that_is_written_once_reads_back_as_it_was(emulator: Emulator) -> None:
    """Marketo says that it was updated: only the read-back tells."""
    emulator.settings(write_once_fields="phone")
    world = MarketoWorld(emulator)
    try:
        id_ = world.create(name="Once", phone="+44 1")
        assert list(await world.connector.write(world.entity, [world.an_update(id_, phone="+44 2")])) == [Written(id_)]
        [reading] = await world.connector.fetch_records(world.entity, [world.phone], [id_])
    finally:
        emulator.settings(write_once_fields="")
        await world.connector.close()
    assert reading.values == ("+44 1",)


async def test_what_is_stored_otherwise_than_sent_is_seen_by_the_read_back(emulator: Emulator) -> None:
    emulator.settings(whitespace="trimmed")
    world = MarketoWorld(emulator)
    try:
        [written] = await world.connector.write(world.entity, [world.a_create(name=" Ann  Bee ")])
        assert isinstance(written, Written)
        [reading] = await world.connector.fetch_records(world.entity, [world.name], [written.id])
    finally:
        emulator.settings(whitespace="kept")
        await world.connector.close()
    assert reading.values == ("Ann  Bee",)


async def test_a_token_that_marketo_no_longer_knows_ends_the_cursor(emulator: Emulator) -> None:
    """How long a paging token is good for is documented nowhere."""
    world = MarketoWorld(emulator)
    follower = Follower(world)
    try:
        await follower.follow()
        emulator.settings(paging_token_lifetime_s=600)
        world.pass_time(601)
        with pytest.raises(CursorExpiredError):
            await follower.follow()
    finally:
        emulator.settings(paging_token_lifetime_s=0)
        await world.connector.close()


ELSEWHERE = frozenset(
    {
        *("daily_calls", "rate_calls", "rate_window_s", "concurrent_calls", "timeouts"),  # published facts
        *("list_feed_members_max", "program_members_max"),  # of calls that the connector does not make
        *("write_once_fields", "partition_name_required", "paging_token_lifetime_s"),  # below
        *("import_start_s", "import_rows_per_s"),  # test_imports
        *("export_start_s", "export_run_s", "export_status_refresh_s", "export_quota_bytes"),
        "export_empty_header",  # test_full_read
        "opportunity_names_company",  # scenarios/test_opportunities
    }
)


def test_no_switch_is_forgotten(emulator: Emulator) -> None:
    assert {name for switch in SWITCHES for name in switch} | ELSEWHERE == set(emulator.control("settings"))


async def test_where_a_partition_must_be_named_the_refusal_says_so(emulator: Emulator) -> None:
    emulator.settings(partition_name_required=True)
    world = MarketoWorld(emulator)
    try:
        [refused] = await world.connector.write(world.entity, [world.a_create()])
    finally:
        emulator.settings(partition_name_required=False)
        await world.connector.close()
    assert isinstance(refused, Refused)
    assert "partition" in refused.message
