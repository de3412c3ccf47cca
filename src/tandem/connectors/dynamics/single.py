"""The requests of one write call, one for each record, and what each answer means.

Everything here is about one record alone: a condition that it is as it was planned against, and the written columns
back as the service stored them.
"""

from collections.abc import Collection, Mapping, Sequence

from tandem.connectors.dynamics.batch import Part, PartAnswer
from tandem.connectors.dynamics.client import fault_of
from tandem.connectors.dynamics.errors import Fault, access_remedy, classify_write, missing_privilege
from tandem.connectors.dynamics.schema import Table
from tandem.connectors.dynamics.wire import RowShape, render_record
from tandem.core.errors import AccessError, RemoteError
from tandem.core.plan import ActionKind
from tandem.core.record import RecordId, Side, Value, Version
from tandem.ports import Write, WriteResult, Written


class Shapes:
    """Row shapes, kept from the first use: compiling one costs more than reading a row."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, tuple[str, ...]], RowShape] = {}

    def of(self, table: Table, names: Collection[str]) -> RowShape:
        fields = tuple(name for name in sorted(names) if table.column(name).is_readable)
        key = (table.entity, fields)
        if key not in self._kept or self._kept[key].table is not table:
            self._kept[key] = RowShape(table, fields)
        return self._kept[key]


class SingleWrites:
    """`set_names` gives the entity set of each table that a lookup points to."""

    def __init__(self, table: Table, writes: Sequence[Write], set_names: Mapping[str, str], shapes: Shapes) -> None:
        self.table = table
        self.writes = writes
        self.shapes = shapes
        self.kind = writes[0].kind
        self._set_names = set_names

    @property
    def operation(self) -> str:
        return f"{self.kind} {self.table.entity}"

    def id(self, number: int) -> RecordId:
        id_ = self.writes[number].id
        assert id_ is not None, "a create in Dynamics names its own GUID"
        return id_

    def part(self, number: int) -> Part:
        write = self.writes[number]
        if self.kind is ActionKind.DELETE:
            path = f"{self.table.set_name}({self.id(number)})"
            return Part("DELETE", path, {"If-Match": write.version or "*"})
        condition = {"If-None-Match": "*"} if self.kind is ActionKind.CREATE else {"If-Match": write.version or "*"}
        headers = {"Content-Type": "application/json", "Prefer": "return=representation", **condition}
        select = self.shapes.of(self.table, write.values).select
        path = f"{self.table.set_name}({self.id(number)})?$select={select}"
        return Part("PATCH", path, headers, self.body(number))

    def body(self, number: int, also: Mapping[str, str] | None = None) -> bytes:
        """The columns as JSON, behind what `also` says. A create leaves out what is empty."""
        values = self.writes[number].values
        if self.kind is ActionKind.CREATE:
            values = {name: value for name, value in values.items() if value is not None}
        return render_record(self.table, values, self._set_names, also)

    def result(self, number: int, answer: PartAnswer) -> WriteResult:
        """Done, whatever the answer of a success looks like: one that cannot be read only leaves the values unknown."""
        write, fault = self.writes[number], fault_of(answer)
        if fault is not None:
            return classify_write(self.kind, fault, write.values)
        if self.kind is ActionKind.DELETE:
            return Written(self.id(number))
        version = Version(answer.headers["etag"]) if "etag" in answer.headers else None
        shape = self.shapes.of(self.table, write.values)
        try:
            reading = shape.parse_row(answer.body, "written record")
        except RemoteError:
            return Written(self.id(number), version)
        values: dict[str, Value] = dict(zip(shape.fields, reading.values, strict=True))
        return Written(self.id(number), reading.version or version, values)


def check_privilege(faults: Sequence[Fault | None], operation: str) -> None:
    """A privilege that every record misses is news about the role, not about the records.

    Raises: AccessError.
    """
    first = faults[0]
    if first is not None and all(fault is not None and missing_privilege(fault) for fault in faults):
        text = f"Dynamics, {operation}: {access_remedy(first)}."
        raise AccessError(text, side=Side.CRM, operation=operation, code=first.code, request_id=first.request_id)
