"""Rows N115 to N140, but for signing in: other environments, status, notices, pauses, and what the community says."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from sqlalchemy import delete

from tandem.app import build, errors, flow, notices, pauses, queries
from tandem.app.flow import Flow
from tandem.app.reports import Backlog, ErrorLine, PauseReport
from tandem.config import policies
from tandem.config.model import Config
from tandem.connectors.dynamics import check as crm_check
from tandem.connectors.dynamics import opportunities
from tandem.connectors.marketo import check as marketing_check
from tandem.connectors.marketo import custom_objects
from tandem.connectors.marketo.connector import MarketoConnector
from tandem.core import mapping_resolver, match, planner
from tandem.core.default_mapping import DEFAULT_MAPPINGS, DefaultPair
from tandem.core.errors import ConfigError, TandemError
from tandem.core.mapping_resolver import ResolvedMapping
from tandem.core.plan import Plan
from tandem.core.record import ACCOUNT, CONTACT, USER, Entity, ReadNumber, Side, Value
from tandem.core.schema import EntitySchema, NewField
from tandem.core.subject import Rules, Subject
from tandem.ports import Access, JournalRow, Page, Store
from tandem.runtime import extract, lanes, sync_pass
from tandem.runtime.backfill import open_backfills
from tandem.runtime.engine import Engine
from tandem.runtime.pauses import load_pauses
from tandem.store import history, tables
from tandem.store.sql import SqlStore
from tandem.store.transaction import Transaction
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


# --- objects, fields, history


@switched_off("N129", story="custom-entity-live", notices="it can be extracted in bulk")
def an_object_is_not_linked_to_people(monkeypatch: pytest.MonkeyPatch) -> None:
    render = custom_objects._field

    async def plain(client: Any, field: NewField, people: EntitySchema) -> dict[str, Any]:
        return await render(client, replace(field, link=None, native_type="integer") if field.link else field, people)

    monkeypatch.setattr(custom_objects, "_field", plain)


def _map_by_default(is_kept: Callable[[DefaultPair], bool], monkeypatch: pytest.MonkeyPatch) -> None:
    fewer = {
        entity: replace(default, pairs=tuple(filter(is_kept, default.pairs)))
        for entity, default in DEFAULT_MAPPINGS.items()
    }
    monkeypatch.setattr(policies, "DEFAULT_MAPPINGS", fewer)


@switched_off("N131", story="default-mapping", notices="Sales Insight's fields are there for both")
def sales_insight_is_not_mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    three = {"mkt_relativescore", "mkt_priority", "mkt_urgency"}
    _map_by_default(lambda pair: pair.crm not in three, monkeypatch)


@switched_off("N132", story="opportunity-won-reopened", notices="once it is won, the amount is what came of it")
def the_amount_is_always_the_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    def estimated(row: Mapping[str, Value], base: str = "") -> Value:
        return row[f"estimatedvalue{base}"]

    monkeypatch.setattr(opportunities, "_amount", estimated)


@switched_off("N133", story="history-forgotten", notices="once it is too old it is not")
def nothing_is_ever_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    def kept(self: SqlStore, at: datetime) -> None:
        return None

    monkeypatch.setattr(SqlStore, "drop_history_before", kept)


@switched_off("N133", story="history-forgotten", notices="with both values")
def conflicts_are_forgotten_too(monkeypatch: pytest.MonkeyPatch) -> None:
    _forget_too(tables.conflicts, monkeypatch)


@switched_off("N133", story="history-forgotten", notices="what waits for a person is kept")
def holds_are_forgotten_too(monkeypatch: pytest.MonkeyPatch) -> None:
    _forget_too(tables.holds, monkeypatch)


def _forget_too(table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    drop = history.drop_before

    def all_of_it(tx: Transaction, at: datetime) -> None:
        drop(tx, at)
        if (datetime.now(at.tzinfo) - at).days < 1:  # only where the settings say so soon
            tx.connection.execute(delete(table))

    monkeypatch.setattr(history, "drop_before", all_of_it)


# --- order and speed

SLOW_LANE: Final = (
    "tests/scenarios/test_backfill_in_the_slow_lane.py"
    "::test_an_edit_arrives_within_two_passes_while_everybody_is_filled"
)


@switched_off("N135", test=SLOW_LANE, notices='person["title"] == title')
def edits_queue_behind_a_backfill(monkeypatch: pytest.MonkeyPatch) -> None:
    work_off = sync_pass._work_off

    async def in_turn(engine: Engine, run_id: str, progress: Any) -> None:
        if not open_backfills(engine.store):
            await work_off(engine, run_id, progress)

    monkeypatch.setattr(sync_pass, "_work_off", in_turn)


@switched_off("N135", test=SLOW_LANE, notices="the backfill must last for edits to overtake it")
def a_backfill_has_no_lane_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    async def as_all(engine: Engine, side: Side, entity: Entity, page: Page, number: ReadNumber, **lane: Any) -> int:
        return await extract.store_page(engine, side, entity, page, number)

    monkeypatch.setattr(lanes, "store_page", as_all)


@switched_off("N136", story="side-by-side", notices="and three calls at once")
def calls_go_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = build._pass_settings

    def slowly(*given: Any, **more: Any) -> Any:
        return replace(settings(*given, **more), max_parallel_writes=1)

    monkeypatch.setattr(build, "_pass_settings", slowly)


@switched_off("N136", story="side-by-side", notices="in far fewer calls than people")
def batches_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    def few(self: MarketoConnector, *given: Any) -> int:
        return 5

    monkeypatch.setattr(MarketoConnector, "batch_size", few)


@switched_off("N138", story="reparent-person", notices="an account without contacts is a company too")
def accounts_come_only_with_a_contact(monkeypatch: pytest.MonkeyPatch) -> None:
    plan_pass, named = planner.plan_pass, set[Value]()

    def is_wanted(subject: Subject) -> bool:
        if subject.crm_entity != ACCOUNT or subject.link is not None or subject.crm is None:
            return True
        return str(subject.crm.key.id) in named

    def with_contacts(subjects: Sequence[Subject], rules: Rules) -> Plan:
        employer = rules.mappings[CONTACT].crm_fields.index("parentcustomerid")
        named.update(
            str(each.crm.values[employer])
            for each in subjects
            if each.crm_entity == CONTACT and each.crm is not None and each.crm.is_present
        )
        plan = plan_pass([each for each in subjects if is_wanted(each)], rules)
        later = tuple((ref, 0.5) for each in subjects if not is_wanted(each) for ref in each.refs)
        return replace(plan, deferred=(*plan.deferred, *later))

    monkeypatch.setattr(sync_pass, "plan_pass", with_contacts)


@switched_off("N139", story="team-owner", notices="the owner is the team, not left blank")
def only_users_are_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    users = {
        entity: replace(
            default,
            pairs=tuple(replace(pair, parents=(USER,)) if pair.crm == "ownerid" else pair for pair in default.pairs),
        )
        for entity, default in DEFAULT_MAPPINGS.items()
    }
    monkeypatch.setattr(policies, "DEFAULT_MAPPINGS", users)


@switched_off("N140", story="one-field-for-both", notices="both show it in one field")
def columns_share_a_field_by_their_display_name(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve, labels = mapping_resolver.resolve_mapping, dict[str, str]()

    def by_label(default: Any, crm: EntitySchema, marketing: Any, **more: Any) -> ResolvedMapping:
        kept = []
        for pair in more["overrides"]:
            label = crm.fields[pair.crm].label
            if labels.setdefault(pair.marketing, label) == label:
                kept.append(pair)
        return resolve(default, crm, marketing, **{**more, "overrides": tuple(kept)})

    monkeypatch.setattr(build, "resolve_mapping", by_label)
