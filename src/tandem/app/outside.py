"""Who takes no part, as people see it: whom a filter keeps out, and who waits for the end of a pilot."""

from tandem.app.reports import OutsideLine, OutsideReport, PilotLine
from tandem.ports import HoldRow, Store
from tandem.runtime.pilot import load_note


def outside_report(store: Store, limit: int) -> OutsideReport:
    return OutsideReport(store.count_paused(), tuple(_line(row) for row in store.load_paused(limit)))


def pilot_line(store: Store) -> PilotLine | None:
    """The pilot that the last pass was."""
    note = load_note(store)
    if note is None:
        return None
    return PilotLine(note.text, note.since, sum(status.waiting for status in store.load_status()))


def _line(row: HoldRow) -> OutsideLine:
    key = row.crm or row.marketing
    return OutsideLine(
        entity=str(key.entity) if key else "",
        crm_id=row.crm.id if row.crm else None,
        marketing_id=row.marketing.id if row.marketing else None,
        field=row.field,
        since=row.since,
        reason=row.reason,
    )
