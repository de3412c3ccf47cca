"""Merges of two records: the subordinate's children move to the target, and it is deactivated and names its master
(dataverse-web-api 5.8). There is no way back, and no ``If-Match``: both must be active, or the service refuses.
"""

from collections.abc import Mapping
from uuid import UUID

import msgspec

from tandem.connectors.dynamics.batch import Part, PartAnswer
from tandem.connectors.dynamics.client import fault_of
from tandem.connectors.dynamics.errors import classify_write
from tandem.connectors.dynamics.schema import Table
from tandem.connectors.dynamics.wire import render_record
from tandem.core.plan import ActionKind
from tandem.ports import Write, WriteResult, Written


def merge_part(table: Table, write: Write, set_names: Mapping[str, str]) -> Part:
    assert write.id is not None, "a merge names its subordinate"
    assert write.survivor is not None, "a merge names its target"
    body = {
        "Target": _named(table, write.survivor),
        "Subordinate": _named(table, write.id),
        "PerformParentingChecks": False,
    }
    if write.values:
        nobody = _named(table, str(UUID(int=0)))
        body["UpdateContent"] = msgspec.Raw(render_record(table, write.values, set_names, nobody))
    return Part("POST", "Merge", {"Content-Type": "application/json"}, msgspec.json.encode(body))


def merge_result(write: Write, answer: PartAnswer) -> WriteResult:
    assert write.id is not None, "a merge names its subordinate"
    fault = fault_of(answer)
    return Written(write.id) if fault is None else classify_write(ActionKind.MERGE, fault, write.values)


def _named(table: Table, id_: str) -> dict[str, str]:
    return {"@odata.type": f"Microsoft.Dynamics.CRM.{table.entity}", table.primary_id: id_}
