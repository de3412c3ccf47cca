"""The full read and the three feeds against the emulator: nobody is missed, nothing is read that is not due."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tandem.connectors.marketo.connector import MarketoConnector
from tandem.connectors.marketo.feed import FeedCadence
from tandem.core.errors import CursorExpiredError, TransientError
from tandem.core.plan import ActionKind
from tandem.core.record import PERSON, Cursor, Presence, RecordId
from tandem.ports import Page, Write
from tests.connectors.marketo.conftest import Connect
from tests.connectors.marketo.emulator import Emulator, EmulatorClock, running

FIELDS = ["email", "firstName", "phone", "unsubscribed"]
DAY_S = 86_400


async def collect(pages: AsyncIterator[Page]) -> list[Page]:
    return [page async for page in pages]


async def read_all(connector: MarketoConnector, cursor: Cursor | None = None) -> list[Page]:
    return await collect(connector.fetch_changes(PERSON, cursor, FIELDS))


def touched(pages: list[Page]) -> set[tuple[str, str | None]]:
    return {(record.key.id, record.field) for page in pages for record in page.touched}


def suspects(pages: list[Page]) -> set[tuple[str, str | None]]:
    return {
        (reading.id, reading.merged_into)
        for page in pages
        for reading in page.readings
        if reading.presence is Presence.SUSPECT
    }


async def caught_up(connector: MarketoConnector, clock: EmulatorClock) -> Cursor:
    """A cursor behind everything so far, every feed due."""
    pages = await read_all(connector)
    clock.advance(120)
    pages = await read_all(connector, pages[-1].cursor)
    clock.advance(120)
    return pages[-1].cursor


def person(emulator: Emulator, place: int) -> dict[str, Any]:
    return emulator.records("person")[place]


def edit(emulator: Emulator, id_: object, **values: Any) -> None:
    emulator.control("people/edit", {"entity": "person", "id": id_, "values": values})


# --- the full read


async def test_a_full_read_brings_everyone_with_present_values_and_then_the_changes(
    connector: MarketoConnector, emulator: Emulator
) -> None:
    pages = await read_all(connector)
    full = [page for page in pages if page.is_full_read]
    truth = {
        str(raw["id"]): (raw.get("email"), raw.get("firstName"), raw.get("phone"), bool(raw.get("unsubscribed")))
        for raw in emulator.records("person")
    }
    assert {reading.id: reading.values for page in full for reading in page.readings} == truth
    ids = [raw["id"] for raw in [*emulator.records("person"), *emulator.records("person?deleted=true")]]
    [expected] = {page.rows_expected for page in full}
    assert expected is not None
    assert max(map(int, truth)) <= expected <= max(ids)
    assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]
    assert not pages[-1].is_full_read
    assert pages[-1].complete_until is not None


async def test_a_page_of_a_full_read_is_five_ranges_in_the_order_of_ids() -> None:
    with running(1800, "--limits", "off", "--set", "activity_lag_s=0") as emulator:
        clock = EmulatorClock(emulator)
        connector = MarketoConnector(
            url=emulator.url,
            client_id=emulator.client_id,
            client_secret=emulator.client_secret,
            clock=clock,
            daily_share=10_000,
        )
        pages = await read_all(connector)
        full = [page for page in pages if page.is_full_read]
        assert [len(page.readings) for page in full] == [1500, 300]
        ids = [int(reading.id) for page in full for reading in page.readings]
        assert ids == sorted(ids)
        assert emulator.counters()["requests"]["leads.query"] == 6
        # A full read goes on behind any of its pages.
        rest = await read_all(connector, full[0].cursor)
        assert [len(page.readings) for page in rest if page.is_full_read] == [300]
        await connector.close()


async def test_who_is_created_and_edited_during_the_full_read_is_touched_after_it(
    connector: MarketoConnector, emulator: Emulator
) -> None:
    old = person(emulator, 3)
    pages = connector.fetch_changes(PERSON, None, FIELDS)
    first = await anext(pages)
    assert first.is_full_read
    edit(emulator, old["id"], firstName="Meanwhile")
    new = emulator.control("people/create", {"entity": "person", "values": {"email": "meanwhile@example.com"}})
    rest = await collect(pages)
    assert (str(old["id"]), "firstName") in touched(rest)
    assert (str(new["id"]), None) in touched(rest)


async def test_an_empty_subscription_has_an_empty_full_read(clock: EmulatorClock) -> None:
    with running(0, "--limits", "off") as emulator:
        connector = MarketoConnector(
            url=emulator.url,
            client_id=emulator.client_id,
            client_secret=emulator.client_secret,
            clock=clock,
            daily_share=10_000,
        )
        [page] = await read_all(connector)
        assert (page.readings, page.touched, page.is_last) == ([], [], True)
        await connector.close()


# --- the feeds


async def test_an_edit_is_told_once_with_field_and_texts_and_only_for_mapped_fields(
    connector: MarketoConnector, emulator: Emulator, clock: EmulatorClock
) -> None:
    cursor = await caught_up(connector, clock)
    id_ = person(emulator, 5)["id"]
    edit(emulator, id_, firstName="Once", city="Unmapped")
    pages = await read_all(connector, cursor)
    [record] = [record for page in pages for record in page.touched]
    assert (record.key.id, record.field, record.new, record.source) == (str(id_), "firstName", "Once", "Lead update")
    clock.advance(120)
    again = await read_all(connector, pages[-1].cursor)
    assert touched(again) == set()


async def test_our_own_writes_come_back(connector: MarketoConnector, emulator: Emulator, clock: EmulatorClock) -> None:
    cursor = await caught_up(connector, clock)
    id_ = str(person(emulator, 6)["id"])
    await connector.write(PERSON, [Write(ActionKind.UPDATE, RecordId(id_), {"phone": "+1 555 0100"})])
    pages = await read_all(connector, cursor)
    assert touched(pages) == {(id_, "phone")}
    assert {record.source for page in pages for record in page.touched} == {"Web service API"}


async def test_a_deletion_is_a_suspicion(connector: MarketoConnector, emulator: Emulator, clock: EmulatorClock) -> None:
    made = emulator.control("people/create", {"entity": "person", "values": {"email": "gone@example.com"}})
    cursor = await caught_up(connector, clock)
    emulator.control("people/delete", {"entity": "person", "id": made["id"]})
    assert suspects(await read_all(connector, cursor)) == {(str(made["id"]), None)}
    [reading] = await connector.fetch_records(PERSON, FIELDS, [RecordId(str(made["id"]))])
    assert reading.presence is Presence.GONE


async def test_a_merge_names_the_survivor_and_touches_it(
    connector: MarketoConnector, emulator: Emulator, clock: EmulatorClock
) -> None:
    winner, loser = (
        emulator.control("people/create", {"entity": "person", "values": {"email": f"{name}@example.com"}})["id"]
        for name in ("winner", "loser")
    )
    cursor = await caught_up(connector, clock)
    emulator.control("people/merge", {"entity": "person", "winner": winner, "loser": loser})
    pages = await read_all(connector, cursor)
    assert (str(loser), str(winner)) in suspects(pages)
    assert (str(winner), None) in touched(pages)


async def test_who_came_into_a_list_or_left_it_is_told_with_the_list(
    connector: MarketoConnector, emulator: Emulator, clock: EmulatorClock
) -> None:
    cursor = await caught_up(connector, clock)
    id_ = person(emulator, 4)["id"]
    emulator.control("people/add-to-list", {"list": "Newsletter", "ids": [id_]})
    emulator.control("people/remove-from-list", {"list": "Newsletter", "ids": [id_]})
    [newsletter] = [raw["id"] for raw in emulator.records("list") if raw["name"] == "Newsletter"]
    pages = await read_all(connector, cursor)
    records = [record for page in pages for record in page.touched]
    assert [(record.key.id, record.field, record.old, record.new) for record in records] == [
        (str(id_), None, None, str(newsletter)),
        (str(id_), None, str(newsletter), None),
    ]


async def test_at_most_two_feeds_are_asked_at_once(connect: Connect, emulator: Emulator, clock: EmulatorClock) -> None:
    connector = connect(cadence=FeedCadence(overlap_s=600))
    cursor = await caught_up(connector, clock)
    clock.advance(700)
    under_way, most = 0, 0
    ask = connector._feed._client.feed

    async def counted(name: str, token: str, params: Any) -> Any:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        try:
            return await ask(name, token, params)
        finally:
            under_way -= 1

    connector._feed._client.feed = counted  # type: ignore[method-assign]
    await read_all(connector, cursor)
    assert most == 2


async def test_what_a_re_read_brings_again_is_told_once_a_page(
    connect: Connect, emulator: Emulator, clock: EmulatorClock
) -> None:
    connector = connect(cadence=FeedCadence(overlap_s=600))
    cursor = await caught_up(connector, clock)
    clock.advance(700)
    edit(emulator, person(emulator, 9)["id"], firstName="Once a page")
    pages = await read_all(connector, cursor)
    for page in pages:
        guids = [record.guid for record in page.touched]
        assert len(guids) == len(set(guids))


async def test_empty_pages_with_more_behind_them_are_followed(
    connector: MarketoConnector, emulator: Emulator, clock: EmulatorClock
) -> None:
    cursor = await caught_up(connector, clock)
    emulator.settings(feed_block=1)
    for number in range(5):  # not mapped: each is an empty page
        edit(emulator, person(emulator, 7)["id"], city=f"Town {number}")
    edit(emulator, person(emulator, 8)["id"], firstName="Behind")
    pages = await read_all(connector, cursor)
    assert touched(pages) == {(str(person(emulator, 8)["id"]), "firstName")}
    assert pages[-1].is_last


async def test_many_changes_come_page_by_page_and_each_cursor_goes_on_behind_its_page(
    connector: MarketoConnector, emulator: Emulator, clock: EmulatorClock
) -> None:
    cursor = await caught_up(connector, clock)
    people = emulator.records("person")[:50]
    edits = [
        {"entity": "person", "id": raw["id"], "values": {"phone": f"+1 555 {number}"}}
        for number in range(14)
        for raw in people
    ]
    emulator.control("people/edit", {"edits": edits})
    pages = await read_all(connector, cursor)
    guids = [record.guid for page in pages for record in page.touched]
    assert len(guids) == len(set(guids)) == 700
    assert len(pages) >= 3
    rest = await read_all(connector, pages[0].cursor)
    assert [record.guid for page in rest for record in page.touched] == guids[len(pages[0].touched) :]


async def test_a_feed_that_is_not_due_is_not_asked(connect: Connect, emulator: Emulator, clock: EmulatorClock) -> None:
    connector = connect(cadence=FeedCadence(changes_s=15, merges_s=30, deletions_s=60))
    cursor = await caught_up(connector, clock)
    [page] = await read_all(connector, cursor)

    async def asked_after(seconds: float) -> dict[str, int]:
        nonlocal page
        clock.advance(seconds)
        emulator.control("counters/reset", {})
        pages = await read_all(connector, page.cursor)
        page = pages[-1] if pages else page
        requests: dict[str, int] = emulator.counters()["requests"]
        return requests

    assert await asked_after(5) == {}
    assert await asked_after(11) == {"activities.leadchanges": 1}
    assert await asked_after(16) == {"activities.leadchanges": 1, "activities.query": 1}
    assert await asked_after(5) == {}
    assert (await asked_after(24)).keys() == {"activities.leadchanges", "activities.deletedleads"}


async def test_once_an_overlap_everything_of_two_overlaps_is_read_again(
    connect: Connect, emulator: Emulator, clock: EmulatorClock
) -> None:
    """By date, so that what was committed behind a token that had passed it is found; what was seen comes again."""
    connector = connect(cadence=FeedCadence(overlap_s=600))
    cursor = await caught_up(connector, clock)
    id_ = person(emulator, 9)["id"]
    edit(emulator, id_, firstName="Early")
    seen = await read_all(connector, cursor)
    assert touched(seen) == {(str(id_), "firstName")}
    clock.advance(700)
    pages = await read_all(connector, seen[-1].cursor)
    assert (str(id_), "firstName") in touched(pages)
    guids = {record.guid for page in seen for record in page.touched}
    assert guids <= {record.guid for page in pages for record in page.touched}
    clock.advance(60)
    assert touched(await read_all(connector, pages[-1].cursor)) == set()


async def test_the_watermark_is_the_time_before_the_poll(
    connector: MarketoConnector, emulator: Emulator, clock: EmulatorClock
) -> None:
    cursor = await caught_up(connector, clock)
    before = clock.now()
    pages = await read_all(connector, cursor)
    after = clock.now()
    [until] = [page.complete_until for page in pages if page.complete_until is not None]
    assert before <= until <= after


async def test_a_feed_that_fails_in_the_middle_loses_nothing(
    connector: MarketoConnector, emulator: Emulator, clock: EmulatorClock
) -> None:
    cursor = await caught_up(connector, clock)
    id_ = person(emulator, 10)["id"]
    edit(emulator, id_, firstName="Later")
    emulator.fault("activities.deletedleads", "body", body={"code": "611"}, times=None)
    with pytest.raises(TransientError):
        await read_all(connector, cursor)
    emulator.control("faults", method="DELETE")
    assert touched(await read_all(connector, cursor)) == {(str(id_), "firstName")}


# --- when a cursor is over


@pytest.mark.parametrize(("days", "is_over"), [(12.5, False), (13.5, True)])
async def test_a_cursor_older_than_the_memory_of_deletions_is_over(
    connector: MarketoConnector, clock: EmulatorClock, days: float, is_over: bool
) -> None:
    cursor = (await read_all(connector))[-1].cursor
    clock.advance(days * DAY_S)
    if is_over:
        with pytest.raises(CursorExpiredError):
            await read_all(connector, cursor)
    else:
        assert await read_all(connector, cursor)


async def test_a_token_that_marketo_does_not_know_is_over(connector: MarketoConnector, clock: EmulatorClock) -> None:
    place = json.loads(await caught_up(connector, clock))
    for chain in place["feeds"].values():
        chain["token"] = "GIYDAOBNGEYS2MBWKQYDAORQGA5DAMBOGAYDAKZQGAYDALBQ"
    with pytest.raises(CursorExpiredError):
        await read_all(connector, Cursor(json.dumps(place)))


@pytest.mark.parametrize("text", ["", "{}", "not json"])
async def test_a_cursor_that_is_not_ours_is_over(connector: MarketoConnector, text: str) -> None:
    with pytest.raises(CursorExpiredError):
        await read_all(connector, Cursor(text))


async def test_only_people_have_a_feed(connector: MarketoConnector) -> None:
    assert connector.has_feed(PERSON)
    assert not any(connector.has_feed(entity) for entity in ("company", "salesperson"))  # type: ignore[arg-type]
