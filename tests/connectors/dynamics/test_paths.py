"""What lookups lead to: described, read with every kind of read, and at what cost."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tandem.connectors.dynamics.connector import DynamicsConnector
from tandem.core.backfill import Since, Span
from tandem.core.errors import AccessError, SchemaChangedError, TransientError
from tandem.core.record import ACCOUNT, CONTACT, LEAD, TEAM, USER, Cursor, Entity, RecordId, Value
from tandem.core.schema import FieldKind
from tandem.ports import Page, Reading
from tests.connectors.dynamics.conftest import Connect
from tests.connectors.dynamics.emulator import Emulator
from tests.connectors.fake_clock import FakeClock

CURRENCY, CAMPAIGN = Entity("transactioncurrency"), Entity("campaign")
OWNER, CUSTOMER, CODE = "ownerid.@name", "parentcustomerid.@name", "transactioncurrencyid.isocurrencycode"


def at(entity: str, record_id: str) -> dict[str, str]:
    return {"entity": entity, "id": record_id}


def user_of(emulator: Emulator) -> str:
    """Somebody with a name of their own."""
    user = next(i for i, row in emulator.records("systemuser").items() if not row["isdisabled"])
    emulator.edit("systemuser", user, firstname="Una", lastname="Path")
    return user


async def one(connector: DynamicsConnector, record_id: str, *fields: str) -> tuple[Value, ...]:
    (reading,) = await connector.fetch_records(CONTACT, fields, [RecordId(record_id)])
    return tuple(reading.values)


async def pages(connector: DynamicsConnector, cursor: Cursor | None, *fields: str) -> list[Page]:
    return [page async for page in connector.fetch_changes(CONTACT, cursor, fields)]


async def calls_of(connector: DynamicsConnector, work: Callable[[], Awaitable[Any]]) -> int:
    before = connector.calls
    await work()
    return connector.calls - before


# --- what is said of them


async def test_a_path_is_described_as_the_column_at_its_end(connector: DynamicsConnector) -> None:
    fields = (await connector.fetch_schema(LEAD, ["campaignid.typecode", "campaignid.name", "campaignid.gone"])).fields
    typecode, name = fields["campaignid.typecode"], fields["campaignid.name"]
    assert (typecode.kind, typecode.native_type, typecode.choices[3]) == (FieldKind.CHOICE, "Picklist", "Event")
    assert (name.kind, name.shows) == (FieldKind.TEXT, ((CAMPAIGN, "name"),))
    assert not any(info.is_writable or info.is_searchable for info in (typecode, name))
    assert "campaignid.gone" not in fields
    assert "ownerid" in fields, "beside the columns of the table"


async def test_a_name_is_the_column_that_each_table_is_shown_by(connector: DynamicsConnector) -> None:
    fields = (await connector.fetch_schema(CONTACT, [OWNER, CUSTOMER, "ownerid.fullname"])).fields
    assert fields[OWNER].shows == ((USER, "fullname"), (TEAM, "name"))
    assert fields[CUSTOMER].shows == ((ACCOUNT, "name"), (CONTACT, "fullname"))
    assert fields["ownerid.fullname"].shows == ((USER, "fullname"),), "a team has none"


@pytest.mark.parametrize(
    "path",
    [
        "parentcustomerid.customertypecode",  # a choice of an account and another one of a contact
        "parentcustomerid.parentaccountid.name",
        "lastname.name",
        "nolookup.name",
    ],
)
async def test_what_has_no_end_of_one_type_is_not_described(connector: DynamicsConnector, path: str) -> None:
    assert path not in (await connector.fetch_schema(CONTACT, [path])).fields


async def schema_calls(connector: DynamicsConnector, entity: Entity, *paths: str) -> int:
    """More than the description of the table itself takes."""
    await connector.fetch_identity()  # signed in
    alone = await calls_of(connector, lambda: connector.fetch_schema(entity))
    return await calls_of(connector, lambda: connector.fetch_schema(entity, paths)) - alone


async def test_every_table_is_described_once_at_the_start(connect: Connect, emulator: Emulator) -> None:
    connector = connect(emulator)
    for entity in (USER, TEAM, ACCOUNT):
        await connector.fetch_schema(entity)
    trying, currencies = 1, 1
    assert await schema_calls(connector, CONTACT, OWNER, CUSTOMER, CODE) == trying + currencies
    assert await schema_calls(connector, LEAD, OWNER, CODE) == 0


async def test_a_table_at_the_end_is_described_anew_after_a_while(
    connect: Connect, emulator: Emulator, clock: FakeClock
) -> None:
    connector = connect(emulator)
    described_and_tried = 2
    assert await schema_calls(connector, CONTACT, CODE) == described_and_tried
    assert await schema_calls(connector, CONTACT, CODE) == 0
    clock.advance(660)
    assert await schema_calls(connector, CONTACT, CODE) == described_and_tried


# --- what is read


async def test_a_record_shows_what_its_lookups_lead_to(connector: DynamicsConnector, emulator: Emulator) -> None:
    user, team = user_of(emulator), emulator.create("team", name="Quay team")
    account = emulator.create("account", name="Pier Ltd")
    of_user = emulator.create("contact", lastname="A", ownerid=at("systemuser", user))
    of_team = emulator.create(
        "contact", lastname="B", ownerid=at("team", team), parentcustomerid=at("account", account)
    )
    below = emulator.create("contact", lastname="C", parentcustomerid=at("contact", of_team))
    assert await one(connector, of_user, OWNER, "ownerid.fullname", CUSTOMER) == ("Una Path", "Una Path", None)
    assert await one(connector, of_team, OWNER, "ownerid.fullname", CUSTOMER) == ("Quay team", None, "Pier Ltd")
    assert await one(connector, below, "lastname", CUSTOMER, "parentcustomerid") == ("C", "B", None)
    assert await one(connector, below, "parentcustomerid.@id", "parentcustomerid.@id.name") == (of_team, of_team)


async def test_values_are_those_of_the_columns_type(connector: DynamicsConnector, emulator: Emulator) -> None:
    campaign = emulator.create("campaign", name="Fair", typecode=3, proposedstart="2026-03-01T10:00:00Z")
    lead = emulator.create("lead", lastname="L", campaignid=at("campaign", campaign))
    fields = ("campaignid.typecode", "campaignid.proposedstart", "campaignid.codename")
    (reading,) = await connector.fetch_records(LEAD, fields, [RecordId(lead)])
    codename = emulator.records("campaign")[campaign]["codename"]
    assert reading.values == (3, "2026-03-01T10:00:00Z", codename)


async def test_every_way_of_reading_shows_it(connector: DynamicsConnector, emulator: Emulator) -> None:
    user = user_of(emulator)
    cursor = (await pages(connector, None, "lastname", OWNER))[-1].cursor
    made = emulator.create("contact", lastname="Every way", ownerid=at("systemuser", user))
    expected = ("Every way", "Una Path")

    def of_made(found: list[Page]) -> list[Reading]:
        return [reading for page in found for reading in page.readings if reading.id == made]

    assert [r.values for r in of_made(await pages(connector, cursor, "lastname", OWNER))] == [expected]
    assert [r.values for r in of_made(await pages(connector, None, "lastname", OWNER))] == [expected]
    by_value = await connector.find_records(CONTACT, ("lastname", OWNER), "lastname", ["Every way"])
    assert [r.values for r in by_value] == [expected]
    since = Span(Since.CREATED, datetime(2020, 1, 1, tzinfo=UTC))
    span = connector.fetch_span(CONTACT, None, ("lastname", OWNER), since)
    assert [r.values for r in of_made([page async for page in span])] == [expected]


async def test_a_record_that_was_merged_still_says_into_which(connector: DynamicsConnector, emulator: Emulator) -> None:
    survivor, loser = (emulator.create("contact", lastname=name) for name in ("Survivor", "Loser"))
    emulator.control("people/merge", {"entity": "contact", "winner": survivor, "loser": loser})
    (reading,) = await connector.fetch_records(CONTACT, ("lastname", "masterid", OWNER), [RecordId(loser)])
    assert reading.merged_into == survivor
    assert reading.values[:2] == ("Loser", survivor)


# --- what it costs


async def test_a_page_costs_one_call_for_each_table_at_the_end(connect: Connect, emulator: Emulator) -> None:
    """Whatever the number of rows, and of columns of one lookup."""
    for n in range(120):  # more than one filter takes
        account = emulator.create("account", name=f"Many {n}")
        emulator.create("contact", lastname=f"Of many {n}", parentcustomerid=at("account", account))
    connector = connect(emulator)
    for entity in (USER, TEAM, ACCOUNT, CONTACT):
        await connector.fetch_schema(entity)
    plain = await calls_of(connector, lambda: pages(connector, None, "lastname"))
    owners = ("lastname", OWNER, "ownerid.internalemailaddress")
    more = await calls_of(connector, lambda: pages(connector, None, *owners)) - plain
    assert more == 1 + _has_teams(emulator), "no team is asked for when every owner is a user"
    shown = ("parentcustomerid.name", "parentcustomerid.accountnumber")
    assert await calls_of(connector, lambda: pages(connector, None, "lastname", *shown)) - plain == 1
    found = await pages(connector, None, "lastname", *shown)
    names = {reading.values[0]: reading.values[1] for page in found for reading in page.readings}
    assert all(names[f"Of many {n}"] == f"Many {n}" for n in range(120))


def _has_teams(emulator: Emulator) -> bool:
    teams = emulator.records("team")
    return any(row["ownerid"] in teams for row in emulator.records("contact").values())


async def test_where_nothing_changed_nothing_is_asked(connector: DynamicsConnector) -> None:
    cursor = (await pages(connector, None, "lastname", OWNER, CUSTOMER))[-1].cursor
    assert await calls_of(connector, lambda: pages(connector, cursor, "lastname", OWNER, CUSTOMER)) == 1


# --- what may go wrong


async def test_a_column_that_is_gone_at_the_end_is_told_as_such(
    connector: DynamicsConnector, emulator: Emulator
) -> None:
    contact = next(i for i, row in emulator.records("contact").items() if row["ownerid"])
    table = await connector._table(USER)
    columns = {**table.columns, "new_gone": replace(table.columns["fullname"], name="new_gone")}
    connector._tables[USER] = replace(table, columns=columns)
    with pytest.raises(SchemaChangedError, match="new_gone"):
        await one(connector, contact, "ownerid.new_gone")


async def test_who_may_not_read_the_end_is_told_which_right_lacks(
    connector: DynamicsConnector, emulator: Emulator
) -> None:
    contact = next(i for i, row in emulator.records("contact").items() if row["ownerid"])
    with emulator.revoked("prvReadUser"), pytest.raises(AccessError, match="prvReadUser"):
        await one(connector, contact, OWNER)


async def test_an_end_that_may_not_be_read_is_described_so(connector: DynamicsConnector, emulator: Emulator) -> None:
    with emulator.revoked("prvReadTeam"):
        closed = (await connector.fetch_schema(CONTACT, [OWNER, "ownerid.fullname"])).fields
    assert (closed[OWNER].is_readable, closed["ownerid.fullname"].is_readable) == (False, True)
    assert (await connector.fetch_schema(CONTACT, [OWNER])).fields[OWNER].is_readable


async def test_a_throttled_answer_is_no_empty_value(connector: DynamicsConnector, emulator: Emulator) -> None:
    contact = next(i for i, row in emulator.records("contact").items() if row["ownerid"])
    await one(connector, contact, OWNER)
    emulator.fault("systemusers.list", "status", status=429, headers={"Retry-After": "3"})
    with pytest.raises(TransientError):
        await one(connector, contact, OWNER)
