"""Fields set aside: pairs that were mapped and cannot be carried any more, since when, why, and what to do.

A field that is deleted, renamed or given another type on either side takes its own pair out of the mapping and no
other: the sync goes on with the rest. Here is remembered what was mapped, so that such a pair is told apart from one
that never could be. When it fits again, it is mapped and filled up like a new one.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import msgspec

from tandem.app.reports import QuarantineLine
from tandem.core.left_out import LeftOut
from tandem.core.mapping_resolver import ResolvedMapping
from tandem.core.record import Entity
from tandem.ports import Store
from tandem.telemetry import get_logger

_MAPPED: Final = "mapped_pairs"
_ASIDE: Final = "quarantine"

log = get_logger()


class _Aside(msgspec.Struct, frozen=True):
    since: datetime
    reason: str
    remedy: str


def note_what_is_mapped(
    store: Store,
    resolved: Mapping[Entity, ResolvedMapping],
    now: datetime,
    unavailable: Iterable[LeftOut] = (),
) -> None:
    """Compare with what was mapped before: set aside what is left out now, end what is mapped again. What is
    `unavailable` as a whole is set aside in any case."""
    before = _load(store, _MAPPED, dict[str, list[str]])
    aside = _load(store, _ASIDE, dict[str, _Aside])
    after: dict[str, _Aside] = {}
    for left in unavailable:
        name = f"{left.crm_entity}:{_pair_name(left)}"
        after[name] = _Aside(aside[name].since if name in aside else now, left.reason, left.remedy)
    for entity, mapping in resolved.items():
        known = {*before.get(entity, ()), *(name.partition(":")[2] for name in aside if name.startswith(f"{entity}:"))}
        for left in _lost(mapping, known):
            name = f"{entity}:{_pair_name(left)}"
            since = aside[name].since if name in aside else now
            after[name] = _Aside(since, left.reason, left.remedy)
    for name in after.keys() - aside.keys():
        log.error("field.was_set_aside", entity=name.partition(":")[0], field=name.partition(":")[2])
    mapped = {f"{entity}:{name}" for entity, mapping in resolved.items() for name in mapping.mapping.names}
    for name in (aside.keys() - after.keys()) & mapped:
        log.info("field.is_back", entity=name.partition(":")[0], field=name.partition(":")[2])
    _save(store, _ASIDE, after)
    _save(store, _MAPPED, {str(entity): list(mapping.mapping.names) for entity, mapping in resolved.items()})


def quarantined(store: Store) -> tuple[QuarantineLine, ...]:
    aside = _load(store, _ASIDE, dict[str, _Aside])
    return tuple(
        QuarantineLine(*_ends(name), since=line.since, reason=line.reason, remedy=line.remedy)
        for name, line in sorted(aside.items())
    )


def _lost(mapping: ResolvedMapping, known: Iterable[str]) -> list[LeftOut]:
    """By the column: the Marketo field of a pair may be named as its label had it."""
    columns = {name.partition("|")[0] for name in known}
    return [left for left in mapping.left_out if left.crm_field in columns]


def _pair_name(left: LeftOut) -> str:
    return f"{left.crm_field}|{left.marketing_field}"


def _ends(name: str) -> tuple[str, str, str]:
    entity, _, pair = name.partition(":")
    crm, _, marketing = pair.partition("|")
    return entity, crm, marketing


def _load(store: Store, name: str, kind: type) -> dict:  # type: ignore[type-arg]
    text = store.load_setting(name)
    return msgspec.json.decode(text, type=kind) if text else {}


def _save(store: Store, name: str, what: Mapping[str, object]) -> None:
    text = msgspec.json.encode(what).decode()
    if store.load_setting(name) != text:
        store.save_setting(name, text)
