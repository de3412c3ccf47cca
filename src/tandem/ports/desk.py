"""What people do in Dynamics beside typing into records: assign, set tasks, keep lists."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tandem.core.memberships import Member, Roster
from tandem.core.record import (
    Entity,
    RecordId,
    RecordKey,
    Version,
)


@dataclass(frozen=True, slots=True)
class Task:
    """``status`` is a status reason, by its number or by its label."""

    id: RecordId
    regarding: RecordKey
    subject: str
    description: str | None
    due_at: datetime
    status: str | None = None
    owner: RecordKey | None = None


@dataclass(frozen=True, slots=True)
class Campaign:
    id: RecordId
    name: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class MemberList:
    """A static marketing list of a campaign; its members are all of one entity."""

    id: RecordId
    entity: Entity
    is_open: bool = True
    """Active and not locked."""


class Rosters(Protocol):
    """Who is a member of what in Marketo."""

    def iter_members(self, roster: Roster) -> AsyncIterator[Sequence[Member]]:
        """Page by page. Raises: RejectedError where there is no such list or program."""


class Desk(Protocol):
    """Assigning, tasks and campaigns. Every deed may be done again: the second time finds it done.

    Raises, besides what every connector raises: RejectedError where the side refuses, with its reason;
    UnknownOutcomeError where it may have been done.
    """

    async def find_owner(self, who: str) -> RecordKey | None:
        """The enabled user by id or e-mail address, or the team by id."""

    async def fetch_owner(self, record: RecordKey) -> tuple[RecordId | None, Version | None]:
        """Whose the record is, and its version; None without a record."""

    async def assign(self, record: RecordKey, owner: RecordKey, version: Version | None) -> bool:
        """False where the record moved since `version`."""

    async def has_task(self, id: RecordId) -> bool: ...

    async def create_task(self, task: Task) -> None: ...

    async def find_campaign(self, named: str) -> Campaign | None:
        """By id, or by a name that only one campaign has."""

    async def fetch_lists(self, campaign: RecordId) -> Sequence[MemberList]:
        """The static lists of people of a campaign."""

    async def ensure_list(self, campaign: RecordId, new: MemberList, name: str) -> None:
        """The list, made where it is missing, and part of the campaign."""

    async def fetch_members(self, list_: RecordId, among: Sequence[RecordId] | None = None) -> set[RecordId]:
        """All members, or those `among` some records."""

    async def add_members(self, list_: MemberList, ids: Sequence[RecordId]) -> None: ...

    async def remove_member(self, list_: MemberList, id: RecordId) -> None: ...
