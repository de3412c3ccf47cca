"""`Accept: application/json; odata.metadata=none|full`: how much an answer says about itself.

The usual answer is minimal. Without metadata only links and counts stay beside the data; with all of it every row
also says what it is, where it is, and which type a value has where JSON cannot tell.
"""

import re

from tandem_emulators.dataverse.call import Call
from tandem_emulators.dataverse.schema import Table
from tandem_emulators.dataverse.store import Row

_LEVEL = re.compile(r"odata\.metadata\s*=\s*(none|minimal|full)", re.IGNORECASE)
_KEPT = frozenset({"@odata.nextLink", "@odata.count", "@odata.deltaLink"})
_SAID = frozenset({"Edm.Guid", "Edm.DateTimeOffset", "Edm.Date", "Edm.Decimal", "Edm.Int64"})


def level_of(call: Call) -> str:
    found = _LEVEL.search(call.request.headers.get("accept", ""))
    return found[1].lower() if found else "minimal"


def leveled(level: str, table: Table, root: str, body: Row) -> Row:
    """`body` is a row, or a page with its rows under `value`."""
    if level == "none":
        return _without(body)
    if level == "full":
        rows = body.get("value")
        if isinstance(rows, list):
            return {**body, "value": [_with(table, root, row) for row in rows]}
        return _with(table, root, body)
    return body


def _without(body: Row) -> Row:
    """Links of expanded collections stay as well."""
    return {name: _inside(value) for name, value in body.items() if _is_kept(name)}


def _inside(value: object) -> object:
    if isinstance(value, dict):
        return _without(value)
    if isinstance(value, list):
        return [_inside(one) for one in value]
    return value


def _is_kept(name: str) -> bool:
    return name in _KEPT or "@odata." not in name or name.endswith("@odata.nextLink")


def _with(table: Table, root: str, row: Row) -> Row:
    key = row.get(table.key)
    if key is None:
        return row
    place = f"{table.set_name}({key})"
    found: Row = {name: value for name, value in row.items() if name in ("@odata.context", "@odata.etag")}
    found |= {"@odata.type": f"#{table.edm_name}", "@odata.id": f"{root}{place}", "@odata.editLink": place}
    for name, value in row.items():
        column = table.properties.get(name)
        if column is not None and value is not None and column.edm_type in _SAID:
            found[f"{name}@odata.type"] = f"#{column.edm_type.removeprefix('Edm.')}"
        found[name] = value
    for name in table.navigation:
        found.setdefault(f"{name}@odata.associationLink", f"{root}{place}/{name}/$ref")
        found.setdefault(f"{name}@odata.navigationLink", f"{root}{place}/{name}")
    return found
