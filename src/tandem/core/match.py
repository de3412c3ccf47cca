"""Who is who: which Marketo person a Dynamics record already is, before anything is created.

Links are resolved before fields: by link, by the crm key the person carries, then by dedupe key. Candidates that are
linked to another record are none. Several candidates are decided by an ordered rule, or held, never guessed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from uuid import UUID, uuid5

from tandem.core.mapping import EntityMapping
from tandem.core.record import RecordId, State, Value

_NAMESPACE: Final = UUID("5b1f6c52-6f0e-5d0e-9a34-3d1d8f0c9a11")
"""Fixed for ever: ids derived under it are already in other people's databases."""


@dataclass(frozen=True, slots=True)
class Matched:
    state: State
    reason: str


@dataclass(frozen=True, slots=True)
class Unmatched:
    pass


@dataclass(frozen=True, slots=True)
class Ambiguous:
    reason: str


Match: TypeAlias = Matched | Unmatched | Ambiguous


def derived_crm_id(sync_id: str, marketing_id: RecordId) -> RecordId:
    """The GUID of the record that this sync creates in Dynamics for a Marketo person: the same for ever, so that even a
    restored store cannot make it twice."""
    return RecordId(str(uuid5(_NAMESPACE, f"{sync_id}:{marketing_id}")))


def match_record(mapping: EntityMapping, crm: State, candidates: Sequence[State], prefer: Sequence[str]) -> Match:
    """The one of `candidates` (unlinked marketing states) that is `crm`'s counterpart."""
    # Under a key of several parts the look finds those with all of them, and no others.
    same_key = [state for state in candidates if mapping.key_parts or _has_key(mapping, state, crm.key.id)]
    if same_key:
        return _choose(mapping, same_key, prefer, "carries the crm key")
    free = [state for state in candidates if not mapping.marketing_value(state.values, mapping.key_field)]
    if free:
        return _choose(mapping, free, prefer, f"same {mapping.dedupe_field}")
    return Unmatched()


def fold(value: Value) -> str | None:
    """A key or e-mail as it is compared: lower case, without surrounding space; None when empty."""
    return str(value).strip().lower() or None if value is not None else None


def _has_key(mapping: EntityMapping, state: State, crm_id: RecordId) -> bool:
    return fold(mapping.marketing_value(state.values, mapping.key_field)) == crm_id.lower()


_Rule: TypeAlias = Callable[[EntityMapping, State], tuple[object, ...]]

_RULES: Final[dict[str, _Rule]] = {
    "lowest id": lambda mapping, state: (int(state.key.id) if state.key.id.isdigit() else 0, state.key.id),
}
"""Rules that tell unlinked Marketo candidates apart. "same key" is decided before; "active" and "contact over lead"
speak of Dynamics records, and "last modified" needs a time that Marketo does not keep for custom fields."""


def _choose(mapping: EntityMapping, states: Sequence[State], prefer: Sequence[str], reason: str) -> Match:
    if len(states) == 1:
        return Matched(states[0], reason)
    rules = [_RULES[name] for name in prefer if name in _RULES]
    if not rules:
        return Ambiguous(f"{len(states)} people in Marketo match ({reason}) and no rule prefers one")
    best = min(states, key=lambda state: tuple(rule(mapping, state) for rule in rules))
    return Matched(best, f"{reason}; preferred among {len(states)}")
