"""What the store's operations mean, as pure functions: the SQL stores and the memory store ask the same rules.

Which of two readings stays, what a base looks like under another mapping, what an outcome does to its link, and what
becomes of earlier holds and conflicts when a link is planned again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from tandem.core.mapping import Winner
from tandem.core.plan import MERGED, ActionKind, Conflict, FieldWrite, Hold, LinkPlan
from tandem.core.record import (
    UNKNOWN,
    Base,
    Half,
    Link,
    LinkStatus,
    Presence,
    ReadNumber,
    RecordKey,
    Side,
    State,
    Value,
)
from tandem.ports import JournalRow, Outcome

Names = tuple[str, ...]

ENDING: Final = frozenset({ActionKind.DELETE, ActionKind.MERGE})
"""Kinds of actions after which their record is no more, so that its link is looked at again."""


# --- readings ----------------------------------------------------------------------------------------------------


def replaces(new: State, old: State) -> bool:
    """The higher read number wins, the later of equals too; but of equals a suspicion is never overwritten by a value:
    only a read that began after it can lift it."""
    if new.read_number != old.read_number:
        return new.read_number > old.read_number
    return not (old.presence is Presence.SUSPECT and new.is_present)


def newest(states: Iterable[State]) -> dict[RecordKey, State]:
    """One state a record: a page may hold a record twice."""
    kept: dict[RecordKey, State] = {}
    for state in states:
        known = kept.get(state.key)
        if known is None or replaces(state, known):
            kept[state.key] = state
    return kept


def under_shape(state: State, *, is_current: bool) -> State:
    """Values stored under another shape have lost their places: the record has to be read again."""
    if is_current or not state.is_present:
        return state
    return replace(state, presence=Presence.SUSPECT, values=(), version=None)


# --- links -------------------------------------------------------------------------------------------------------


def reshaped(link: Link, stored: Names, wanted: Names) -> Link:
    """The link with its base's places in the order of `wanted`; pairs that are new to it are unknown.

    With an unknown place the base no longer tells what the crm record holds, so its version stands for nothing.
    """
    if stored == wanted:
        return link
    places = {name: place for place, name in enumerate(stored)}
    base = Base(_picked(link.base.crm, places, wanted), _picked(link.base.marketing, places, wanted))
    version = link.crm_version if all(name in places for name in wanted) else None
    return replace(link, base=base, crm_version=version)


def forgotten(link: Link, names: Names, pairs: Sequence[str]) -> Link:
    """The link with the base of `pairs` unknown; the very same where it has none of them."""
    places = {place for place, name in enumerate(names) if name in pairs}
    if not places:
        return link
    crm, marketing = (
        tuple(UNKNOWN if place in places else value for place, value in enumerate(half))
        for half in (link.base.crm, link.base.marketing)
    )
    return replace(link, base=Base(crm, marketing), crm_version=None)


def _picked(half: Half, places: Mapping[str, int], wanted: Names) -> Half:
    return tuple(half[places[name]] if name in places else UNKNOWN for name in wanted)


def done(link: Link, row: JournalRow, outcome: Outcome, names: Names, written: ReadNumber) -> Link:
    """The link once `row` is done: the new end, the written pairs' base, the version and the written number. After a
    delete or a merge it keeps its base: it is due, and ends when the record is seen to be gone."""
    side, end = row.action.side, link.end(row.action.side)
    if row.action.kind in ENDING:
        return replace(link, crm_written=written) if side is Side.CRM else replace(link, marketing_written=written)
    if row.action.kind is ActionKind.CREATE and outcome.id is not None:
        end = RecordKey(side, row.action.entity, outcome.id)
    base = link.base.replaced(agreed(row.action.writes, outcome.answered, side, names))
    if side is Side.CRM:
        link = replace(link, crm=end, base=base, crm_version=outcome.version, crm_written=written)
    else:
        link = replace(link, marketing=end, base=base, marketing_written=written)
    if link.status is LinkStatus.PENDING and link.crm and link.marketing:
        link = replace(link, status=LinkStatus.LIVE)
    return link


def agreed(
    writes: Iterable[FieldWrite], answered: Mapping[str, Value], target: Side, names: Names
) -> dict[int, tuple[Value, Value]]:
    """(crm, marketing) halves by place; a pair that is no longer mapped has none."""
    places = {name: place for place, name in enumerate(names)}
    pairs: dict[int, tuple[Value, Value]] = {}
    for write in writes:
        if write.pair not in places:
            continue
        there = answered.get(write.pair, write.after)
        pairs[places[write.pair]] = (there, write.source) if target is Side.CRM else (write.source, there)
    return pairs


# --- holds -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Held:
    """A stored hold. ``rejected`` remembers, for a hold that came of a rejection, the source values that were refused
    by pair name, and ``journal`` the row that was."""

    field: str | None
    reason: str
    since: datetime
    rejected: Mapping[str, Value] | None = None
    journal: int | None = None


Holds = Mapping[str | None, Held]


def holds_after_rejection(known: Holds, row: JournalRow, outcome: Outcome, now: datetime) -> dict[str | None, Held]:
    """The fields at fault are held with the values that were refused: those the side named, else all of an update's.
    A create refused for no field in particular holds the record, as does a delete, and any change of it is a reason to
    try again; a merge is held for its survivor."""
    error = outcome.error or "rejected"
    if row.action.kind is ActionKind.MERGE:
        return {**known, None: Held(None, error, now, {MERGED: row.action.survivor}, row.number)}
    if row.action.kind is not ActionKind.UPDATE and not outcome.parked:
        return {**known, None: Held(None, error, now, {}, row.number)}
    refused = {write.pair: write.source for write in row.action.writes}
    named = {pair: refused[pair] for pair in outcome.parked if pair in refused} or refused
    return {**known, **{pair: Held(pair, error, now, {pair: value}, row.number) for pair, value in named.items()}}


def holds_after_plan(known: Holds, planned: Sequence[Hold], now: datetime) -> dict[str | None, Held]:
    """The plan's holds and no others; one that goes on keeps its date and what was rejected."""
    kept: dict[str | None, Held] = {}
    for hold in planned:
        before = known.get(hold.field)
        kept[hold.field] = replace(before, reason=hold.reason) if before else Held(hold.field, hold.reason, now)
    return kept


# --- conflicts ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recorded:
    number: int
    conflict: Conflict
    is_open: bool


def conflicts_after_plan(known: Sequence[Recorded], plan: LinkPlan) -> tuple[list[int], list[Conflict]]:
    """Numbers of the open conflicts that are over, and the conflicts to record; `known` is oldest first.

    A link that is planned again from unmoved bases finds the same conflict again: it is recorded once.
    """
    latest = {recorded.conflict.field: recorded for recorded in known}
    again = {conflict.field for conflict in plan.conflicts if _is_same(latest.get(conflict.field), conflict)}
    held = {hold.field for hold in plan.holds}
    goes_on = again | (held - {conflict.field for conflict in plan.conflicts})
    over = [
        recorded.number
        for recorded in known
        if recorded.is_open and None not in held and recorded.conflict.field not in goes_on
    ]
    return over, [conflict for conflict in plan.conflicts if conflict.field not in again]


def _is_same(recorded: Recorded | None, conflict: Conflict) -> bool:
    if recorded is None or recorded.conflict != conflict:
        return False
    return recorded.is_open or conflict.winner is not Winner.HOLD


def is_confirmed(row: JournalRow, outcome: Outcome) -> bool:
    """What Dataverse answers is certain, and a delete is seen by the link itself; any other marketing write is
    confirmed by a reading, at once or later."""
    return outcome.is_confirmed or row.action.side is Side.CRM or row.action.kind in ENDING


# --- journal rows and ids ------------------------------------------------------------------------------------------


def highest_number(ids: Iterable[str]) -> int:
    return max((int(text) for text in ids if text.isdecimal()), default=0)


def key_of(row: JournalRow) -> RecordKey | None:
    """The record a row writes to; None for a create whose id nobody knows yet."""
    if row.action.id is not None:
        return RecordKey(row.action.side, row.action.entity, row.action.id)
    return row.crm if row.action.side is Side.CRM else row.marketing
