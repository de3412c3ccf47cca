"""Records that show a field of another one: when that moves, they are due.

A plan says which of its pairs moved by agreement, and what each of its records shows of others; the store wakes who
shows what moved, there or with the outcome of a write, in the same transaction. What crm itself shows of another
record (a path that is read there) moves when that one's own row does, whatever becomes of it in marketing; as the
version of who shows it stays, it must be read again. So must who was read before that, and is not planned yet.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from tandem.core.mapping import EntityMapping
from tandem.core.plan import Action, LinkPlan, Plan
from tandem.core.record import Entity, Link, LinkStatus, Side, State
from tandem.core.subject import Rules, Subject
from tandem.core.values import same

PLACE = ""
"""Stands among the pairs for the record's place in marketing, which changes when people are merged there."""

_MADE_OF: Final[Mapping[str, tuple[str, ...]]] = {"fullname": ("firstname", "middlename", "lastname")}
"""Columns that Dynamics makes of others, which are mapped rather than they: those of them that are."""


def shown_pairs(mappings: Iterable[EntityMapping]) -> dict[Entity, frozenset[str]]:
    """Of each crm entity the pairs that records of others show."""
    shown: dict[Entity, set[str]] = defaultdict(set)
    for mapping in mappings:
        if mapping.key_parts:  # Who stands second for one key waits for the place of the first (``core.keys``).
            shown[mapping.crm_entity].add(PLACE)
        for pair in mapping.pairs:
            for parent in pair.parents if pair.through or pair.parent_by is Side.MARKETING else ():
                shown[parent].add(pair.through or PLACE)
            for watch in pair.watches:
                shown[watch.entity].add(watch.column)
    return {entity: frozenset(pairs) for entity, pairs in shown.items()}


def moved_by(action: Action) -> frozenset[str]:
    """What others may show of a record and is another one once `action` is done: its pairs, and in crm its columns."""
    pairs = frozenset(write.pair for write in action.writes)
    if action.side is not Side.CRM:
        return pairs
    columns = frozenset(write.field for write in action.writes)
    return pairs | columns | {name for name, parts in _MADE_OF.items() if not columns.isdisjoint(parts)}


def with_follows(plan: Plan, subjects: Iterable[Subject], rules: Rules) -> Plan:
    """The plan with what its links show of others, and which of their pairs that others show have moved."""
    if not rules.shown:
        return plan
    by_key = {subject.crm.key: subject for subject in subjects if subject.crm}
    links = (_stamped(link, by_key[link.crm], rules) if link.crm in by_key else link for link in plan.links)
    return replace(plan, links=tuple(links))


def _stamped(link: LinkPlan, subject: Subject, rules: Rules) -> LinkPlan:
    moved = _moved(link, subject, rules.shown.get(link.crm_entity, frozenset()), rules.mappings)
    if subject.follows is None and not moved:
        return link
    follows = subject.follows if link.changes_link else None
    return replace(link, follows=follows, moved=moved, moved_at=subject.crm.read_number if subject.crm else None)


def _moved(
    link: LinkPlan, subject: Subject, shown: frozenset[str], mappings: Mapping[Entity, EntityMapping]
) -> tuple[str, ...]:
    before, mapping = subject.link, mappings[link.crm_entity]
    columns = tuple(_columns_moved(before, subject.crm, shown.difference(mapping.names, (PLACE,)), mapping))
    if before is None or not link.changes_link or len(before.base.crm) != len(link.base.crm):
        return columns
    halves = zip(mapping.names, before.base.crm, link.base.crm, strict=True)
    moved = [name for name, old, new in halves if name in shown and not same(old, new)]
    has_ended = link.status is LinkStatus.TOMBSTONE and before.status is not LinkStatus.TOMBSTONE
    has_moved = before.marketing not in (None, link.marketing) or has_ended
    return (*columns, *moved, *((PLACE,) if PLACE in shown and has_moved else ()))


def _columns_moved(
    before: Link | None, crm: State | None, columns: Iterable[str], mapping: EntityMapping
) -> Iterator[str]:
    """The columns that may hold something else than before: those that are mapped are compared, the others move with
    any change of the row. Of a record that was never planned nobody knows what it held."""
    if crm is None or not crm.is_present:
        return
    is_same = before is not None and crm.version is not None and crm.version == before.crm_version
    yield from (column for column in columns if not is_same and _has_moved(column, before, crm, mapping))


def _has_moved(column: str, before: Link | None, crm: State, mapping: EntityMapping) -> bool:
    places = {pair.crm: place for place, pair in enumerate(mapping.pairs)}
    names = [name for name in (column, *_MADE_OF.get(column, ())) if name in places]
    if before is None or not names or len(before.base.crm) != len(mapping.pairs):
        return True
    present = mapping.crm_values(crm.values)
    return any(not same(before.base.crm[places[name]], present[places[name]]) for name in names)
