"""Which call a batch becomes."""

import asyncio
import json
from typing import Any, cast

import msgspec
import pytest

from tandem.connectors.marketo.client import MarketoClient
from tandem.connectors.marketo.costs import BODY_MAX, ImportEstimate
from tandem.connectors.marketo.objects import object_of
from tandem.connectors.marketo.wire import Envelope, render_json
from tandem.connectors.marketo.writer import KeysInFlight, Writer, count_that_fits, render_head, to_records
from tandem.core.errors import TransientError
from tandem.core.plan import ActionKind
from tandem.core.record import COMPANY, PERSON, SALESPERSON, Entity, RecordId, Side, Value
from tandem.ports import Refused, Stale, Taken, Write, Written


def a_create(lookup: str | None = "email", **values: Any) -> Write:
    return Write(ActionKind.CREATE, None, values, lookup=lookup)


def an_update(id_: str = "7", **values: Any) -> Write:
    return Write(ActionKind.UPDATE, RecordId(id_), values)


@pytest.mark.parametrize(
    ("entity", "write", "head"),
    [
        (PERSON, a_create("email"), {"action": "createOnly", "lookupField": "email"}),
        (PERSON, a_create("tandemCrmId"), {"action": "createOnly", "lookupField": "tandemCrmId"}),
        (PERSON, an_update(), {"action": "updateOnly", "lookupField": "id"}),
        (COMPANY, a_create("externalCompanyId"), {"action": "createOnly", "dedupeBy": "dedupeFields"}),
        (COMPANY, an_update(), {"action": "updateOnly", "dedupeBy": "idField"}),
        (SALESPERSON, a_create("externalSalesPersonId"), {"action": "createOnly", "dedupeBy": "dedupeFields"}),
        (SALESPERSON, an_update(), {"action": "updateOnly", "dedupeBy": "idField"}),
    ],
)
def test_creates_never_upsert_and_updates_go_by_id(entity: Entity, write: Write, head: dict[str, str]) -> None:
    assert render_head(entity, [write, write]) == head


@pytest.mark.parametrize(
    "writes",
    [
        [a_create("email"), a_create("tandemCrmId")],
        [a_create("email"), an_update()],
        [an_update()] * 301,
        [a_create(None)],
    ],
)
def test_a_mixed_or_oversized_batch_is_our_own_mistake(writes: list[Write]) -> None:
    with pytest.raises(AssertionError):
        render_head(PERSON, writes)


def test_an_update_carries_its_id_as_a_number_and_an_empty_value_as_null() -> None:
    body = to_records(object_of(PERSON), [an_update("12", phone=None, unsubscribed=False, leadScore=3)])
    assert body == [{"id": 12, "phone": None, "unsubscribed": False, "leadScore": 3}]


def test_a_create_carries_no_id() -> None:
    assert to_records(object_of(PERSON), [a_create(email="a@b.example")]) == [{"email": "a@b.example"}]


@pytest.mark.parametrize("size", [3_000, 10_000, 400_000])
def test_what_fits_makes_a_body_that_marketo_takes_and_one_more_would_not(size: int) -> None:
    records: list[dict[str, Value]] = [{"notes": "é" * (size // 2), "id": number} for number in range(300)]
    head = {"action": "updateOnly", "lookupField": "id"}
    count = count_that_fits(head, records)
    assert len(render_json({**head, "input": records[:count]})) <= BODY_MAX
    if count < 300:
        assert len(render_json({**head, "input": records[: count + 1]})) > BODY_MAX


def test_a_record_that_never_fits_counts_as_none() -> None:
    assert count_that_fits({}, [{"notes": "x" * (BODY_MAX + 1)}]) == 0


# --- a record that makes Marketo fail, and keys that two creates share


class FakeMarketo:
    """Answers sync calls, and fails on some records; `is_down` fails on everything."""

    def __init__(self, *poisoned: int, is_down: bool = False) -> None:
        self.poisoned = set(poisoned)
        self.is_down = is_down
        self.written: list[int] = []
        self.calls = 0
        self.busy_after = 10_000
        self.waiting: asyncio.Event | None = None

    async def command(self, operation: str, path: str, body: bytes, attempts_max: int | None = None) -> Envelope:
        self.calls += 1
        if self.waiting is not None:
            await self.waiting.wait()
        records = json.loads(body)["input"]
        numbers = [record.get("id", record.get("number")) for record in records]
        if self.is_down or self.poisoned.intersection(numbers):
            raise TransientError("System error", side=Side.MARKETING, operation=operation, code="611")
        if len(self.written) >= self.busy_after:
            raise TransientError("busy", side=Side.MARKETING, operation=operation, code="713")
        self.written += [number for number in numbers if number]
        results = [{"id": number, "status": "updated"} if number else {"status": "skipped"} for number in numbers]
        return Envelope(success=True, result=msgspec.Raw(render_json(results)))  # type: ignore[arg-type]


def a_writer(marketo: FakeMarketo) -> Writer:
    return Writer(cast(MarketoClient, marketo), ImportEstimate(), KeysInFlight())


async def test_a_batch_that_marketo_fails_on_is_halved_until_the_bad_records_are_alone() -> None:
    marketo = FakeMarketo(7, 250)
    results = await a_writer(marketo).write(PERSON, [an_update(str(number)) for number in range(1, 301)])
    refused = [number for number, result in enumerate(results, start=1) if isinstance(result, Refused)]
    assert refused == [7, 250]
    assert [result.id for result in results if isinstance(result, Written)] == [str(id_) for id_ in marketo.written]
    assert len(marketo.written) == len(set(marketo.written)) == 298
    assert marketo.calls < 45


async def test_a_single_bad_record_is_refused_only_where_marketo_is_well_otherwise() -> None:
    [result] = await a_writer(FakeMarketo(7)).write(PERSON, [an_update("7")])
    assert isinstance(result, Refused)
    assert result.code == "611"
    down = FakeMarketo(is_down=True)
    with pytest.raises(TransientError):
        await a_writer(down).write(PERSON, [an_update(str(number)) for number in range(1, 301)])
    assert (down.calls, down.written) == (2, [])


async def test_once_a_part_is_written_the_rest_is_planned_again_whatever_happens() -> None:
    marketo = FakeMarketo(60)
    marketo.busy_after = 20
    results = await a_writer(marketo).write(PERSON, [an_update(str(number)) for number in range(1, 81)])
    assert [type(result) for result in results] == [Written] * 40 + [Stale] * 40
    assert marketo.written == list(range(1, 41))


async def test_two_creates_of_one_key_in_a_batch_are_one_create() -> None:
    marketo = FakeMarketo()
    writes = [a_create(email="A@b.example", number=1), a_create(email="a@b.example", number=2), a_create(number=3)]
    first, twin, other = await a_writer(marketo).write(PERSON, writes)
    assert isinstance(first, Written)
    assert twin == Taken()
    assert isinstance(other, Written)
    assert marketo.written == [1, 3]


async def test_a_create_waits_until_it_is_known_what_became_of_another_one_of_its_key() -> None:
    marketo = FakeMarketo()
    marketo.waiting = asyncio.Event()
    writer = a_writer(marketo)
    first = asyncio.create_task(writer.write(PERSON, [a_create(email="a@b.example", number=1)]))
    second = asyncio.create_task(writer.write(PERSON, [a_create(email="A@B.example", number=2)]))
    another = asyncio.create_task(writer.write(PERSON, [a_create(email="c@b.example", number=3)]))
    for _ in range(10):
        await asyncio.sleep(0)
    assert marketo.calls == 2
    marketo.waiting.set()
    await asyncio.gather(first, second, another)
    assert sorted(marketo.written) == [1, 2, 3]
    assert marketo.written.index(1) < marketo.written.index(2)
