"""A store with a million links must not read them all: no query of the daily work scans a table of them."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from tandem.core.plan import Candidate, Question
from tandem.core.record import LEAD, PERSON, Link, ReadNumber, RecordId, Side
from tandem.ports import Store
from tandem.store import open_store
from tests.conformance.store_world import (
    ANN,
    FIELDS,
    NOW,
    PAIRS,
    a_create,
    a_link,
    a_record,
    a_state,
    account,
    again,
    an_open_row,
    claim,
    commit,
    contact,
    finish,
    lead,
    person,
    refs_of,
    save,
    save_records,
)

# `holds` and `syncs` are small; a scan of `sqlite_master` or of a list of values is none of a table.
LARGE = ("links", "inbox", "journal", "change_records", "aliases", "waits", "conflicts", "matches")


@pytest.fixture
def queries() -> Iterator[list[tuple[str, Any]]]:
    """Every statement that runs, with parameters to explain it with."""
    seen: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, ___: Any, is_many: bool) -> None:
        seen.append((statement, parameters[0] if is_many else parameters))

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


def work(store: Store) -> Link:
    """A day of a store: extract, claim, plan, apply, settle."""
    link = a_link(store, contact("c"), person("1"), aliases=(lead("old"),), waits_for=(account("acme"),))
    finish(store, an_open_row(store, link))
    finish(store, an_open_row(store, a_link(store, lead("new")), a_create()), id=RecordId("2"))
    save(store, a_state(contact("c"), 5), a_state(lead("free"), 5))
    save(store, a_state(person("1"), 5, (*ANN, "c")), search={"1": ("c", "ann@example.com")})
    save_records(store, a_record("g1", person("1")))
    store.make_due([link.number])
    commit(store, again(link, consumed=tuple(refs_of(claim(store)))))
    store.find_links(Side.CRM, LEAD, [RecordId("old"), RecordId("missing")])
    store.find_inbox(PERSON, "crm_key", ["c"])
    store.find_inbox(PERSON, "dedupe_key", ["ann@example.com"])
    store.find_unseen(Side.CRM, LEAD, ReadNumber(5))
    store.known_guids(["g1"])
    store.drop_records_before(NOW)
    store.drop_history_before(NOW)
    store.find_losers([contact("c")])
    asked = a_link(store, lead("asked"), question=Question("several", (Candidate(RecordId("1")),)))
    store.decide_matches({asked.number: "create"}, NOW)
    store.load_decisions([asked.number])
    store.load_matches(10, cause="several", size=1, only_open=True, after=asked.number)
    store.count_linked([PERSON])
    store.load_open_rows()
    store.highest_marketing_id(PERSON)
    return link


def test_no_query_of_the_daily_work_scans_a_large_table(tmp_path: Path, queries: list[tuple[str, Any]]) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'state.db'}", "main")
    store.use_mappings(PAIRS, FIELDS)
    queries.clear()
    work(store)
    done = [(text, values) for text, values in queries if text.startswith(("SELECT", "UPDATE", "DELETE"))]
    assert len(done) > 50
    assert {step for text, values in done for step in scans(tmp_path / "state.db", text, values)} == set()
    store.close()


def scans(file: Path, statement: str, parameters: Any) -> list[str]:
    connection = sqlite3.connect(file)
    steps = [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    connection.close()
    return [f"{step}: {statement}" for step in steps if step.split()[1] in LARGE and is_scan(step)]


def is_scan(step: str) -> bool:
    """An index entered by nothing but the sync is a scan of the sync, but for the few journal rows that are open."""
    return step.startswith("SCAN") or ("(sync_id=?)" in step and "ix_journal_open" not in step)
