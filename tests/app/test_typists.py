"""Simulated people type from a seed, into a field of their own, something that neither side holds yet."""

import pytest

from tandem.app.demo.typists import Typist
from tandem.app.demo.world import CRM, MARKETING, Typed, World, find_pair
from tandem.core.errors import ConfigError


def a_world(people: int) -> World:
    """Linked leads and contacts by turns, all with a job title and a phone, and one linked account."""
    keys = [f"00000000-0000-4000-8000-{number:012d}" for number in range(people)]
    leads = {key: {"leadid": key, "jobtitle": "Buyer", "telephone1": "1", "statecode": 0} for key in keys[::2]}
    contacts = {key: {"contactid": key, "jobtitle": "Buyer", "telephone1": "1", "statecode": 0} for key in keys[1::2]}
    persons = {
        str(number): {"id": number, "tandemCrmId": key, "title": "Buyer", "phone": "1"}
        for number, key in enumerate(keys, start=1)
    }
    account = "aaaaaaaa-0000-4000-8000-000000000001"
    return World(
        crm={"lead": leads, "contact": contacts, "account": {account: {"accountid": account}}, "systemuser": {}},
        marketing={"person": persons, "company": {"9": {"id": 9, "externalCompanyId": account}}, "salesperson": {}},
    )


def drafts(typist: Typist) -> list[Typed]:
    edits = [edit for _ in range(50) for edit in typist.rivals(1)]
    return edits + [typist.single(side, 1) for _ in range(50) for side in (CRM, MARKETING)]


def test_the_same_seed_types_the_same() -> None:
    assert drafts(Typist(a_world(100), 7)) == drafts(Typist(a_world(100), 7))
    assert drafts(Typist(a_world(100), 7)) != drafts(Typist(a_world(100), 8))


def test_rivals_type_different_values_into_one_field_of_one_person() -> None:
    world = a_world(40)
    typist = Typist(world, 7)
    for _ in range(30):
        crm, marketing = typist.rivals(1)
        assert world.marketing["person"][marketing.id]["tandemCrmId"] == crm.id
        pair = find_pair(crm.entity, crm.field)
        assert pair.marketing == marketing.field
        assert pair.reading_of(CRM, crm.value) != pair.reading_of(MARKETING, marketing.value)


def test_no_field_of_a_person_is_typed_into_twice_but_by_rivals() -> None:
    world = a_world(40)
    places: list[tuple[str, str]] = []
    for edit in drafts(Typist(world, 3))[100:]:
        key = edit.id if edit.side == CRM else str(world.marketing["person"][edit.id]["tandemCrmId"])
        places.append((key, find_pair("lead", edit.field).crm))
    assert len(places) == len(set(places)) == 100


def test_every_edit_changes_something_on_its_own_side() -> None:
    world = a_world(40)
    for edit in drafts(Typist(world, 5)):
        record = (world.crm if edit.side == CRM else world.marketing)[edit.entity][edit.id]
        assert record.get(edit.field) != edit.value


def test_kinds_are_mixed() -> None:
    edits = drafts(Typist(a_world(100), 7))
    assert {"emailaddress1", "donotbulkemail", "leadsourcecode"} <= {edit.field for edit in edits if edit.side == CRM}
    assert any(edit.value is None for edit in edits)
    assert {edit.value for edit in edits if edit.field == "unsubscribed"} == {True}


def test_inactive_records_are_left_alone() -> None:
    world = a_world(2)
    world.crm["lead"]["00000000-0000-4000-8000-000000000000"]["statecode"] = 2  # type: ignore[index]
    ids = {Typist(world, seed).single(CRM, 1).id for seed in range(20)}
    assert ids == {"00000000-0000-4000-8000-000000000001"}


def test_the_counterpart_of_an_edit_is_the_linked_record() -> None:
    typist = Typist(a_world(2), 7)
    key = "00000000-0000-4000-8000-000000000001"
    assert typist.counterpart(Typed(1, CRM, "contact", key, "jobtitle", "x")) == ("person", "2")
    assert typist.counterpart(Typed(1, MARKETING, "person", "2", "title", "x")) == ("contact", key)
    assert typist.counterpart(typist.of_account(1)) == ("company", "9")


def test_too_few_people_is_a_sentence() -> None:
    typist = Typist(a_world(1), 7)
    with pytest.raises(ConfigError, match="too few people"):
        drafts(typist)
