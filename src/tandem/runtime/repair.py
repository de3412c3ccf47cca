"""What a comparison of everything found, put to work: each difference becomes a record that the next pass plans.

Nothing is written here. A record that should be looked at waits as a suspicion, so that it is read by its id; a link
whose ends differ is due, so that both ends are read. The pass then decides as it always does, by base, rules and
rails. Only where no merge would ever see the difference is the base of that field forgotten: then it is decided as on
the first link, and both values are recorded.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tandem.core.mapping import Direction
from tandem.core.merge import is_drift
from tandem.core.record import Entity, Link, LinkNumber, LinkStatus, Presence, RecordId, RecordKey, Side, State, Unknown
from tandem.runtime.engine import Engine
from tandem.runtime.reconcile import Difference

_BY_A_PERSON = frozenset({"key held twice"})
"""Which of the two is meant nobody but a person can tell."""


@dataclass(slots=True)
class Marked:
    """``links`` are due, ``suspects`` wait to be read; ``left`` are differences that take a person."""

    links: dict[LinkNumber, set[str]] = field(default_factory=lambda: defaultdict(set))
    suspects: set[RecordKey] = field(default_factory=set)
    left: list[Difference] = field(default_factory=list)


def mark_for_repair(engine: Engine, differences: Sequence[Difference]) -> Marked:
    """Have everything that `differences` name planned again; the caller holds the lease."""
    marked = Marked()
    for crm_entity, found in _by_entity(differences).items():
        links = engine.store.find_links(Side.CRM, crm_entity, [one.crm_id for one in found if one.crm_id])
        for one in found:
            _mark(engine, one, links.get(one.crm_id) if one.crm_id else None, marked)
    _save_suspects(engine, marked.suspects)
    engine.store.forget_base({number: sorted(pairs) for number, pairs in marked.links.items()})
    return marked


def _by_entity(differences: Iterable[Difference]) -> dict[Entity, list[Difference]]:
    found: dict[Entity, list[Difference]] = defaultdict(list)
    for one in differences:
        found[one.crm_entity].append(one)
    return found


def _mark(engine: Engine, one: Difference, link: Link | None, marked: Marked) -> None:
    if one.kind in _BY_A_PERSON or (link is not None and link.status is LinkStatus.TOMBSTONE):
        marked.left.append(one)
    elif one.field is not None and link is not None and _is_of(link, one):
        marked.links[link.number] |= {one.field} if _is_unseen(engine, link, one) else set()
    else:
        marked.suspects |= _keys(engine, one, link)


def _is_of(link: Link, one: Difference) -> bool:
    return link.marketing is not None and link.marketing.id == one.marketing_id


def _is_unseen(engine: Engine, link: Link, one: Difference) -> bool:
    """Whether no merge would bring the two values together: the base holds the difference, or the giving side of a
    one-way field has not moved and an edit of the other side may stay until it does (N25)."""
    mapping = engine.mappings[one.crm_entity]
    if one.field not in mapping.names:
        return False
    place = mapping.names.index(one.field)
    pair, crm, marketing = mapping.pairs[place], link.base.crm[place], link.base.marketing[place]
    if isinstance(crm, Unknown) or isinstance(marketing, Unknown):
        return False
    return pair.direction is not Direction.BOTH or is_drift(pair, crm, marketing)


def _keys(engine: Engine, one: Difference, link: Link | None) -> set[RecordKey]:
    """The records to read: those that the difference names, and the ends of the link between them."""
    target = engine.mappings[one.crm_entity].marketing_entity
    named = {RecordKey(Side.CRM, one.crm_entity, one.crm_id)} if one.crm_id else set()
    named |= {RecordKey(Side.MARKETING, target, RecordId(one.marketing_id))} if one.marketing_id else set()
    return named | {end for end in ((link.crm, link.marketing) if link else ()) if end is not None}


def _save_suspects(engine: Engine, keys: Iterable[RecordKey]) -> None:
    by_feed: dict[tuple[Side, Entity], list[RecordKey]] = defaultdict(list)
    for key in keys:
        by_feed[key.side, key.entity].append(key)
    for (side, entity), found in by_feed.items():
        number = engine.begin_read()
        states = [State(key, number, presence=Presence.SUSPECT) for key in found]
        engine.store.save_page(side, entity, states, [], None, complete_until=None, search={})
