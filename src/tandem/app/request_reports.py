"""What is said of requests and pushes: plain data, which the command line prints before anything heavy is loaded."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from tandem.app.reports import PlannedAction


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller is told. ``outcome`` is one of a few fixed words, for a field of the person in Marketo."""

    request: int
    outcome: str
    reason: str
    entity: str | None = None
    crm_id: str | None = None


@dataclass(frozen=True, slots=True)
class RequestLine:
    """A stored request, as ``tandem requests`` lists it."""

    number: int
    asked_at: datetime
    deed: str
    person: str
    origin: str
    state: str
    said: str | None
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class MembershipLine:
    """A list or program that Dynamics follows: when it was compared, and why it could not be."""

    follows: str
    campaign: str | None
    compared_at: str | None
    trouble: str | None


Outcome: TypeAlias = Literal["done", "nothing to do", "refused", "waiting"]


@dataclass(frozen=True, slots=True)
class PushReport:
    """`outcome`: what came of it, in one of a few fixed words; `actions` is what was planned."""

    record: str
    outcome: Outcome
    reason: str
    actions: tuple[PlannedAction, ...] = ()

    @property
    def is_refused(self) -> bool:
        return self.outcome == "refused"


@dataclass(frozen=True, slots=True)
class Wish:
    """`as_`, `owner` and `account` say how a person known only to Marketo is made."""

    record: str
    as_: str | None = None
    owner: str | None = None
    account: str | None = None
    force: bool = False
    resurrect: bool = False
