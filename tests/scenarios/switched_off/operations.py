"""Rows N115 to N130 and N137, but for signing in: other environments, check, status, notices, pauses."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from tandem.app import build, errors, flow, notices, pauses, queries
from tandem.app.flow import Flow
from tandem.app.reports import Backlog, ErrorLine, PauseReport
from tandem.config.model import Config
from tandem.connectors.dynamics import check as crm_check
from tandem.connectors.marketo import check as marketing_check
from tandem.core import mapping_resolver, match
from tandem.core.errors import ConfigError, TandemError
from tandem.core.record import CONTACT, Entity, ReadNumber, Side
from tandem.ports import Access, JournalRow, Page, Store
from tandem.runtime import extract, sync_pass
from tandem.runtime.engine import Engine
from tandem.runtime.pauses import load_pauses
from tandem.store.sql import SqlStore
from tests.scenarios.switched_off.cases import switched_off

# --- other environments


@switched_off("N115", "N126", story="sandbox-refresh", notices="the old store refuses the other environment")
def another_organisation_is_taken_for_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unpinned(store: Store, crm: Any, marketing: Any) -> str:
        found = [(await side.fetch_identity())[name] for side, name in _names_of(crm, marketing)]
        return ":".join(found)

    monkeypatch.setattr(build, "_pin_sides", unpinned)


def _names_of(crm: Any, marketing: Any) -> list[tuple[Any, str]]:
    return [(crm, "organization_id"), (marketing, "munchkin_id")]


@switched_off("N115", story="sandbox-refresh", notices="the address is corrected, and taken")
def a_wrong_address_stays_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    pin = build._pin_sides

    async def for_ever(store: Store, crm: Any, marketing: Any) -> str:
        try:
            return await pin(store, crm, marketing)
        except ConfigError:
            store.save_setting(f"identity:{Side.CRM}", (await crm.fetch_identity())["organization_id"])
            raise

    monkeypatch.setattr(build, "_pin_sides", for_ever)


@switched_off("N115", story="sandbox-refresh", notices="no record was read before")
def another_organisation_is_read_before_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pin = build._pin_sides

    async def at_last(store: Store, crm: Any, marketing: Any) -> str:
        await crm.fetch_schema(CONTACT)
        async for _ in crm.fetch_changes(CONTACT, None, ("@id",)):
            pass
        return await pin(store, crm, marketing)

    monkeypatch.setattr(build, "_pin_sides", at_last)


@switched_off("N116", "N126", "N127", story="sandbox-refresh", notices="everybody is linked again")
def the_key_of_a_record_links_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*given: Any) -> bool:
        return False

    monkeypatch.setattr(match, "_has_key", unknown)


SET_BACK: Final = (
    "tests/scenarios/test_operations.py"
    "::test_an_organisation_that_was_set_back_is_refused_and_found_again_by_a_new_store"
)


@switched_off("N126", test=SET_BACK, notices="result.exit_code == 2")
def row_versions_that_went_back_are_not_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unlooked(store: Store, crm: Any) -> None:
        return None

    monkeypatch.setattr(build, "ensure_not_restored", unlooked)


# --- check

RIGHTS: Final = "tests/scenarios/test_permissions.py::test_check_names_each_right_that_is_missing"
COLUMNS: Final = "tests/scenarios/test_permissions.py::test_check_shows_the_columns_that_may_not_be_read_or_written"
NATIVE_SYNC: Final = "tests/scenarios/test_operations.py::test_check_finds_a_native_crm_sync_before_anything_is_written"


async def _unchecked(*given: Any) -> list[Access]:
    return []


@switched_off("N117", test=RIGHTS, notices="privilege")
def rights_in_dynamics_are_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crm_check, "check_rights", _unchecked)


@switched_off("N117", test=RIGHTS, notices="permission")
def permissions_in_marketo_are_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marketing_check, "check_permissions", _unchecked)


@switched_off("N117", test=COLUMNS, notices="may not read")
def why_a_column_is_missing_is_not_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def unexplained(*given: Any) -> tuple[str, str]:
        return "it is left out", "Look at the column."

    monkeypatch.setattr(mapping_resolver, "missing_column", unexplained)


@switched_off("N117", "N128", "N130", test=NATIVE_SYNC, notices='"native CRM sync" in')
def a_native_sync_is_not_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unnoticed(*given: Any) -> Access | None:
        return None

    monkeypatch.setattr(marketing_check, "_managed_by_crm", unnoticed)


# --- status

STATUS: Final = "tests/scenarios/test_operations.py::test_status_splits_what_waits_and_counts_what_was_written"


def _status_of(shown: Callable[[Flow], Flow], monkeypatch: pytest.MonkeyPatch) -> None:
    def load(store: Store, now: datetime) -> Flow:
        return shown(flow.load_flow(store, now))

    monkeypatch.setattr(queries, "load_flow", load)


@switched_off("N119", test=STATUS, notices="(line.inserts.count, line.updates.count) == (1, 1)")
def inserts_and_updates_are_one_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def together(found: Flow) -> Flow:
        counts: Counter[Entity] = Counter()
        for (entity, _), backlog in found.backlog.items():
            counts[entity] += backlog.count
        return replace(found, backlog={(entity, False): Backlog(count) for entity, count in counts.items()})

    _status_of(together, monkeypatch)


@switched_off("N120", test=STATUS, notices="line.inserts.oldest_at, line.updates.oldest_at) == since")
def a_record_waits_since_the_last_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    def latest(marks: Sequence[tuple[ReadNumber, datetime]], number: ReadNumber) -> datetime | None:
        return marks[-1][1]

    monkeypatch.setattr(flow, "read_after", latest)


@switched_off("N121", test=STATUS, notices="line.last_hour == written")
def the_last_hour_takes_the_place_of_the_backlog(monkeypatch: pytest.MonkeyPatch) -> None:
    def instead(found: Flow) -> Flow:
        waiting = {entity for entity, _ in found.backlog}
        return replace(found, last_hour=Counter({e: n for e, n in found.last_hour.items() if e not in waiting}))

    _status_of(instead, monkeypatch)


@switched_off("N121", test=STATUS, notices="[line.last_hour, 0]")
def the_last_hour_is_all_that_was_ever_written(monkeypatch: pytest.MonkeyPatch) -> None:
    written = flow._written

    def ever(store: Store, since: datetime, until: datetime) -> Counter[Entity]:
        return written(store, datetime(2000, 1, 1, tzinfo=UTC), until)

    monkeypatch.setattr(flow, "_written", ever)


REFUSED: Final = (
    "tests/scenarios/test_operations.py::test_a_refused_write_is_listed_with_its_remedy_exported_and_tried_again"
)


@switched_off("N122", test=REFUSED, notices='"plug-in" in line.meaning')
def codes_are_not_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    def empty() -> Mapping[tuple[Side, str], Any]:
        return {}

    monkeypatch.setattr(errors, "code_table", empty)


@switched_off("N122", test=REFUSED, notices='Wanted(code="0x80040237")')
def errors_cannot_be_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    def any_line(self: errors.Wanted, line: ErrorLine) -> bool:
        return True

    monkeypatch.setattr(errors.Wanted, "fits", any_line)


@switched_off("N122", test=REFUSED, notices="(row,) = list(csv.DictReader(")
def errors_cannot_be_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    from tandem.cli import errors as command

    export = command._export
    monkeypatch.setattr(command, "_export", lambda path, lines: export(path, ()))


@switched_off("N122", test=REFUSED, notices="the passes do not get there")
def errors_cannot_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def in_vain(self: SqlStore, links: Any) -> int:
        return len(set(links))

    monkeypatch.setattr(SqlStore, "retry_rejected", in_vain)


NOTICES: Final = "tests/scenarios/test_notices.py"
DIGEST: Final = f"{NOTICES}::test_the_first_copy_and_the_days_failures_are_told_once_without_values"
AT_ONCE: Final = f"{NOTICES}::test_a_side_that_refuses_is_told_and_the_sync_goes_on"


@switched_off("N123", test=DIGEST, notices="the day is not over")
def each_refusal_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    find_news = notices.find_news

    def at_once(store: Store, settings: Any, *more: Any) -> list[notices.Notice]:
        return find_news(store, settings.model_copy(update={"digest_every_h": 0.0}), *more)

    monkeypatch.setattr(notices, "find_news", at_once)


@switched_off("N123", test=DIGEST, notices="too many values to unpack")
def refusals_are_told_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    find_news, began = notices.find_news, datetime(2000, 1, 1, tzinfo=UTC)

    def again(store: Store, settings: Any, told: notices.Told, *more: Any) -> list[notices.Notice]:
        is_whole_day = settings.digest_every_h > 1
        told.digest_at = told.digest_at if is_whole_day else began
        return find_news(store, settings, told, *more)

    monkeypatch.setattr(notices, "find_news", again)


@switched_off("N123", test=DIGEST, notices='"onfidential" not in')
def notices_quote_values(monkeypatch: pytest.MonkeyPatch) -> None:
    error_line = errors.error_line

    def quoting(row: JournalRow) -> ErrorLine:
        return replace(error_line(row), meaning=f"refused {[write.after for write in row.action.writes]}")

    monkeypatch.setattr(notices, "error_line", quoting)


@switched_off("N123", test=DIGEST, notices='"1 of contact to Dynamics: 0x80040265" in')
def a_digest_names_no_table_or_code(monkeypatch: pytest.MonkeyPatch) -> None:
    error_line = errors.error_line

    def vague(row: JournalRow) -> ErrorLine:
        return replace(error_line(row), entity="record", direction="somewhere", code="")

    monkeypatch.setattr(notices, "error_line", vague)


@switched_off("N123", test=AT_ONCE, notices="access was refused")
def a_side_that_refuses_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(told: notices.Told, settings: Any, now: datetime, failure: TandemError | None) -> list[notices.Notice]:
        return []

    monkeypatch.setattr(notices, "_trouble", silent)


# --- pauses


@switched_off("N124", story="pause-and-resume", notices="the paused table rests")
def a_table_cannot_be_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    def runs(*given: Any) -> bool:
        return False

    monkeypatch.setattr(sync_pass, "is_paused", runs)


@switched_off("N124", story="pause-and-resume", notices="a paused sync says so")
def everything_cannot_be_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    def runs(store: Store) -> None:
        return None

    monkeypatch.setattr(sync_pass, "ensure_running", runs)


@switched_off("N124", story="pause-and-resume", notices="since when and by whom")
def nobody_says_who_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        return "somebody"

    monkeypatch.setattr(pauses, "_user", nameless)


@switched_off("N137", story="pause-and-resume", notices="it catches up")
def what_a_paused_table_is_told_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    store_page = extract.store_page

    async def dropping(engine: Engine, side: Side, entity: Entity, page: Page, number: ReadNumber, **more: Any) -> int:
        is_paused = load_pauses(engine.store).keys() & {entity}
        kept = replace(page, readings=[], touched=[]) if is_paused else page
        return await store_page(engine, side, entity, kept, number, **more)

    monkeypatch.setattr(extract, "store_page", dropping)


@switched_off("N137", story="pause-and-resume", notices="and what waits since when")
def a_paused_table_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read_feed = extract._read_feed

    async def resting(engine: Engine, side: Side, entity: Entity) -> int:
        is_paused = entity in load_pauses(engine.store)
        return 0 if is_paused else await read_feed(engine, side, entity)

    monkeypatch.setattr(extract, "_read_feed", resting)


@switched_off("N137", story="pause-and-resume", notices="what changed in Dynamics arrived")
def what_changes_while_everything_is_paused_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first pass after the pause takes what the feeds have kept for read."""
    resume, store_page, run_pass = pauses.resume, extract.store_page, sync_pass.run_pass
    resumed: list[str] = []

    def noted(config: Config, wanted: Sequence[str]) -> PauseReport:
        report = resume(config, wanted)
        resumed.extend(report.resumed)
        return report

    async def dropping(engine: Engine, side: Side, entity: Entity, page: Page, number: ReadNumber, **more: Any) -> int:
        kept = replace(page, readings=[], touched=[]) if "everything" in resumed else page
        return await store_page(engine, side, entity, kept, number, **more)

    async def once(engine: Engine) -> sync_pass.PassResult:
        result = await run_pass(engine)
        resumed.clear()
        return result

    monkeypatch.setattr(pauses, "resume", noted)
    monkeypatch.setattr(extract, "store_page", dropping)
    monkeypatch.setattr("tandem.app.passing.run_pass", once)
