"""Who is who: the same key first, then whoever carries none; several are decided by rule or held (R4)."""

from collections.abc import Sequence
from hashlib import sha1
from typing import get_args
from uuid import UUID

import pytest

from tandem.config.words import Preference
from tandem.core.mapping import compile_mapping
from tandem.core.match import (
    RULES,
    SEVERAL_PEOPLE,
    SEVERAL_RECORDS,
    Ambiguous,
    Contender,
    Match,
    Matched,
    Unmatched,
    derived_crm_id,
    fold,
    match_record,
)
from tandem.core.policy import DEFAULT_PREFERENCE
from tandem.core.record import CONTACT, LEAD, PERSON, Entity, ReadNumber, RecordId, RecordKey, Side, State, Value
from tests.builders import person_pairs, small_mappings

MAPPING = small_mappings()[LEAD]
ID = "0000000A-0000-0000-0000-000000000001"
LEAD_STATE = State(RecordKey(Side.CRM, LEAD, RecordId(ID)), ReadNumber(1), (None,) * len(MAPPING.crm_fields))
DEFAULT = DEFAULT_PREFERENCE


def _person(number: str, key: Value = None) -> State:
    values = tuple(key if name == "crmKey" else None for name in MAPPING.marketing_fields)
    return State(RecordKey(Side.MARKETING, PERSON, RecordId(number)), ReadNumber(1), values)


MATCHING = {
    entity: compile_mapping(
        entity,
        PERSON,
        person_pairs(),
        key_field="crmKey",
        dedupe_field="email",
        crm_extras=["statecode", "modifiedon"],
        marketing_extras=["updatedAt"],
    )
    for entity in (LEAD, CONTACT)
}


def _record(entity: Entity, number: int, **values: Value) -> Contender:
    mapping = MATCHING[entity]
    key = RecordKey(Side.CRM, entity, RecordId(f"00000000-0000-0000-0000-{number:012d}"))
    shape = tuple(values.get(name) for name in mapping.crm_fields)
    return Contender(mapping, State(key, ReadNumber(1), shape))


def _match(mine: Contender, rivals: list[Contender], people: int = 1, prefer: Sequence[str] = DEFAULT) -> Match:
    shape = (None,) * len(mine.mapping.marketing_fields)
    keys = [RecordKey(Side.MARKETING, PERSON, RecordId(str(number))) for number in range(1, people + 1)]
    candidates = [State(key, ReadNumber(1), shape) for key in keys]
    return match_record(mine.mapping, mine.state, candidates, prefer, rivals)


RANKED = [
    ("active", _record(LEAD, 9), _record(CONTACT, 1, statecode=1)),
    ("contact over lead", _record(CONTACT, 9), _record(LEAD, 1)),
    (
        "last modified",
        _record(LEAD, 9, modifiedon="2026-02-02T00:00:00Z"),
        _record(LEAD, 1, modifiedon="2026-01-01T00:00:00Z"),
    ),
    ("lowest id", _record(LEAD, 1), _record(LEAD, 2)),
]


@pytest.mark.parametrize(("rule", "first", "second"), RANKED, ids=[rule for rule, _, _ in RANKED])
def test_of_several_records_the_preferred_one_gets_the_person(rule: str, first: Contender, second: Contender) -> None:
    for prefer in ([rule], DEFAULT):
        assert _id_of(_match(first, [second], prefer=prefer)) == "1"
        assert _match(second, [first], prefer=prefer) == Unmatched()


def test_every_rule_of_the_settings_is_known_and_the_other_way_round() -> None:
    assert set(RULES) == set(DEFAULT_PREFERENCE) == set(get_args(Preference))


def test_with_as_many_people_as_records_everybody_gets_one() -> None:
    one, other = _record(CONTACT, 1), _record(CONTACT, 2)
    assert isinstance(_match(one, [other], people=2), Matched)
    assert isinstance(_match(other, [one], people=2), Matched)


def test_without_a_rule_nobody_is_preferred() -> None:
    found = _match(_record(LEAD, 1), [_record(LEAD, 2)], prefer=())
    assert isinstance(found, Ambiguous)
    assert found.cause == SEVERAL_RECORDS


def test_of_several_people_the_one_changed_last_is_preferred_to_the_lowest_id() -> None:
    mine, times = _record(LEAD, 1), {"1": "2026-01-01T00:00:00Z", "2": "2026-03-03T00:00:00Z"}
    fields = mine.mapping.marketing_fields
    people = [
        State(
            RecordKey(Side.MARKETING, PERSON, RecordId(id_)),
            ReadNumber(1),
            tuple(at if name == "updatedAt" else None for name in fields),
        )
        for id_, at in times.items()
    ]
    assert _id_of(match_record(mine.mapping, mine.state, people, DEFAULT)) == "2"
    assert _id_of(match_record(mine.mapping, mine.state, people, ["lowest id"])) == "1"


def _id_of(found: Match) -> str:
    assert isinstance(found, Matched)
    return found.state.key.id


@pytest.mark.parametrize(
    ("candidates", "expected", "reason"),
    [
        ([_person("7")], "7", "same email"),
        ([_person("7", ID)], "7", "carries the crm key"),
        ([_person("7", f" {ID.lower()} ")], "7", "carries the crm key"),
        ([_person("3"), _person("7", ID)], "7", "carries the crm key"),
        ([_person("3", "another"), _person("7")], "7", "same email"),
        ([_person("10"), _person("9")], "9", "same email; preferred among 2"),
        ([_person("10", ID), _person("9", ID), _person("1")], "9", "carries the crm key; preferred among 2"),
    ],
)
def test_the_same_key_comes_before_a_free_person_and_the_lowest_id_decides(
    candidates: list[State], expected: str, reason: str
) -> None:
    for order in (candidates, candidates[::-1]):
        found = match_record(MAPPING, LEAD_STATE, order, DEFAULT)
        assert _id_of(found) == expected
        assert isinstance(found, Matched)
        assert found.reason == reason


@pytest.mark.parametrize("candidates", [[], [_person("3", "another record")]])
def test_a_person_with_another_records_key_is_no_match(candidates: list[State]) -> None:
    assert match_record(MAPPING, LEAD_STATE, candidates, DEFAULT) == Unmatched()


def test_without_a_rule_several_people_are_never_guessed_apart() -> None:
    found = match_record(MAPPING, LEAD_STATE, [_person("3"), _person("4")], ())
    both = (_person("3"), _person("4"))
    assert found == Ambiguous(SEVERAL_PEOPLE, "2 people in Marketo match (same email) and no rule prefers one", both)
    assert _id_of(match_record(MAPPING, LEAD_STATE, [_person("3")], ())) == "3"


def test_ids_that_are_no_numbers_have_an_order_too() -> None:
    assert _id_of(match_record(MAPPING, LEAD_STATE, [_person("b"), _person("a")], DEFAULT)) == "a"


@pytest.mark.parametrize(
    ("value", "expected"), [(None, None), ("", None), ("  ", None), (" Ada@X.org ", "ada@x.org"), (12, "12")]
)
def test_keys_and_addresses_compare_without_case_and_space(value: Value, expected: str | None) -> None:
    assert fold(value) == expected


def test_the_id_of_a_created_crm_record_is_the_same_for_ever() -> None:
    made = derived_crm_id("sync", RecordId("7"))
    assert made == derived_crm_id("sync", RecordId("7"))
    assert made == str(UUID(made))
    assert len({made, derived_crm_id("other", RecordId("7")), derived_crm_id("sync", RecordId("8"))}) == 3


def test_the_derivation_never_changes_since_its_ids_stand_in_other_peoples_databases() -> None:
    digest = sha1(UUID("5b1f6c52-6f0e-5d0e-9a34-3d1d8f0c9a11").bytes + b"sync:7").digest()
    assert derived_crm_id("sync", RecordId("7")) == str(UUID(bytes=digest[:16], version=5))
