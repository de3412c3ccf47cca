"""The peers: the same work written the obvious way, one dictionary a record and one look-up a field."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tandem.core.mapping import FieldPair, NotExpressibleError
from tandem.core.record import Side, Unknown, Value

Record = Mapping[str, Value]


def read_page(body: bytes, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """The rows of a page, by field; `names` says under which JSON name each field stands."""
    return [
        {field: (row[name] if row[name] != "" else None) for field, name in names.items()}
        for row in json.loads(body)["value"]
    ]


def changed_fields(
    pairs: Sequence[FieldPair],
    base: Mapping[str, tuple[Value | Unknown, Value | Unknown]],
    crm: Record,
    marketing: Record,
) -> dict[str, Value]:
    """What a merge that lets crm win would write to marketing: no reasons, no conflicts, no holds."""
    writes: dict[str, Value] = {}
    for pair in pairs:
        crm_before, marketing_before = base[pair.name]
        if crm[pair.crm] == crm_before and marketing[pair.marketing] == marketing_before:
            continue
        try:
            after = pair.carry(crm[pair.crm], to=Side.MARKETING)
        except NotExpressibleError:
            continue
        if after != marketing[pair.marketing]:
            writes[pair.marketing] = after
    return writes
