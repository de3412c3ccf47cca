"""What every connector does, whichever side it reaches. A new method of the port gets its case here.

A connector adds its ``world``: the side behind the connector, with people who work there (``connector_world``).
"""

from collections.abc import Sequence

import pytest

from tandem.core.backfill import Since, Span
from tandem.core.errors import CursorExpiredError, RejectedError, TransientError, UnknownOutcomeError
from tandem.core.plan import ActionKind
from tandem.core.record import Cursor, Presence, RecordId, Side, Value
from tandem.core.schema import FieldKind, NewField
from tandem.ports import Missing, Page, Refused, Stale, Sweep, Taken, Write, Written
from tests.conformance.connector_world import TOO_LONG, ConnectorWorld, an_email


class Follower:
    """Does with pages what the runtime does: keeps the readings, and reads by id whatever was touched or is suspected.

    ``known`` must come to what the side holds; nothing else tells that no change went missing.
    """

    def __init__(self, world: ConnectorWorld) -> None:
        self.world = world
        self.known: dict[RecordId, tuple[Value, ...]] = {}
        self.cursor: Cursor | None = None

    async def follow(self, pages_max: int | None = None) -> list[Page]:
        """Read from the cursor to the end of the feed, or until so many pages have come."""
        pages: list[Page] = []
        connector, world = self.world.connector, self.world
        async for page in connector.fetch_changes(world.entity, self.cursor, world.fields):
            await self._take(page)
            pages.append(page)
            if len(pages) == pages_max:
                break
        return pages

    async def catch_up(self) -> None:
        """Everything that has happened until now, and the feeds due again."""
        await self.follow()
        self.world.pass_time()
        await self.follow()
        self.world.pass_time()

    async def _take(self, page: Page) -> None:
        world = self.world
        doubtful = [r.id for r in page.readings if r.presence is not Presence.PRESENT]
        doubtful += [record.key.id for record in page.touched]
        self.known |= {r.id: r.values for r in page.readings if r.presence is Presence.PRESENT}
        for reading in await world.connector.fetch_records(world.entity, world.fields, doubtful):
            if reading.presence is Presence.PRESENT:
                self.known[reading.id] = reading.values
            else:
                self.known.pop(reading.id, None)
        self.cursor = page.cursor


def full(pages: Sequence[Page]) -> list[Page]:
    return [page for page in pages if page.is_full_read]


def ids_of(pages: Sequence[Page]) -> set[RecordId]:
    """Whom the pages tell of, in whatever way."""
    told = {reading.id for page in pages for reading in page.readings}
    return told | {record.key.id for page in pages for record in page.touched}


class FullReadContract:
    async def test_it_brings_every_record_as_it_is(self, world: ConnectorWorld, follower: Follower) -> None:
        pages = await follower.follow()
        assert follower.known == world.truth()
        assert len(full(pages)) > 1
        assert all(page.rows_expected is None or page.rows_expected >= len(ids_of(full(pages))) for page in full(pages))

    async def test_it_ends_with_the_feed_of_changes(self, world: ConnectorWorld, follower: Follower) -> None:
        pages = await follower.follow()
        assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]
        assert not pages[-1].is_full_read
        assert pages[-1].complete_until is not None

    async def test_it_goes_on_behind_each_of_its_pages(self, world: ConnectorWorld, follower: Follower) -> None:
        pages = full(await follower.follow())
        for place, page in enumerate(pages, start=1):
            follower.cursor = page.cursor
            rest = full(await follower.follow())
            assert [ids_of([page]) for page in rest] == [ids_of([page]) for page in pages[place:]]

    async def test_what_changes_meanwhile_does_not_go_missing(self, world: ConnectorWorld, follower: Follower) -> None:
        """Whether it was read already or is still to come, and wherever the reader was interrupted."""
        ids = sorted(world.truth(), key=lambda id_: (len(id_), id_))
        await follower.follow(pages_max=1)
        for place, id_ in enumerate([*ids[:2], *ids[-2:]]):
            world.edit(id_, phone=f"+1 555 {place}")
        world.delete(ids[2])
        world.delete(ids[-3])
        world.create(name="Late", email=an_email())
        await follower.follow(pages_max=1)
        world.edit(ids[4], phone="+1 555 9")
        await follower.catch_up()
        assert follower.known == world.truth()


class ChangesContract:
    async def test_every_change_is_seen(self, world: ConnectorWorld, follower: Follower) -> None:
        edited, deleted = world.create(name="Edited"), world.create(name="Deleted")
        await follower.catch_up()
        made = world.create(name="Made", email=an_email())
        world.edit(edited, phone="+44 1", name="Again")
        world.delete(deleted)
        pages = await follower.follow()
        assert {made, edited, deleted} <= ids_of(pages)
        assert follower.known == world.truth()

    async def test_a_deletion_is_a_suspicion(self, world: ConnectorWorld, follower: Follower) -> None:
        id_ = world.create(name="Deleted")
        await follower.catch_up()
        world.delete(id_)
        readings = [r for page in await follower.follow() for r in page.readings if r.id == id_]
        assert readings
        assert {reading.presence for reading in readings} == {Presence.SUSPECT}

    async def test_our_own_writes_come_back(self, world: ConnectorWorld, follower: Follower) -> None:
        known = world.create(name="Known")
        await follower.catch_up()
        (created,) = await world.connector.write(world.entity, [world.a_create()])
        await world.connector.write(world.entity, [world.an_update(known, phone="+44 2")])
        assert isinstance(created, Written)
        assert {created.id, known} <= ids_of(await follower.follow())

    async def test_when_nothing_happened_it_tells_of_nobody(self, follower: Follower) -> None:
        await follower.catch_up()
        pages = await follower.follow()
        assert ids_of(pages) == set()
        assert pages[-1].is_last

    async def test_each_page_has_a_cursor_behind_it(self, world: ConnectorWorld, follower: Follower) -> None:
        """Read page by page, each time anew, all changes come."""
        await follower.catch_up()
        made = [world.create(name=f"Made {n}", email=an_email()) for n in range(8)]
        pages: list[Page] = []
        while not pages or not pages[-1].is_last:
            pages += await follower.follow(pages_max=1)
        assert set(made) <= ids_of(pages)
        assert follower.known == world.truth()

    async def test_a_forgotten_cursor_asks_for_a_full_read(self, world: ConnectorWorld, follower: Follower) -> None:
        await follower.catch_up()
        world.create(name="Unseen")
        world.forget_cursors()
        with pytest.raises(CursorExpiredError):
            await follower.follow()
        follower.cursor = None
        await follower.follow()
        assert follower.known == world.truth()

    async def test_there_is_a_feed(self, world: ConnectorWorld) -> None:
        assert world.connector.has_feed(world.entity)


class BackfillContract:
    async def test_a_live_cursor_brings_what_changes_from_now_on(self, world: ConnectorWorld) -> None:
        edited = world.create(name="Edited")
        world.pass_time()
        cursor = await world.connector.fetch_live_cursor(world.entity, world.fields, None)
        made = world.create(name="Made", email=an_email())
        world.edit(edited, phone="+44 1")
        world.pass_time()
        pages = [page async for page in world.connector.fetch_changes(world.entity, cursor, world.fields)]
        assert {made, edited} <= ids_of(pages)
        assert full(pages) == []
        assert pages[-1].is_last

    async def test_a_full_read_beside_a_live_cursor_ends_in_the_whole_feed(
        self, world: ConnectorWorld, follower: Follower
    ) -> None:
        """Deletions too, which the live cursor may not tell of."""
        deleted = world.create(name="Deleted")
        cursor = await world.connector.fetch_live_cursor(world.entity, world.fields, None)
        async for _ in world.connector.fetch_changes(world.entity, cursor, world.fields):
            pass
        await follower.catch_up()
        world.delete(deleted)
        assert deleted in ids_of(await follower.follow())

    async def test_a_live_cursor_may_begin_at_a_time(self, world: ConnectorWorld) -> None:
        await world.connector.fetch_schema(world.entity)
        since = world.now()
        made = world.create(name="Made", email=an_email())
        world.pass_time()
        cursor = await world.connector.fetch_live_cursor(world.entity, world.fields, since)
        pages = [page async for page in world.connector.fetch_changes(world.entity, cursor, world.fields)]
        assert made in ids_of(pages)

    async def test_a_span_brings_the_records_of_a_time_page_by_page(self, world: ConnectorWorld) -> None:
        if not world.is_crm:
            pytest.skip("spans are asked of the crm side only")
        await world.connector.fetch_schema(world.entity)
        world.pass_time()
        begin = world.now()
        world.pass_time()
        old, made = next(iter(world.truth())), {world.create(name="Made") for _ in range(4)}
        world.edit(old, phone="+44 2")
        assert await spanned(world, Span(Since.CREATED, since=begin)) == made
        assert await spanned(world, Span(Since.UPDATED, since=begin)) == {*made, old}
        assert await spanned(world, Span(Since.CREATED, until=begin)) == world.truth().keys() - made


async def spanned(world: ConnectorWorld, span: Span) -> set[RecordId]:
    """Who comes, each page read anew from the cursor of the one before."""
    found: set[RecordId] = set()
    cursor, is_last = None, False
    while not is_last:
        pages = world.connector.fetch_span(world.entity, cursor, world.fields, span)
        page = await anext(pages)
        found |= ids_of([page])
        cursor, is_last = page.cursor, page.is_last
    return found


class ReadContract:
    async def test_records_by_id_are_as_they_are_now(self, world: ConnectorWorld) -> None:
        id_ = world.create(name="Ann", email="ann@contract.example", phone=None)
        world.edit(id_, name="Anna")
        (reading,) = await world.connector.fetch_records(world.entity, world.fields, [id_])
        assert (reading.id, reading.values) == (id_, ("Anna", "ann@contract.example", None))
        assert reading.presence is Presence.PRESENT
        world.delete(id_)

    async def test_the_values_follow_the_fields(self, world: ConnectorWorld) -> None:
        id_ = world.create(name="Ann", phone="+44 3")
        (reading,) = await world.connector.fetch_records(world.entity, (world.phone, world.name), [id_])
        assert reading.values == ("+44 3", "Ann")

    async def test_unknown_and_deleted_ids_are_gone(self, world: ConnectorWorld) -> None:
        known, deleted, unknown = world.create(name="Known"), world.create(name="Deleted"), world.an_unknown_id()
        world.delete(deleted)
        readings = await world.connector.fetch_records(world.entity, world.fields, [unknown, known, deleted])
        told = {reading.id: reading.presence for reading in readings}
        assert told == {unknown: Presence.GONE, known: Presence.PRESENT, deleted: Presence.GONE}

    async def test_any_number_of_ids_are_answered_in_order(self, world: ConnectorWorld) -> None:
        present = list(world.truth())
        unknown = [world.an_unknown_id() for _ in range(400)]
        readings = await world.connector.fetch_records(world.entity, world.fields, [*unknown, *present])
        assert [reading.id for reading in readings] == [*unknown, *present]
        assert {r.id for r in readings if r.presence is Presence.PRESENT} == set(present)

    async def test_asking_for_nobody_is_no_call(self, world: ConnectorWorld) -> None:
        await world.connector.fetch_schema(world.entity)
        before = world.connector.calls
        assert list(await world.connector.find_records(world.entity, world.fields, world.email, [])) == []
        assert list(await world.connector.find_records(world.entity, world.fields, world.email, [None])) == []
        assert list(await world.connector.fetch_records(world.entity, world.fields, [])) == []
        assert world.connector.calls == before

    async def test_text_is_found_whatever_its_case(self, world: ConnectorWorld) -> None:
        email = an_email()
        first = world.create(name="First", email=email.upper())
        second = world.create(name="Second", email=email)
        other = world.create(name="Other", email=an_email())
        found = await world.connector.find_records(world.entity, world.fields, world.email, [email.title()])
        assert {reading.id for reading in found} == {first, second}
        assert other not in {reading.id for reading in found}

    async def test_any_number_of_values_each_record_once(self, world: ConnectorWorld) -> None:
        emails = [an_email() for _ in range(5)]
        made = {world.create(name="Found", email=email) for email in emails}
        asked: list[Value] = [*emails, *(an_email() for _ in range(400)), *emails]
        found = await world.connector.find_records(world.entity, world.fields, world.email, asked)
        assert sorted(reading.id for reading in found) == sorted(made)

    async def test_an_empty_value_finds_nobody(self, world: ConnectorWorld) -> None:
        world.create(name="Without", email=None)
        found = await world.connector.find_records(world.entity, world.fields, world.email, [None, an_email()])
        assert list(found) == []

    async def test_only_a_side_with_versions_tells_them(self, world: ConnectorWorld) -> None:
        id_ = world.create(name="Ann")
        (before,) = await world.connector.fetch_records(world.entity, world.fields, [id_])
        world.edit(id_, name="Anna")
        (after,) = await world.connector.fetch_records(world.entity, world.fields, [id_])
        assert (before.version is None) == (not world.is_crm)
        assert (before.version != after.version) == world.is_crm


class WriteContract:
    async def test_a_created_record_is_there_with_its_values(self, world: ConnectorWorld) -> None:
        email = an_email()
        (result,) = await world.connector.write(world.entity, [world.a_create(name="Ünï", email=email, phone="+44 4")])
        assert isinstance(result, Written)
        assert world.truth()[result.id] == ("Ünï", email, "+44 4")

    async def test_a_create_whose_key_is_taken_writes_nothing(self, world: ConnectorWorld) -> None:
        create = world.a_create()
        await world.connector.write(world.entity, [create])
        before = world.truth()
        assert list(await world.connector.write(world.entity, [create])) == [Taken()]
        assert world.truth() == before

    async def test_an_update_writes_its_fields_and_no_other(self, world: ConnectorWorld) -> None:
        email = an_email()
        id_ = world.create(name="Ann", email=email, phone="+44 5")
        (result,) = await world.connector.write(world.entity, [world.an_update(id_, name="Anna")])
        assert isinstance(result, Written)
        assert result.id == id_
        assert world.truth()[id_] == ("Anna", email, "+44 5")

    async def test_none_empties_a_field(self, world: ConnectorWorld) -> None:
        id_ = world.create(name="Ann", phone="+44 6")
        await world.connector.write(world.entity, [world.an_update(id_, phone=None)])
        (reading,) = await world.connector.fetch_records(world.entity, (world.phone,), [id_])
        assert reading.values == (None,)

    async def test_an_update_of_nobody_is_missing_and_makes_nobody(self, world: ConnectorWorld) -> None:
        deleted = world.create(name="Deleted")
        world.delete(deleted)
        before = world.truth()
        writes = [world.an_update(deleted, name="Back"), world.an_update(world.an_unknown_id(), name="New")]
        assert list(await world.connector.write(world.entity, writes)) == [Missing(), Missing()]
        assert world.truth() == before

    async def test_a_delete_takes_the_record_and_finds_nobody_the_second_time(self, world: ConnectorWorld) -> None:
        id_, other = world.create(name="Deleted"), world.create(name="Kept")
        delete = Write(ActionKind.DELETE, id_, {})
        assert list(await world.connector.write(world.entity, [delete])) == [Written(id_)]
        assert list(await world.connector.write(world.entity, [delete])) == [Missing()]
        assert world.truth().keys() & {id_, other} == {other}

    async def test_a_merge_gives_the_survivor_its_values_and_takes_the_loser(self, world: ConnectorWorld) -> None:
        loser, survivor = world.create(name="Loser"), world.create(name="Survivor")
        merge = Write(ActionKind.MERGE, loser, {world.phone: "+44 9"}, survivor=survivor)
        assert list(await world.connector.write(world.entity, [merge])) == [Written(loser)]
        name, _, phone = world.truth()[survivor]
        assert (name, phone) == ("Survivor", "+44 9")
        fields = (*world.fields, "masterid") if world.is_crm else world.fields
        (reading,) = await world.connector.fetch_records(world.entity, fields, [loser])
        if world.is_crm:
            assert (reading.presence, reading.merged_into) == (Presence.PRESENT, survivor)
        else:
            assert reading.presence is Presence.GONE
        assert world.connector.batch_size(world.entity, ActionKind.MERGE, 1_000) >= 1

    async def test_a_merge_again_says_that_nothing_is_left_to_merge(self, world: ConnectorWorld) -> None:
        """A second try does no harm: the loser is gone, or inactive and refused."""
        loser, survivor = world.create(name="Loser"), world.create(name="Survivor")
        merge = Write(ActionKind.MERGE, loser, {}, survivor=survivor)
        await world.connector.write(world.entity, [merge])
        before = world.truth()
        (again,) = await world.connector.write(world.entity, [merge])
        assert isinstance(again, Refused if world.is_crm else Missing)
        assert world.truth() == before

    async def test_a_record_that_moved_since_it_was_read_is_not_overwritten(self, world: ConnectorWorld) -> None:
        """Where the side has versions; elsewhere the write goes through and the read-back finds what it ran over."""
        id_ = world.create(name="Ann")
        (reading,) = await world.connector.fetch_records(world.entity, world.fields, [id_])
        world.edit(id_, name="Theirs")
        (result,) = await world.connector.write(world.entity, [world.an_update(id_, reading.version, name="Ours")])
        assert world.truth()[id_][0] == ("Theirs" if world.is_crm else "Ours")
        assert isinstance(result, Stale if world.is_crm else Written)

    async def test_the_version_it_answers_is_the_one_that_is_read(self, world: ConnectorWorld) -> None:
        id_ = world.create(name="Ann")
        (written,) = await world.connector.write(world.entity, [world.an_update(id_, name="Anna")])
        (reading,) = await world.connector.fetch_records(world.entity, world.fields, [id_])
        assert isinstance(written, Written)
        assert written.version == reading.version

    async def test_the_results_come_in_the_order_of_the_writes(self, world: ConnectorWorld) -> None:
        ids = [world.create(name=f"Person {n}") for n in range(2)]
        writes = [
            world.an_update(ids[1], phone="+44 7"),
            world.an_update(world.an_unknown_id(), phone="+44 8"),
            world.an_update(ids[0], phone="+44 9"),
        ]
        first, second, third = await world.connector.write(world.entity, writes)
        assert [result.id if isinstance(result, Written) else result for result in (first, second, third)] == [
            ids[1],
            Missing(),
            ids[0],
        ]

    async def test_a_refusal_names_the_field_and_stops_no_other_record(self, world: ConnectorWorld) -> None:
        ids = [world.create(name="Person", phone="+44 0") for _ in range(2)]
        writes = [world.an_update(ids[0], name="Good", phone=TOO_LONG), world.an_update(ids[1], phone="+44 10")]
        refused, written = await world.connector.write(world.entity, writes)
        assert isinstance(refused, Refused)
        assert refused.field == world.phone
        assert TOO_LONG not in refused.message
        assert isinstance(written, Written)
        assert [world.truth()[id_][2] for id_ in ids] == ["+44 0", "+44 10"]

    async def test_a_lost_answer_is_an_unknown_outcome(self, world: ConnectorWorld) -> None:
        id_ = world.create(name="Ann")
        await world.connector.fetch_schema(world.entity)
        world.lose_answer()
        with pytest.raises(UnknownOutcomeError):
            await world.connector.write(world.entity, [world.an_update(id_, name="Anna")])
        assert world.truth()[id_][0] == "Anna"

    async def test_a_busy_side_has_written_nothing(self, world: ConnectorWorld) -> None:
        id_ = world.create(name="Ann")
        await world.connector.fetch_schema(world.entity)
        world.be_busy()
        with pytest.raises(TransientError):
            await world.connector.write(world.entity, [world.an_update(id_, name="Anna")])
        world.recover()
        assert world.truth()[id_][0] == "Ann"

    async def test_a_full_batch_is_one_call(self, world: ConnectorWorld) -> None:
        size = world.connector.batch_size(world.entity, ActionKind.CREATE)
        await world.connector.write(world.entity, [world.a_create()])
        before = world.connector.calls
        results = await world.connector.write(world.entity, [world.a_create(name=f"Batch {n}") for n in range(size)])
        assert world.connector.calls == before + 1
        truth = world.truth()
        assert [truth[r.id][0] for r in results if isinstance(r, Written)] == [f"Batch {n}" for n in range(size)]


class DescriptionContract:
    async def test_every_call_is_counted(self, world: ConnectorWorld) -> None:
        connector, counted = world.connector, [world.connector.calls]
        await connector.fetch_records(world.entity, world.fields, [world.an_unknown_id()])
        counted.append(connector.calls)
        await connector.find_records(world.entity, world.fields, world.email, [an_email()])
        counted.append(connector.calls)
        _ = [page async for page in connector.fetch_changes(world.entity, None, world.fields)]
        counted.append(connector.calls)
        assert counted == sorted(set(counted))

    async def test_the_schema_knows_the_fields(self, world: ConnectorWorld) -> None:
        schema = await world.connector.fetch_schema(world.entity)
        assert {name: schema.fields[name].name for name in world.fields} == {name: name for name in world.fields}

    async def test_the_identity_stays_the_same(self, world: ConnectorWorld) -> None:
        first = await world.connector.fetch_identity()
        assert first
        assert await world.connector.fetch_identity() == first

    async def test_access_is_told_line_by_line(self, world: ConnectorWorld) -> None:
        lines = await world.connector.check_access([world.entity])
        assert lines
        assert [line.what for line in lines if not line.is_ok] == []

    async def test_a_field_that_is_made_can_be_written_when_the_call_returns(self, world: ConnectorWorld) -> None:
        new = world.a_field()
        await world.connector.create_fields(world.entity, [new])
        schema = await world.connector.fetch_schema(world.entity)
        assert (schema.fields[new.name].kind, schema.fields[new.name].label) == (FieldKind.TEXT, new.label)
        id_ = world.create(name="Ann")
        (result,) = await world.connector.write(world.entity, [Write(ActionKind.UPDATE, id_, {new.name: "noted"})])
        assert isinstance(result, Written)
        (reading,) = await world.connector.fetch_records(world.entity, [new.name], [id_])
        assert reading.values == ("noted",)

    async def test_a_field_that_is_there_is_left_as_it_is(self, world: ConnectorWorld) -> None:
        new = world.a_field()
        await world.connector.create_fields(world.entity, [new])
        before = (await world.connector.fetch_schema(world.entity)).fields[new.name]
        again = NewField(new.name, "Another Label", new.native_type)
        await world.connector.create_fields(world.entity, [again, world.a_field()])
        assert (await world.connector.fetch_schema(world.entity)).fields[new.name] == before

    async def test_a_write_without_an_answer_settles_in_time(self, world: ConnectorWorld) -> None:
        assert world.connector.settle_s(world.entity) > 0

    async def test_what_a_feed_does_not_tell_is_found_by_the_ids_there_are(self, world: ConnectorWorld) -> None:
        connector = world.connector
        if connector.side is Side.MARKETING:
            assert await connector.sweep_of(world.entity) is Sweep.NOTHING
            return
        made = [world.create(name=f"Swept {number}", email=an_email()) for number in range(4)]
        there = {id_ async for page in connector.fetch_ids(world.entity) for id_ in page}
        assert set(made) <= there
        world.delete(made[0])
        there = {id_ async for page in connector.fetch_ids(world.entity) for id_ in page}
        assert set(made) & there == set(made[1:])

    async def test_tracking_is_for_tables_and_again_does_no_harm(self, world: ConnectorWorld) -> None:
        if world.connector.side is Side.MARKETING:
            with pytest.raises(RejectedError):
                await world.connector.track_changes(world.entity)
            return
        await world.connector.track_changes(world.entity)
        await world.connector.track_changes(world.entity)
        assert await world.connector.sweep_of(world.entity) is Sweep.NOTHING

    async def test_many_that_wait_may_go_together_and_settle_no_earlier(self, world: ConnectorWorld) -> None:
        connector = world.connector
        for kind in (ActionKind.CREATE, ActionKind.UPDATE):
            size = connector.batch_size(world.entity, kind, 1_000_000, "someKey")
            assert size >= connector.batch_size(world.entity, kind) >= 1
            assert connector.settle_s(world.entity, size) >= connector.settle_s(world.entity)


class ConnectorContract(
    FullReadContract, ChangesContract, BackfillContract, ReadContract, WriteContract, DescriptionContract
):
    """A connector adds its ``world``."""

    @pytest.fixture
    def follower(self, world: ConnectorWorld) -> Follower:
        return Follower(world)
