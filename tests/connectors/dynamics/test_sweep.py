"""Tables that change tracking leaves out: pairs, untracked ones, their ids, and the switch that is never undone."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from tandem.connectors.dynamics.connector import DynamicsConnector
from tandem.core.errors import CursorExpiredError, RejectedError, SchemaChangedError
from tandem.core.record import CONTACT, TEAM, Cursor, Entity, Presence, RecordId
from tandem.core.schema import FieldKind
from tandem.ports import Page, Sweep
from tests.connectors.dynamics.conftest import Connect
from tests.connectors.dynamics.emulator import Emulator, running

PAIRS = Entity("teammembership")
FIELDS = ("@id", "teamid", "systemuserid")


@pytest.fixture(scope="module")
def org() -> Iterator[Emulator]:
    """With a team of eight members."""
    with running(20, "--limits", "off") as emulator:
        team = emulator.create("team", name="Pairs")
        for user in list(emulator.records("systemuser"))[:8]:
            emulator.control("people/join_team", {"team": team, "user": user})
        yield emulator


@pytest.fixture
def untracked(org: Emulator) -> Iterator[Emulator]:
    """An organisation that tells no changes of contacts."""
    org.control("settings", {"untracked_tables": "contact,systemuser"})
    yield org
    org.control("settings", {"untracked_tables": ""})


async def read(connector: DynamicsConnector, entity: Entity, cursor: Cursor | None, *fields: str) -> list[Page]:
    return [page async for page in connector.fetch_changes(entity, cursor, fields or FIELDS)]


async def ids(connector: DynamicsConnector, entity: Entity) -> list[RecordId]:
    return [id_ async for page in connector.fetch_ids(entity) for id_ in page]


async def test_the_columns_of_a_table_of_pairs_lead_to_their_tables(connect: Connect, org: Emulator) -> None:
    fields = (await connect(org).fetch_schema(PAIRS)).fields
    ends = {name: (fields[name].kind, tuple(fields[name].targets)) for name in FIELDS[1:]}
    assert ends == {
        "teamid": (FieldKind.REFERENCE, ("team",)),
        "systemuserid": (FieldKind.REFERENCE, ("systemuser",)),
    }


async def test_a_column_that_several_relationships_share_leads_to_all_of_their_tables(
    connect: Connect, org: Emulator
) -> None:
    fields = (await connect(org).fetch_schema(Entity("listmember"))).fields
    assert {"lead", "contact", "account"} <= set(fields["entityid"].targets)


async def test_pairs_are_read_once_and_then_compared_by_their_ids(connect: Connect, untracked: Emulator) -> None:
    connector = connect(untracked, page_size=5)
    pages = await read(connector, PAIRS, None)
    held = untracked.records("teammembership")
    assert {r.id: r.values for page in pages for r in page.readings} == {
        id_: (id_, row["teamid"], row["systemuserid"]) for id_, row in held.items()
    }
    assert [page.is_full_read for page in pages] == [True] * len(pages)
    assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]
    assert await read(connector, PAIRS, pages[-1].cursor) == []
    assert await connector.sweep_of(PAIRS) is Sweep.EVERYTHING
    assert sorted(await ids(connector, PAIRS)) == sorted(held)


async def test_the_full_read_of_pairs_goes_on_from_any_page(connect: Connect, untracked: Emulator) -> None:
    pages = await read(connect(untracked, page_size=3), PAIRS, None)
    assert len(pages) > 2
    for place, page in enumerate(pages[:-1]):
        rest = await read(connect(untracked, page_size=3), PAIRS, page.cursor)
        assert [r.id for p in rest for r in p.readings] == [r.id for p in pages[place + 1 :] for r in p.readings]


async def test_pairs_are_asked_for_by_id_in_a_list_and_never_one_by_one(connect: Connect, org: Emulator) -> None:
    connector = connect(org)
    known = RecordId(next(iter(org.records("teammembership"))))
    nobody = RecordId("00000000-0000-0000-0000-00000000dead")
    org.control("counters/reset", {})
    there, gone = await connector.fetch_records(PAIRS, FIELDS, [known, nobody])
    assert (there.id, there.presence, gone.presence) == (known, Presence.PRESENT, Presence.GONE)
    assert "teammemberships.retrieve" not in org.requests()


async def test_what_a_feed_lacks_is_what_a_sweep_finds(connect: Connect, untracked: Emulator) -> None:
    connector = connect(untracked)
    await read(connector, CONTACT, None, "lastname")
    assert await connector.sweep_of(CONTACT) is Sweep.DELETIONS
    assert await connector.sweep_of(TEAM) is Sweep.NOTHING


async def test_ids_come_page_by_page_and_are_all_there_are(connect: Connect, org: Emulator) -> None:
    connector = connect(org, page_size=7)
    pages = [page async for page in connector.fetch_ids(CONTACT)]
    assert max(map(len, pages)) == 7
    assert sorted(id_ for page in pages for id_ in page) == sorted(org.records("contact"))


async def test_a_table_that_an_admin_deletes_is_a_change_of_the_schema(connect: Connect, org: Emulator) -> None:
    connector, client = connect(org), connect(org)._client
    brief = await make_table(connector, "new_Brief")
    cursor = (await read(connector, brief, None, "new_name"))[-1].cursor
    await client.http.request("delete a table", "DELETE", client.path(f"EntityDefinitions(LogicalName='{brief}')"))
    for place in (cursor, None):
        with pytest.raises(SchemaChangedError, match="not there any more"):
            await read(connector, brief, place, "new_name")
    assert not await connect(org).has_entity(brief)


# --- switching tracking on


def a_table(name: str) -> dict[str, Any]:
    label = {"LocalizedLabels": [{"Label": name, "LanguageCode": 1033}]}
    primary = {
        "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata",
        "SchemaName": "new_Name",
        "IsPrimaryName": True,
        "MaxLength": 100,
        "FormatName": {"Value": "Text"},
        "RequiredLevel": {"Value": "None"},
        "DisplayName": label,
    }
    return {
        "SchemaName": name,
        "DisplayName": label,
        "DisplayCollectionName": label,
        "OwnershipType": "UserOwned",
        "HasActivities": False,
        "HasNotes": False,
        "IsActivity": False,
        "ChangeTrackingEnabled": False,
        "Attributes": [primary],
    }


async def make_table(connector: DynamicsConnector, name: str) -> Entity:
    await connector._client.post("make a table", "EntityDefinitions", msgspec.json.encode(a_table(name)))
    return Entity(name.lower())


async def test_tracking_is_switched_on_and_the_table_is_read_anew(connect: Connect, org: Emulator) -> None:
    connector = connect(org)
    visit = await make_table(connector, "new_Tracked")
    assert not (await connector.fetch_schema(visit)).is_tracked
    first = org.create(visit, new_name="First")
    cursor = (await read(connector, visit, None, "new_name"))[-1].cursor
    assert await connector.sweep_of(visit) is Sweep.DELETIONS
    await connector.track_changes(visit)
    await connector.track_changes(visit)
    assert (await connector.fetch_schema(visit)).is_tracked
    assert await connector.sweep_of(visit) is Sweep.NOTHING
    with pytest.raises(CursorExpiredError, match="switched on"):
        await read(connector, visit, cursor, "new_name")
    cursor = (await read(connector, visit, None, "new_name"))[-1].cursor
    org.delete(visit, first)
    (page,) = await read(connector, visit, cursor, "new_name")
    assert [(r.id, r.presence) for r in page.readings] == [(first, Presence.SUSPECT)]


async def test_an_answer_that_was_lost_is_looked_after(connect: Connect, org: Emulator) -> None:
    connector = connect(org)
    visit = await make_table(connector, "new_Lost")
    org.fault("metadata.change", "drop_after")
    await connector.track_changes(visit)
    assert (await connector.fetch_schema(visit)).is_tracked


async def test_a_table_that_may_not_be_tracked_says_so(connect: Connect, org: Emulator) -> None:
    with pytest.raises(RejectedError, match="does not let the changes"):
        await connect(org).track_changes(Entity("asyncoperation"))
