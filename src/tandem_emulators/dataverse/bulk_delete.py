"""BulkDelete: an asynchronous job that deletes what its queries find.

The job is done before it is answered, and stays as a row of asyncoperation (sheet section 5.7). Queries come as
QueryExpression, the form in which Microsoft's Python client sends them.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.message import NAMESPACE, MessageCall, Outcome, convert
from tandem_emulators.dataverse.schema import Column, Table
from tandem_emulators.dataverse.values import parse_guid, parse_time, render_time
from tandem_emulators.dataverse.writing import Writer

_BULK_DELETE_JOB = 13
_SUCCEEDED = {"statecode": 3, "statuscode": 30}
_NESTED_MAX = 20
_COMPARISONS = {
    "Equal": "{0} = {1}",
    "NotEqual": "({0} <> {1} OR {0} IS NULL)",
    "GreaterThan": "{0} > {1}",
    "GreaterEqual": "{0} >= {1}",
    "LessThan": "{0} < {1}",
    "LessEqual": "{0} <= {1}",
    "Like": "{0} LIKE {1}",
    "NotLike": "{0} NOT LIKE {1}",
    "Null": "{0} IS NULL",
    "NotNull": "{0} IS NOT NULL",
    "In": "{0} IN ({2})",
    "NotIn": "{0} NOT IN ({2})",
    "Between": "{0} BETWEEN {1} AND {1}",
}


class _Parameters(msgspec.Struct):
    QuerySet: list[dict[str, Any]]
    JobName: str
    StartDateTime: str
    RecurrencePattern: str | None = None
    SendEmailNotification: bool = False


class BulkDelete:
    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def run(self, call: MessageCall) -> Outcome:
        wanted = convert(call.body, _Parameters)
        if not wanted.QuerySet:
            raise errors.invalid_argument("Required parameter 'QuerySet' is missing or empty.")
        if parse_time(wanted.StartDateTime) is None:
            raise errors.date_out_of_range()
        if wanted.RecurrencePattern and "FREQ=DAILY" not in wanted.RecurrencePattern.upper():
            raise errors.recurrence_not_daily()
        deleted = 0
        for query in wanted.QuerySet:
            table, ids = self._find(query)
            self._writer.security.require(call.caller, table, "Delete")
            for record_id in ids:
                self._writer.remove(call.caller, table, record_id)
            deleted += len(ids)
        job_id = self._insert_job(call, wanted.JobName, deleted)
        context = f"{call.root}$metadata#{NAMESPACE}BulkDeleteResponse"
        return Outcome({"@odata.context": context, "JobId": job_id}, created=deleted)

    def _insert_job(self, call: MessageCall, name: str, deleted: int) -> str:
        now = render_time(self._writer.clock.now())
        times = {"startedon": now, "completedon": now}
        job = {"name": name, "operationtype": _BULK_DELETE_JOB, "message": f"{deleted} deleted", **times}
        job_id = self._writer.new_id()
        self._writer.insert(call.caller, self._writer.schema.tables["asyncoperation"], job_id, {**job, **_SUCCEEDED})
        return job_id

    def _find(self, query: Mapping[str, Any]) -> tuple[Table, list[str]]:
        table = self._writer.schema.tables.get(str(query.get("EntityName")))
        if table is None:
            raise errors.invalid_argument(f"The entity with a name = '{query.get('EntityName')}' was not found.")
        arguments: list[Any] = []
        where = _filter(table, query.get("Criteria"), arguments, 0)
        sql = f'SELECT "{table.key}" FROM "{table.name}" WHERE {where}'
        return table, [row[0] for row in self._writer.store.connection.execute(sql, arguments)]


def _filter(table: Table, given: Any, arguments: list[Any], depth: int) -> str:
    """A FilterExpression as a condition; what is not there holds for every row."""
    if given is None:
        return "1"
    if not isinstance(given, dict) or depth > _NESTED_MAX:
        raise errors.invalid_argument("The Criteria must be a filter of conditions and filters.")
    joint = {"and": " AND ", "or": " OR "}.get(str(given.get("FilterOperator", "And")).lower())
    if joint is None:
        raise errors.invalid_argument("The FilterOperator must be And or Or.")
    parts = [_condition(table, condition, arguments) for condition in _list(given, "Conditions")]
    parts += [_filter(table, nested, arguments, depth + 1) for nested in _list(given, "Filters")]
    return f"({joint.join(parts)})" if parts else "1"


def _condition(table: Table, given: Any, arguments: list[Any]) -> str:
    operator = str(given.get("Operator", "Equal")) if isinstance(given, dict) else ""
    column = table.stored.get(str(given.get("AttributeName"))) if isinstance(given, dict) else None
    if column is None or operator not in _COMPARISONS:
        raise errors.invalid_argument(f"The condition '{str(given)[:100]}' cannot be evaluated.")
    template = _COMPARISONS[operator]
    values = [_value(column, value) for value in _list(given, "Values")]
    wanted = len(values) if "{2}" in template else template.count("{1}")
    if len(values) != wanted:
        raise errors.invalid_argument(f"The condition operator '{operator}' takes {wanted} values.")
    arguments += values
    collation = " COLLATE NOCASE" if column.edm_type == "Edm.String" else ""
    return template.format(f'"{column.name}"{collation}', "?", ", ".join("?" * len(values)))


def _list(given: Mapping[str, Any], name: str) -> Iterable[Any]:
    found = given.get(name) or []
    if not isinstance(found, list):
        raise errors.invalid_argument(f"'{name}' must be an array.")
    return found


def _value(column: Column, given: Any) -> Any:
    """A value may stand alone or as {"Value": …, "Type": "System.Guid"}."""
    value = given.get("Value") if isinstance(given, dict) else given
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        return parse_guid(value) or value if column.edm_type == "Edm.Guid" else value
    if (isinstance(value, int) and -(2**63) <= value < 2**63) or isinstance(value, float):
        return value
    raise errors.invalid_argument(f"The value '{str(given)[:100]}' cannot be compared.")
