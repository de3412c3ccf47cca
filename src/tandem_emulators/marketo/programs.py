"""Programs and their members: who is in which program, with which status, since when (3.8).

A program has a channel, a channel has statuses in steps. The API moves a member forward only; data of its own a member
has in fields, of which a subscription can make more.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from tandem_emulators.marketo.catalogue import FieldSet
from tandem_emulators.marketo.errors import ApiError, SkipError
from tandem_emulators.marketo.fields import Field
from tandem_emulators.marketo.people import iso
from tandem_emulators.marketo.store import Store, decode, encode, marks

NOT_IN_PROGRAM = "Not in Program"
_COLUMNS = "id, program_id, lead_id, created_s, updated_s, doc"


@dataclass(frozen=True, slots=True)
class Status:
    name: str
    step: int
    is_success: bool = False


CHANNELS: dict[str, tuple[Status, ...]] = {
    "Webinar": (
        Status("Invited", 10),
        Status("Waitlisted", 20),
        Status("Registered", 30),
        Status("No Show", 40),
        Status("Attended", 50, is_success=True),
        Status("Attended On-demand", 60, is_success=True),
    ),
    "Nurture": (Status("Member", 10), Status("Engaged", 20, is_success=True)),
    "Content": (Status("Visited", 10), Status("Influenced", 20, is_success=True)),
    "Operational": (Status("Member", 10),),
    "List Import": (Status("On List", 10), Status("Influenced", 20, is_success=True)),
}


class Program(msgspec.Struct, rename="camel", kw_only=True):
    id: int = 0
    name: str
    type: str = "Default"  # Default | Event | Engagement | ...
    channel: str = "Content"
    description: str = ""
    workspace: str = "Default"
    created_s: int = 0
    updated_s: int = 0

    @property
    def is_engagement(self) -> bool:
        return self.type == "Engagement"

    def statuses(self) -> tuple[Status, ...]:
        return CHANNELS[self.channel]

    def find_status(self, name: str) -> Status | None:
        return next((status for status in self.statuses() if status.name == name), None)

    def status_id(self, name: str) -> int | None:
        """A number for each status, as activities want one."""
        place = next((at for at, status in enumerate(self.statuses(), start=1) if status.name == name), None)
        return None if place is None else self.id * 100 + place


@dataclass(slots=True)
class Member:
    id: int
    program_id: int
    lead_id: int
    created_s: int
    updated_s: int
    values: dict[str, Any]

    @property
    def status(self) -> str:
        return str(self.values["statusName"])


class Programs:
    """Programs and memberships as they are stored; who changes them tells it (`ProgramWriter`)."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.fields = FieldSet(store, "member_field", _standard_fields())

    def create(self, program: Program, now_s: int) -> Program:
        program.created_s = program.updated_s = now_s
        sql = "INSERT INTO program (created_s, updated_s, doc) VALUES (?, ?, ?)"
        program.id = self._store.run(sql, (now_s, now_s, msgspec.json.encode(program).decode()))
        return program

    def find(self, wanted: int | str) -> Program | None:
        """By id, or by name."""
        where = "id = ?" if isinstance(wanted, int) else "json_extract(doc, '$.name') = ?"
        row = self._store.one(f"SELECT id, doc FROM program WHERE {where}", (wanted,))
        return _program(row) if row else None

    def get(self, wanted: int | str) -> Program:
        found = self.find(wanted)
        if found is None:
            raise ApiError("1013", "Object not found")
        return found

    def after(self, program_id: int, limit: int) -> list[Program]:
        rows = self._store.rows("SELECT id, doc FROM program WHERE id > ? ORDER BY id LIMIT ?", (program_id, limit))
        return [_program(row) for row in rows]

    def count_members(self, program_id: int) -> int:
        return self._store.number("SELECT count(*) FROM program_member WHERE program_id = ?", (program_id,))

    def members(self, program_id: int, lead_ids: Sequence[int]) -> dict[int, Member]:
        sql = f"SELECT {_COLUMNS} FROM program_member WHERE program_id = ? AND lead_id IN ({marks(lead_ids)})"
        return {member.lead_id: member for member in self._members(sql, (program_id, *lead_ids))}

    def members_after(self, program_id: int, member_id: int, limit: int = -1) -> Iterator[Member]:
        sql = f"SELECT {_COLUMNS} FROM program_member WHERE program_id = ? AND id > ? ORDER BY id LIMIT ?"
        return self._members(sql, (program_id, member_id, limit))

    def memberships(self, lead_id: int) -> list[Member]:
        sql = f"SELECT {_COLUMNS} FROM program_member WHERE lead_id = ? ORDER BY program_id"
        return list(self._members(sql, (lead_id,)))

    def add(self, program: Program, lead_id: int, values: Mapping[str, Any], now_s: int) -> Member:
        sql = "INSERT INTO program_member (program_id, lead_id, created_s, updated_s, doc) VALUES (?, ?, ?, ?, ?)"
        number = self._store.run(sql, (program.id, lead_id, now_s, now_s, encode(values).decode()))
        return Member(number, program.id, lead_id, now_s, now_s, dict(values))

    def add_many(self, program: Program, members: Iterable[tuple[int, Mapping[str, Any]]], now_s: int) -> None:
        self._store.run_many(
            "INSERT INTO program_member (program_id, lead_id, created_s, updated_s, doc) VALUES (?, ?, ?, ?, ?)",
            [(program.id, lead_id, now_s, now_s, encode(values).decode()) for lead_id, values in members],
        )

    def save(self, member: Member) -> None:
        sql = "UPDATE program_member SET updated_s = ?, doc = ? WHERE id = ?"
        self._store.run(sql, (member.updated_s, encode(member.values).decode(), member.id))

    def remove(self, members: Iterable[Member]) -> None:
        self._store.run_many("DELETE FROM program_member WHERE id = ?", [(member.id,) for member in members])

    def forget(self, lead_ids: Sequence[int]) -> None:
        self._store.run(f"DELETE FROM program_member WHERE lead_id IN ({marks(lead_ids)})", lead_ids)

    def take_over(self, winner: int, losers: Sequence[int]) -> None:
        """The winner of a merge joins the programs of the losers; where it is a member already it stays as it is."""
        self._store.run(
            f"UPDATE OR IGNORE program_member SET lead_id = ? WHERE lead_id IN ({marks(losers)})", (winner, *losers)
        )

    def view(self, program: Program, member: Member, names: Iterable[str]) -> dict[str, Any]:
        system = {
            "leadId": member.lead_id,
            "programId": program.id,
            "program": program.name,
            "membershipDate": iso(member.created_s),
            "createdAt": iso(member.created_s),
            "updatedAt": iso(member.updated_s),
        }
        return {name: system[name] if name in system else self._value(member, name) for name in names}

    def _value(self, member: Member, name: str) -> Any:
        value = member.values.get(name)
        field = self.fields.find_exact(name)
        return False if value is None and field is not None and field.data_type == "boolean" else value

    def _members(self, sql: str, values: Sequence[Any]) -> Iterator[Member]:
        for number, program_id, lead_id, created_s, updated_s, doc in self._store.rows(sql, values):
            yield Member(number, program_id, lead_id, created_s, updated_s, decode(doc))


def progressed(program: Program, member: Member | None, status: Status, now_s: int) -> dict[str, Any]:
    """What a member's values become with a status.

    Raises:
        SkipError: 1037, the member is there already, or further.
    """
    present = program.find_status(member.status) if member is not None else None
    if present is not None and present.step >= status.step:
        raise SkipError("1037", "Lead skipped because it is already in or past this status")
    values: dict[str, Any] = dict(member.values) if member is not None else {"acquiredBy": False, "isExhausted": False}
    values |= {"statusName": status.name, "reachedSuccess": bool(values.get("reachedSuccess")) or status.is_success}
    if status.is_success and "reachedSuccessDate" not in values:
        values["reachedSuccessDate"] = iso(now_s)
    if program.is_engagement and member is None:
        values |= {"nurtureCadence": "norm", "trackName": "Stream 1"}
    return values


def _program(row: tuple[Any, ...]) -> Program:
    program = msgspec.json.decode(row[1], type=Program)
    program.id = row[0]
    return program


def _standard_fields() -> Iterator[Field]:
    for number, (name, shown, data_type, length, read_only) in enumerate(_STANDARD, start=1):
        yield Field(number, name, shown, data_type, length, read_only, searchable=name in _SEARCHABLE)


_SEARCHABLE = frozenset({"leadId", "reachedSuccess", "statusName"})
_STANDARD: tuple[tuple[str, str, str, int | None, bool], ...] = (
    ("acquiredBy", "Acquired By", "boolean", None, True),
    ("nurtureCadence", "Nurture Cadence", "string", 4, True),
    ("isExhausted", "Nurture Exhausted", "boolean", None, True),
    ("membershipDate", "Member Date", "datetime", None, True),
    ("program", "Program", "string", 255, True),
    ("programId", "Program Id", "integer", None, True),
    ("leadId", "Lead Id", "integer", None, True),
    ("reachedSuccess", "Success", "boolean", None, True),
    ("reachedSuccessDate", "Success Date", "datetime", None, True),
    ("statusName", "Status", "string", 255, True),
    ("statusReason", "Status Reason", "string", 255, True),
    ("trackName", "Nurture Track", "string", 255, True),
    ("attendanceLikelihood", "Attendance Likelihood", "integer", None, True),
    ("registrationLikelihood", "Registration Likelihood", "integer", None, True),
    ("waitlistPriority", "Waitlist Priority", "integer", None, True),
    ("createdAt", "Created At", "datetime", None, True),
    ("updatedAt", "Updated At", "datetime", None, True),
    ("registrationCode", "Registration Code", "string", 100, False),
    ("webinarUrl", "Webinar URL", "string", 2000, False),
)
