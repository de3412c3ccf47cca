"""Merges that the state machine meets too seldom, one by one, with a pass between any two steps or none."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tandem.connectors.memory import Fault, MemorySystem
from tandem.core.errors import TransientError
from tandem.core.guard import Rails
from tandem.core.plan import ConflictKind
from tandem.core.policy import MergeRule
from tandem.core.record import CONTACT, LEAD, PERSON, Entity, LinkStatus, RecordId, Side, Value
from tandem.ports import HoldRow, Refused, Write, WriteResult
from tandem.runtime.reconcile import reconcile
from tandem.runtime.sync_pass import PassResult, run_pass
from tests.builders import World, small_policies

CARRY = {"merged_in_crm": MergeRule.CARRY, "merged_in_marketing": MergeRule.CARRY}


class Stage:
    """A small world with records by letter."""

    def __init__(self, rules: dict[str, MergeRule] = CARRY) -> None:
        self.world = World()
        self.world.policies = {key: replace(rule, **rules) for key, rule in small_policies().items()}  # type: ignore[arg-type]
        self.rails = Rails()

    def enter(self, letter: str, entity: Entity = CONTACT, **values: Value) -> None:
        email = f"{letter}@example.com"
        self.world.crm.create(entity, {"lastname": letter, "emailaddress1": email, **values}, RecordId(letter))

    def merge(self, loser: str, survivor: str, entity: Entity = CONTACT) -> None:
        self.world.crm.merge(entity, RecordId(loser), RecordId(survivor))

    def prefer_nobody(self, entity: Entity) -> None:
        self.world.policies[entity] = replace(self.world.policies[entity], prefer=())

    def twins_of(self, letter: str) -> None:
        for _ in range(2):
            self.world.marketing.create(PERSON, {"lastName": "Twin", "email": f"{letter}@example.com"})

    def sync(self, passes: int = 3) -> PassResult:
        for _ in range(passes):
            self.world.clock.advance(100)
            engine = self.world.engine()
            engine.settings = replace(engine.settings, rails=self.rails)
            result = asyncio.run(run_pass(engine))
        return result

    @property
    def people(self) -> dict[str, dict[str, Value]]:
        return {str(values.get("crmKey")): values for values in self.world.marketing.records.get(PERSON, {}).values()}

    def person(self, letter: str) -> RecordId:
        records = self.world.marketing.records[PERSON]
        return next(id_ for id_, values in records.items() if values.get("crmKey") == letter)

    def record(self, letter: str) -> dict[str, Value]:
        return self.world.crm.records[CONTACT][RecordId(letter)]

    def holds(self) -> Sequence[HoldRow]:
        return self.world.store.load_holds(100)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_survivor_without_a_person_takes_over_the_losers(stage: Stage) -> None:
    stage.enter("a")
    stage.sync()
    person = stage.person("a")
    stage.enter("b")
    stage.merge("a", "b")
    stage.sync()
    assert stage.person("b") == person
    assert len(stage.people) == 1
    assert stage.people["b"]["lastName"] == "b"


@given(pauses=st.lists(st.booleans(), min_size=3, max_size=3), first_is_linked=st.booleans())
@settings(deadline=None, max_examples=16)
def test_a_chain_ends_in_one_person_whatever_the_passes_between(pauses: list[bool], first_is_linked: bool) -> None:
    stage = Stage()
    stage.enter("a")
    stage.sync() if first_is_linked else None
    stage.enter("b")
    stage.enter("c")
    for is_pause, (loser, survivor) in zip(pauses, [("a", "b"), ("b", "c")], strict=False):
        stage.sync(1) if is_pause else None
        stage.merge(loser, survivor)
    stage.sync(4)
    assert list(stage.people) == ["c"]
    assert not stage.world.store.load_open_rows()


def test_a_chain_is_followed_to_its_end_in_one_pass(stage: Stage) -> None:
    stage.enter("a")
    stage.sync()
    for letter in ("b", "c"):
        stage.enter(letter)
    stage.merge("a", "b")
    stage.merge("b", "c")
    stage.sync(1)
    assert list(stage.people) == ["c"]


def test_the_survivor_is_not_made_while_the_loser_cannot_be_planned(stage: Stage) -> None:
    """The loser's write is under way, so its link waits; the survivor waits with it, over two steps."""
    stage.enter("a")
    stage.sync()
    stage.world.crm.edit(CONTACT, RecordId("a"), {"firstname": "New"})
    stage.world.marketing.faults.append(Fault.LATE)
    stage.sync(1)
    for letter in ("b", "c"):
        stage.enter(letter)
    stage.merge("a", "b")
    stage.merge("b", "c")
    stage.world.clock.advance(-95)
    stage.sync(1)
    assert list(stage.people) == ["a"]
    stage.world.marketing.land_late()
    stage.sync(4)
    assert list(stage.people) == ["c"]


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("side", Side)
def test_a_merge_whose_call_goes_wrong_ends_as_if_it_had_not(stage: Stage, side: Side, fault: Fault) -> None:
    stage.enter("a")
    stage.enter("b")
    stage.sync()
    target = stage.world.system(side)
    target.faults.append(fault)
    if side is Side.MARKETING:
        stage.merge("a", "b")
    else:
        stage.world.marketing.merge(PERSON, stage.person("a"), stage.person("b"))
    with contextlib.suppress(TransientError):
        stage.sync(1)
    target.land_late()
    stage.sync(4)
    assert not target.faults
    assert list(stage.people) == ["b"]
    assert (stage.record("a")["masterid"], stage.record("a")["statecode"]) == ("b", 1)
    assert not stage.world.store.load_open_rows()
    done = target.writes
    stage.sync()
    assert target.writes == done


@pytest.mark.parametrize("side", Side)
def test_a_merge_that_is_refused_is_sent_once_and_again_when_somebody_says_so(
    stage: Stage, side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plug-in that says no says it every time (R1)."""
    stage.enter("a")
    stage.enter("b")
    stage.sync()
    sent: list[Write] = []
    real = MemorySystem._merge

    def refuse(system: MemorySystem, entity: Entity, write: Write) -> WriteResult:
        if system.side is not side:
            return real(system, entity, write)
        sent.append(write)
        return Refused("0x80040265", "a plug-in says no")

    monkeypatch.setattr(MemorySystem, "_merge", refuse)
    if side is Side.MARKETING:
        stage.merge("a", "b")
    else:
        stage.world.marketing.merge(PERSON, stage.person("a"), stage.person("b"))
    stage.sync(6)
    assert len(sent) == 1
    [held] = stage.holds()
    assert held.field is None
    monkeypatch.undo()
    [row] = stage.world.store.load_rejected(10)
    stage.world.store.retry_rejected([row.link])
    stage.sync(4)
    assert list(stage.people) == ["b"]
    assert (stage.record("a")["masterid"], stage.record("a")["statecode"]) == ("b", 1)


def test_a_merge_while_an_edit_is_under_way_loses_neither(stage: Stage) -> None:
    """The answer to a write to the loser's person is lost, and the records are merged before that is settled."""
    stage.enter("a")
    stage.enter("b")
    stage.sync()
    stage.world.crm.edit(CONTACT, RecordId("a"), {"firstname": "New"})
    stage.world.marketing.faults.append(Fault.LOST_RESPONSE)
    stage.sync(1)
    assert stage.world.store.load_open_rows()
    stage.merge("a", "b")
    stage.sync(4)
    assert list(stage.people) == ["b"]
    assert stage.people["b"]["firstName"] == "New"
    assert stage.record("b")["firstname"] == "New"


def test_of_two_merged_into_one_that_nobody_knows_only_one_person_stays(stage: Stage) -> None:
    stage.enter("a")
    stage.enter("b")
    stage.sync()
    stage.enter("c")
    stage.merge("a", "c")
    stage.merge("b", "c")
    stage.sync()
    assert list(stage.people) == ["c"]


def test_the_loser_waits_while_the_survivor_is_being_made(stage: Stage) -> None:
    stage.enter("a")
    stage.sync()
    stage.enter("b")
    stage.world.marketing.faults.append(Fault.LATE)
    stage.sync(1)
    stage.merge("a", "b")
    stage.world.clock.advance(-95)
    stage.sync(1)
    assert list(stage.people) == ["a"]
    stage.world.marketing.land_late()
    stage.sync(4)
    assert list(stage.people) == ["b"]


def test_a_survivor_whose_own_match_is_held_takes_the_losers_person(stage: Stage) -> None:
    stage.prefer_nobody(CONTACT)
    stage.enter("a")
    stage.sync()
    person = stage.person("a")
    stage.twins_of("b")
    stage.enter("b")
    stage.sync()
    assert stage.holds()
    stage.merge("a", "b")
    stage.sync()
    assert stage.person("b") == person
    (live,) = [link for link in stage.world.store.iter_links(CONTACT) if link.status is LinkStatus.LIVE]
    assert (live.crm and live.crm.id, live.marketing and live.marketing.id) == ("b", person)


@pytest.mark.parametrize("side", Side)
def test_an_opt_out_of_the_loser_is_on_both_survivors(stage: Stage, side: Side) -> None:
    stage.enter("a")
    stage.enter("b")
    stage.sync()
    if side is Side.CRM:
        stage.world.crm.edit(CONTACT, RecordId("a"), {"donotbulkemail": True})
    else:
        stage.world.marketing.edit(PERSON, stage.person("a"), {"unsubscribed": True})
    stage.merge("a", "b")
    stage.sync()
    assert len(stage.people) == 1
    assert stage.people["b"]["unsubscribed"] is True
    assert stage.record("b")["donotbulkemail"] is True


def test_an_opt_out_comes_along_when_the_people_were_merged_in_marketing(stage: Stage) -> None:
    stage.enter("a")
    stage.enter("b")
    stage.sync()
    stage.world.crm.edit(CONTACT, RecordId("a"), {"donotbulkemail": True})
    stage.world.marketing.merge(PERSON, stage.person("a"), stage.person("b"))
    stage.sync()
    assert stage.record("a")["merged"] is True
    assert stage.record("b")["donotbulkemail"] is True
    assert stage.people["b"]["unsubscribed"] is True


def test_an_edit_of_the_losers_person_that_gives_way_is_recorded(stage: Stage) -> None:
    stage.enter("a", telephone1="1")
    stage.enter("b", telephone1="2")
    stage.sync()
    stage.world.marketing.edit(PERSON, stage.person("a"), {"phone": "typed"})
    stage.merge("a", "b")
    stage.sync()
    (row,) = [row for row in stage.world.store.load_conflicts(9) if row.conflict.kind is ConflictKind.MERGED]
    assert (row.conflict.field, row.conflict.crm, row.conflict.marketing) == ("telephone1|phone", "2", "typed")


@pytest.mark.parametrize("rule", [MergeRule.HOLD, MergeRule.IGNORE])
def test_without_leave_two_people_stay_two_and_the_loser_is_never_written_to(rule: MergeRule) -> None:
    stage = Stage({"merged_in_crm": rule})
    stage.enter("a")
    stage.enter("b")
    stage.sync()
    stage.merge("a", "b")
    stage.sync()
    before = dict(stage.record("a"))
    stage.world.marketing.edit(PERSON, stage.person("a"), {"phone": "typed"})
    stage.sync()
    assert len(stage.people) == 2
    assert stage.record("a") == before
    reasons = [row.reason for row in stage.holds()]
    assert any(("merged into contact b" if rule is MergeRule.HOLD else "closed") in reason for reason in reasons)


def test_a_held_merge_is_carried_once_somebody_decides(stage: Stage) -> None:
    stage = Stage({})
    stage.enter("a")
    stage.enter("b")
    stage.sync()
    stage.merge("a", "b")
    stage.sync()
    (row,) = stage.world.store.load_matches(9)
    assert [each.id for each in row.candidates] == [stage.person("b")]
    stage.world.store.decide_matches({row.link: "merge"}, stage.world.clock.now())
    stage.sync()
    assert list(stage.people) == ["b"]
    assert not stage.holds()
    assert not stage.world.store.load_matches(9)


def test_a_held_merge_ends_when_somebody_merges_the_people_by_hand(stage: Stage) -> None:
    stage = Stage({})
    stage.enter("a")
    stage.enter("b")
    stage.sync()
    stage.merge("a", "b")
    stage.sync()
    stage.world.marketing.merge(PERSON, stage.person("a"), stage.person("b"))
    stage.sync()
    assert not stage.holds()


def test_a_survivor_that_was_deleted_takes_what_it_took_over_with_it(stage: Stage) -> None:
    stage.enter("a")
    stage.sync()
    stage.enter("b")
    stage.merge("a", "b")
    stage.world.crm.delete(CONTACT, RecordId("b"))
    stage.sync()
    assert stage.people["a"]["crmIsDeleted"] is True


@pytest.mark.parametrize("rules", [CARRY, {}, {"merged_in_crm": MergeRule.IGNORE}], ids=["carry", "hold", "ignore"])
def test_a_comparison_of_both_sides_misses_nobody_who_was_merged_away(rules: dict[str, MergeRule]) -> None:
    stage = Stage(rules)
    for letter in "abc":
        stage.enter(letter)
    stage.sync()
    stage.enter("d")
    stage.merge("a", "b")
    stage.merge("c", "d")
    stage.sync()
    found = asyncio.run(reconcile(stage.world.engine(), 100))
    assert found.count == 0, found.differences


def test_the_rail_bounds_the_merges_of_a_pass(stage: Stage) -> None:
    for letter in "abcd":
        stage.enter(letter)
    stage.sync()
    stage.merge("a", "b")
    stage.merge("c", "d")
    stage.rails = Rails(max_merges=1)
    result = stage.sync(1)
    assert len(stage.people) == 3
    assert any("max_merges = 1" in question for question in result.questions)
    stage.sync(2)
    assert sorted(stage.people) == ["b", "d"]


def test_a_link_follows_a_chain_of_merges_in_marketing(stage: Stage) -> None:
    stage.enter("a")
    stage.sync()
    second, third = [stage.world.marketing.create(PERSON, {"lastName": name}) for name in ("Second", "Third")]
    stage.world.marketing.merge(PERSON, stage.person("a"), second)
    stage.world.marketing.merge(PERSON, second, third)
    stage.sync()
    assert stage.person("a") == third
    (live,) = [link for link in stage.world.store.iter_links(CONTACT) if link.status is LinkStatus.LIVE]
    assert live.marketing is not None
    assert live.marketing.id == third


def test_people_of_a_lead_and_a_contact_merged_in_marketing_leave_the_records_apart(stage: Stage) -> None:
    """Dynamics cannot merge records of two tables."""
    stage.enter("a", LEAD)
    stage.enter("b")
    stage.sync()
    stage.world.marketing.merge(PERSON, stage.person("a"), stage.person("b"))
    stage.sync()
    assert not stage.world.crm.records[LEAD][RecordId("a")].get("merged")
    assert any("merged into person" in row.reason for row in stage.holds())


def test_a_contact_takes_over_the_lead_that_has_no_person_yet(stage: Stage) -> None:
    stage.prefer_nobody(LEAD)
    stage.twins_of("a")
    stage.enter("a", LEAD)
    stage.sync()
    assert set(stage.people) == {"None"}
    stage.world.crm.edit(LEAD, RecordId("a"), {"statecode": 1})
    stage.enter("b", emailaddress1="a@example.com", originatingleadid="a")
    stage.sync()
    assert set(stage.people) == {"None", "b"}
    assert not stage.holds()
    assert not stage.world.store.load_matches(9)
    assert len(list(stage.world.store.iter_links(LEAD))) == 0
