"""Bulk messages, over a service of three rules: all or nothing, a key is taken once, some records are bad."""

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from tandem.connectors.dynamics.batch import Part, PartAnswer
from tandem.connectors.dynamics.bulk import BulkWrite, NoBulkMessageError
from tandem.connectors.dynamics.single import Shapes, SingleWrites
from tandem.core.errors import AccessError, TransientError, UnknownOutcomeError
from tandem.core.plan import ActionKind
from tandem.core.record import RecordId, Side, Version
from tandem.ports import Missing, Refused, Stale, Taken, Write, WriteResult, Written
from tests.connectors.dynamics.test_wire import CONTACTS

CREATE = "contacts/Microsoft.Dynamics.CRM.CreateMultiple"
UPDATE = "contacts/Microsoft.Dynamics.CRM.UpdateMultiple"
TOO_LONG = (400, "0x80044331", "The length of the 'lastname' attribute exceeded the maximum allowed length of '50'.")
TAKEN = (412, "0x80040237", "A record with matching key values already exists.")
NOBODY = (404, "0x80040217", "contact With Id = x Does Not Exist")
BUSY = (429, "0x80072322", "Number of requests exceeded the limit.")
NO_PRIVILEGE = (403, "0x80040220", "Principal user is missing prvCreateContact privilege (Id=1)")
NO_MESSAGE = (404, "0x8006088a", "Resource not found for the segment 'Microsoft.Dynamics.CRM.CreateMultiple'.")

Error = tuple[int, str, str]


def an_id(number: int) -> RecordId:
    return RecordId(f"00000000-0000-4000-8000-{number:012d}")


@dataclass
class Service:
    """`refuse` gives the refusal of a message or of a record; `before_round` may break the connection."""

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    bad: Collection[RecordId] = ()
    messages_fail_with: Error | None = None
    records_fail_with: Error | None = None
    rounds: list[list[Part]] = field(default_factory=list)
    errors: dict[int, Exception] = field(default_factory=dict)
    answers_reads: bool = True

    async def send(self, parts: Sequence[Part]) -> list[PartAnswer]:
        self.rounds.append(list(parts))
        if len(self.rounds) in self.errors:
            raise self.errors[len(self.rounds)]
        return [self._answer(part) for part in parts]

    def _answer(self, part: Part) -> PartAnswer:
        if part.method == "GET":
            ids = re.findall(r"eq%20([0-9a-f-]{36})", part.path)
            rows = [self._row(id_) for id_ in ids if id_ in self.rows] if self.answers_reads else "no rows"
            return PartAnswer(200, {}, json.dumps({"value": rows}).encode())
        if part.method == "POST":
            return self._message(part)
        found = re.search(r"\(([0-9a-f-]{36})\)", part.path)
        assert found is not None
        return self._write(
            [{"contactid": found[1], **json.loads(part.body)}], is_create="If-None-Match" in part.headers
        )

    def _message(self, part: Part) -> PartAnswer:
        if self.messages_fail_with is not None:
            return an_error(self.messages_fail_with)
        targets = json.loads(part.body)["Targets"]
        assert all(target.pop("@odata.type") == "Microsoft.Dynamics.CRM.contact" for target in targets)
        assert part.items == len(targets)
        return self._write(targets, is_create=part.path == CREATE)

    def _write(self, targets: Sequence[dict[str, Any]], *, is_create: bool) -> PartAnswer:
        if self.records_fail_with is not None:
            return an_error(self.records_fail_with)
        for target in targets:
            if target["contactid"] in self.bad:
                return an_error(TOO_LONG)
            if (target["contactid"] in self.rows) == is_create:
                return an_error(TAKEN if is_create else NOBODY)
        for target in targets:
            self.rows.setdefault(target["contactid"], {}).update(target)
        if len(targets) == 1:
            return PartAnswer(200, {"etag": 'W/"7"'}, json.dumps(self._row(targets[0]["contactid"])).encode())
        return PartAnswer(200, {}, b"{}") if is_create else PartAnswer(204, {}, b"")

    def _row(self, id_: str) -> dict[str, Any]:
        row = {"lastname": None, "creditlimit": None} | self.rows[id_]
        return {**row, "lastname": str(row["lastname"]).strip(), "@odata.etag": 'W/"7"'}


def an_error(error: Error) -> PartAnswer:
    status, code, message = error
    headers = {"retry-after": "3"} if status == 429 else {}
    return PartAnswer(status, headers, json.dumps({"error": {"code": code, "message": message}}).encode())


def creates(count: int) -> list[Write]:
    return [Write(ActionKind.CREATE, an_id(n), {"lastname": f"Name {n}", "creditlimit": None}) for n in range(count)]


def updates(count: int) -> list[Write]:
    return [Write(ActionKind.UPDATE, an_id(n), {"lastname": f"New {n}"}, Version('W/"1"')) for n in range(count)]


async def write(service: Service, writes: Sequence[Write]) -> list[WriteResult]:
    return await BulkWrite(SingleWrites(CONTACTS, writes, {}, Shapes()), service.send).run()


async def test_creates_go_in_one_message_and_come_back_as_they_are_stored() -> None:
    service = Service()
    write_of_spaces = Write(ActionKind.CREATE, an_id(9), {"lastname": " Ann "})
    results = await write(service, [*creates(2), write_of_spaces])
    assert [[part.path for part in parts][:1] for parts in service.rounds] == [[CREATE]]
    assert results == [
        Written(an_id(0), Version('W/"7"'), {"lastname": "Name 0", "creditlimit": None}),
        Written(an_id(1), Version('W/"7"'), {"lastname": "Name 1", "creditlimit": None}),
        Written(an_id(9), Version('W/"7"'), {"lastname": "Ann"}),
    ]
    assert "creditlimit" not in service.rows[an_id(0)]


async def test_a_read_back_that_fails_leaves_the_values_unknown_and_the_records_written() -> None:
    service = Service(answers_reads=False)
    assert await write(service, creates(2)) == [Written(an_id(0)), Written(an_id(1))]


async def test_updates_of_own_columns_go_in_one_message_without_versions() -> None:
    service = Service(rows={an_id(n): {"contactid": an_id(n), "lastname": "Old"} for n in range(3)})
    assert await write(service, updates(3)) == [Written(an_id(n)) for n in range(3)]
    ((message,),) = service.rounds
    assert message.path == UPDATE
    assert "If-Match" not in message.headers
    assert {row["lastname"] for row in service.rows.values()} == {"New 0", "New 1", "New 2"}


@pytest.mark.parametrize("bad", [0, 5, 12])
async def test_a_bad_record_is_found_by_halves_and_the_others_are_written(bad: int) -> None:
    service = Service(bad={an_id(bad)})
    results = await write(service, creates(13))
    refused = {n: result for n, result in enumerate(results) if not isinstance(result, Written)}
    assert set(refused) == {bad}
    assert isinstance(refused[bad], Refused)
    assert "longer than the column" in str(refused[bad])
    assert set(service.rows) == {an_id(n) for n in range(13) if n != bad}
    assert len(service.rounds) <= 5


async def test_a_taken_id_is_found_by_halves() -> None:
    service = Service(rows={an_id(3): {"contactid": an_id(3), "lastname": "Theirs"}})
    results = await write(service, creates(8))
    assert results[3] == Taken()
    assert service.rows[an_id(3)]["lastname"] == "Theirs"
    assert sum(isinstance(result, Written) for result in results) == 7


async def test_a_missing_record_is_found_by_halves_and_not_made() -> None:
    service = Service(rows={an_id(n): {"contactid": an_id(n)} for n in (0, 2, 3)})
    results = await write(service, updates(4))
    assert results[1] == Missing()
    assert an_id(1) not in service.rows


async def test_records_that_are_all_bad_take_no_more_rounds_than_one() -> None:
    service = Service(bad={an_id(n) for n in range(200)})
    results = await write(service, creates(200))
    assert all(isinstance(result, Refused) for result in results)
    assert len(service.rounds) == 9
    assert all(sum(part.items for part in parts if part.method != "GET") <= 200 for parts in service.rounds)


@pytest.mark.parametrize(("writes", "again"), [(creates(4), Taken()), (updates(4), Stale())])
async def test_a_throttled_message_is_not_split_but_planned_again(writes: list[Write], again: WriteResult) -> None:
    service = Service(messages_fail_with=BUSY)
    assert await write(service, writes) == [again] * 4
    assert len(service.rounds) == 1


async def test_a_privilege_that_every_record_misses_stops_the_side() -> None:
    service = Service(records_fail_with=NO_PRIVILEGE)
    with pytest.raises(AccessError, match="prvCreateContact"):
        await write(service, creates(4))


async def test_a_table_without_the_message_is_told_at_once() -> None:
    service = Service(messages_fail_with=NO_MESSAGE)
    with pytest.raises(NoBulkMessageError):
        await write(service, creates(4))
    assert service.rows == {}


BROKEN = [
    TransientError("busy", side=Side.CRM),
    AccessError("refused", side=Side.CRM),
    UnknownOutcomeError("lost", side=Side.CRM),
]


@pytest.mark.parametrize("error", BROKEN)
async def test_a_first_call_that_fails_fails_as_a_whole(error: Exception) -> None:
    service = Service(errors={1: error})
    with pytest.raises(type(error)):
        await write(service, creates(4))


@pytest.mark.parametrize("error", BROKEN[:2])
async def test_after_a_round_that_wrote_nothing_a_failed_call_is_a_failure(error: Exception) -> None:
    service = Service(bad={an_id(0), an_id(3)}, errors={3: error})
    with pytest.raises(type(error)):
        await write(service, creates(4))
    assert service.rows == {}


@pytest.mark.parametrize("error", BROKEN[:2])
async def test_after_a_round_that_wrote_something_the_rest_is_planned_again(error: Exception) -> None:
    service = Service(bad={an_id(0)}, errors={3: error})
    results = await write(service, creates(4))
    assert results[:2] == [Taken(), Taken()]
    assert all(isinstance(result, Written) for result in results[2:])
    assert set(service.rows) == {an_id(2), an_id(3)}


async def test_an_answer_lost_in_any_round_leaves_the_outcome_unknown() -> None:
    service = Service(bad={an_id(0)}, errors={3: UnknownOutcomeError("lost", side=Side.CRM)})
    with pytest.raises(UnknownOutcomeError):
        await write(service, creates(4))
