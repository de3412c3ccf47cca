"""Drift of every kind, made where no feed sees it: a repair brings both sides together by the rules, once."""

import asyncio
from typing import Any

import pytest

from tandem.core.record import ACCOUNT, COMPANY, CONTACT, LEAD, PERSON, Entity, RecordId, Side
from tandem.runtime.reconcile import reconcile
from tandem.runtime.repair import Marked, mark_for_repair
from tandem.runtime.sync_pass import run_pass
from tests.builders import World

CONTACT_1, ACCOUNT_1, LEAD_1 = (RecordId(f"00000000-0000-0000-0000-{number:012}") for number in (1, 2, 3))


@pytest.fixture
def world() -> World:
    """A contact, a lead and an account that are in step."""
    world = World()
    world.crm.create(ACCOUNT, {"name": "Contoso"}, ACCOUNT_1)
    person = {"firstname": "Ann", "lastname": "A", "emailaddress1": "a@example.com", "telephone1": "1"}
    world.crm.create(CONTACT, person, CONTACT_1)
    world.crm.create(LEAD, {"lastname": "L", "emailaddress1": "l@example.com"}, LEAD_1)
    passes(world)
    assert asyncio.run(reconcile(world.engine(), 10)).count == 0
    return world


def passes(world: World, count: int = 4) -> None:
    for _ in range(count):
        asyncio.run(run_pass(world.engine()))
        world.clock.advance(100)


def behind_our_back(world: World, side: Side, entity: Entity, id_: str, **values: Any) -> None:
    """A change that no feed tells of."""
    world.system(side).records[entity][RecordId(id_)].update(values)


def repair(world: World) -> Marked:
    """What `tandem verify --repair` does."""
    engine = world.engine()
    found = asyncio.run(reconcile(engine, 100))
    assert found.count
    marked = mark_for_repair(engine, found.differences)
    passes(world)
    return marked


def test_a_company_that_was_edited_in_marketing_gets_its_accounts_values_back(world: World) -> None:
    (company,) = world.marketing.records[COMPANY]
    behind_our_back(world, Side.MARKETING, COMPANY, company, company="Somebody else")
    passes(world)
    assert world.marketing.records[COMPANY][company]["company"] == "Somebody else"
    repair(world)
    assert world.marketing.records[COMPANY][company]["company"] == "Contoso"
    assert asyncio.run(reconcile(world.engine(), 10)).count == 0


@pytest.mark.parametrize(
    ("side", "entity", "field", "value"),
    [(Side.CRM, CONTACT, "telephone1", "2"), (Side.MARKETING, PERSON, "phone", "2")],
)
def test_a_persons_edit_that_no_feed_told_of_is_carried_and_not_undone(
    world: World, side: Side, entity: Entity, field: str, value: str
) -> None:
    person = person_of(world, CONTACT_1)
    behind_our_back(world, side, entity, CONTACT_1 if side is Side.CRM else person, **{field: value})
    repair(world)
    assert world.crm.records[CONTACT][CONTACT_1]["telephone1"] == "2"
    assert world.marketing.records[PERSON][RecordId(person)]["phone"] == "2"


def test_a_difference_that_the_base_itself_holds_is_decided_as_on_the_first_link(world: World) -> None:
    """No merge sees it, since neither side has moved: a store that was restored, say."""
    person = person_of(world, CONTACT_1)
    link = world.store.find_links(Side.CRM, CONTACT, [CONTACT_1])[CONTACT_1]
    stored = world.store.state.links[link.number]
    place = stored.names.index("telephone1|phone")
    behind_our_back(world, Side.MARKETING, PERSON, person, phone="9")
    half = tuple("9" if at == place else value for at, value in enumerate(link.base.marketing))
    from dataclasses import replace

    world.store.state.links[link.number] = replace(stored, link=replace(link, base=replace(link.base, marketing=half)))
    passes(world)
    assert world.marketing.records[PERSON][RecordId(person)]["phone"] == "9"
    marked = repair(world)
    assert marked.links == {link.number: {"telephone1|phone"}}
    assert world.marketing.records[PERSON][RecordId(person)]["phone"] == "1"
    (conflict,) = world.store.load_conflicts(5)
    assert (conflict.conflict.crm, conflict.conflict.marketing) == ("1", "9")


def test_records_that_are_missing_on_the_other_side_are_made_by_the_rules(world: World) -> None:
    new = RecordId("00000000-0000-0000-0000-000000000009")
    world.crm.records[CONTACT][new] = {"lastname": "Missed", "emailaddress1": "m@example.com"}
    marked = repair(world)
    assert [key.id for key in marked.suspects] == [new]
    assert [row["lastName"] for row in world.marketing.records[PERSON].values()].count("Missed") == 1


def test_a_record_that_went_unseen_is_treated_as_deleted(world: World) -> None:
    person = person_of(world, CONTACT_1)
    del world.crm.records[CONTACT][CONTACT_1]
    repair(world)
    assert world.marketing.records[PERSON][RecordId(person)]["crmIsDeleted"] is True
    assert asyncio.run(reconcile(world.engine(), 10)).count == 0


def test_a_key_held_twice_is_left_to_a_person(world: World) -> None:
    person = person_of(world, CONTACT_1)
    twin = dict(world.marketing.records[PERSON][RecordId(person)])
    world.marketing.records[PERSON][RecordId("99")] = twin
    marked = repair(world)
    assert [one.kind for one in marked.left] == ["key held twice"]
    assert len(world.marketing.records[PERSON]) == 3


def test_a_repaired_world_is_quiet(world: World) -> None:
    behind_our_back(world, Side.MARKETING, PERSON, person_of(world, LEAD_1), lastName="Edited")
    repair(world)
    written = world.crm.version
    passes(world)
    assert world.crm.version == written


def person_of(world: World, crm_id: str) -> str:
    (found,) = [id_ for id_, row in world.marketing.records[PERSON].items() if row["crmKey"] == crm_id]
    return found
