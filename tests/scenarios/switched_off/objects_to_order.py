"""Rows N129 to N140: objects and fields, what is forgotten, and the order and speed of work."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import pytest
from sqlalchemy import delete

from tandem.app import build
from tandem.config import policies
from tandem.connectors.dynamics import opportunities
from tandem.connectors.marketo import custom_objects
from tandem.connectors.marketo.connector import MarketoConnector
from tandem.core import mapping_resolver, planner
from tandem.core.default_mapping import DEFAULT_MAPPINGS, DefaultPair
from tandem.core.mapping_resolver import ResolvedMapping
from tandem.core.plan import Plan
from tandem.core.record import ACCOUNT, CONTACT, USER, Entity, ReadNumber, Side, Value
from tandem.core.schema import EntitySchema, NewField
from tandem.core.subject import Rules, Subject
from tandem.ports import Page
from tandem.runtime import extract, lanes, sync_pass
from tandem.runtime.backfill import open_backfills
from tandem.runtime.engine import Engine
from tandem.store import history, tables
from tandem.store.sql import SqlStore
from tandem.store.transaction import Transaction
from tests.scenarios.switched_off.cases import switched_off

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
