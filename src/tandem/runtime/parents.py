"""Records that others name: which of them are linked, what Marketo calls those, and what others show of them.

A company or a sales person is named by its Dynamics GUID, which is its key in Marketo too. A custom object names a
person by Marketo's own id: it stays when a lead becomes a contact and its key becomes another one. A path
(``lookup.column``) shows what the record at the lookup's end holds; Tandem carries that record too, so the value is in
the base of its link. So that the merge sees what Marketo holds, such values are put into the crm state before anything
is planned.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tandem.core.following import PLACE
from tandem.core.mapping import EntityMapping, FieldPair
from tandem.core.plan import Follow
from tandem.core.record import UNKNOWN, Entity, Link, LinkStatus, RecordId, RecordKey, Side, Unknown, Value, Values
from tandem.core.subject import Subject
from tandem.runtime.engine import Engine


@dataclass(frozen=True, slots=True)
class Parents:
    """The live links of the records that others name, by crm key."""

    links: Mapping[RecordKey, Link]
    mappings: Mapping[Entity, EntityMapping]

    @property
    def keys(self) -> frozenset[RecordKey]:
        return frozenset(self.links)

    def find(self, pair: FieldPair, value: Value) -> Link | None:
        """The link of the record that `value` names."""
        return next((self.links[key] for key in _keys_of(pair, value) if key in self.links), None)

    def shown(self, link: Link, pair: str) -> Value | Unknown:
        """What the record of `link` holds in one of its pairs, as far as that has been carried over."""
        names = self.mappings[link.crm.entity].names if link.crm else ()
        return link.base.crm[names.index(pair)] if pair in names else UNKNOWN


def find_parents(engine: Engine, subjects: Sequence[Subject]) -> Parents:
    """The records named by the crm states of `subjects` that are linked and live."""
    present = [(engine.mappings[s.crm_entity], s.crm.values) for s in subjects if s.crm and s.crm.is_present]
    return find_named(engine, present)


def find_named(engine: Engine, rows: Iterable[tuple[EntityMapping, Values]]) -> Parents:
    wanted: dict[Entity, set[RecordId]] = defaultdict(set)
    for mapping, values in rows:
        for place, pair in zip(mapping.crm_places, mapping.pairs, strict=True):
            for key in _keys_of(pair, values[place]):
                wanted[key.entity].add(key.id)
    links = {
        RecordKey(Side.CRM, entity, id_): link
        for entity, ids in wanted.items()
        for id_, link in engine.store.find_links(Side.CRM, entity, ids).items()
        if link.status is LinkStatus.LIVE and link.marketing is not None
    }
    return Parents(links, engine.mappings)


def _keys_of(pair: FieldPair, value: Value) -> Iterator[RecordKey]:
    """The records that `value` may be the id of. A number is what Marketo calls one that was found already."""
    for parent in pair.parents if isinstance(value, str) else ():
        yield RecordKey(Side.CRM, parent, RecordId(str(value)))


def name_parents(subject: Subject, mapping: EntityMapping, parents: Parents) -> Subject:
    """The subject with its parents named as Marketo names them, where the mapping says so."""
    crm = subject.crm
    if crm is None or not crm.is_present:
        return subject
    if not any(_is_named_otherwise(pair) or pair.watches for pair in mapping.pairs):
        return subject
    values, unresolved = resolved(mapping, crm.values, parents)
    follows = tuple(
        Follow(key, pair.through or PLACE)
        for place, pair in zip(mapping.crm_places, mapping.pairs, strict=True)
        if _is_named_otherwise(pair)
        for key in _keys_of(pair, crm.values[place])
    )
    follows += tuple(_watched(mapping, crm.values, parents.mappings))
    follows += (Follow(subject.key_owner, PLACE),) if subject.key_owner else ()
    known = None if subject.crm_is_base else follows
    return replace(subject, crm=replace(crm, values=values), follows=known, unresolved=unresolved)


def _watched(mapping: EntityMapping, values: Values, synced: Container[Entity]) -> Iterator[Follow]:
    """What the values depend on besides the record itself; nothing tells of tables that are not synced."""
    for watch in (watch for pair in mapping.pairs for watch in pair.watches if watch.entity in synced):
        if isinstance(named := mapping.crm_value(values, watch.by), str):
            yield Follow(RecordKey(Side.CRM, watch.entity, RecordId(named)), watch.column)


def _is_named_otherwise(pair: FieldPair) -> bool:
    return bool(pair.through) or pair.parent_by is Side.MARKETING


def resolved(mapping: EntityMapping, values: Values, parents: Parents) -> tuple[Values, frozenset[str]]:
    """`values` as Marketo would be told of them, and the pairs whose path leads to nothing that is known yet."""
    changed: dict[int, Value] = {}
    unresolved: set[str] = set()
    for place, pair in zip(mapping.crm_places, mapping.pairs, strict=True):
        if not _is_named_otherwise(pair) or not isinstance(values[place], str):
            continue
        link = parents.find(pair, values[place])
        shown = UNKNOWN if link is None else _named_by(link, pair, parents)
        if not isinstance(shown, Unknown):
            changed[place] = shown
        elif pair.through:
            unresolved.add(pair.name)
    named_values = tuple(changed.get(place, value) for place, value in enumerate(values)) if changed else values
    return named_values, frozenset(unresolved)


def _named_by(link: Link, pair: FieldPair, parents: Parents) -> Value | Unknown:
    if pair.through:
        return parents.shown(link, pair.through)
    assert link.marketing is not None, "a parent is live"
    return int(link.marketing.id)


def named(mapping: EntityMapping, values: Values, parents: Parents) -> Values:
    """`values` with Marketo's numbers for the parents that are linked."""
    return resolved(mapping, values, parents)[0]
