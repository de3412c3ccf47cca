"""What somebody asks for at once: a Marketo flow step over a webhook, or a person at the command line.

A request names one person by Marketo's id and one deed. It is stored before it is answered, carried out by the passes
in their most urgent lane, and keeps what came of it. The same request twice is one request: see ``is_repeat``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid5

from tandem.core.record import CONTACT, LEAD, Entity, RecordId, Value

_NAMESPACE: Final = UUID("6d0a2a9e-6f6b-5c0e-8a0e-4b6c3c1f7e52")
"""Fixed for ever: ids derived under it are already in other people's databases."""

REPEAT_WINDOW: Final = timedelta(minutes=10)
"""A task that is asked for again within this time, word for word, is one task: a call that was made twice. Later it is
another round of the campaign."""

MEMBERSHIP: Final = "membership"
"""The origin of what a comparison of members asks for; it asks again at the next one."""

REFUSAL_WINDOW: Final = timedelta(hours=1)
"""For so long what was refused to a comparison is not asked for again, or it would fill the list of requests."""

Arguments = Mapping[str, Value]


class Deed(StrEnum):
    SYNC_PERSON = "sync-person"
    CHANGE_OWNER = "change-owner"
    CREATE_TASK = "create-task"
    ADD_TO_CAMPAIGN = "add-to-campaign"
    REMOVE_FROM_CAMPAIGN = "remove-from-campaign"

    @property
    def needs_a_record(self) -> bool:
        """Whether the person is created in Dynamics first where it is missing (N49, N55)."""
        return self is not Deed.REMOVE_FROM_CAMPAIGN


class RequestState(StrEnum):
    WAITING = "waiting"
    SENT = "sent"
    """Its call began, and its outcome is not known yet."""
    DONE = "done"
    REFUSED = "refused"

    @property
    def is_open(self) -> bool:
        return self in (RequestState.WAITING, RequestState.SENT)


@dataclass(frozen=True, slots=True)
class Ask:
    """A request as it comes in. ``key`` is the caller's own idempotency key, where it has one."""

    deed: Deed
    person: RecordId
    arguments: Arguments = field(default_factory=dict)
    origin: str = "webhook"
    key: str | None = None

    @property
    def idempotency_key(self) -> str:
        """Marketo sends none, so the person, the deed and its arguments stand for one."""
        if self.key:
            return f"key:{self.key}"
        text = json.dumps([self.deed, self.person, dict(self.arguments)], sort_keys=True, ensure_ascii=False)
        return sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Request:
    """A stored request. ``before`` and ``after`` say what its deed found and what it left in Dynamics; ``said`` is what
    came of it, or why nothing did."""

    number: int
    key: str
    deed: Deed
    person: RecordId
    arguments: Arguments
    origin: str
    asked_at: datetime
    state: RequestState = RequestState.WAITING
    sent_at: datetime | None = None
    finished_at: datetime | None = None
    said: str | None = None
    before: str | None = None
    after: str | None = None

    def text(self, name: str) -> str | None:
        value = self.arguments.get(name)
        return None if value is None else str(value)


def is_repeat(earlier: Request, ask: Ask, now: datetime) -> bool:
    """Whether `ask` is `earlier` once more. A caller's own key holds for as long as the request is kept; a derived one
    while the request is open, and a while longer for a task: every other deed may be asked for again, and does nothing
    where nothing is left to do."""
    if earlier.state.is_open or ask.key:
        return True
    if ask.origin == MEMBERSHIP and earlier.state is RequestState.REFUSED:
        return now - earlier.asked_at < REFUSAL_WINDOW
    return ask.deed is Deed.CREATE_TASK and now - earlier.asked_at < REPEAT_WINDOW


def derived_id(sync_id: str, *what: str) -> RecordId:
    """The GUID of what a request makes in Dynamics: the same at each try."""
    return RecordId(str(uuid5(_NAMESPACE, ":".join((sync_id, *what)))))


@dataclass(frozen=True, slots=True)
class Asked:
    """What open requests ask of one person: to be in Dynamics, as `entity`, with these columns.

    ``columns`` are set when the record is created, and never again. ``force``: carry the person's values now, whoever
    changed them last. ``resurrect``: make the record anew though it was deleted in Dynamics (N65).
    """

    entity: Entity = LEAD
    columns: Mapping[str, Value] = field(default_factory=dict)
    force: bool = False
    resurrect: bool = False

    def with_also(self, other: "Asked") -> "Asked":
        """Both at once; a contact is more than a lead, and what was asked first stays."""
        entity = CONTACT if CONTACT in (self.entity, other.entity) else LEAD
        columns = {**other.columns, **self.columns}
        return Asked(entity, columns, self.force or other.force, self.resurrect or other.resurrect)
