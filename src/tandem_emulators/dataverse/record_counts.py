"""`RetrieveTotalRecordCount`: how many rows tables held when they were last counted, at most a day ago."""

import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import unquote

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.call import Call, json_reply
from tandem_emulators.dataverse.reading import Reader
from tandem_emulators.kit.http import Reply

NAME = "RetrieveTotalRecordCount"
_KEPT = timedelta(hours=24)
_PARAMETERS = re.compile(rf"{NAME}\(EntityNames=(@\w+|\[.*\])\)")


@dataclass(slots=True)
class RecordCounts:
    reader: Reader
    _taken: dict[str, tuple[datetime, int]] = field(default_factory=dict)

    def serve(self, call: Call) -> Reply:
        call.allow("GET")
        names = self._names(call)
        counts = [self._count(call, name) for name in names]
        found = {"Count": len(names), "IsReadOnly": False, "Keys": names, "Values": counts}
        context = f"{call.root}$metadata#Microsoft.Dynamics.CRM.{NAME}Response"
        return json_reply({"@odata.context": context, "EntityRecordCountCollection": found})

    def _names(self, call: Call) -> list[str]:
        given = _PARAMETERS.fullmatch(unquote(call.segments[0]))
        if given is None or len(call.segments) > 1:
            raise errors.segment_not_found(call.segments[0])
        text = call.options.aliases.get(given[1], "") if given[1].startswith("@") else given[1]
        try:
            names = json.loads(text.replace("'", '"'))
        except (ValueError, RecursionError) as error:
            raise errors.query_error(f"The value of the parameter EntityNames is not valid: '{text[:60]}'.") from error
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise errors.query_error("The parameter EntityNames is a list of table names.")
        return list(dict.fromkeys(names))

    def _count(self, call: Call, name: str) -> int:
        table = self.reader.schema.tables.get(name)
        if table is None:
            raise errors.no_such_table(name)
        now = self.reader.clock.now()
        taken, number = self._taken.get(name, (None, 0))
        if taken is None or not taken <= now < taken + _KEPT:
            number = self.reader.rows.count(call.caller, self.reader.rows.query(table, ()), -1)
            self._taken[name] = (now, number)
        return number
