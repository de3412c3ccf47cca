"""Texts that are longer than the other side takes: cut on their way, and told once.

The side that holds all of it stays as it is, and its half of the base with it, so the shorter text never comes back by
itself. A person's edit of the shorter text would lose the rest, so it is held.
"""

from tandem.core.mapping import FieldPair, Winner
from tandem.core.plan import Conflict, ConflictKind
from tandem.core.record import Side, Unknown, Value


def narrowed(pair: FieldPair, *, to: Side, source: Value, before: Value, after: Value) -> Conflict | None:
    """The record of it, where less of `source` arrives."""
    if not pair.narrows(source, to=to):
        return None
    reason = f"{pair.field_on(to)} in {to} takes less: the text was cut, {to.other} keeps all of it"
    base = (source, before) if to is Side.MARKETING else (before, source)
    ends = (source, after) if to is Side.MARKETING else (after, source)
    return Conflict(ConflictKind.NARROWED, pair.name, *base, *ends, Winner(to.other.value), reason)


def would_lose_the_rest(pair: FieldPair, *, to: Side, known: Value | Unknown) -> str | None:
    """Why an edit may not replace what side `to` held when both agreed (`known`): the other side saw less of it."""
    if isinstance(known, Unknown) or not pair.narrows(known, to=to.other):
        return None
    return f"{to.other} holds a shortened text; its edit would lose the rest of {pair.field_on(to)} in {to}"
