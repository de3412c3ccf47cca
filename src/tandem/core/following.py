"""Records that show a field of another one: when that moves, they are due.

A plan says which of its pairs moved by agreement, and what each of its records shows of others; the store wakes who
shows what moved, there or with the outcome of a write, in the same transaction.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from tandem.core.mapping import EntityMapping
from tandem.core.plan import LinkPlan, Plan
from tandem.core.record import Entity, LinkStatus, Side
from tandem.core.subject import Rules, Subject
from tandem.core.values import same

PLACE = ""
"""Stands among the pairs for the record's place in marketing, which changes when people are merged there."""


def shown_pairs(mappings: Iterable[EntityMapping]) -> dict[Entity, frozenset[str]]:
    """Of each crm entity the pairs that records of others show."""
    shown: dict[Entity, set[str]] = defaultdict(set)
    for mapping in mappings:
        if mapping.key_parts:  # Who stands second for one key waits for the place of the first (``core.keys``).
            shown[mapping.crm_entity].add(PLACE)
        for pair in mapping.pairs:
            for parent in pair.parents if pair.through or pair.parent_by is Side.MARKETING else ():
                shown[parent].add(pair.through or PLACE)
            if pair.watches:
                _, parent, name = pair.watches
                shown[parent].add(name)
    return {entity: frozenset(pairs) for entity, pairs in shown.items()}


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
    return replace(link, follows=subject.follows if link.changes_link else None, moved=moved)


def _moved(
    link: LinkPlan, subject: Subject, shown: frozenset[str], mappings: Mapping[Entity, EntityMapping]
) -> tuple[str, ...]:
    before = subject.link
    if not shown or before is None or not link.changes_link or len(before.base.crm) != len(link.base.crm):
        return ()
    halves = zip(mappings[link.crm_entity].names, before.base.crm, link.base.crm, strict=True)
    moved = [name for name, old, new in halves if name in shown and not same(old, new)]
    has_ended = link.status is LinkStatus.TOMBSTONE and before.status is not LinkStatus.TOMBSTONE
    has_moved = before.marketing not in (None, link.marketing) or has_ended
    return (*moved, *((PLACE,) if PLACE in shown and has_moved else ()))
