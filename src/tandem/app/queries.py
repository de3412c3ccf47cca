"""What can be asked without asking either side: everything is read from the store."""

from tandem.app.backfill import filling
from tandem.app.budget import load_budget
from tandem.app.build import open_state
from tandem.app.flow import Flow, load_flow
from tandem.app.notices import unsent_since
from tandem.app.outside import outside_report, pilot_line
from tandem.app.pauses import pause_lines
from tandem.app.quarantine import quarantined
from tandem.app.reports import Backlog, ConflictLine, EntityLine, OutsideReport, StatusReport, named_pair
from tandem.app.system import SystemClock
from tandem.app.troubles import load_trouble
from tandem.config.model import Config
from tandem.core.record import ACCOUNT, CONTACT, LEAD, PERSON, RecordKey, Side
from tandem.ports import ConflictRow, EntityStatus, HoldRow, JournalRow, Store

_LINES_MAX = 50


def status(config: Config) -> StatusReport:
    """Per entity: linked, waiting, held; the last pass, the lag and what is held or rejected."""
    store = open_state(config)
    try:
        run = next(iter(store.load_runs(1)), None)
        ended = run.finished_at if run else None
        flow = load_flow(store, SystemClock().now())
        return StatusReport(
            entities=tuple(_entity_line(line, flow) for line in store.load_status()),
            full_hour_at=flow.full_hour_at,
            pauses=pause_lines(store),
            settings_trouble=load_trouble(store),
            notices_unsent_since=unsent_since(store),
            filling=filling(store),
            quarantined=quarantined(store),
            last_pass_at=run.started_at if run else None,
            last_pass_seconds=(ended - run.started_at).total_seconds() if run and ended else None,
            last_error=run.error if run else None,
            lag_s=_lag_s(store),
            holds=tuple(_hold_line(row) for row in store.load_holds(_LINES_MAX)),
            rejected=tuple(_rejected_line(row) for row in store.load_rejected(_LINES_MAX)),
            budget=load_budget(store),
            outside=store.count_paused(),
            pilot=pilot_line(store),
        )
    finally:
        store.close()


def outside(config: Config, limit: int) -> OutsideReport:
    """The linked records that a filter keeps out, the oldest first."""
    store = open_state(config)
    try:
        return outside_report(store, limit)
    finally:
        store.close()


def conflicts(config: Config, limit: int, only_open: bool = False) -> list[ConflictLine]:
    """The newest conflicts, with both values."""
    store = open_state(config)
    try:
        return [_conflict_line(row) for row in store.load_conflicts(limit, only_open=only_open)]
    finally:
        store.close()


def _lag_s(store: Store) -> float | None:
    """How far the older of the feeds was behind when the last pass ended."""
    run = next(iter(store.load_runs(1)), None)
    feeds = ((Side.CRM, ACCOUNT), (Side.CRM, LEAD), (Side.CRM, CONTACT), (Side.MARKETING, PERSON))
    marks = [store.load_watermark(side, entity) for side, entity in feeds]
    known = [mark for mark in marks if mark is not None]
    if run is None or run.finished_at is None or len(known) < len(marks):
        return None
    return max(0.0, (run.finished_at - min(known)).total_seconds())


def _entity_line(line: EntityStatus, flow: Flow) -> EntityLine:
    entity = line.crm_entity
    return EntityLine(
        entity=str(line.crm_entity),
        linked=line.linked,
        pending=line.pending,
        tombstoned=line.tombstoned,
        waiting=line.waiting,
        open_actions=line.open_actions,
        rejected=line.rejected,
        held=line.held,
        conflicts=line.conflicts,
        inserts=flow.backlog.get((entity, True), Backlog()),
        updates=flow.backlog.get((entity, False), Backlog()),
        last_hour=flow.last_hour[entity],
        full_hour=flow.full_hour[entity],
    )


def _hold_line(row: HoldRow) -> str:
    what = f"field {named_pair(row.field)}" if row.field else "the record"
    return f"{_name(row.crm or row.marketing)}: {what} since {row.since:%Y-%m-%d %H:%M:%S}: {row.reason}"


def _rejected_line(row: JournalRow) -> str:
    target = row.crm if row.action.side is Side.CRM else row.marketing
    return f"{row.action.kind} {row.action.entity} {_name(target or row.crm or row.marketing)}: {row.error}"


def _name(key: RecordKey | None) -> str:
    return f"{key.entity} {key.id}" if key else "record"


def _conflict_line(row: ConflictRow) -> ConflictLine:
    return ConflictLine(
        at=row.at,
        kind=row.conflict.kind.value,
        crm_entity=str(row.crm.entity) if row.crm else "",
        crm_id=row.crm.id if row.crm else None,
        marketing_id=row.marketing.id if row.marketing else None,
        field=row.conflict.field,
        crm=row.conflict.crm,
        marketing=row.conflict.marketing,
        winner=row.conflict.winner.value,
        is_open=row.is_open,
        reason=row.conflict.reason,
        number=row.number,
    )
