"""Rows N36 to N46: custom tables."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tandem.app import build, commands
from tandem.app import schema as app_schema
from tandem.app.quarantine import quarantined
from tandem.app.reports import SchemaReport
from tandem.config import policies
from tandem.config.model import Config
from tandem.config.tables import CustomConfig
from tandem.connectors.dynamics import check, errors
from tandem.core import mapping_resolver, related
from tandem.core.default_mapping import DEFAULT_MAPPINGS, DefaultMapping
from tandem.core.plan import Plan
from tandem.core.policy import EntityPolicy
from tandem.core.record import (
    ACCOUNT,
    LEAD,
    Entity,
    Lane,
    ReadNumber,
    Side,
)
from tandem.core.related import LINKED_BY, Related, Shown, find_shown
from tandem.core.schema import FieldInfo
from tandem.core.subject import Rules, Subject
from tandem.core.wanted_pairs import WantedPair
from tandem.ports import Access, Page, Store
from tandem.runtime import extract, lanes, sync_pass
from tandem.runtime.backfill import FIRST_COPY
from tandem.runtime.engine import Engine
from tandem.runtime.extract import to_state
from tandem.runtime.pauses import is_paused
from tests.scenarios.switched_off.cases import switched_off


@switched_off("N36", story="custom-entity-live", notices="its lookup of contacts is to be a link to people")
def a_custom_record_is_tied_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping_resolver, "link_of", lambda lookup, related, key_field: None)


@switched_off("N36", story="custom-entity-three-levels", notices="all three levels are linked to the event's person")
def a_custom_table_is_no_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    def shown(path: str, columns: Mapping[str, FieldInfo], related: Mapping[Entity, Related]) -> Shown | None:
        standard = {entity: there for entity, there in related.items() if not there.is_custom}
        return find_shown(path, columns, standard)

    monkeypatch.setattr(mapping_resolver, "find_shown", shown)


@switched_off("N36", story="custom-entity-limits", notices="and are tied to the company of their account")
def people_alone_are_linked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    people = {entity: link for entity, link in LINKED_BY.items() if entity != ACCOUNT}
    monkeypatch.setattr(related, "LINKED_BY", people)


@switched_off("N37", story="custom-entity-three-levels", notices="all three levels are linked to the event's person")
def a_path_ends_after_two_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    def shown(path: str, columns: Mapping[str, FieldInfo], related: Mapping[Entity, Related]) -> Shown | None:
        return None if path.count(".") > 1 else find_shown(path, columns, related)

    monkeypatch.setattr(mapping_resolver, "find_shown", shown)


@switched_off("N37", story="custom-entity-three-levels", notices="when the event moves to another person")
def nobody_follows_who_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    def as_it_is(plan: Plan, subjects: Iterable[Subject], rules: Rules) -> Plan:
        return plan

    monkeypatch.setattr(sync_pass, "with_follows", as_it_is)


@switched_off("N38", story="custom-entity-limits", notices="a table that may not be read is named")
def a_table_counts_as_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    async def readable(client: object, table_of: object, entity: Entity) -> list[Access]:
        return [Access(f"Dynamics: read {entity}", is_ok=True)]

    monkeypatch.setattr(check, "_check_entity", readable)


@switched_off("N38", story="custom-entity-limits", notices="with the privilege that is missing")
def a_refusal_names_no_privilege(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "access_remedy", lambda fault: "Ask an administrator")


@switched_off("N39", story="custom-entity-live", notices="and the rest goes on")
def everything_stops_while_a_table_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(store: Store, entities: Collection[Entity]) -> bool:
        return bool(quarantined(store)) or is_paused(store, entities)

    monkeypatch.setattr(sync_pass, "is_paused", stopped)


@switched_off("N39", story="custom-entity-live", notices="switched off, the table is left alone")
def a_table_cannot_be_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, CustomConfig] = {}

    def opened(config: Config, *arguments: Any, **more: Any) -> Any:
        seen.update({table.table: table for table in config.custom})
        return build.opened(config.model_copy(update={"custom": tuple(seen.values())}), *arguments, **more)

    monkeypatch.setattr(commands, "opened", opened)


@switched_off("N40", story="custom-entity-live", notices="the plan shows the object that Marketo lacks")
def the_plan_shows_no_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    report = app_schema._report

    def without_objects(needs: app_schema._Needs, *, is_done: bool) -> SchemaReport:
        return replace(report(needs, is_done=is_done), objects=())

    monkeypatch.setattr(app_schema, "_report", without_objects)


@switched_off("N40", story="custom-entity-live", notices="nothing is made by the plan")
def the_plan_makes_what_it_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_schema, "plan_schema", app_schema.apply_schema)


@switched_off("N41", "N45", story="custom-entity-live", notices="what was there comes in a full load")
def a_new_table_begins_with_its_next_change(monkeypatch: pytest.MonkeyPatch) -> None:
    async def from_now_on(engine: Engine, side: Side, entity: Entity, reason: str, since: object = None) -> None:
        fields = engine.fields_of(side, entity)
        cursor = await engine.connector(side).fetch_live_cursor(entity, fields, None)
        engine.store.save_page(side, entity, [], [], cursor, complete_until=None, search={})

    monkeypatch.setattr(extract, "go_live", from_now_on)


@switched_off(
    "N41",
    test="tests/scenarios/test_backfill_in_the_slow_lane.py::test_an_edit_arrives_at_once_while_a_table_is_loaded",
    notices="the load must last for edits to overtake it",
)
def a_load_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(engine: Engine, side: Side, entity: Entity, page: Page, number: ReadNumber, *, lane: Lane) -> int:
        states = [to_state(side, entity, reading, number) for reading in page.readings]
        engine.store.save_page(side, entity, states, [], None, complete_until=None, search={}, lane=Lane.NORMAL)
        return len(states)

    monkeypatch.setattr(lanes, "store_page", at_once)


@switched_off("N42", story="custom-entity-live", notices="it is found by its key and by its person")
def what_leads_to_a_person_is_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping_resolver, "link_of", lambda lookup, related, key_field: None)


@switched_off(
    "N43", story="custom-entity-three-levels", notices="by the path of the settings, and not by the nearer one"
)
def the_nearest_way_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    add = mapping_resolver._Resolver.add

    def nearest(self: mapping_resolver._Resolver, line: WantedPair) -> None:
        ways = [name for name, info in self._crm.items() if LEAD in info.targets]
        if line.pair.marketing == "person" and ways:
            line = replace(line, pair=replace(line.pair, crm=ways[0]))
        add(self, line)

    monkeypatch.setattr(mapping_resolver._Resolver, "add", nearest)


@switched_off("N44", story="custom-entity-limits", notices="letters becomes an object of")
def a_name_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    custom_mapping = policies._custom_mapping

    def cut(table: CustomConfig) -> DefaultMapping:
        mapping = custom_mapping(table)
        return replace(mapping, marketing_entity=Entity(mapping.marketing_entity[:33]))

    monkeypatch.setattr(policies, "_custom_mapping", cut)


def _without_tables(monkeypatch: pytest.MonkeyPatch, *tables: str) -> None:
    def others(config: Config) -> dict[Entity, EntityPolicy]:
        return {entity: policy for entity, policy in policies.policies(config).items() if entity not in tables}

    monkeypatch.setattr(build, "policies", others)


@switched_off("N45", story="custom-entity-three-levels", notices="the first copy brings them along with the people")
def custom_tables_come_after_the_first_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    stages = vars(Engine)["stages"].func
    copied_before: dict[int, bool] = {}

    def later(engine: Engine) -> Sequence[tuple[Entity, tuple[Entity, ...]]]:
        is_copied = copied_before.setdefault(id(engine), engine.store.load_setting(FIRST_COPY) is not None)
        return tuple(stage for stage in stages(engine) if is_copied or stage[1][0] in DEFAULT_MAPPINGS)

    monkeypatch.setattr(Engine, "stages", property(later))


@switched_off("N46", story="marketing-lists", notices="lists and their members are objects of Marketo")
def marketing_lists_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    _without_tables(monkeypatch, "list", "listmember")
