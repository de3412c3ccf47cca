"""What a reading says of a write that we made in Marketo.

Marketo answers a write with "updated" and nothing else, so the values come back through the feed. A reading that is
not what we wrote is a person's later edit, a value that Marketo narrowed, or a write it refused; and the change records
show whose value stood there when we wrote (design section 3: echo, the overtaken write).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from tandem.core.mapping import Direction, FieldPair, NotExpressibleError, Winner
from tandem.core.plan import Conflict, ConflictKind, FieldWrite, Hold
from tandem.core.record import Base, ChangeRecord, Link, Side, State, Value
from tandem.core.subject import Case
from tandem.core.values import is_empty, same, shows


@dataclass(frozen=True, slots=True)
class Arrived:
    """The value is there, or a person has edited it since: nothing to add to the merge.

    ``is_final``: the change records can bring no more news of this write.
    """

    is_final: bool


@dataclass(frozen=True, slots=True)
class Overtaken:
    """We wrote over `text`, which somebody had entered after we had looked (its display string; None: emptied)."""

    text: str | None


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Marketo made another value of it; that reading is its half of the base from now on."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Marketo said yes and kept what it had."""


@dataclass(frozen=True, slots=True)
class TooEarly:
    """The feed has not been read past this reading yet: nobody can tell."""


Verdict: TypeAlias = Arrived | Overtaken | Narrowed | Refused | TooEarly


def judge(
    write: FieldWrite, present: Value, records: Sequence[ChangeRecord], *, is_create: bool, is_complete: bool
) -> Verdict:
    """Judge one written field by its present value and the change records of that field since the write was sent.

    `is_complete`: the feed has been read past the moment of the reading.
    """
    ours = [record for record in records if shows(record.new, write.after)]
    for record in list(filter(_is_api, ours)) or ours:
        if not is_create and _is_strangers(record.old, (write.before, write.after, present)):
            return Overtaken(record.old or None)
    if same(present, write.after):
        return Arrived(is_final=is_create or bool(ours) or is_complete)
    if any(shows(record.new, present) and (ours or not _is_api(record)) for record in records):
        return Arrived(is_final=is_create or bool(ours) or is_complete)
    if not is_complete:
        return TooEarly()
    if same(present, write.before) and not is_create:
        return Refused()
    return Narrowed()


def _is_strangers(old: str | None, known: Sequence[Value]) -> bool:
    """Whether the value that ours replaced is none of `known`. Where the log shows nothing, a boolean was unset."""
    if not old:
        return not any(is_empty(value) or value is False for value in known)
    return not any(shows(old, value) for value in known)


def _is_api(record: ChangeRecord) -> bool:
    """Whether an API write left this record: of several that show our value it is ours, the others are a person's; and
    one that shows the present value while none shows ours is ours, narrowed."""
    return record.source == "Web service API"


@dataclass(slots=True)
class ReadBack:
    """What came of our earlier writes: a corrected base, and the places that the merge must leave or see otherwise.

    ``typed`` are values a person had entered and we wrote over: the merge sees them as marketing's present values, and
    ``restored`` puts them back. ``is_early``: some field cannot be judged yet.
    """

    base: Base
    skip: frozenset[int] = frozenset()
    typed: dict[int, Value] = field(default_factory=dict)
    restored: dict[str, FieldWrite] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    confirmed: tuple[int, ...] = ()
    is_early: bool = False

    @property
    def has_news(self) -> bool:
        return bool(self.conflicts or self.holds)

    def hold(self, place: int, pair: FieldPair, reason: str) -> None:
        self.holds.append(Hold(pair.name, reason))
        self.skip |= {place}


def read_back(case: Case, link: Link, marketing: State) -> ReadBack:
    """Judge our unconfirmed writes, as far as they still are the base: a newer agreement leaves nothing to tell."""
    result = ReadBack(link.base)
    values = case.mapping.marketing_values(marketing.values)
    places = {name: place for place, name in enumerate(case.mapping.names)}
    for sent in case.subject.sent:
        if sent.is_create and values == link.base.marketing:
            result.confirmed = (*result.confirmed, sent.journal)  # the usual echo: all of it came back as it was sent
            continue
        is_final = True
        for write in sent.writes:
            place = places.get(write.pair)
            if place is None or not same(link.base.marketing[place], write.after):
                continue
            records = [record for record in case.subject.records if record.field == write.field]
            is_complete = case.subject.is_complete
            verdict = judge(write, values[place], records, is_create=sent.is_create, is_complete=is_complete)
            is_final &= verdict.is_final if isinstance(verdict, Arrived) else not isinstance(verdict, TooEarly)
            _note(case, place, write, verdict, values[place], result)
        if is_final:
            result.confirmed = (*result.confirmed, sent.journal)
    return result


def _note(case: Case, place: int, write: FieldWrite, verdict: Verdict, present: Value, result: ReadBack) -> None:
    pair = case.mapping.pairs[place]
    match verdict:
        case Arrived():
            return
        case TooEarly():
            result.is_early = True
            result.skip |= {place}
        case Narrowed():
            reason = f"{pair.marketing} came back changed by marketing; that reading is its base now"
            result.conflicts.append(_own_conflict(ConflictKind.NARROWED, pair, write, present, reason))
            result.base = result.base.replaced({place: (write.source, present)})
        case Refused():
            reason = f"{pair.marketing} kept its old value although marketing accepted the write"
            result.conflicts.append(_own_conflict(ConflictKind.REFUSED, pair, write, present, reason))
            result.base = result.base.replaced({place: (write.source, present)})
            result.hold(place, pair, reason)
        case Overtaken(text):
            _note_overtaken(case, place, write, text, present, result)


def _note_overtaken(
    case: Case, place: int, write: FieldWrite, text: str | None, present: Value, result: ReadBack
) -> None:
    """Restore what a person had typed where marketing wins and the text converts back exactly; record it always."""
    pair, reason = case.mapping.pairs[place], "edited in marketing just before our write"
    conflict = _own_conflict(ConflictKind.OVERTAKEN, pair, write, text, f"{pair.marketing} was {reason}")
    winner = case.policy.winner_of(pair)
    if winner is Winner.CRM or not same(present, write.after) or pair.direction is Direction.TO_MARKETING:
        result.conflicts.append(conflict)
    elif winner is Winner.MARKETING and isinstance(write.after, str) and text is not None:
        result.conflicts.append(replace(conflict, winner=Winner.MARKETING))
        _restore(place, pair, present, text, result)
    else:
        result.conflicts.append(replace(conflict, winner=Winner.HOLD))
        result.hold(place, pair, f"{pair.marketing} was {reason}")


def _restore(place: int, pair: FieldPair, present: Value, text: str, result: ReadBack) -> None:
    try:
        source = pair.carry(text, to=Side.CRM)
    except NotExpressibleError as error:
        result.hold(place, pair, f"{pair.crm} in crm cannot hold the value: {error}")
        return
    result.typed[place] = text
    reason = "restored: edited in marketing just before our write"
    result.restored[pair.marketing] = FieldWrite(pair.name, pair.marketing, present, text, source, reason)


def _own_conflict(kind: ConflictKind, pair: FieldPair, write: FieldWrite, marketing: Value, reason: str) -> Conflict:
    return Conflict(kind, pair.name, write.source, write.before, write.source, marketing, Winner.CRM, reason)
