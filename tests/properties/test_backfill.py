"""A backfill fills what it is for, and nobody waits for it: a live edit overtakes it, a crash costs it a page."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tandem.app.build import declare
from tandem.connectors.memory import MemoryConnector
from tandem.core.backfill import Backfill, Since, Span
from tandem.core.errors import RejectedError, SchemaChangedError, TransientError
from tandem.core.mapping import FieldPair, compile_mapping, share_shapes
from tandem.core.record import LEAD, PERSON, RecordId, Side
from tandem.core.schema import EntitySchema, FieldInfo, FieldKind
from tandem.core.transforms import Identity
from tandem.runtime.backfill import ask, open_backfills
from tandem.runtime.engine import UNBOUNDED, Engine
from tandem.runtime.sync_pass import run_pass
from tests.builders import World, person_pairs, small_mappings

PEOPLE = 60
TITLE = FieldPair("jobtitle", "title", Identity())


def a_world(people: int = PEOPLE, **values: object) -> World:
    """A first copy is done; the titles that people have are not mapped yet."""
    world = World(page_size=10, claim_size=10)
    for number in range(people):
        email = f"person.{number}@example.com"
        world.crm.create(LEAD, {"firstname": f"P{number}", "emailaddress1": email, "jobtitle": "Clerk"}, id_of(number))
    run(engine_of(world, ()))
    return world


def id_of(number: int) -> RecordId:
    return RecordId(f"lead-{number:04}")


def engine_of(world: World, new: tuple[FieldPair, ...], **settings: Any) -> Engine:
    """As a process that starts anew, with the pairs that are `new`."""
    lead = compile_mapping(LEAD, PERSON, [*person_pairs(), *new], key_field="crmKey", dedupe_field="email")
    mappings = share_shapes([lead, *(m for entity, m in small_mappings().items() if entity != LEAD)])
    declare(world.store, mappings, world.policies, world.clock.now())
    engine = world.engine()
    declare(world.store, mappings, world.policies, world.clock.now())
    engine.mappings = mappings
    engine.settings = replace(engine.settings, **settings)
    return engine


def run(engine: Engine) -> Mapping[str, int]:
    return asyncio.run(run_pass(engine)).counts


def titles(world: World) -> list[object]:
    return [record.get("title") for record in world.marketing.records[PERSON].values()]


def person_called(world: World, name: str) -> Mapping[str, object]:
    return next(record for record in world.marketing.records[PERSON].values() if record.get("firstName") == name)


def test_a_new_pair_is_filled_by_a_backfill_of_both_sides_with_its_progress() -> None:
    world = a_world()
    engine = engine_of(world, (TITLE,), slow_pages=3, slow_rounds=1)
    asked = {(b.side, b.entity): b.reason for b in open_backfills(world.store)}
    assert asked == {(Side.CRM, LEAD): "new: jobtitle", (Side.MARKETING, PERSON): "new: title"}
    run(engine)
    reading = open_backfills(world.store)[0]
    assert (reading.read, reading.expected, reading.is_read) == (30, PEOPLE, False)
    assert titles(world).count("Clerk") == 0
    for _ in range(30):
        run(engine)
    assert titles(world) == ["Clerk"] * PEOPLE
    assert open_backfills(world.store) == []
    assert all(b.finished_at for b in world.store.load_backfills(9))
    assert run(engine).get("applied.marketing.update.person", 0) == 0


def test_a_live_edit_arrives_with_the_next_pass_whatever_is_being_filled() -> None:
    world = a_world(people=400)
    engine = engine_of(world, (TITLE,), slow_pages=2, slow_rounds=1)
    passes = edits = 0
    while open_backfills(world.store):
        world.crm.edit(LEAD, id_of(399), {"firstname": f"Edited {passes}"})
        run(engine)
        edits += person_called(world, f"Edited {passes}") is not None
        passes += 1
    assert passes > 20, "the backfill must last for the edits to overtake it"
    assert edits == passes
    assert titles(world) == ["Clerk"] * 400


def test_an_edit_in_marketing_arrives_meanwhile_too_and_is_not_undone_by_an_older_row() -> None:
    world = a_world()
    engine = engine_of(world, (TITLE,), slow_pages=2, slow_rounds=1)
    run(engine)
    person = next(iter(world.marketing.records[PERSON]))
    world.marketing.edit(PERSON, person, {"phone": "+44 1"})
    world.clock.advance(60)
    run(engine)
    crm_id = RecordId(str(world.marketing.records[PERSON][person]["crmKey"]))
    assert world.crm.records[LEAD][crm_id]["telephone1"] == "+44 1"
    for _ in range(40):
        world.clock.advance(60)
        run(engine)
    assert world.crm.records[LEAD][crm_id]["telephone1"] == "+44 1"
    assert world.marketing.records[PERSON][person]["phone"] == "+44 1"
    assert titles(world) == ["Clerk"] * PEOPLE


def test_a_process_that_runs_once_fills_everything_in_one_pass() -> None:
    world = a_world()
    run(engine_of(world, (TITLE,), slow_pages=UNBOUNDED, slow_rounds=UNBOUNDED))
    assert titles(world) == ["Clerk"] * PEOPLE
    assert open_backfills(world.store) == []


def test_a_record_deleted_while_everything_is_read_is_found_at_the_end() -> None:
    world = a_world()
    engine = engine_of(world, (TITLE,), slow_pages=1, slow_rounds=1)
    run(engine)
    world.crm.delete(LEAD, id_of(7))
    for _ in range(60):
        world.clock.advance(60)
        run(engine)
    gone = [r for r in world.marketing.records[PERSON].values() if r["crmKey"] == id_of(7)]
    assert [r["crmIsDeleted"] for r in gone] == [True]


def test_a_forgotten_feed_is_read_anew_in_the_slow_lane_while_edits_go_on() -> None:
    world = a_world()
    engine = engine_of(world, (), slow_pages=1, slow_rounds=1)
    world.crm.edit(LEAD, id_of(3), {"firstname": "Missed"})
    world.crm.forget_log()
    run(engine)
    assert {b.reason for b in open_backfills(world.store)} == {"the feed was forgotten"}
    world.crm.edit(LEAD, id_of(5), {"firstname": "Live"})
    run(engine)
    assert person_called(world, "Live")
    for _ in range(60):
        world.clock.advance(60)
        run(engine)
    assert person_called(world, "Missed")
    assert open_backfills(world.store) == []


def test_a_pass_that_dies_while_it_reads_goes_on_behind_the_last_page(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world()
    engine = engine_of(world, (TITLE,), slow_pages=5, slow_rounds=1)
    save, saved = world.store.save_backfill, 0

    def dies(backfill: Backfill) -> int:
        nonlocal saved
        saved += 1
        if saved == 4:
            raise TransientError("the process died here", side=Side.CRM)
        return save(backfill)

    monkeypatch.setattr(world.store, "save_backfill", dies)
    with pytest.raises(TransientError):
        run(engine)
    assert open_backfills(world.store)[0].read == 20
    for _ in range(30):
        run(engine)
    assert titles(world) == ["Clerk"] * PEOPLE


# --- asked for by a person -----------------------------------------------------------------------------------------


def drifted(world: World) -> list[str]:
    """Somebody changed Marketo where no change tells: the base says what both sides hold."""
    changed = []
    for number, record in enumerate(world.marketing.records[PERSON].values()):
        if number % 5 == 0:
            record["firstName"] = "Drifted"
            changed.append(str(record["crmKey"]))
    for stored in world.store.state.links.values():
        link = stored.link
        place = stored.names.index("firstname|firstName")
        if link.crm and link.crm.id in changed:
            base = link.base.replaced({place: (link.base.crm[place], "Drifted")})  # type: ignore[dict-item]
            stored.link = replace(link, base=base)
    return changed


def refill(world: World, giver: Side | None, span: Span | None = None) -> None:
    asked = Backfill(Side.CRM, LEAD, "asked for", world.clock.now(), ("firstname|firstName",), giver, span)
    ask(world.store, asked)


def test_drift_is_repaired_from_the_side_that_is_named_and_an_empty_value_goes_too() -> None:
    world = a_world()
    engine = engine_of(world, (), slow_pages=UNBOUNDED, slow_rounds=UNBOUNDED)
    changed = drifted(world)
    run(engine)
    assert sum(r.get("firstName") == "Drifted" for r in world.marketing.records[PERSON].values()) == len(changed)
    refill(world, Side.CRM)
    run(engine)
    assert not any(r.get("firstName") == "Drifted" for r in world.marketing.records[PERSON].values())
    assert run(engine).get("applied.marketing.update.person", 0) == 0


def test_only_records_of_the_span_are_filled_again() -> None:
    world = a_world()
    drifted(world)
    world.clock.advance(3600)
    begin = world.clock.now()
    world.crm.edit(LEAD, id_of(5), {"lastname": "New"})
    engine = engine_of(world, (), slow_pages=UNBOUNDED, slow_rounds=UNBOUNDED)
    run(engine)
    refill(world, Side.CRM, Span(Since.UPDATED, since=begin))
    run(engine)
    left = {r["crmKey"] for r in world.marketing.records[PERSON].values() if r.get("firstName") == "Drifted"}
    assert id_of(5) not in left
    assert len(left) == PEOPLE // 5 - 1


def test_two_requests_for_one_table_are_read_once_for_both() -> None:
    world = a_world()
    for pair in ("a|a", "b|b", "a|a"):
        ask(world.store, Backfill(Side.CRM, LEAD, f"asked for {pair}", world.clock.now(), (pair,)))
    run(engine_of(world, (), slow_pages=1, slow_rounds=1))
    (found,) = open_backfills(world.store)
    assert found.read == 10
    assert (found.pairs, found.reason) == (("a|a", "b|b"), "asked for a|a; asked for b|b")


# --- fields that change at the source ------------------------------------------------------------------------------


def described(world: World, **types: FieldKind) -> Engine:
    """Both sides say what the title is; `types` by side, none where it is gone."""
    infos = [FieldInfo(name, name, FieldKind.TEXT, "text") for name in ("jobtitle", "title")]
    engine = engine_of(world, (replace(TITLE, infos=(infos[0], infos[1])),))
    for side, entity, name in ((Side.CRM, LEAD, "jobtitle"), (Side.MARKETING, PERSON, "title")):
        kind = types.get(side.value)
        fields = {name: FieldInfo(name, name, kind, kind.value)} if kind else {}
        connector = engine.connector(side)
        assert isinstance(connector, MemoryConnector)
        connector.schemas = {entity: EntitySchema(entity, fields)}
    return engine


@pytest.mark.parametrize(
    ("types", "where"),
    [
        ({"marketing": FieldKind.TEXT}, "lead.jobtitle of crm is gone"),
        ({"crm": FieldKind.INTEGER, "marketing": FieldKind.TEXT}, "lead.jobtitle of crm is of another type"),
        ({"crm": FieldKind.TEXT}, "person.title of marketing is gone"),
        ({"crm": FieldKind.TEXT, "marketing": FieldKind.BOOLEAN}, "person.title of marketing is of another type"),
    ],
)
def test_a_field_that_is_not_what_it_was_ends_the_pass_within_the_hour(types: dict[str, FieldKind], where: str) -> None:
    world = a_world(people=3)
    engine = described(world, **types)
    run(engine)
    world.clock.advance(3599)
    run(engine)
    world.clock.advance(2)
    with pytest.raises(SchemaChangedError, match=where):
        run(engine)


def test_a_feed_that_was_forgotten_is_a_reason_to_look_at_the_fields_at_once() -> None:
    world = a_world(people=3)
    engine = described(world, marketing=FieldKind.TEXT)
    run(engine)
    world.crm.forget_log()
    with pytest.raises(SchemaChangedError, match="is gone"):
        run(engine)


@pytest.mark.parametrize(
    ("types", "told"),
    [
        ({"marketing": FieldKind.TEXT}, SchemaChangedError),
        ({"crm": FieldKind.TEXT, "marketing": FieldKind.TEXT}, RejectedError),
    ],
)
def test_a_pass_that_is_refused_is_a_reason_to_look_at_the_fields_at_once(
    types: dict[str, FieldKind], told: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: object) -> None:
        raise RejectedError("no such column", side=Side.CRM)

    engine = described(a_world(people=3), **types)
    run(engine)
    monkeypatch.setattr(MemoryConnector, "fetch_changes", refuse)
    with pytest.raises(told):
        run(engine)
