"""Writes that a side refused and that wait: listed with what their code means, and tried again on request."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from tandem.app.build import open_state
from tandem.app.error_codes import code_table
from tandem.app.leasing import leased
from tandem.app.reports import ErrorLine, RetryReport
from tandem.app.system import SystemClock
from tandem.config.model import Config
from tandem.core.record import Side
from tandem.ports import JournalRow, Store

_ALL: Final = 10_000_000
_CODED: Final = re.compile(r"(0x[0-9a-f]{8}|\w{3,12}): (.*)", re.DOTALL)
_DIRECTIONS: Final = {Side.CRM: "to Dynamics", Side.MARKETING: "to Marketo"}
_UNKNOWN: Final = "Look at the message; `tandem errors retry` tries again once its cause is gone."


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of the refused writes are meant; None: all. `record` is the id of either side."""

    code: str | None = None
    entity: str | None = None
    record: str | None = None

    def fits(self, line: ErrorLine) -> bool:
        return (
            self.code in (None, line.code)
            and self.entity in (None, line.entity)
            and (self.record is None or self.record.lower() in (line.crm_id, line.marketing_id))
        )


def list_errors(config: Config, wanted: Wanted, limit: int) -> list[ErrorLine]:
    """The newest first."""
    store = open_state(config)
    try:
        found = (line for _, line in _refused(store, wanted))
        return [line for line, _ in zip(found, range(limit), strict=False)]
    finally:
        store.close()


async def retry_errors(config: Config, wanted: Wanted) -> RetryReport:
    """Forget what was refused, so that the next pass plans it again from both sides' present state.

    Raises:
        LeaseLostError: another process goes on working on this sync.
    """
    store, clock = open_state(config), SystemClock()
    try:
        async with leased(store, clock):
            return RetryReport(store.retry_rejected(row.link for row, _ in list(_refused(store, wanted))))
    finally:
        store.close()


def error_line(row: JournalRow) -> ErrorLine:
    code, message = _parted(row.error or "")
    note = code_table().get((row.action.side, code))
    return ErrorLine(
        entity=str(row.crm_entity),
        crm_id=row.crm.id if row.crm else None,
        marketing_id=row.marketing.id if row.marketing else None,
        operation=str(row.action.kind),
        direction=_DIRECTIONS[row.action.side],
        code=code,
        message=message,
        fields=tuple(write.field for write in row.action.writes),
        since=row.finished_at,
        meaning=note.meaning if note else "",
        remedy=note.remedy if note else _UNKNOWN,
    )


def _refused(store: Store, wanted: Wanted) -> Iterator[tuple[JournalRow, ErrorLine]]:
    fits: Callable[[ErrorLine], bool] = wanted.fits
    return ((row, line) for row in store.load_rejected(_ALL) if fits(line := error_line(row)))


def _parted(error: str) -> tuple[str, str]:
    found = _CODED.fullmatch(error)
    return (found[1], found[2]) if found else ("", error)
