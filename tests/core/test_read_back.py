"""What a reading says of our own write in Marketo: its value, and the log's records of that field."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from tandem.core.plan import FieldWrite
from tandem.core.read_back import Arrived, Narrowed, Overtaken, Refused, TooEarly, Verdict, judge
from tandem.core.record import PERSON, ChangeRecord, RecordId, RecordKey, Side, Value

KEY = RecordKey(Side.MARKETING, PERSON, RecordId("7"))
API = "Web service API"
PERSONS = "Lead update"

Change = tuple[str | None, str | None, str]
OURS: Change = ("old", "ours", API)


def verdict(
    present: Value,
    *changes: Change,
    before: Value = "old",
    after: Value = "ours",
    is_create: bool = False,
    is_complete: bool = True,
) -> Verdict:
    write = FieldWrite("telephone1|phone", "phone", before, after, after, "changed in crm")
    return judge(write, present, _records(changes), is_create=is_create, is_complete=is_complete)


def _records(changes: Sequence[Change]) -> list[ChangeRecord]:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    return [
        ChangeRecord(str(place), KEY, at, "phone", old, new, source) for place, (old, new, source) in enumerate(changes)
    ]


@pytest.mark.parametrize(
    ("present", "changes", "expected"),
    [
        # the value is there
        ("ours", [OURS], Arrived(is_final=True)),
        ("ours", [], Arrived(is_final=True)),
        # a person edited it afterwards
        ("theirs", [OURS, ("ours", "theirs", PERSONS)], Arrived(is_final=True)),
        ("old", [OURS, ("ours", "old", PERSONS)], Arrived(is_final=True)),
        ("theirs", [("old", "theirs", PERSONS)], Arrived(is_final=True)),
        # a person had edited it between our look and our write
        ("ours", [("old", "theirs", PERSONS), ("theirs", "ours", API)], Overtaken("theirs")),
        ("later", [("theirs", "ours", API), ("ours", "later", PERSONS)], Overtaken("theirs")),
        ("ours", [("theirs", "ours", "some integration")], Overtaken("theirs")),
        # a person replaced our value and took that back: what they took back is not to be restored
        ("ours", [OURS, ("ours", "theirs", PERSONS), ("theirs", "ours", PERSONS)], Arrived(is_final=True)),
        # nobody else explains what is there
        ("our", [], Narrowed()),
        ("our", [("old", "our", API)], Narrowed()),
        (None, [], Narrowed()),
        ("old", [], Refused()),
        ("old", [("x", "y", PERSONS)], Refused()),
    ],
)
def test_a_reading_after_the_write_tells_what_came_of_it(
    present: Value, changes: list[Change], expected: Verdict
) -> None:
    assert verdict(present, *changes) == expected


@pytest.mark.parametrize(
    ("present", "changes", "expected"),
    [
        ("our", [], TooEarly()),
        ("old", [], TooEarly()),
        ("ours", [], Arrived(is_final=False)),
        ("ours", [OURS], Arrived(is_final=True)),
        ("theirs", [("old", "theirs", PERSONS)], Arrived(is_final=False)),
        ("theirs", [OURS, ("ours", "theirs", PERSONS)], Arrived(is_final=True)),
        ("ours", [("theirs", "ours", API)], Overtaken("theirs")),
    ],
)
def test_before_the_feed_has_been_read_past_the_reading_only_what_is_there_can_be_told(
    present: Value, changes: list[Change], expected: Verdict
) -> None:
    assert verdict(present, *changes, is_complete=False) == expected


@pytest.mark.parametrize(
    ("present", "is_complete", "expected"),
    [
        ("ours", True, Arrived(is_final=True)),
        ("ours", False, Arrived(is_final=True)),
        ("our", True, Narrowed()),
        ("our", False, TooEarly()),
        (None, True, Narrowed()),
    ],
)
def test_a_create_overtakes_nobody_and_cannot_be_refused_in_part(
    present: Value, is_complete: bool, expected: Verdict
) -> None:
    assert verdict(present, before=None, is_create=True, is_complete=is_complete) == expected
    assert verdict("ours", ("theirs", "ours", API), before=None, is_create=True) == Arrived(is_final=True)


@pytest.mark.parametrize(
    ("before", "after", "changes", "expected"),
    [
        (None, 7, [("", "7.0", API)], Arrived(is_final=True)),
        (False, True, [("False", "true", API)], Arrived(is_final=True)),
        (False, True, [(None, "True", API)], Arrived(is_final=True)),
        (
            "2026-01-01T00:00:00Z",
            "2026-01-02T00:00:00Z",
            [("2026-01-01 00:00:00", "2026-01-02 00:00:00", API)],
            Arrived(is_final=True),
        ),
        ("old", None, [("theirs", None, API)], Overtaken("theirs")),
        (None, "ours", [(None, "ours", API)], Arrived(is_final=True)),
        (None, "ours", [("theirs", "ours", API)], Overtaken("theirs")),
    ],
)
def test_the_log_spells_values_its_own_way(
    before: Value, after: Value, changes: list[Change], expected: Verdict
) -> None:
    assert verdict(after, *changes, before=before, after=after) == expected


def test_r3_a_value_that_a_person_had_emptied_was_overtaken_too() -> None:
    assert verdict("ours", (None, "ours", API)) == Overtaken(None)
