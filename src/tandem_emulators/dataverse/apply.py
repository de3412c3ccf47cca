"""`$apply`: `filter(…)`, then `groupby((…),aggregate(…))` or `aggregate(…)` alone, as one aggregate query.

A grouped path over a lookup comes back under the path with its slashes as underscores, like an alias.
"""

import re
from collections.abc import Mapping

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.annotations import Shown
from tandem_emulators.dataverse.filters import FilterReader
from tandem_emulators.dataverse.odata_text import Path
from tandem_emulators.dataverse.options import QueryOptions, split_outside
from tandem_emulators.dataverse.query import Field, Order, Output, Query, Sources
from tandem_emulators.dataverse.query_faults import query_fault
from tandem_emulators.dataverse.schema import Schema, Table

_METHODS = {"sum": "sum", "average": "avg", "min": "min", "max": "max", "countdistinct": "countdistinct"}
_NUMBERS = frozenset({"Edm.Int32", "Edm.Int64", "Edm.Decimal", "Edm.Double"})
_ALIAS = r"[A-Za-z_]\w*"
_AGGREGATE = re.compile(rf"\s*([\w/]+)\s+with\s+(\w+)\s+as\s+({_ALIAS})\s*")
_COUNT = re.compile(rf"\s*\$count\s+as\s+({_ALIAS})\s*")
_STEP = re.compile(r"\s*(filter|groupby|aggregate)\s*\((.*)\)\s*", re.DOTALL)
_GROUPBY = re.compile(r"\s*\(([^()]*)\)\s*(?:,\s*aggregate\s*\((.*)\)\s*)?", re.DOTALL)


def read_apply(schema: Schema, table: Table, options: QueryOptions) -> tuple[Query, Mapping[str, Shown]]:
    """The query, and by name the columns behind its values."""
    return _ApplyReader(schema, table, options).read()


class _ApplyReader:
    def __init__(self, schema: Schema, table: Table, options: QueryOptions) -> None:
        sources = Sources()
        root = sources.make(table)
        self._reader = FilterReader(schema, sources, root, options.aliases)
        self._options = options
        self._query = Query(root, is_aggregate=True)
        self._text = options.apply or ""

    def read(self) -> tuple[Query, Mapping[str, Shown]]:
        if self._options.filter is not None:
            self._query.conditions.append(self._reader.condition(self._options.filter))
        for text in split_outside(self._text, "/"):
            step = _STEP.fullmatch(text)
            if step is None or self._query.outputs:
                raise self._not_supported(text)
            {"filter": self._filter, "groupby": self._groupby, "aggregate": self._aggregate}[step[1]](step[2])
        if not self._query.outputs:
            raise self._not_supported(self._text)
        self._order()
        return self._query, self._shown()

    def _not_supported(self, text: str) -> errors.ODataError:
        return errors.query_error(f"The transformation '{text.strip()[:100]}' is not supported in $apply.")

    def _filter(self, text: str) -> None:
        self._query.conditions.append(self._reader.condition(text))

    def _groupby(self, text: str) -> None:
        found = _GROUPBY.fullmatch(text)
        if found is None:
            raise self._not_supported(f"groupby({text})")
        for name in found[1].split(","):
            path = tuple(name.strip().split("/"))
            field = self._reader.field(Path(path))
            if field.column.type == "DateTime":
                raise errors.query_error("Grouping by a date column is not supported in $apply.")
            self._add(Output("_".join(path), field, is_grouped=True))
        if found[2] is not None:
            self._aggregate(found[2])

    def _aggregate(self, text: str) -> None:
        for part in split_outside(text, ","):
            counted = _COUNT.fullmatch(part)
            named = _AGGREGATE.fullmatch(part)
            if counted:
                self._add(Output(counted[1], None, "count"))
            elif named and named[2] in _METHODS:
                field = self._reader.field(Path(tuple(named[1].split("/"))))
                self._require_suitable(field, named[2])
                self._add(Output(named[3], field, _METHODS[named[2]]))
            else:
                raise self._not_supported(f"aggregate({part})")

    def _require_suitable(self, field: Field, method: str) -> None:
        kind = field.column.edm_type
        if method in ("sum", "average") and kind not in _NUMBERS:
            raise errors.aggregate_not_suitable(method, field.column.type)

    def _add(self, output: Output) -> None:
        if any(output.name == other.name for other in self._query.outputs):
            raise query_fault("0x80041130")
        self._query.outputs.append(output)

    def _order(self) -> None:
        grouped = [output.field for output in self._query.outputs if output.is_grouped]
        for term in self._reader.order(self._options.orderby or ""):
            if term.fields[0] not in grouped:
                raise errors.query_error("Only grouped properties can be used in $orderby together with $apply.")
            self._query.order.append(Order(term.name, term.fields, term.descending))

    def _shown(self) -> dict[str, Shown]:
        return {output.name: shown_output(output) for output in self._query.outputs if output.field is not None}


def shown_output(output: Output) -> Shown:
    """Totals, averages and extremes read like the column; what only counts reads like a number."""
    assert output.field is not None
    counts = output.part is not None or output.aggregate in ("count", "countcolumn", "countdistinct")
    return Shown(output.field.source.table, output.field.column, is_number=counts)
