"""Rows N73 to N91: fields that are paired from the start, chosen, filled, and changed at the source."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

import pytest

from tandem.app import backfill as asked
from tandem.app import build, planning, proof, queries, schema
from tandem.app.backfill import filling
from tandem.app.optional import WHOLE, find_unavailable
from tandem.app.quarantine import quarantined
from tandem.config.model import Config
from tandem.config.policies import default_mappings, field_overrides
from tandem.connectors.dynamics.connector import DynamicsConnector
from tandem.core import mapping_resolver, merge
from tandem.core.backfill import Backfill, Since, Span
from tandem.core.default_mapping import OWN_PERSON_KEY, DefaultMapping, DefaultPair
from tandem.core.left_out import LeftOut
from tandem.core.mapping import Direction
from tandem.core.mapping_resolver import ResolvedMapping, _Resolver, resolve_mapping
from tandem.core.merge import Sighting
from tandem.core.new_fields import field_to_make
from tandem.core.policy import DeleteRule, EntityPolicy
from tandem.core.record import (
    ACCOUNT,
    CONTACT,
    Entity,
    Lane,
    ReadNumber,
    Side,
)
from tandem.core.schema import EntitySchema, FieldInfo
from tandem.core.wanted_pairs import FieldOverride, WantedPair
from tandem.ports import Connector, Page, Store
from tandem.runtime import backfill, extract, lanes, schema_watch, sync_pass
from tandem.runtime.backfill import open_backfills
from tandem.runtime.engine import Engine
from tandem.runtime.extract import store_page
from tandem.runtime.pauses import is_paused
from tandem.runtime.repair import Marked
from tests.scenarios.switched_off.cases import switched_off
from tests.scenarios.switched_off.deletions_to_qualification import deleted_with, nothing

# --- the pairs there are from the start


def _without_pair(monkeypatch: pytest.MonkeyPatch, column: str, *instead: DefaultPair) -> None:
    """No table has the default pair of `column`."""

    def lacking(config: Config) -> dict[Entity, DefaultMapping]:
        known = default_mappings(config)
        return {
            entity: replace(mapping, pairs=(*(pair for pair in mapping.pairs if pair.crm != column), *instead))
            for entity, mapping in known.items()
        }

    monkeypatch.setattr(build, "default_mappings", lacking)


@switched_off("N73", story="default-mapping", notices="every value of the contact is the person's")
def a_usual_pair_of_people_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    _without_pair(monkeypatch, "middlename")


@switched_off("N73", story="default-mapping", notices="every value of the account is the company's")
def a_usual_pair_of_accounts_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    _without_pair(monkeypatch, "sic")


@switched_off("N75", story="default-mapping", notices="the owner is named")
def nobody_carries_an_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    _without_pair(monkeypatch, "ownerid")


@switched_off("N75", story="default-mapping", notices="and so is the company")
def nobody_carries_a_company(monkeypatch: pytest.MonkeyPatch) -> None:
    _without_pair(monkeypatch, "parentcustomerid")


@switched_off("N76", story="default-mapping", notices="Microsoft Type tells them apart")
def nobody_is_lead_or_contact(monkeypatch: pytest.MonkeyPatch) -> None:
    _without_pair(monkeypatch, "@type")


@switched_off("N77", story="default-mapping", notices="Microsoft Created Date is that of Dynamics")
def the_last_change_stands_for_the_creation(monkeypatch: pytest.MonkeyPatch) -> None:
    label, created = "Microsoft Created Date", "microsoftCreatedDate"
    _without_pair(
        monkeypatch, "createdon", DefaultPair("modifiedon", created, label, "datetime", Direction.TO_MARKETING)
    )


@switched_off("N78", story="default-mapping", notices="until they are")
def who_is_gone_is_not_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    deleted_with(monkeypatch, in_crm=DeleteRule.IGNORE)


# --- fields chosen, added and filled

Overrides = Mapping[Entity, tuple[FieldOverride, ...]]


def _choosing(monkeypatch: pytest.MonkeyPatch, choose: Callable[[Overrides], Overrides]) -> None:
    """What the settings say of fields, with `choose` over it."""
    monkeypatch.setattr(build, "field_overrides", lambda config: choose(field_overrides(config)))


@switched_off("N74", story="field-added-backfill", notices="everybody who has one shows it")
def no_field_is_made_by_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    def usual_fields(default: DefaultMapping, pair: DefaultPair, crm: FieldInfo) -> FieldInfo | None:
        return field_to_make(default, pair, crm) if pair in default.pairs or pair == OWN_PERSON_KEY else None

    monkeypatch.setattr(mapping_resolver, "field_to_make", usual_fields)


@switched_off("N74", story="field-added-backfill", notices="so does a company that of its account")
def only_columns_of_people_are_added(monkeypatch: pytest.MonkeyPatch) -> None:
    _choosing(monkeypatch, lambda said: {**said, ACCOUNT: ()})


@switched_off("N79", story="field-added-backfill", notices="taken out, the column rests")
def what_was_chosen_once_stays_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[Entity, dict[str, FieldOverride]] = {}

    def all_so_far(said: Overrides) -> Overrides:
        for entity, lines in said.items():
            kept.setdefault(entity, {}).update({line.crm: line for line in lines})
        return {entity: tuple(lines.values()) for entity, lines in kept.items()}

    _choosing(monkeypatch, all_so_far)


@switched_off("N79", story="field-added-backfill", notices="everybody who has one shows it")
def what_is_chosen_later_is_not_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    first: list[Overrides] = []

    def those_at_the_start(said: Overrides) -> Overrides:
        first.append(said)
        return first[0]

    _choosing(monkeypatch, those_at_the_start)


@switched_off("N80", story="field-permissions", notices="check names the column alone")
def no_right_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    note = _Resolver._note

    def unexplained(
        self: _Resolver, line: WantedPair, reason: str, remedy: str, *, is_permission: bool = False
    ) -> LeftOut:
        return note(self, line, reason, remedy)

    monkeypatch.setattr(_Resolver, "_note", unexplained)


@switched_off("N80", story="field-permissions", notices="the rest of the record is in Marketo")
def a_hidden_column_keeps_its_table_out(monkeypatch: pytest.MonkeyPatch) -> None:
    _without_contacts_where(
        monkeypatch,
        lambda schema: any(column.is_secured and not column.is_readable for column in schema.fields.values()),
    )


@switched_off("N80", story="field-permissions", notices="once it may be read it is filled for everybody")
def what_is_granted_is_not_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "ask", lambda store, wanted: None)


@switched_off("N81", story="column-from-marketo", notices="and not made yet")
def a_column_is_made_before_anybody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "plan_schema", schema.apply_schema)


@switched_off("N81", story="column-from-marketo", notices="once it is made, the value is there")
def no_column_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DynamicsConnector, "create_fields", nothing)


@switched_off("N82", story="field-added-backfill", notices="everybody who has one shows it")
def a_new_pair_is_not_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "ask", lambda store, wanted: None)


@switched_off("N82", story="field-added-backfill", notices="the plan shows what is filled")
def the_plan_is_silent_about_what_is_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "read_backfills", nothing)


@switched_off("N82", story="field-added-backfill", notices="from whichever side has a value")
def a_new_pair_is_filled_from_dynamics_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def one_way(said: Overrides) -> Overrides:
        return {
            entity: tuple(replace(line, direction=Direction.TO_MARKETING) for line in lines)
            for entity, lines in said.items()
        }

    _choosing(monkeypatch, one_way)


# --- filling again


@switched_off("N83", story="field-filled-again", notices="then all of them, the empty one too")
def nothing_is_filled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "ask", lambda store, wanted: None)


def _filling_spans(monkeypatch: pytest.MonkeyPatch, change: Callable[[Span], Span | None]) -> None:
    """A request that names a span is for another one."""
    pages = lanes._pages

    def changed(engine: Engine, wanted: Backfill) -> AsyncIterator[Page]:
        return pages(engine, replace(wanted, span=change(wanted.span)) if wanted.span else wanted)

    monkeypatch.setattr(lanes, "_pages", changed)


@switched_off("N84", story="field-filled-again", notices="the record of the span is filled again, the others wait")
def a_span_is_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    _filling_spans(monkeypatch, lambda span: None)


@switched_off("N84", story="field-filled-again", notices="and nothing that is older")
def created_is_taken_for_updated(monkeypatch: pytest.MonkeyPatch) -> None:
    _filling_spans(monkeypatch, lambda span: replace(span, by=Since.UPDATED))


@switched_off("N84", story="field-filled-again", notices="nor what is newer than its end")
def a_span_has_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    _filling_spans(monkeypatch, lambda span: replace(span, until=None))


@switched_off("N85", story="field-filled-again", notices="then all of them, the empty one too")
def an_empty_value_is_not_filled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    _carrying_no_empty_value(monkeypatch)


@switched_off("N85", story="field-filled-again", notices="an emptied value goes over")
def an_emptied_value_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    _carrying_no_empty_value(monkeypatch)


def _carrying_no_empty_value(monkeypatch: pytest.MonkeyPatch) -> None:
    one_way = merge._merge_one_way

    def with_something(seen: Sighting, policy: EntityPolicy) -> merge.Verdict:
        return merge.QUIET if seen.crm is None else one_way(seen, policy)

    monkeypatch.setattr(merge, "_merge_one_way", with_something)


SLOW_LANE = (
    "tests/scenarios/test_backfill_in_the_slow_lane.py"
    "::test_an_edit_arrives_within_two_passes_while_everybody_is_filled"
)


@switched_off("N86", test=SLOW_LANE, notices="the backfill must last for edits to overtake it")
def a_pass_fills_everybody_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(engine: Engine, side: Side, entity: Entity, page: Page, number: ReadNumber, lane: Lane) -> int:
        return await store_page(engine, side, entity, page, number, lane=Lane.NORMAL)

    monkeypatch.setattr(lanes, "store_page", at_once)


@switched_off("N86", test=SLOW_LANE, notices='assert person["title"] == title')
def an_edit_waits_behind_the_filling(monkeypatch: pytest.MonkeyPatch) -> None:
    store = extract.store_page

    async def behind(engine: Engine, side: Side, entity: Entity, page: Page, number: ReadNumber) -> int:
        is_filling = bool(open_backfills(engine.store))
        return await store(engine, side, entity, page, number, lane=Lane.SLOW if is_filling else Lane.NORMAL)

    monkeypatch.setattr(extract, "store_page", behind)


@switched_off("N87", story="field-added-backfill", notices="the status says that it is done, with how many")
def nobody_is_told_of_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "filling", lambda store: ())


@switched_off("N87", test=SLOW_LANE, notices="the status must tell how far it is")
def nobody_is_told_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        queries, "filling", lambda store: tuple(line for line in filling(store) if line.phase == "done")
    )


@switched_off("N88", story="drift-repaired", notices="what Dynamics owns is as it is there")
def what_was_found_is_not_repaired(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "mark_for_repair", lambda engine, differences: Marked())


# --- fields that change at the source


def _without_contacts_where(monkeypatch: pytest.MonkeyPatch, is_so: Callable[[EntitySchema], bool]) -> None:
    """The whole table is set aside where its columns are so."""

    async def found(config: Config, crm: Connector, marketing: Connector) -> dict[Entity, LeftOut]:
        lost = await find_unavailable(config, crm, marketing)
        if is_so(await crm.fetch_schema(CONTACT)):
            lost[CONTACT] = LeftOut(CONTACT, WHOLE, "person", "A column is missing", "Take it out of the settings.")
        return lost

    monkeypatch.setattr(build, "find_unavailable", found)


@switched_off("N89", "N90", story="field-deleted", notices="the rest goes on")
def a_deleted_column_keeps_its_table_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """It rests until somebody takes the column out of the settings."""

    def rests(store: Store, crm_entities: Collection[Entity]) -> bool:
        return is_paused(store, crm_entities) or (CONTACT in crm_entities and bool(quarantined(store)))

    monkeypatch.setattr(sync_pass, "is_paused", rests)


@switched_off("N90", story="field-deleted", notices="the status says so, since when and what to do")
def nobody_is_told_what_is_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "note_what_is_mapped", lambda *given: None)


@switched_off("N90", "N91", story="field-deleted", notices="the rest goes on, in the same process")
def what_changes_at_the_source_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """As natively: the sync fails until somebody looks after it."""
    monkeypatch.setattr(schema_watch, "compare", lambda *given: None)


@switched_off("N91", story="field-deleted", notices="it is back")
def what_is_there_again_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    gone: set[str] = set()

    def remembering(default: DefaultMapping, crm: EntitySchema, *given: Any, **more: Any) -> ResolvedMapping:
        left = replace(crm, fields={name: column for name, column in crm.fields.items() if name not in gone})
        resolved = resolve_mapping(default, left, *given, **more)
        gone.update(note.crm_field for note in resolved.left_out if default.crm_entity == CONTACT)
        return resolved

    monkeypatch.setattr(build, "resolve_mapping", remembering)
