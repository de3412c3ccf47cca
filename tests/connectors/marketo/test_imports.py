"""Bulk import against the emulator: what goes into a file, what becomes of each row, and what a lost file means."""

from typing import Any

import pytest

from tandem.connectors.marketo.connector import MarketoConnector
from tandem.connectors.marketo.imports import fit_for_file, parse_failures, render_file
from tandem.core.errors import AccessError, UnknownOutcomeError
from tandem.core.plan import ActionKind
from tandem.core.record import COMPANY, PERSON, Entity, RecordId, Value
from tandem.core.schema import NewField
from tandem.ports import Missing, Refused, Taken, Write, Written
from tests.connectors.marketo.conftest import Connect
from tests.connectors.marketo.emulator import Emulator

KEY = "tandemKey"
ROWS = 310
ODD_TEXT = 'Ærø "& Co", 株式会社\r\nsecond line'


def an_update(id_: object, **values: Value) -> Write:
    return Write(ActionKind.UPDATE, RecordId(str(id_)), values)


def a_create(key: str | None, **values: Value) -> Write:
    return Write(ActionKind.CREATE, None, {KEY: key, **values}, lookup=KEY)


@pytest.fixture
async def importing(connect: Connect) -> MarketoConnector:
    """Files from a hundred rows on."""
    connector = connect(import_rows_min=100)
    await connector.create_fields(PERSON, [NewField(KEY, "Tandem Key", "string")])
    await connector.fetch_schema(PERSON)
    return connector


@pytest.fixture
async def ids(importing: MarketoConnector, emulator: Emulator) -> list[int]:
    """So many people that their updates are no batch any more."""
    edits = [{"entity": "person", "values": {"lastName": f"Import {n}"}} for n in range(ROWS)]
    known = [raw["id"] for raw in emulator.records("person?limit=5000") if raw["lastName"].startswith("Import ")]
    if not known:
        known = [emulator.control("people/create", edit)["id"] for edit in edits]
    emulator.control("counters/reset", {})
    return known


def people(emulator: Emulator) -> dict[str, dict[str, Any]]:
    return {str(record["id"]): record for record in emulator.records("person?limit=5000")}


def requests(emulator: Emulator) -> dict[str, int]:
    counted: dict[str, int] = emulator.counters()["requests"]
    return counted


async def test_updates_of_the_same_fields_go_as_one_file_by_id(
    importing: MarketoConnector, emulator: Emulator, ids: list[int]
) -> None:
    values: dict[str, Value] = {"phone": "+1 555", "unsubscribed": True, "leadScore": 1, "title": ODD_TEXT}
    results = await importing.write(PERSON, [an_update(id_, **values) for id_ in ids])
    assert list(results) == [Written(RecordId(str(id_))) for id_ in ids]
    counted = requests(emulator)
    assert (counted["bulk.leads.import"], counted.get("leads.sync", 0)) == (1, 0)
    truth = people(emulator)
    assert {tuple(truth[str(id_)][name] for name in values) for id_ in ids} == {("+1 555", True, 1, ODD_TEXT)}


async def test_what_a_file_cannot_say_goes_by_sync_calls(
    importing: MarketoConnector, emulator: Emulator, ids: list[int]
) -> None:
    """An empty value, which a blank cell may leave as it is, and other fields than those of most rows."""
    await importing.write(PERSON, [an_update(ids[0], phone="+1 5", city="Rome")])
    writes = [an_update(ids[0], phone=None), an_update(ids[1], city="Oslo")]
    writes += [an_update(id_, phone=f"+44 {id_}") for id_ in ids[2:]]
    results = await importing.write(PERSON, writes)
    assert list(results) == [Written(RecordId(str(id_))) for id_ in ids]
    truth = people(emulator)
    assert (truth[str(ids[0])].get("phone"), truth[str(ids[0])]["city"]) == (None, "Rome")
    assert truth[str(ids[1])]["city"] == "Oslo"
    assert all(truth[str(id_)]["phone"] == f"+44 {id_}" for id_ in ids[2:])
    assert requests(emulator)["leads.sync"] == 2


@pytest.mark.parametrize("blank_cells", ["kept", "cleared"])
async def test_what_a_blank_cell_does_does_not_matter(
    importing: MarketoConnector, emulator: Emulator, ids: list[int], blank_cells: str
) -> None:
    emulator.settings(import_blank_cells=blank_cells)
    await importing.write(PERSON, [an_update(ids[5], city="Lima")])
    writes = [an_update(id_, title=f"{blank_cells} {id_}") for id_ in ids]
    await importing.write(PERSON, writes)
    assert people(emulator)[str(ids[5])]["city"] == "Lima"


async def test_a_failed_row_is_the_fate_of_its_record_alone(
    importing: MarketoConnector, emulator: Emulator, ids: list[int]
) -> None:
    scores: list[Value] = [7] * len(ids)
    scores[3] = "Ann Smith"
    writes = [an_update(id_, leadScore=score) for id_, score in zip(ids, scores, strict=True)]
    writes.append(an_update(987_654, leadScore=7))
    results = await importing.write(PERSON, writes)
    refused = results[3]
    assert isinstance(refused, Refused)
    assert (refused.code, refused.field) == ("1003", "leadScore")
    assert "Ann" not in refused.message
    assert results[-1] == Missing()
    written = [result for place, result in enumerate(results[:-1]) if place != 3]
    assert all(isinstance(result, Written) for result in written)
    assert requests(emulator)["bulk.leads.import.failures"] == 1


async def test_creates_by_our_key_look_first_and_know_their_ids_afterwards(
    importing: MarketoConnector, emulator: Emulator
) -> None:
    [first] = await importing.write(PERSON, [a_create("k-7", lastName="Already")])
    results = await importing.write(PERSON, [a_create(f"k-{n}", lastName=f"Made {n}") for n in range(ROWS)])
    assert isinstance(first, Written)
    assert results[7] == Taken()
    made = {n: result.id for n, result in enumerate(results) if isinstance(result, Written)}
    assert len(made) == ROWS - 1
    truth = people(emulator)
    assert all(truth[id_][KEY] == f"k-{n}" and truth[id_]["lastName"] == f"Made {n}" for n, id_ in made.items())
    assert truth[first.id]["lastName"] == "Already"
    again = await importing.write(PERSON, [a_create(f"k-{n}") for n in range(ROWS)])
    assert list(again) == [Taken()] * ROWS


async def test_where_marketo_takes_no_file_the_writes_go_by_sync_calls(
    importing: MarketoConnector, emulator: Emulator, ids: list[int]
) -> None:
    emulator.fault("bulk.leads.import", "body", body={"code": "1016"}, times=None)
    results = await importing.write(PERSON, [an_update(id_, phone="+7") for id_ in ids])
    assert all(isinstance(result, Written) for result in results)
    counted = requests(emulator)
    assert (counted["bulk.leads.import"], counted["leads.sync"]) == (1, 2)


@pytest.mark.parametrize("action", ["drop_before", "drop_after"])
async def test_a_lost_answer_to_the_upload_leaves_every_row_unknown(
    importing: MarketoConnector, emulator: Emulator, ids: list[int], action: str
) -> None:
    emulator.fault("bulk.leads.import", action)
    with pytest.raises(UnknownOutcomeError):
        await importing.write(PERSON, [an_update(id_, phone="+8") for id_ in ids])
    counted = requests(emulator)
    assert (counted["bulk.leads.import"], counted.get("leads.sync", 0)) == (1, 0)


@pytest.mark.parametrize("operation", ["bulk.leads.import.status", "bulk.leads.import.failures"])
async def test_a_job_that_cannot_be_followed_leaves_every_row_unknown(
    importing: MarketoConnector, emulator: Emulator, ids: list[int], operation: str
) -> None:
    emulator.fault(operation, "body", body={"code": "603"}, times=None)
    with pytest.raises(UnknownOutcomeError):
        await importing.write(PERSON, [*(an_update(id_, phone="+9") for id_ in ids), an_update(987_655, phone="+9")])


async def test_a_job_that_does_not_end_in_time_leaves_every_row_unknown(
    connect: Connect, emulator: Emulator, ids: list[int]
) -> None:
    emulator.settings(import_rows_per_s=0.5)
    connector = connect(import_rows_min=100, import_settle_s=300)
    with pytest.raises(UnknownOutcomeError, match="150 s"):
        await connector.write(PERSON, [an_update(id_, phone="+10") for id_ in ids])


async def test_looking_after_a_job_survives_hiccups(
    importing: MarketoConnector, emulator: Emulator, ids: list[int]
) -> None:
    emulator.fault("bulk.leads.import.status", "status", status=503, times=12)
    results = await importing.write(PERSON, [an_update(id_, phone="+11") for id_ in ids])
    assert all(isinstance(result, Written) for result in results)


async def test_without_the_right_nothing_was_written(
    importing: MarketoConnector, emulator: Emulator, ids: list[int]
) -> None:
    emulator.control("privileges", {"revoke": ["Read-Write Lead"]})
    with pytest.raises(AccessError):
        await importing.write(PERSON, [an_update(id_, phone="+12") for id_ in ids])


async def test_a_file_settles_later_than_a_call(importing: MarketoConnector) -> None:
    assert importing.settle_s(PERSON, 300) == 90
    assert importing.settle_s(PERSON, 301) == 3600


@pytest.mark.parametrize(
    ("entity", "kind", "seconds"),
    [
        (PERSON, ActionKind.MERGE, 180),
        (PERSON, ActionKind.UPDATE, 90),
        (PERSON, ActionKind.DELETE, 90),
        (Entity("car_c"), ActionKind.CREATE, 120),
        (COMPANY, ActionKind.UPDATE, 90),
    ],
)
async def test_a_write_settles_no_sooner_than_its_call_may_end(
    connect: Connect, entity: Entity, kind: ActionKind, seconds: float
) -> None:
    """The endpoints' own time-outs (marketo-rest 2.4), in proportion where an operator says another time."""
    assert connect().settle_s(entity, 1, kind) == pytest.approx(seconds)
    assert connect(settle_s=9).settle_s(entity, 1, kind) == pytest.approx(seconds / 10)


# --- what goes into a file


def test_the_largest_group_of_updates_without_empty_values_makes_the_file() -> None:
    writes = [an_update(1, a=1), an_update(2, b=1), an_update(3, a=None), an_update(4, a=2), an_update(5, a=3, b=1)]
    assert fit_for_file(writes, 2) == [0, 3]
    assert fit_for_file(writes, 3) == []


def test_creates_of_one_key_are_never_in_one_file() -> None:
    assert fit_for_file([a_create("k"), a_create("l"), a_create(None)], 2) == [0, 1]
    assert fit_for_file([a_create("k"), a_create("K")], 2) == []


def test_nobody_is_created_by_a_file_with_an_address_as_the_key() -> None:
    creates = [Write(ActionKind.CREATE, None, {"email": f"{n}@x.example"}, lookup="email") for n in range(3)]
    assert fit_for_file(creates, 2) == []


def test_a_file_ends_before_it_is_too_large() -> None:
    writes = [an_update(n, notes="é" * 10_000) for n in range(700)]
    body, count = render_file(writes, "id")
    assert 400 < count < 480
    assert len(body) < 10_000_000
    assert body.startswith(b"id,notes\r\n0,")


def test_a_failure_file_is_read_whatever_its_rows_hold() -> None:
    rows = [
        b"\xef\xbb\xbfid,title,Import Failure Reason",
        b'7,"a ""b"",\r\nc",Lead not found',
        b",x,missing.dedupe.fields",
    ]
    body = b"\r\n".join(rows)
    assert parse_failures(body, "id") == {"7": "Lead not found"}
