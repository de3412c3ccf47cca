"""`InitializeFrom`: the row that could be made of another one, not created yet, as the column maps say."""

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.call import Call, json_reply
from tandem_emulators.dataverse.column_maps import ColumnMaps
from tandem_emulators.dataverse.schema import Column, Table
from tandem_emulators.dataverse.store import Row
from tandem_emulators.dataverse.writing import Writer
from tandem_emulators.kit.http import Reply

NAME = "InitializeFrom"
_PARAMETER = re.compile(r"(EntityMoniker|TargetEntityName|TargetFieldType)=(@\w+|\{[^}]*\}|[^,]*)(?:,|$)")
_FIELD_TYPES = ("All", "ValidForCreate", "ValidForUpdate", "ValidForRead")


@dataclass(slots=True)
class InitializeFrom:
    writer: Writer

    def serve(self, call: Call) -> Reply:
        call.allow("GET")
        given = self._parameters(call)
        table, record_id = self._source(given.get("EntityMoniker", ""))
        target = self.writer.schema.tables.get(given.get("TargetEntityName", "").strip("'"))
        if target is None:
            raise errors.invalid_argument("The parameter 'TargetEntityName' is not the name of a table.")
        field_type = given.get("TargetFieldType", "").rpartition("TargetFieldType")[2].strip("'") or "All"
        if field_type not in _FIELD_TYPES:
            raise errors.invalid_argument("The parameter 'TargetFieldType' is not valid.")
        self.writer.security.require(call.caller, table, "Read")
        row = self.writer.store.find(table, record_id) or {}
        copied = ColumnMaps(self.writer.store).copied(table.name, target.name, row)
        context = f"{call.root}$metadata#{target.set_name}/$entity"
        shown = self._shown(target, copied, field_type) | self._origin(table, target, record_id)
        return json_reply({"@odata.context": context, "@odata.type": f"#{target.edm_name}", **shown})

    def _parameters(self, call: Call) -> dict[str, str]:
        """Given in the parentheses, or as an alias that the query string fills."""
        text = unquote(call.segments[0]).removeprefix(NAME)
        if len(call.segments) > 1 or not text.startswith("("):
            raise errors.segment_not_found(call.segments[-1])
        found = dict(_PARAMETER.findall(text[1:].removesuffix(")")))
        aliases = call.options.aliases
        return {name: aliases.get(value, "") if value.startswith("@") else value for name, value in found.items()}

    def _source(self, text: str) -> tuple[Table, str]:
        try:
            moniker = json.loads(text.replace("'", '"'))
        except (ValueError, RecursionError) as error:
            raise errors.invalid_argument("The parameter 'EntityMoniker' is missing or not valid.") from error
        reference = moniker.get("@odata.id") if isinstance(moniker, dict) else None
        return self.writer.payload().resolve("", reference)

    def _shown(self, target: Table, copied: Row, field_type: str) -> dict[str, Any]:
        columns = {name: target.columns[name] for name in copied if name in target.columns}
        return {
            column.property_name: bool(copied[name]) if column.type == "Boolean" else copied[name]
            for name, column in columns.items()
            if column.is_property and _is_wanted(column, field_type)
        }

    def _origin(self, table: Table, target: Table, record_id: str) -> dict[str, Any]:
        has_origin = table.name == "lead" and "originatingleadid" in target.columns
        return {"originatingleadid@odata.bind": f"{table.set_name}({record_id})"} if has_origin else {}


def _is_wanted(column: Column, field_type: str) -> bool:
    match field_type:
        case "ValidForCreate":
            return column.is_writable(creating=True)
        case "ValidForUpdate":
            return column.is_writable(creating=False)
    return True
