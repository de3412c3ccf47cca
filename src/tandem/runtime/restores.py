"""An organisation in an earlier state: a backup that was restored in place, or a copy that kept the organisation's id.

Its identity does not tell. Its row versions do: they only ever grow, so a record whose version is lower than one we
have seen has been set back. Every link and base would then stand for values that never were, and feeds would be silent
until the versions have caught up; so nothing starts. A handful of the newest records seen is remembered for this; that
records are gone proves nothing, as people delete them.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import msgspec

from tandem.core.errors import AccessError, ConfigError
from tandem.core.record import ACCOUNT, CONTACT, LEAD, Entity, Presence, RecordId
from tandem.ports import Connector, Reading, Store

_SETTING: Final = "newest_records"
_KEPT: Final = 7
"""Of each table, so that a start asks the same of a large organisation and a small one."""
_WATCHED: Final = frozenset({LEAD, CONTACT, ACCOUNT})

_Newest = dict[str, tuple[int, str]]
"""By id: the version's number, and the entity."""


def note_newest(store: Store, entity: Entity, readings: Sequence[Reading]) -> None:
    """Remember the newest of `readings` with their versions."""
    found = {
        str(reading.id): (number, str(entity))
        for reading in (readings if entity in _WATCHED else ())
        if reading.presence is Presence.PRESENT and (number := _number(reading.version)) is not None
    }
    if not found:
        return
    known = _load(store)
    others = {id_: seen for id_, seen in known.items() if seen[1] != entity}
    own = {id_: seen for id_, seen in (known | found).items() if seen[1] == entity}
    newest = others | dict(sorted(own.items(), key=lambda item: item[1][0])[-_KEPT:])
    if newest != known:
        store.save_setting(_SETTING, msgspec.json.encode(newest).decode())


async def ensure_not_restored(store: Store, crm: Connector) -> None:
    """
    Raises:
        ConfigError: a record's version has gone back since it was read.
    """
    by_entity: dict[Entity, list[RecordId]] = defaultdict(list)
    known = _load(store)
    for id_, (_, entity) in known.items():
        by_entity[Entity(entity)].append(RecordId(id_))
    for entity, ids in by_entity.items():
        for reading in await _readable(crm, entity, ids):
            number = _number(reading.version)
            if number is not None and number < known[str(reading.id)][0]:
                raise ConfigError(
                    f"crm.url leads to the same organisation in an earlier state: the version of {entity} {reading.id}"
                    " has gone back, as after a restored backup or a copy put over it. What this store remembers no"
                    " longer stands; give the sync a new store (store.url): its first copy links everybody again."
                )


async def _readable(crm: Connector, entity: Entity, ids: Sequence[RecordId]) -> Sequence[Reading]:
    """A table that may not be read tells nothing; whoever needs it says so."""
    try:
        return await crm.fetch_records(entity, ["@id"], ids)
    except AccessError:
        return ()


def _load(store: Store) -> _Newest:
    text = store.load_setting(_SETTING)
    return msgspec.json.decode(text, type=_Newest) if text else {}


def _number(version: str | None) -> int | None:
    found = re.search(r"\d+", version or "")
    return int(found[0]) if found else None
