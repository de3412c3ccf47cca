"""Labels of choices that were renamed: the old ones still stand for their values, and go over to the new ones slowly.

A choice is a number in Dynamics and a label in Marketo. When somebody renames a label, everybody in Marketo carries the
old one, and nobody has changed anything. So what a value was called before is remembered: such a person agrees with
Dynamics, no conflict arises, and what people pick by the old label still arrives. A backfill of the pair writes the
new label in the slow lane, planned and guarded like any other change.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

import msgspec

from tandem.core.backfill import Backfill
from tandem.core.choices import Choice, Choices
from tandem.core.mapping import FieldPair
from tandem.core.mapping_resolver import ResolvedMapping
from tandem.core.record import Entity, Side
from tandem.ports import Store
from tandem.runtime.backfill import FIRST_COPY, ask

_LABELS: Final = "choice_labels"

History = dict[int, list[str]]
"""The labels of each value, the present one first."""


def with_former_labels(
    store: Store, resolved: Mapping[Entity, ResolvedMapping], now: datetime
) -> dict[Entity, ResolvedMapping]:
    """The mappings, their choices knowing the labels that values had before; renamed ones are asked to be filled."""
    text = store.load_setting(_LABELS)
    known = msgspec.json.decode(text, type=dict[str, History]) if text else {}
    kept: dict[str, History] = {}
    told: dict[Entity, ResolvedMapping] = {}
    for entity, mapping in resolved.items():
        pairs = []
        for pair in mapping.mapping.pairs:
            if isinstance(pair.transform, Choice | Choices):
                name = f"{entity}.{pair.name}"
                kept[name] = _with_present(known.get(name, {}), pair.transform.labels)
                if name in known and _is_renamed(known[name], kept[name]):
                    _ask(store, entity, mapping, pair, now)
                pair = replace(pair, transform=replace(pair.transform, former=_former(kept[name])))
            pairs.append(pair)
        told[entity] = replace(mapping, mapping=replace(mapping.mapping, pairs=tuple(pairs)))
    if kept != known:
        store.save_setting(_LABELS, msgspec.json.encode(known | kept).decode())
    return told


def _with_present(history: Mapping[int, list[str]], labels: Mapping[int, str]) -> History:
    """A value that is gone keeps its labels: people may carry them still."""
    kept = {value: list(names) for value, names in history.items()}
    for value, label in labels.items():
        names = kept.setdefault(value, [])
        if not names or names[0] != label:
            kept[value] = [label, *(name for name in names if name != label)]
    return kept


def _is_renamed(before: History, after: History) -> bool:
    return any(after[value][0] != names[0] for value, names in before.items() if names)


def _former(history: History) -> dict[str, int]:
    return {label: value for value, names in history.items() for label in names[1:]}


def _ask(store: Store, entity: Entity, mapping: ResolvedMapping, pair: FieldPair, now: datetime) -> None:
    if store.load_setting(FIRST_COPY) is None or not pair.direction.allows(Side.MARKETING):
        return
    reason = f"labels renamed: {pair.crm}"
    ask(store, Backfill(Side.CRM, entity, reason, now, (pair.name,), Side.CRM))
    ask(store, Backfill(Side.MARKETING, mapping.mapping.marketing_entity, reason, now))
