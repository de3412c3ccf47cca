"""The change feed from the first full read through deltas, and what happens when a cursor is no longer good."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tandem.connectors.dynamics.connector import DynamicsConnector
from tandem.connectors.http import Response
from tandem.core.errors import CursorExpiredError, TransientError
from tandem.core.record import ACCOUNT, CONTACT, LEAD, USER, Cursor, Entity, Presence, RecordId
from tandem.ports import Page
from tests.connectors.dynamics.conftest import Connect
from tests.connectors.dynamics.emulator import Emulator, running
from tests.connectors.fake_clock import FakeClock

FIELDS = ("@id", "@type", "lastname", "emailaddress1", "ownerid")


async def read(
    connector: DynamicsConnector,
    cursor: Cursor | None = None,
    *,
    entity: Entity = CONTACT,
    fields: tuple[str, ...] = FIELDS,
) -> list[Page]:
    return [page async for page in connector.fetch_changes(entity, cursor, fields)]


async def cursor_now(connector: DynamicsConnector, entity: Entity = CONTACT) -> Cursor:
    return (await read(connector, entity=entity))[-1].cursor


async def test_several_tables_are_read_at_once_within_the_pace(connect: Connect, emulator: Emulator) -> None:
    tables = {CONTACT: "lastname", LEAD: "lastname", ACCOUNT: "name", USER: "lastname", Entity("team"): "name"}
    apart = {e: await read(connect(emulator), entity=e, fields=(name,)) for e, name in tables.items()}
    connector = connect(emulator, page_size=30, at_once_max=3)
    running, most, send = 0, 0, connector._http._send

    async def counted(*call: Any) -> Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            return await send(*call)
        finally:
            running -= 1

    setattr(connector._http, "_send", counted)  # noqa: B010 - mypy
    together = await asyncio.gather(*(read(connector, entity=e, fields=(name,)) for e, name in tables.items()))
    assert most == 3
    for entity, pages in zip(tables, together, strict=True):
        assert _values(pages) == _values(apart[entity])


def _values(pages: list[Page]) -> dict[RecordId, Any]:
    return {reading.id: reading.values for page in pages for reading in page.readings}


async def test_a_full_read_gives_every_record_once_with_its_values(
    connect: Connect, emulator: Emulator, clock: FakeClock
) -> None:
    pages = await read(connect(emulator, page_size=40))
    held = emulator.records("contact")
    readings = [reading for page in pages for reading in page.readings]
    assert sorted(r.id for r in readings) == sorted(held)
    for reading in readings:
        row = held[reading.id]
        name, mail = row["lastname"], row["emailaddress1"]
        assert reading.values == (reading.id, "Contact", name, mail or None, row["ownerid"])
        assert reading.version == f'W/"{row["versionnumber"]}"'
    assert [page.is_full_read for page in pages] == [True] * (len(pages) - 1) + [False]
    assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]
    assert {page.rows_expected for page in pages[:-1]} == {len(held)}
    assert pages[-1].complete_until == clock.now()


async def test_a_full_read_goes_on_from_any_page(connect: Connect, emulator: Emulator) -> None:
    pages = await read(connect(emulator, page_size=40))
    for place, page in enumerate(pages[:-1]):
        rest = await read(connect(emulator, page_size=40), page.cursor)
        assert [[r.id for r in p.readings] for p in rest] == [[r.id for r in p.readings] for p in pages[place + 1 :]]


async def test_edits_creations_and_deletions_follow(connector: DynamicsConnector, emulator: Emulator) -> None:
    doomed = emulator.create("contact", lastname="Doomed")
    cursor = await cursor_now(connector)
    made = emulator.create("contact", lastname="Made")
    emulator.edit("contact", made, lastname="Edited")
    emulator.delete("contact", doomed)
    (page,) = await read(connector, cursor)
    changed = {reading.id: reading for reading in page.readings}
    assert changed[RecordId(made)].values[2] == "Edited"
    assert changed[RecordId(doomed)].presence is Presence.SUSPECT
    assert set(changed) == {made, doomed}
    assert not page.is_full_read
    (quiet,) = await read(connector, page.cursor)
    assert quiet.readings == []


async def test_a_change_during_the_full_read_is_in_the_pages_or_behind_them(
    connect: Connect, emulator: Emulator
) -> None:
    edited = ""
    last: dict[str, str] = {}
    async for page in connect(emulator, page_size=40).fetch_changes(CONTACT, None, FIELDS):
        last |= {reading.id: str(reading.values[2]) for reading in page.readings}
        if not edited:
            edited = page.readings[0].id
            emulator.edit("contact", edited, lastname="Changed meanwhile")
    assert last[edited] == "Changed meanwhile"


async def test_a_cursor_outlives_the_address_of_the_service(connect: Connect, tmp_path: Path) -> None:
    data = ("--db", str(tmp_path / "dataverse.db"))
    with running(30, *data) as before:
        cursor = await cursor_now(connect(before))
        in_the_middle = (await read(connect(before, page_size=5)))[0].cursor
    with running(30, *data) as after:
        assert after.url != before.url
        made = after.create("contact", lastname="After the move")
        (page,) = await read(connect(after), cursor)
        assert [r.id for r in page.readings] == [made]
        assert len(await read(connect(after, page_size=5), in_the_middle)) > 2


async def test_other_fields_need_a_full_read(connector: DynamicsConnector) -> None:
    cursor = await cursor_now(connector)
    with pytest.raises(CursorExpiredError, match="mapped fields"):
        await read(connector, cursor, fields=(*FIELDS, "firstname"))
    reordered = tuple(reversed(FIELDS))
    assert len(await read(connector, cursor, fields=reordered)) == 1


async def test_an_expired_delta_link_is_told(connector: DynamicsConnector, emulator: Emulator) -> None:
    cursor = await cursor_now(connector)
    body = {"error": {"code": "0x80044352", "message": "Version stamp associated with the client has expired."}}
    emulator.fault("contacts.changes", "status", status=400, body=body)
    with pytest.raises(CursorExpiredError, match="full read"):
        await read(connector, cursor)
    with pytest.raises(CursorExpiredError):
        await read(connector, Cursor("from another version"))


async def test_throttling_is_waited_out(connector: DynamicsConnector, emulator: Emulator, clock: FakeClock) -> None:
    cursor = await cursor_now(connector)
    emulator.fault("contacts.changes", "status", status=429, headers={"Retry-After": "7"}, times=2)
    assert len(await read(connector, cursor)) == 1
    assert sum(clock.slept) >= 14


async def test_an_outage_ends_in_a_transient_error(connector: DynamicsConnector, emulator: Emulator) -> None:
    cursor = await cursor_now(connector)
    emulator.fault("contacts.changes", "status", status=503, times=None)
    with pytest.raises(TransientError):
        await read(connector, cursor)


async def test_a_lost_answer_is_read_again(connector: DynamicsConnector, emulator: Emulator) -> None:
    cursor = await cursor_now(connector)
    made = emulator.create("contact", lastname="Not lost")
    emulator.fault("contacts.changes", "drop_after")
    assert [r.id for r in (await read(connector, cursor))[0].readings] == [made]


async def test_a_contacts_parent_counts_only_when_it_is_an_account(
    connector: DynamicsConnector, emulator: Emulator
) -> None:
    account = emulator.create("account", name="Parent")
    cursor = (await read(connector, fields=("parentcustomerid",)))[-1].cursor
    to_account = {"parentcustomerid_account@odata.bind": f"/accounts({account})"}
    parent = emulator.create("contact", lastname="P", **to_account)
    to_contact = {"parentcustomerid_contact@odata.bind": f"/contacts({parent})"}
    child = emulator.create("contact", lastname="C", **to_contact)
    (page,) = await read(connector, cursor, fields=("parentcustomerid",))
    assert {r.id: r.values for r in page.readings} == {parent: (account,), child: (None,)}


@pytest.mark.parametrize(("entity", "type_name"), [(LEAD, "Lead"), (ACCOUNT, "Account"), (USER, "User")])
async def test_every_entity_has_a_feed(connector: DynamicsConnector, entity: Entity, type_name: str) -> None:
    assert connector.has_feed(entity)
    first = (await read(connector, entity=entity, fields=("@type", "@deleted")))[0]
    assert {reading.values for reading in first.readings} == {(type_name, False)}


@pytest.fixture(scope="module")
def untracked() -> Iterator[Emulator]:
    with running(60, "--set", "untracked_tables=contact") as emulator:
        yield emulator


class TestByModificationTime:
    """Where the service does not track changes of a table."""

    async def test_the_full_read_gives_every_record_once(self, connect: Connect, untracked: Emulator) -> None:
        pages = await read(connect(untracked, page_size=10))
        ids = [reading.id for page in pages for reading in page.readings]
        assert sorted(ids) == sorted(untracked.records("contact"))
        assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]
        assert all(page.is_full_read for page in pages)

    async def test_it_goes_on_from_any_page(self, connect: Connect, untracked: Emulator) -> None:
        pages = await read(connect(untracked, page_size=10))
        rest = await read(connect(untracked, page_size=10), pages[0].cursor)
        assert [[r.id for r in p.readings] for p in rest] == [[r.id for r in p.readings] for p in pages[1:]]

    async def test_edits_within_one_second_follow_and_nothing_else(self, connect: Connect, untracked: Emulator) -> None:
        connector = connect(untracked)
        untracked.control("clock", {"frozen": True})
        made = untracked.create("contact", lastname="First")
        cursor = await cursor_now(connector)
        untracked.edit("contact", made, lastname="Second")
        (page,) = await read(connector, cursor)
        assert [(r.id, r.values[2]) for r in page.readings] == [(made, "Second")]
        (quiet,) = await read(connector, page.cursor)
        assert quiet.readings == []
        assert not quiet.is_full_read

    async def test_a_late_commit_is_not_missed(self, connect: Connect, untracked: Emulator) -> None:
        """A row may show up with a time before the latest one already read."""
        connector = connect(untracked)
        untracked.control("clock", {"frozen": True})
        untracked.control("clock", {"advance_s": 300})
        untracked.create("contact", lastname="Latest")
        cursor = await cursor_now(connector)
        untracked.control("clock", {"advance_s": -30})
        late = untracked.create("contact", lastname="Late")
        (page,) = await read(connector, cursor)
        assert [r.id for r in page.readings] == [late]
        untracked.control("clock", {"advance_s": 30})
