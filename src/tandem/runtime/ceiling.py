"""How many people Marketo holds, and how many it may.

Marketo has no call that counts people. A full read counts them all; from then on the journal knows what we made, and
whom others make is counted with the next full read.
"""

from typing import Final

from tandem.core.ceiling import Ceiling, default_ceiling
from tandem.core.record import PERSON, Side
from tandem.runtime.engine import Engine

_COUNTED: Final = "people_counted"
"""Setting: people at the last full read, and the last journal number then."""
_DEFAULT: Final = "people_default_ceiling"
"""Setting: the ceiling that holds while none is named, from the first full read."""
_USED: Final = "people_ceiling_used"
"""Setting: the ceiling of the last pass; with another one, what waits is looked at again."""


def count_people(engine: Engine) -> None:
    """Everybody is in the inbox: a full read has just ended."""
    store = engine.store
    present = store.count_inbox(Side.MARKETING, PERSON)
    store.save_setting(_COUNTED, f"{present} {store.last_journal_number()}")
    if store.load_setting(_DEFAULT) is None:
        store.save_setting(_DEFAULT, str(default_ceiling(present)))


def load_ceiling(engine: Engine) -> Ceiling | None:
    """None where there is none: nobody named one, and people were never counted (or the engine wants no default)."""
    named, default = engine.settings.max_people, engine.store.load_setting(_DEFAULT)
    if named is None and (default is None or not engine.settings.has_people_ceiling):
        return None
    present = _present(engine)
    ceiling = Ceiling(int(default or 0) if named is None else named, present, is_default=named is None)
    used = engine.store.load_setting(_USED)
    if used not in (None, str(ceiling.people)):
        engine.store.wake_inbox()
    if used != str(ceiling.people):
        engine.store.save_setting(_USED, str(ceiling.people))
    return ceiling


def _present(engine: Engine) -> int:
    """People at the last full read and those made since; of a sync that never counted, those it has linked."""
    store = engine.store
    counted = store.load_setting(_COUNTED)
    if counted is None:
        return store.count_linked([PERSON])
    present, number = map(int, counted.split())
    return present + store.count_made(Side.MARKETING, PERSON, number)
