"""Who is who: which Marketo person a Dynamics record already is, before anything is created.

Links are resolved before fields: by link, by the crm key the person carries, then by dedupe key. Candidates that are
linked to another record are none. Several candidates for one record, and several records for one candidate, are decided
by an ordered rule, or held, never guessed; what a person decided comes before any rule.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from uuid import UUID, uuid5

from tandem.core.mapping import EntityMapping
from tandem.core.record import CONTACT, RecordId, Side, State, Value

_NAMESPACE: Final = UUID("5b1f6c52-6f0e-5d0e-9a34-3d1d8f0c9a11")
"""Fixed for ever: ids derived under it are already in other people's databases."""

SEVERAL_PEOPLE: Final = "several people match one record"
SEVERAL_RECORDS: Final = "several records match one person"
TWO_PEOPLE_OF_A_MERGE: Final = "two people of records merged in crm"


@dataclass(frozen=True, slots=True)
class Matched:
    state: State
    reason: str


@dataclass(frozen=True, slots=True)
class Unmatched:
    pass


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """`cause` groups such records; ``candidates`` are the people one of whom may be it."""

    cause: str
    reason: str
    candidates: tuple[State, ...]


Match: TypeAlias = Matched | Unmatched | Ambiguous


@dataclass(frozen=True, slots=True)
class Contender:
    """A record, read under its mapping, that a rule may prefer to another one."""

    mapping: EntityMapping
    state: State

    def value(self, crm: str, marketing: str) -> Value:
        if self.state.key.side is Side.CRM:
            return self.mapping.crm_value(self.state.values, crm)
        return self.mapping.marketing_value(self.state.values, marketing)


def derived_crm_id(sync_id: str, marketing_id: RecordId) -> RecordId:
    """The GUID of the record that this sync creates in Dynamics for a Marketo person: the same for ever, so that even a
    restored store cannot make it twice."""
    return RecordId(str(uuid5(_NAMESPACE, f"{sync_id}:{marketing_id}")))


def match_record(
    mapping: EntityMapping,
    crm: State,
    candidates: Sequence[State],
    prefer: Sequence[str],
    rivals: Sequence[Contender] = (),
) -> Match:
    """The one of `candidates` (unlinked marketing states) that is `crm`'s counterpart. `rivals` are other crm records
    that want the same candidates by their dedupe key: those who are preferred to `crm` come first."""
    # Under a key of several parts the look finds those with all of them, and no others.
    same_key = [state for state in candidates if mapping.key_parts or _has_key(mapping, state, crm.key.id)]
    if same_key:
        return _choose(mapping, same_key, prefer, "carries the crm key")
    free = [state for state in candidates if not mapping.marketing_value(state.values, mapping.key_field)]
    if not free:
        return Unmatched()
    ahead, beside = _place(Contender(mapping, crm), rivals, prefer)
    if ahead >= len(free):
        return Unmatched()
    if ahead + beside >= len(free):
        reason = f"{len(rivals) + 1} records match {len(free)} in Marketo and no rule prefers one"
        return Ambiguous(SEVERAL_RECORDS, reason, tuple(free))
    return _choose(mapping, free, prefer, f"same {' and '.join(mapping.dedupe_fields)}")


def preferred(contenders: Sequence[Contender], prefer: Sequence[str]) -> Sequence[Contender]:
    """Those whom no rule puts behind another; rule by rule, until one is left."""
    for name in prefer:
        rule = RULES[name]
        best = max(rule(each) for each in contenders)
        contenders = [each for each in contenders if rule(each) == best]
    return contenders


def fold(value: Value) -> str | None:
    """A key or e-mail as it is compared: lower case, without surrounding space; None when empty."""
    return str(value).strip().lower() or None if value is not None else None


def carries_no_other_key(mapping: EntityMapping, state: State, crm: State) -> bool:
    return not mapping.marketing_value(state.values, mapping.key_field) or _has_key(mapping, state, crm.key.id)


def _has_key(mapping: EntityMapping, state: State, crm_id: RecordId) -> bool:
    return fold(mapping.marketing_value(state.values, mapping.key_field)) == crm_id.lower()


def _place(me: Contender, rivals: Sequence[Contender], prefer: Sequence[str]) -> tuple[int, int]:
    """How many of `rivals` are preferred to `me`, and how many are neither before nor behind."""
    duels = [preferred([me, rival], prefer) for rival in rivals]
    return sum(me not in left for left in duels), sum(len(left) == 2 for left in duels)


_Rank: TypeAlias = tuple[int, int | str]


def _lowest_id(contender: Contender) -> _Rank:
    """Marketo's ids are numbers; a GUID is as good as any order that stays the same."""
    id_ = contender.state.key.id
    return (1, -int(id_)) if id_.isdigit() else (0, "".join(chr(0x10FFFF - ord(letter)) for letter in id_))


RULES: Final[Mapping[str, Callable[[Contender], _Rank]]] = {
    "active": lambda each: (0, int(each.value("statecode", "") in (None, 0))),
    "contact over lead": lambda each: (0, int(each.state.key.entity == CONTACT)),
    "last modified": lambda each: (0, str(each.value("modifiedon", "updatedAt") or "")),
    "lowest id": _lowest_id,
}
"""Each ranks a contender; the highest rank is preferred. The first two tell Dynamics records apart that want one
person, the others people as well. Who carries a record's key needs no rule: it is that record's counterpart."""


def _choose(mapping: EntityMapping, states: Sequence[State], prefer: Sequence[str], reason: str) -> Match:
    left = preferred([Contender(mapping, state) for state in states], prefer)
    if len(left) > 1:
        text = f"{len(left)} people in Marketo match ({reason}) and no rule prefers one"
        return Ambiguous(SEVERAL_PEOPLE, text, tuple(each.state for each in left))
    return Matched(left[0].state, f"{reason}; preferred among {len(states)}" if len(states) > 1 else reason)
