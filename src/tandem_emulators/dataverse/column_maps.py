"""Which columns of one table are copied into a new row of another: rows of entitymap and attributemap.

Qualification follows them, and `InitializeFrom` answers what they give. A new organisation has those of
`data/qualify.json` (sheet section 5.9).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import msgspec

from tandem_emulators.dataverse.organization import Organization
from tandem_emulators.dataverse.store import Row, Store

_SOURCE = "lead"


@dataclass(frozen=True, slots=True)
class ColumnMaps:
    store: Store

    def copied(self, source: str, target: str, row: Mapping[str, Any]) -> Row:
        """The columns of a new row of `target` made from this row of `source`; empty ones are left out."""
        sql = (
            'SELECT "targetattributename", "sourceattributename" FROM "attributemap" JOIN "entitymap" '
            'USING ("entitymapid") WHERE "sourceentityname" = ? AND "targetentityname" = ?'
        )
        pairs = self.store.connection.execute(sql, (source, target)).fetchall()
        return {name: row[origin] for name, origin in pairs if row.get(origin) is not None}


def default_maps(organization: Organization) -> Iterator[tuple[str, Row]]:
    """Table and row of each map of a new organisation."""
    file = resources.files("tandem_emulators.dataverse").joinpath("data", "qualify.json")
    for target, columns in msgspec.json.decode(file.read_bytes(), type=dict[str, dict[str, str]]).items():
        map_id = organization.id_of(f"entitymap/{_SOURCE}/{target}")
        yield "entitymap", {"entitymapid": map_id, "sourceentityname": _SOURCE, "targetentityname": target}
        for source_column, target_column in columns.items():
            names = {"sourceattributename": source_column, "targetattributename": target_column}
            key = organization.id_of(f"attributemap/{target}/{target_column}")
            yield "attributemap", {"attributemapid": key, "entitymapid": map_id, **names}
