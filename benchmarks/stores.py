"""What a record costs in the store on its way through a first copy: SQLite on disk beside the one in memory."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.table import Line, once_us
from tandem.core.plan import InboxRef
from tandem.core.planner import plan_pass
from tandem.core.record import CONTACT, PERSON, Cursor, RecordId, Side, State
from tandem.core.subject import Rules, Subject
from tandem.ports import JournalRow, JournalState, Outcome, Store
from tandem.runtime.engine import Engine
from tandem.runtime.parents import find_parents
from tandem.store import open_store
from tandem.store.memory import MemoryStore

_BATCH = 300
_NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

Steps = dict[str, float]


def measure_store(engine: Engine, states: Sequence[State], folder: Path) -> list[Line]:
    on_disk = _first_copy(open_store(f"sqlite:///{folder / 'bench.db'}", "bench"), engine, states)
    in_memory = _first_copy(MemoryStore(), engine, states)
    return [Line(f"store: {step}", on_disk[step], "µs a record", "memory store", in_memory[step]) for step in on_disk]


def _first_copy(store: Store, engine: Engine, page: Sequence[State]) -> Steps:
    """Save a page, claim it, commit its plan (all creates), and record what came of it."""
    mappings = engine.mappings
    shapes = {(Side.CRM, entity): mapping.crm_fields for entity, mapping in mappings.items()}
    shapes |= {(Side.MARKETING, m.marketing_entity): m.marketing_fields for m in mappings.values()}
    store.acquire_lease("bench", 3600, _NOW)
    store.use_mappings({entity: mapping.names for entity, mapping in mappings.items()}, shapes)
    steps: Steps = {}
    steps["save a page"] = once_us(lambda: _save(store, page, "1"), len(page))
    steps["save the same page again"] = once_us(lambda: _save(store, page, "2"), len(page))
    steps["claim"] = once_us(lambda: store.claim(PERSON, [CONTACT], len(page), _NOW), len(page))
    claims = store.claim(PERSON, [CONTACT], len(page), _NOW)
    subjects = [
        Subject(CONTACT, crm=state, refs=(InboxRef(state.key, state.read_number),))
        for claim in claims
        if (state := claim.crm)
    ]
    rules = Rules(engine.settings.sync_id, mappings, engine.policies, find_parents(engine, subjects).keys)
    plan = plan_pass(subjects, rules)
    rows: list[JournalRow] = []
    steps["commit a plan of creates"] = once_us(lambda: rows.extend(store.commit_plan(plan, "bench", _NOW)), len(page))
    assert len(rows) == len(page), "not every record was planned"
    steps["mark sent, and record outcomes"] = once_us(lambda: _settle(store, rows), len(page))
    store.close()
    return steps


def _save(store: Store, page: Sequence[State], cursor: str) -> None:
    number = store.next_read_number()
    states = [State(state.key, number, state.values, state.version) for state in page]
    store.save_page(Side.CRM, CONTACT, states, [], Cursor(cursor), complete_until=None, search={})


def _settle(store: Store, rows: Sequence[JournalRow]) -> None:
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        store.mark_sent([row.number for row in batch], _NOW)
        store.record_outcomes(
            [Outcome(row.number, JournalState.DONE, id=RecordId(str(row.number))) for row in batch], _NOW
        )
