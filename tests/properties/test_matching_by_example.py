"""Who is matched with whom, over the whole engine: decisions, dedupe keys of several fields, shared addresses."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from tandem.core.dedupe import matched_by
from tandem.core.errors import ConfigError
from tandem.core.mapping import share_shapes
from tandem.core.match import SEVERAL_PEOPLE, SEVERAL_RECORDS
from tandem.core.matching import GONE
from tandem.core.record import CONTACT, LEAD, PERSON, Entity, LinkNumber, RecordId, Value
from tandem.core.schema import EntitySchema, FieldInfo, FieldKind
from tandem.ports import MatchRow
from tandem.runtime.engine import Engine
from tandem.runtime.sync_pass import run_pass
from tests.builders import World, declare, small_mappings, small_policies

PEOPLE = EntitySchema(
    PERSON,
    {
        name: FieldInfo(name, name, FieldKind.TEXT, "string", is_searchable=name in ("email", "lastName"))
        for name in ("email", "firstName", "lastName", "phone")
    },
)


class Stage:
    def __init__(self, *, prefer: Sequence[str] | None = None, dedupe: Sequence[str] = ("email",)) -> None:
        self.world = World()
        self.dedupe = dedupe
        if prefer is not None:
            policies = small_policies().items()
            self.world.policies = {entity: replace(policy, prefer=tuple(prefer)) for entity, policy in policies}

    def engine(self) -> Engine:
        engine = self.world.engine()
        people = [matched_by(engine.mappings[entity], self.dedupe, PEOPLE) for entity in (LEAD, CONTACT)]
        others = [mapping for entity, mapping in small_mappings().items() if entity not in (LEAD, CONTACT)]
        engine.mappings = share_shapes([*people, *others])
        declare(self.world.store, engine.mappings)
        return engine

    def sync(self, passes: int = 3) -> None:
        for _ in range(passes):
            self.world.clock.advance(100)
            asyncio.run(run_pass(self.engine()))

    def enter(self, id_: str, entity: Entity = CONTACT, **values: Value) -> None:
        self.world.crm.create(entity, {"lastname": "Bee", "emailaddress1": "bee@example.com", **values}, RecordId(id_))

    def person(self, **values: Value) -> RecordId:
        return self.world.marketing.create(PERSON, {"lastName": "Bee", "email": "bee@example.com", **values})

    def crm_keys(self) -> dict[str, Value]:
        return {id_: values.get("crmKey") for id_, values in self.world.marketing.records.get(PERSON, {}).items()}

    def held(self) -> MatchRow:
        (row,) = self.world.store.load_matches(9)
        return row

    def decide(self, link: LinkNumber, decision: str) -> None:
        self.world.store.decide_matches({link: decision}, self.world.clock.now())


@pytest.fixture
def stage() -> Stage:
    """One contact, two people with its address, and no rule."""
    stage = Stage(prefer=())
    stage.person()
    stage.person()
    stage.enter("a")
    stage.sync()
    return stage


def test_a_match_that_nobody_may_guess_waits_outside_the_inbox(stage: Stage) -> None:
    row = stage.held()
    assert (row.cause, [each.id for each in row.candidates]) == (SEVERAL_PEOPLE, ["1", "2"])
    assert sum(status.waiting for status in stage.world.store.load_status()) == 0
    assert stage.crm_keys() == {"1": None, "2": None}


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        ("2", {"1": None, "2": "a"}),
        ("create", {"1": None, "2": None, "4": "a"}),
        ("never", {"1": None, "2": None}),
    ],
)
def test_a_decision_is_honoured_and_stays_so(stage: Stage, decision: str, expected: dict[str, Value]) -> None:
    stage.decide(stage.held().link, decision)
    stage.sync()
    stage.world.crm.edit(CONTACT, RecordId("a"), {"firstname": "Later"})
    stage.sync()
    assert [*stage.crm_keys().values()] == [*expected.values()]
    assert len(stage.world.store.load_matches(9)) == (decision == "never")
    named = [values.get("firstName") for values in stage.world.marketing.records[PERSON].values()]
    assert ("Later" in named) == (decision != "never")


def test_a_choice_that_is_gone_is_asked_for_again(stage: Stage) -> None:
    row = stage.held()
    stage.world.marketing.delete(PERSON, RecordId("2"))
    stage.decide(row.link, "2")
    stage.sync()
    asked = stage.held()
    assert (asked.cause, asked.decision, [each.id for each in asked.candidates]) == (GONE, None, ["1"])
    assert stage.crm_keys() == {"1": None}


def test_a_choice_that_was_linked_meanwhile_is_asked_for_again(stage: Stage) -> None:
    row = stage.held()
    stage.world.marketing.edit(PERSON, RecordId("2"), {"crmKey": "b"})
    stage.enter("b")
    stage.sync()
    stage.decide(row.link, "2")
    stage.sync()
    assert stage.crm_keys() == {"1": None, "2": "b"}
    assert stage.held().cause == GONE


def test_a_choice_that_carries_another_records_key_by_now_is_asked_for_again(stage: Stage) -> None:
    row = stage.held()
    stage.world.marketing.edit(PERSON, RecordId("2"), {"crmKey": "of nobody we sync"})
    stage.decide(row.link, "2")
    stage.sync()
    assert stage.held().cause == GONE
    assert stage.crm_keys()["2"] == "of nobody we sync"


def test_two_records_that_want_one_person_are_held_without_a_rule() -> None:
    stage = Stage(prefer=())
    stage.person()
    stage.enter("a")
    stage.enter("b")
    stage.sync()
    assert {row.cause for row in stage.world.store.load_matches(9)} == {SEVERAL_RECORDS}
    assert stage.crm_keys() == {"1": None}


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_the_preferred_record_adopts_the_person_whatever_the_order(order: tuple[str, str]) -> None:
    stage = Stage()
    stage.world.claim_size = 1
    stage.person()
    for id_ in order:
        stage.enter(id_, statecode=1 if id_ == "b" else None)
    stage.sync(6)
    assert stage.crm_keys()["1"] == "a"
    assert sorted(map(str, stage.crm_keys().values())) == ["a", "b"]


def test_as_many_people_as_records_leave_nobody_without_one() -> None:
    stage = Stage()
    stage.person()
    stage.person()
    stage.enter("a")
    stage.enter("b")
    stage.sync(5)
    assert sorted(stage.crm_keys().items()) == [("1", "a"), ("2", "b")]


def test_all_fields_of_the_dedupe_key_count_together() -> None:
    stage = Stage(dedupe=("firstName", "lastName"))
    stage.person(firstName="Ann", email="other@example.com")
    stage.person(firstName="Bob")
    stage.enter("a", firstname="ANN ")
    stage.enter("b", firstname=None)
    stage.sync(5)
    assert stage.crm_keys()["1"] == "a"
    assert stage.crm_keys()["2"] is None
    assert sorted(map(str, stage.crm_keys().values())) == ["None", "a", "b"]
    stage.person(firstName="Cem", email="cem@example.com")
    stage.enter("c", firstname="Cem", emailaddress1=None)
    stage.sync(5)
    assert [id_ for id_, key in stage.crm_keys().items() if key == "c"] == [list(stage.crm_keys())[-1]]


def test_without_a_dedupe_key_only_the_crm_key_matches() -> None:
    stage = Stage(dedupe=())
    stage.person()
    stage.enter("a")
    stage.sync(5)
    assert sorted(map(str, stage.crm_keys().values())) == ["None", "a"]


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (["company"], "names the Marketo field 'company', which entities.lead does not map"),
        (["firstName", "phone"], "can search people by none of firstName, phone"),
    ],
)
def test_a_dedupe_key_that_cannot_be_is_refused(names: list[str], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        matched_by(small_mappings()[LEAD], names, PEOPLE)


def test_marketo_is_asked_by_the_field_that_it_can_search() -> None:
    mapping = matched_by(small_mappings()[LEAD], ["FIRSTNAME", "lastName"], PEOPLE)
    assert mapping.dedupe_fields == ("lastName", "firstName")
