"""Rows that went out as one file may land as long as the file may wait in Marketo's queue; those of a call no longer
than the endpoint's own time-out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

from tandem.core.plan import Action, ActionKind
from tandem.core.record import CONTACT, PERSON, LinkNumber, RecordId, Side
from tandem.ports import JournalRow, JournalState
from tandem.runtime.engine import Engine
from tandem.runtime.journal import next_settling

AT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
CALL_S, FILE_S, BATCH = 90, 3600, 300


def rows(count: int, sent_at: datetime) -> list[JournalRow]:
    return [
        JournalRow(
            number,
            LinkNumber(number),
            CONTACT,
            Action(Side.MARKETING, PERSON, ActionKind.UPDATE, RecordId(str(number)), ()),
            JournalState.UNKNOWN,
            sent_at=sent_at,
        )
        for number in range(count)
    ]


def engine() -> Engine:
    connector = SimpleNamespace(settle_s=lambda entity, together, kind: FILE_S if together > BATCH else CALL_S)
    return cast(Engine, SimpleNamespace(connector=lambda side: connector))


def test_a_file_of_rows_waits_for_the_files_time() -> None:
    assert next_settling(engine(), rows(BATCH + 1, AT)) == AT + timedelta(seconds=FILE_S)


def test_two_calls_that_are_open_at_once_are_no_file() -> None:
    both = rows(BATCH, AT) + rows(BATCH, AT + timedelta(seconds=1))
    assert next_settling(engine(), both) == AT + timedelta(seconds=CALL_S)


def test_a_merge_waits_for_the_time_of_a_merge() -> None:
    """Decided too early, it would be planned again while Marketo may still carry it out."""
    merge = Action(Side.MARKETING, PERSON, ActionKind.MERGE, RecordId("1"), (), survivor=RecordId("2"))
    connector = SimpleNamespace(settle_s=lambda entity, together, kind: 180 if kind is ActionKind.MERGE else CALL_S)
    slow = cast(Engine, SimpleNamespace(connector=lambda side: connector))
    row = replace(rows(1, AT)[0], action=merge)
    assert next_settling(slow, [row]) == AT + timedelta(seconds=180)
