"""Pausing and resuming, as people ask for it: everything, or some tables by name."""

import getpass
from collections.abc import Iterable
from typing import Final

from tandem.app.build import open_state
from tandem.app.reports import PauseLine, PauseReport
from tandem.app.system import SystemClock
from tandem.config.model import Config
from tandem.config.policies import policies
from tandem.core.errors import ConfigError
from tandem.core.record import CONTACT, LEAD, Entity
from tandem.ports import Store
from tandem.runtime import pauses
from tandem.runtime.pauses import EVERYTHING

_ONE_PERSON: Final = frozenset({LEAD, CONTACT})
"""Both are the same object in Marketo, and one may become the other: they are paused together."""


def pause(config: Config, tables: Iterable[str], reason: str) -> PauseReport:
    """Stop `tables`, or everything when none is named; other processes stop with their next batch.

    Raises:
        ConfigError: there is no such table in the settings.
    """
    store = open_state(config)
    try:
        new = pauses.Pause(SystemClock().now(), _user(), reason)
        pauses.pause(store, _named(config, tables), new)
        return PauseReport(pause_lines(store))
    finally:
        store.close()


def resume(config: Config, tables: Iterable[str]) -> PauseReport:
    """Let `tables` go on, or everything when none is named, with what changed meanwhile.

    Raises:
        ConfigError: there is no such table in the settings.
    """
    store = open_state(config)
    try:
        wanted = list(tables)
        named = _named(config, wanted) if wanted else list(pauses.load_pauses(store))
        ended = pauses.resume(store, named)
        return PauseReport(pause_lines(store), tuple(map(_shown, ended)))
    finally:
        store.close()


def pause_lines(store: Store) -> tuple[PauseLine, ...]:
    found = pauses.load_pauses(store)
    return tuple(PauseLine(_shown(what), given.since, given.who, given.why) for what, given in found.items())


def _named(config: Config, tables: Iterable[str]) -> list[Entity]:
    wanted = {Entity(table) for table in tables}
    known = set(policies(config))
    if unknown := wanted - known:
        raise ConfigError(f"{min(unknown)} is no table of this sync; it has {', '.join(sorted(known))}.")
    if wanted & _ONE_PERSON:
        wanted |= _ONE_PERSON & known
    return sorted(wanted) or [EVERYTHING]


def _shown(entity: Entity) -> str:
    return "everything" if entity == EVERYTHING else str(entity)


def _user() -> str:
    """The operator's name on this machine; a service without one is just that."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "a service"
