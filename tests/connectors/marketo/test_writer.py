"""Which call a batch becomes."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tandem.connectors.marketo.wire import render_json
from tandem.connectors.marketo.writer import BODY_MAX, count_that_fits, render_head, render_record
from tandem.core.plan import ActionKind
from tandem.core.record import COMPANY, PERSON, SALESPERSON, Entity, RecordId, Value
from tandem.ports import Write


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
    body = json.loads(render_json(render_record(an_update("12", phone=None, unsubscribed=False, leadScore=3))))
    assert body == {"id": 12, "phone": None, "unsubscribed": False, "leadScore": 3}


def test_a_create_carries_no_id() -> None:
    assert render_record(a_create(email="a@b.example")) == {"email": "a@b.example"}


@pytest.mark.parametrize("size", [3_000, 10_000, 400_000])
def test_what_fits_makes_a_body_that_marketo_takes_and_one_more_would_not(size: int) -> None:
    records: list[Mapping[str, Value]] = [{"notes": "é" * (size // 2), "id": number} for number in range(300)]
    head = {"action": "updateOnly", "lookupField": "id"}
    count = count_that_fits(head, records)
    assert len(render_json({**head, "input": records[:count]})) <= BODY_MAX
    if count < 300:
        assert len(render_json({**head, "input": records[: count + 1]})) > BODY_MAX


def test_a_record_that_never_fits_counts_as_none() -> None:
    assert count_that_fits({}, [{"notes": "x" * (BODY_MAX + 1)}]) == 0
