"""What was read before another record moved that it shows, and is not planned yet: it is read again.

The store wakes who shows what moved (``core.following``), as far as it knows who that is: a record that is planned for
the first time, or that was read just before, still has the value from before in the inbox. So each entity has a mark,
the number of the last reading that found such a column moved; what was read before the mark is not used.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from tandem.core.following import moved_by
from tandem.core.mapping import EntityMapping
from tandem.core.plan import LinkPlan, Plan
from tandem.core.record import Entity, ReadNumber, Side
from tandem.runtime.engine import Engine

_MARK = "moved:{entity}"
"""Setting: the read number up to which nobody can have seen what moved last."""


def note_moved(engine: Engine, plan: Plan) -> None:
    """Before `plan` is committed, so that a crash costs a reading at most."""
    watched = _watched(engine.mappings.values())
    marks: dict[Entity, ReadNumber] = {}
    for link in plan.links if watched else ():
        if (number := _moved_at(engine, link, watched.get(link.crm_entity, set()))) is not None:
            marks[link.crm_entity] = max(number, marks.get(link.crm_entity, number))
    for entity, number in marks.items():
        if number > _mark(engine, entity):
            engine.store.save_setting(_MARK.format(entity=entity), str(number))


def _moved_at(engine: Engine, link: LinkPlan, columns: set[str]) -> ReadNumber | None:
    """What we write ourselves moves after this."""
    if any(action.side is Side.CRM and moved_by(action) & columns for action in link.actions):
        return engine.begin_read()
    return link.moved_at if columns.intersection(link.moved) else None


def read_again_before(engine: Engine) -> dict[Entity, ReadNumber]:
    """The mark below which the readings of an entity are not used, for those that show columns of others."""
    return {
        entity: max(_mark(engine, parent) for parent in parents)
        for entity, mapping in engine.mappings.items()
        if (parents := _watched([mapping]))
    }


def _watched(mappings: Iterable[EntityMapping]) -> Mapping[Entity, set[str]]:
    watched: dict[Entity, set[str]] = defaultdict(set)
    for watch in (watch for mapping in mappings for pair in mapping.pairs for watch in pair.watches):
        watched[watch.entity].add(watch.column)
    return watched


def _mark(engine: Engine, entity: Entity) -> ReadNumber:
    return ReadNumber(int(engine.store.load_setting(_MARK.format(entity=entity)) or 0))
