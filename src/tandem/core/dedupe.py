"""The dedupe key: what makes a record and a person who carry no key of each other the same one.

It is the e-mail address unless the settings name other fields; then all of them together, and a record in which one is
empty has no such key. Marketo is asked for people by the first of the fields, which it must be able to search.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from tandem.core.errors import ConfigError
from tandem.core.mapping import EntityMapping, FieldPair, NotExpressibleError
from tandem.core.match import fold
from tandem.core.record import Side, Value, Values
from tandem.core.schema import EntitySchema

_BETWEEN: Final = "\x1f"


def dedupe_pairs(mapping: EntityMapping) -> tuple[FieldPair, ...]:
    """The pairs of the key's fields, in order; none where one of them is not mapped."""
    pairs = tuple(pair for name in mapping.dedupe_fields for pair in mapping.pairs if pair.marketing == name)
    return pairs if len(pairs) == len(mapping.dedupe_fields) else ()


def matched_by(mapping: EntityMapping, names: Sequence[str], person: EntitySchema) -> EntityMapping:
    """`mapping` with the dedupe key of the settings, the first field that Marketo can search in front.

    Raises:
        ConfigError: a field is not mapped, or Marketo can search none of them.
    """
    mapped = {pair.marketing.lower(): pair.marketing for pair in mapping.pairs}
    for name in names:
        if name.lower() not in mapped:
            raise ConfigError(
                f"matching.dedupe names the Marketo field {name!r}, which entities.{mapping.crm_entity} does not map;"
                " map it there, or take it out."
            )
    fields = [mapped[name.lower()] for name in names]
    searchable = [name for name in fields if name in person.fields and person.fields[name].is_searchable]
    if fields and not searchable:
        known = sorted(name for name in mapped.values() if name in person.fields and person.fields[name].is_searchable)
        raise ConfigError(
            f"Marketo can search people by none of {', '.join(fields)}, which matching.dedupe names; add one that it"
            f" can search: {', '.join(known)}."
        )
    first = searchable[:1]
    return replace(mapping, matched_by=(*first, *(name for name in fields if name not in first)))


def crm_dedupe_key(mapping: EntityMapping, values: Values) -> str | None:
    """The key of a crm record with these values, as it is compared; None while a part of it is empty."""
    pairs = dedupe_pairs(mapping)
    return _joined([_carried(pair, mapping.crm_value(values, pair.crm), Side.MARKETING) for pair in pairs])


def marketing_dedupe_key(mapping: EntityMapping, values: Values) -> str | None:
    return _joined([mapping.marketing_value(values, name) for name in mapping.dedupe_fields])


def search_value_in(side: Side, mapping: EntityMapping, values: Values) -> Value:
    """What the other `side` is asked for in the first field of the key, from the values of this one."""
    pairs = dedupe_pairs(mapping)
    if not pairs:
        return None
    first = pairs[0]
    mine = mapping.crm_value(values, first.crm) if side is Side.MARKETING else None
    mine = mapping.marketing_value(values, first.marketing) if side is Side.CRM else mine
    return _carried(first, mine, side)


def _carried(pair: FieldPair, value: Value, to: Side) -> Value:
    try:
        return pair.carry(value, to=to)
    except NotExpressibleError:
        return None


def _joined(parts: list[Value]) -> str | None:
    folded = [fold(part) for part in parts]
    return _BETWEEN.join(part for part in folded if part) if folded and None not in folded else None
