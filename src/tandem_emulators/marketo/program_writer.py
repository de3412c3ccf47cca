"""The one way in which a membership changes, whoever changes it: the stored member and the activities that tell it."""

from collections.abc import Mapping
from typing import Any

from tandem_emulators.marketo.log import Activity
from tandem_emulators.marketo.people import Author
from tandem_emulators.marketo.programs import NOT_IN_PROGRAM, Member, Program, Status, progressed
from tandem_emulators.marketo.subscription import Subscription

CHANGE_STATUS, CHANGE_MEMBER_DATA = 104, 123


class ProgramWriter:
    """Collects what one request does to the members of one program; `flush` logs it."""

    def __init__(self, subscription: Subscription, program: Program, author: Author, now_s: float) -> None:
        self._subscription = subscription
        self._programs = subscription.programs
        self._program = program
        self._author = author
        self._now_s = int(now_s)
        self._log = subscription.writer(author, now_s)

    def progress(self, lead_id: int, member: Member | None, status: Status) -> str:
        """Put a person into a status; "created" for a new member.

        Raises:
            SkipError: 1037, the member is there already, or further.
        """
        values = progressed(self._program, member, status, self._now_s)
        old = member.status if member is not None else NOT_IN_PROGRAM
        if member is None:
            member = self._programs.add(self._program, lead_id, values, self._now_s)
            outcome = "created"
        else:
            member.values, member.updated_s = values, self._now_s
            self._programs.save(member)
            outcome = "updated"
        self._tell_status(member, old, status.name)
        return outcome

    def write(self, member: Member, values: Mapping[str, Any]) -> None:
        """Write a member's own fields; what changes nothing is not told."""
        changed = {name: value for name, value in values.items() if member.values.get(name) != value}
        if not changed:
            return
        for name, value in changed.items():
            told = {"Attribute Name": name, "New Value": value, "Old Value": member.values.get(name)}
            self._tell(member, CHANGE_MEMBER_DATA, told)
        member.values = {name: value for name, value in (member.values | changed).items() if value is not None}
        member.updated_s = self._now_s
        self._programs.save(member)

    def leave(self, member: Member) -> None:
        self._programs.remove([member])
        self._tell_status(member, member.status, NOT_IN_PROGRAM)

    def flush(self) -> None:
        self._log.flush()

    def _tell_status(self, member: Member, old: str, new: str) -> None:
        attributes = {
            "Acquired By": bool(member.values.get("acquiredBy")),
            "New Status": new,
            "New Status ID": self._program.status_id(new),
            "Old Status": old,
            "Old Status ID": self._program.status_id(old),
            "Program Member ID": member.id,
            "Reason": self._author.reason,
            "Success": bool(member.values.get("reachedSuccess")),
        }
        self._tell(member, CHANGE_STATUS, {name: value for name, value in attributes.items() if value is not None})

    def _tell(self, member: Member, type_id: int, attributes: dict[str, Any]) -> None:
        source = {"Source": self._author.source} if type_id == CHANGE_MEMBER_DATA else {}
        told = {name: value for name, value in attributes.items() if value is not None} | source
        self._log.note(Activity(member.lead_id, type_id, self._program.id, self._program.name, told))
