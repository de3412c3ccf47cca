"""What the writer tells others: a row was created, changed or deleted.

A listener is called inside the transaction of the write, so what it stores is undone with the write, and an
ODataError that it raises undoes the write.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tandem_emulators.dataverse.schema import Table
from tandem_emulators.dataverse.security import Caller


@dataclass(frozen=True, slots=True)
class RowEvent:
    """`message` is Create, Update or Delete. `before` is the stored row; `changes` are the columns that were set."""

    message: str
    table: Table
    record_id: str
    caller: Caller
    before: Mapping[str, Any]
    changes: Mapping[str, Any]


@dataclass
class Events:
    listeners: list[Callable[[RowEvent], None]] = field(default_factory=list)

    def publish(
        self,
        message: str,
        table: Table,
        record_id: str,
        caller: Caller,
        *,
        before: Mapping[str, Any] | None = None,
        changes: Mapping[str, Any] | None = None,
    ) -> None:
        if self.listeners:
            event = RowEvent(message, table, record_id, caller, before or {}, changes or {})
            for listener in self.listeners:
                listener(event)
