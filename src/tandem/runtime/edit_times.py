"""When the records of a claim were edited on either side, for policies in which the newest edit wins."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from tandem.core.mapping import Winner
from tandem.core.newest import MODIFIED, EditTimes, parse_modified
from tandem.core.record import Entity, RecordKey, Side
from tandem.core.subject import Subject
from tandem.runtime.engine import Engine

_RECORDS_KEPT: Final = timedelta(days=2)
"""Older change records are forgotten at the end of a pass."""


def with_edit_times(engine: Engine, marketing_entity: Entity, subjects: list[Subject]) -> list[Subject]:
    """`subjects`, those with the times that their policy asks for."""
    entities = {entity for entity in engine.mappings if _asks(engine, entity)}
    asking = [subject for subject in subjects if subject.crm_entity in entities and _is_whole(subject)]
    if not asking:
        return subjects
    dates = _Dates(engine, marketing_entity, asking)
    return [
        replace(subject, times=dates.of(subject)) if subject.crm_entity in entities and _is_whole(subject) else subject
        for subject in subjects
    ]


class _Dates:
    """The stored dates of all these subjects, each asked for once."""

    def __init__(self, engine: Engine, marketing_entity: Entity, subjects: Sequence[Subject]) -> None:
        store = engine.store
        since = engine.clock.now() - _RECORDS_KEPT
        self._engine = engine
        self._known_until = store.load_known_until([subject.crm.key for subject in subjects if subject.crm])
        self._changed: dict[RecordKey, dict[str, datetime]] = defaultdict(dict)
        for record in store.load_records([s.marketing.key for s in subjects if s.marketing], since):
            if record.field is not None:
                self._changed[record.key][record.field] = record.at
        watermark = store.load_watermark(Side.MARKETING, marketing_entity)
        self._complete_until = watermark and watermark - timedelta(seconds=engine.settings.feed_lag_s)

    def of(self, subject: Subject) -> EditTimes:
        link, crm, marketing = subject.link, subject.crm, subject.marketing
        assert link is not None
        assert crm is not None
        assert marketing is not None
        mapping = self._engine.mappings[subject.crm_entity]
        read_at = self._engine.read_before(marketing.read_number)
        return EditTimes(
            # Only a base that stood for the whole record says that nothing was edited before.
            crm_after=self._known_until.get(crm.key) if link.crm_version is not None else None,
            crm_until=parse_modified(mapping.crm_value(crm.values, MODIFIED)),
            marketing=self._changed.get(marketing.key, {}),
            is_complete=self._complete_until is not None and self._complete_until >= read_at,
        )


def _asks(engine: Engine, entity: Entity) -> bool:
    policy = engine.policies[entity]
    return any(policy.winner_of(pair) is Winner.NEWEST for pair in engine.mappings[entity].pairs)


def _is_whole(subject: Subject) -> bool:
    crm, marketing = subject.crm, subject.marketing
    return subject.link is not None and crm is not None and crm.is_present and marketing is not None
