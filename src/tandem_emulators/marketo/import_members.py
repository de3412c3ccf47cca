"""Imported rows that are not people alone: members of a program, and records of a custom object (6.2)."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from tandem_emulators.marketo.errors import SkipError
from tandem_emulators.marketo.fields import ValueRules, convert
from tandem_emulators.marketo.import_rows import BY_IMPORT, NO_KEY, LeadImporter, Outcome, Row
from tandem_emulators.marketo.object_writes import ObjectBatch
from tandem_emulators.marketo.objects import Records
from tandem_emulators.marketo.program_writer import ProgramWriter
from tandem_emulators.marketo.subscription import Subscription

_RULES = ValueRules()


class MemberImporter:
    """People by e-mail, then into a program with one status; columns that are member fields go to the membership."""

    def __init__(self, subscription: Subscription, program_id: int, status: str) -> None:
        self._subscription = subscription
        self._program = subscription.programs.get(program_id)
        self._status = self._program.find_status(status)
        self._people = LeadImporter(subscription, "email", None, None)

    def write(self, rows: Sequence[Row], now_s: float) -> list[Outcome]:
        read = [self._member_values(row) for row in rows]
        outcomes = iter(
            self._people.write([row for row, found in zip(rows, read, strict=True) if isinstance(found, dict)], now_s)
        )
        writer = ProgramWriter(self._subscription, self._program, BY_IMPORT, now_s)
        results = [
            Outcome(failure=found) if isinstance(found, str) else self._join(writer, next(outcomes), found)
            for found in read
        ]
        writer.flush()
        return results

    def _join(self, writer: ProgramWriter, outcome: Outcome, values: dict[str, Any]) -> Outcome:
        if not isinstance(outcome.member, int):
            return outcome
        assert self._status is not None, "checked when the job was taken in"
        programs, lead_id = self._subscription.programs, outcome.member
        present = programs.members(self._program.id, [lead_id]).get(lead_id)
        with suppress(SkipError):  # in that status already, or past it: the row is still a member's
            writer.progress(lead_id, present, self._status)
        writer.write(programs.members(self._program.id, [lead_id])[lead_id], values)
        return outcome

    def _member_values(self, row: Row) -> dict[str, Any] | str:
        values: dict[str, Any] = {}
        for name, cell in row.items():
            field = self._subscription.programs.fields.find_exact(name)
            if field is None or field.read_only or cell == "":
                continue
            try:
                values[name] = convert(field, cell, _RULES)
            except SkipError:
                return f"Invalid data type in field {field.display_name}"
        return values


class ObjectImporter:
    """Records of one object, by their dedupe fields. A row may name a record that an earlier row has made."""

    def __init__(self, subscription: Subscription, records: Records) -> None:
        self._subscription = subscription
        self._records = records

    def write(self, rows: Sequence[Row], now_s: float) -> list[Outcome]:
        return [self._write(row, now_s) for row in rows]

    def _write(self, row: Row, now_s: float) -> Outcome:
        kind = self._records.kind
        record: dict[str, Any] = {}
        for name, cell in row.items():
            field = kind.field(name)
            if field is None or field.read_only or cell == "":
                continue
            try:
                record[name] = convert(field, cell, _RULES)
            except SkipError:
                return Outcome(failure=f"Invalid data type in field {field.display_name}")
        if any(name not in record for name in kind.dedupe_fields):
            return Outcome(failure=NO_KEY)
        try:
            written, _ = ObjectBatch(self._subscription, self._records, BY_IMPORT, now_s).write(record)
        except SkipError as skip:
            return Outcome(failure=skip.message)
        return Outcome(member=written.guid)
