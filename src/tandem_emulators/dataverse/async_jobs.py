"""Asynchronous work as an administrator sees it: a row of `asyncoperation` for each job, from waiting to its end."""

from typing import Any
from uuid import uuid4

from tandem_emulators.dataverse.errors import ODataError
from tandem_emulators.dataverse.events import RowEvent
from tandem_emulators.dataverse.store import Store
from tandem_emulators.dataverse.values import render_time
from tandem_emulators.kit.clock import Clock

_SYSTEM_EVENT = 1
_READY, _COMPLETED = 0, 3
_WAITING, _SUCCEEDED, _FAILED = 0, 30, 31


class AsyncJobs:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def begin(self, event: RowEvent, name: str, correlation_id: str) -> str:
        """Written in the transaction of the change that it is about; the id of the job."""
        table = self._store.schema.tables["asyncoperation"]
        now, job_id, owner = render_time(self._clock.now()), str(uuid4()), event.caller.user_id
        job = {
            **table.defaults,
            table.key: job_id,
            "name": name,
            "operationtype": _SYSTEM_EVENT,
            "messagename": event.message,
            "primaryentitytype": event.table.name,
            "regardingobjectid": event.record_id,
            str(table.columns["regardingobjectid"].type_column): event.table.name,
            "correlationid": correlation_id,
            "depth": 1,
            "retrycount": 0,
            "statecode": _READY,
            "statuscode": _WAITING,
            "owneridtype": "systemuser",
            **dict.fromkeys(("ownerid", "owninguser", "createdby", "modifiedby"), owner),
            **dict.fromkeys(("createdon", "modifiedon"), now),
        }
        self._store.insert(table, {column: value for column, value in job.items() if column in table.stored})
        return job_id

    def complete(self, job_id: str, error: ODataError | None, *, keep: bool, retries: int = 0) -> None:
        """A job that succeeded goes away unless it is to be kept; one that failed stays to be seen."""
        table = self._store.schema.tables["asyncoperation"]
        if error is None and not keep:
            self._store.delete(table, job_id, self._clock.timestamp())
            return
        now = render_time(self._clock.now())
        result: dict[str, Any] = {"statecode": _COMPLETED, "statuscode": _FAILED if error else _SUCCEEDED}
        result |= {"completedon": now, "modifiedon": now, "retrycount": retries}
        if error is not None:
            number = int(error.code, 16) - 2**32
            result |= {"errorcode": number, "message": error.message, "friendlymessage": error.message}
        self._store.update(table, job_id, {column: v for column, v in result.items() if column in table.stored})
