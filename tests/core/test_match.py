"""Who is who: the same key first, then whoever carries none; several are decided by rule or held (R4)."""

from hashlib import sha1
from uuid import UUID

import pytest

from tandem.core.match import Ambiguous, Match, Matched, Unmatched, derived_crm_id, fold, match_record
from tandem.core.record import LEAD, PERSON, ReadNumber, RecordId, RecordKey, Side, State, Value
from tests.builders import small_mappings

MAPPING = small_mappings()[LEAD]
ID = "0000000A-0000-0000-0000-000000000001"
LEAD_STATE = State(RecordKey(Side.CRM, LEAD, RecordId(ID)), ReadNumber(1), (None,) * len(MAPPING.crm_fields))
DEFAULT = ("same key", "active", "contact over lead", "last modified", "lowest id")


def _person(number: str, key: Value = None) -> State:
    values = tuple(key if name == "crmKey" else None for name in MAPPING.marketing_fields)
    return State(RecordKey(Side.MARKETING, PERSON, RecordId(number)), ReadNumber(1), values)


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
    assert found == Ambiguous("2 people in Marketo match (same email) and no rule prefers one")
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
