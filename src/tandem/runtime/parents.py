"""Records that others name: which of them are linked, and what Marketo calls those.

A company or a sales person is named by its Dynamics GUID, which is its key in Marketo too. A custom object names a
person by Marketo's own id: it stays when a lead becomes a contact and its key becomes another one. So that the merge
sees what Marketo holds, such a value is put into the crm state before anything is planned.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from tandem.core.mapping import EntityMapping
from tandem.core.record import Entity, LinkStatus, RecordId, RecordKey, Side, Values
from tandem.core.subject import Subject
from tandem.runtime.engine import Engine


def find_parents(engine: Engine, subjects: Sequence[Subject]) -> dict[RecordKey, RecordId]:
    """The records named by the crm states of `subjects` that are linked and live, with their ids in Marketo."""
    present = [(engine.mappings[s.crm_entity], s.crm.values) for s in subjects if s.crm and s.crm.is_present]
    return find_named(engine, present)


def find_named(engine: Engine, rows: Iterable[tuple[EntityMapping, Values]]) -> dict[RecordKey, RecordId]:
    wanted: dict[Entity, set[RecordId]] = defaultdict(set)
    for mapping, values in rows:
        for place, pair in zip(mapping.crm_places, mapping.pairs, strict=True):
            for parent in pair.parents if isinstance(values[place], str) else ():
                wanted[parent].add(RecordId(str(values[place])))
    return {
        RecordKey(Side.CRM, entity, id_): link.marketing.id
        for entity, ids in wanted.items()
        for id_, link in engine.store.find_links(Side.CRM, entity, ids).items()
        if link.status is LinkStatus.LIVE and link.marketing is not None
    }


def name_parents(subject: Subject, mapping: EntityMapping, parents: Mapping[RecordKey, RecordId]) -> Subject:
    """The subject with its parents named as Marketo names them, where the mapping says so."""
    crm = subject.crm
    if crm is None or not crm.is_present:
        return subject
    values = named(mapping, crm.values, parents)
    return subject if values is crm.values else replace(subject, crm=replace(crm, values=values))


def named(mapping: EntityMapping, values: Values, parents: Mapping[RecordKey, RecordId]) -> Values:
    """`values` with Marketo's numbers for the parents that are linked; the very same tuple where there are none."""
    changed = {
        place: int(parents[key])
        for place, pair in zip(mapping.crm_places, mapping.pairs, strict=True)
        if pair.parent_by is Side.MARKETING
        for parent in pair.parents
        if (key := RecordKey(Side.CRM, parent, RecordId(str(values[place])))) in parents
    }
    return tuple(changed.get(place, value) for place, value in enumerate(values)) if changed else values
