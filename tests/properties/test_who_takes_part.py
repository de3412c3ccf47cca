"""Filters with `remove`, pilots and the ceiling over two systems in memory, whatever befalls the calls: nobody is made
twice or lost, nothing deleted comes back, and what was left aside arrives in the end."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tandem.connectors.memory import Fault
from tandem.core.errors import TransientError
from tandem.core.filters import compile_filter
from tandem.core.pilot import Pilot
from tandem.core.policy import DeleteRule, LeaveRule
from tandem.core.record import ACCOUNT, CONTACT, PERSON, LinkStatus, RecordId, Side
from tandem.runtime.sync_pass import run_pass
from tests.builders import World, small_mappings, small_policies

IDS = [RecordId(f"00000000-0000-0000-0000-{number:012d}") for number in range(1, 7)]
FIELDS = small_mappings()[CONTACT].crm_fields
INSIDE = compile_filter("telephone1 != 'out'", FIELDS, "filter")


def people(world: World) -> dict[str, RecordId]:
    """Marketo's ids by crm id; a key that two people carry is a failure."""
    found: dict[str, RecordId] = {}
    for id_, values in world.marketing.records.get(PERSON, {}).items():
        if key := values.get("crmKey"):
            assert str(key) not in found, "R4: two people carry one key"
            found[str(key)] = id_
    return found


def one_pass(world: World, pilot: Pilot | None = None, **more: Any) -> None:
    world.clock.advance(100)
    engine = world.engine()
    engine.pilot = pilot
    engine.settings = replace(engine.settings, **more)
    try:
        asyncio.run(run_pass(engine))
    except TransientError:
        world.clock.advance(100)


def rest(world: World, **more: Any) -> None:
    for _ in range(8):
        before = world.crm.writes + world.marketing.writes
        one_pass(world, **more)
        if world.crm.writes + world.marketing.writes == before:
            return
    raise AssertionError("R6: the two sides do not come to rest")


def with_contacts(**rules: Any) -> World:
    policies = small_policies()
    policies[CONTACT] = replace(policies[CONTACT], **rules)
    world = World(policies=policies)
    for number, id_ in enumerate(IDS):
        world.crm.create(CONTACT, {"lastname": f"P{number}", "emailaddress1": f"p{number}@example.com"}, id_)
    return world


# --- who leaves the filter is removed


@pytest.fixture
def leaving() -> World:
    world = with_contacts(filter=INSIDE, on_leave=LeaveRule.REMOVE)
    rest(world)
    assert people(world).keys() == set(IDS)
    return world


@pytest.mark.parametrize("fault", [None, *Fault])
def test_who_leaves_goes_once_and_comes_back_once(leaving: World, fault: Fault | None) -> None:
    before = people(leaving)[IDS[0]]
    for phone, expected in (("out", set(IDS[1:])), ("in", set(IDS))):
        leaving.crm.edit(CONTACT, IDS[0], {"telephone1": phone})
        leaving.marketing.faults.extend([fault] if fault else [])
        one_pass(leaving)
        leaving.marketing.land_late()
        rest(leaving)
        assert people(leaving).keys() == expected
    assert people(leaving)[IDS[0]] != before
    assert len(leaving.marketing.records[PERSON]) == len(IDS)


def test_who_was_deleted_by_somebody_else_stays_away(leaving: World) -> None:
    leaving.marketing.delete(PERSON, people(leaving)[IDS[0]])
    rest(leaving)
    for phone in ("out", "in"):
        leaving.crm.edit(CONTACT, IDS[0], {"telephone1": phone})
        rest(leaving)
    assert people(leaving).keys() == set(IDS[1:])


def test_an_edit_that_meets_the_removal_keeps_the_person(leaving: World) -> None:
    leaving.crm.edit(CONTACT, IDS[0], {"telephone1": "out"})
    leaving.marketing.edit(PERSON, people(leaving)[IDS[0]], {"firstName": "Typed"}, source="Lead update")
    rest(leaving)
    assert IDS[0] in people(leaving)
    assert [row.conflict.marketing for row in leaving.store.load_conflicts(10)] == ["Typed"]


# --- deletions in marketing, beyond what the feeds remember


@pytest.mark.parametrize("rule", [DeleteRule.IGNORE, DeleteRule.RECREATE])
@pytest.mark.parametrize("is_forgotten", [False, True])
def test_a_full_read_after_the_retention_resurrects_nobody_unless_asked(rule: DeleteRule, is_forgotten: bool) -> None:
    world = with_contacts(deleted_in_marketing=rule)
    rest(world)
    world.marketing.delete(PERSON, people(world)[IDS[0]])
    if is_forgotten:
        for system in (world.crm, world.marketing):
            system.forget_log()
        world.clock.advance(30 * 86_400)
    rest(world)
    world.crm.edit(CONTACT, IDS[0], {"telephone1": "1"})
    for system in (world.crm, world.marketing):
        system.forget_log()
    rest(world)
    assert (IDS[0] in people(world)) is (rule is DeleteRule.RECREATE)


@pytest.mark.parametrize("fault", [None, *Fault])
def test_a_deletion_in_marketing_sets_the_column_once(fault: Fault | None) -> None:
    world = with_contacts(deleted_in_marketing=DeleteRule.FLAG, deleted_column="new_gone")
    engine_of = world.engine

    def engine(store: object = None) -> object:
        made = engine_of()
        mapping = made.mappings[CONTACT]
        fields = (*mapping.crm_fields, "new_gone")
        made.mappings = {**made.mappings, CONTACT: replace(mapping, crm_fields=fields)}
        shapes = {(Side.CRM, entity): m.crm_fields for entity, m in made.mappings.items()}
        shapes |= {(Side.MARKETING, m.marketing_entity): m.marketing_fields for m in made.mappings.values()}
        made.store.use_mappings({entity: m.names for entity, m in made.mappings.items()}, shapes)
        return made

    world.engine = engine  # type: ignore[method-assign, assignment]
    rest(world)
    world.marketing.delete(PERSON, people(world)[IDS[0]])
    world.crm.faults.extend([fault] if fault else [])
    one_pass(world)
    world.crm.land_late()
    rest(world)
    assert {id_: row.get("new_gone") for id_, row in world.crm.records[CONTACT].items() if row.get("new_gone")} == {
        IDS[0]: True
    }
    (link,) = [link for link in world.store.iter_links(CONTACT) if link.crm and link.crm.id == IDS[0]]
    assert link.status is LinkStatus.TOMBSTONE


# --- a pilot, then everybody

PILOTS = st.lists(
    st.tuples(st.integers(1, 6) | st.just(0), st.sampled_from([None, *Fault])), min_size=1, max_size=4
)  # fmt: skip


@settings(max_examples=40)
@given(PILOTS)
def test_pilots_touch_only_their_own_and_the_whole_sync_finds_everybody(
    pilots: list[tuple[int, Fault | None]],
) -> None:
    world = with_contacts()
    company = world.crm.create(ACCOUNT, {"name": "Ours"}, RecordId("a0000000-0000-0000-0000-000000000001"))
    world.crm.edit(CONTACT, IDS[0], {"parentcustomerid": company})
    only = compile_filter("lastname == 'P0' || lastname == 'P3'", FIELDS, "only")
    assert only is not None
    most = 0
    for limit, fault in pilots:
        world.marketing.faults.extend([fault] if fault else [])
        pilot = Pilot("test", limit=limit) if limit else Pilot("test", only={CONTACT: only})
        known = set(people(world))
        one_pass(world, pilot)
        world.marketing.land_late()
        world.marketing.faults.clear()
        most = max(most, limit) if limit else most
        if not limit:
            assert set(people(world)) - known <= {IDS[0], IDS[3]}
        assert len(set(people(world)) - {IDS[0], IDS[3]}) <= most
    rest(world)
    assert people(world).keys() == set(IDS)
    assert {values["lastName"] for values in world.marketing.records[PERSON].values()} == {f"P{n}" for n in range(6)}


def test_an_edit_of_a_person_outside_the_pilot_is_not_lost() -> None:
    world = with_contacts()
    rest(world)
    only = compile_filter("lastname == 'P0'", FIELDS, "only")
    assert only is not None
    world.crm.edit(CONTACT, IDS[1], {"telephone1": "1"})
    world.marketing.edit(PERSON, people(world)[IDS[2]], {"phone": "2"}, source="Lead update")
    before = world.crm.writes + world.marketing.writes
    one_pass(world, Pilot("test", only={CONTACT: only}))
    assert world.crm.writes + world.marketing.writes == before
    rest(world)
    assert world.marketing.records[PERSON][people(world)[IDS[1]]]["phone"] == "1"
    assert world.crm.records[CONTACT][IDS[2]]["telephone1"] == "2"


# --- the ceiling


@pytest.mark.parametrize("fault", [None, *Fault])
def test_no_fault_makes_more_people_than_the_ceiling(fault: Fault | None) -> None:
    world = with_contacts()
    for number in range(10):
        world.marketing.create(PERSON, {"lastName": f"Known {number}"}, RecordId(str(500 + number)))
    world.marketing.faults.extend([fault] if fault else [])
    one_pass(world, has_people_ceiling=True)
    world.marketing.land_late()
    rest(world, has_people_ceiling=True)
    assert len(people(world)) == 1, "a tenth more than ten"
    held = [row for row in world.store.load_holds(10) if "marketing.max_people" in row.reason]
    assert len(held) == 5
    rest(world, has_people_ceiling=True, max_people=12)
    assert len(people(world)) == 2
    rest(world, has_people_ceiling=True, max_people=100)
    assert people(world).keys() == set(IDS)
    assert not world.store.load_holds(10)


def test_no_pass_counts_everything_to_know_how_many_people_are_linked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The status counts every link, hold and conflict: too much for each pass of a sync of millions."""
    assert INSIDE is not None
    world = with_contacts()

    def refuse() -> None:
        raise AssertionError("a pass made the status")

    monkeypatch.setattr(world.store, "load_status", refuse)
    one_pass(world, Pilot("test", only={CONTACT: INSIDE}), max_people=len(IDS) - 1)
    one_pass(world, max_people=len(IDS) - 1)
    assert len(people(world)) == len(IDS) - 1
