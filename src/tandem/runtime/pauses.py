"""Pauses: what a person has stopped, since when and why. They stand in the store, so that every process sees them.

A pause of everything leaves both sides alone: their feeds keep what changes, and where one forgets it (a cursor that
expired) the next pass reads in full. A pause of one object goes on reading, so that nothing expires, and plans and
writes nothing of it; what came meanwhile waits in the inbox. Leads and contacts are one person in Marketo, so they are
paused together. A pause takes effect between two batches of a pass.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from tandem.core.errors import PausedError
from tandem.core.record import Entity
from tandem.ports import Store

EVERYTHING: Final = Entity("*")
_SETTING: Final = "pauses"


@dataclass(frozen=True, slots=True)
class Pause:
    since: datetime
    who: str
    why: str = ""


Pauses = Mapping[Entity, Pause]
"""By crm entity, or EVERYTHING."""


def load_pauses(store: Store) -> dict[Entity, Pause]:
    text = store.load_setting(_SETTING)
    return msgspec.json.decode(text, type=dict[Entity, Pause]) if text else {}


def pause(store: Store, entities: Iterable[Entity], new: Pause) -> None:
    """One that is paused already stays so, since then and for that reason."""
    save_pauses(store, dict.fromkeys(entities, new) | load_pauses(store))


def resume(store: Store, entities: Iterable[Entity]) -> list[Entity]:
    """Those of `entities` that were paused."""
    known = load_pauses(store)
    ended = [entity for entity in entities if entity in known]
    save_pauses(store, {entity: given for entity, given in known.items() if entity not in ended})
    return ended


def save_pauses(store: Store, pauses: Pauses) -> None:
    store.save_setting(_SETTING, msgspec.json.encode(dict(sorted(pauses.items()))).decode())


def ensure_running(store: Store) -> None:
    """
    Raises:
        PausedError: everything is paused.
    """
    if found := load_pauses(store).get(EVERYTHING):
        why = f": {found.why}" if found.why else ""
        raise PausedError(
            f"The sync is paused since {found.since:%Y-%m-%d %H:%M} UTC by {found.who}{why}."
            " `tandem resume` lets it go on, with everything that changed meanwhile."
        )


def is_paused(store: Store, entities: Iterable[Entity]) -> bool:
    """Whether the work on one object, which `entities` become, rests."""
    pauses = load_pauses(store)
    return EVERYTHING in pauses or any(entity in pauses for entity in entities)
