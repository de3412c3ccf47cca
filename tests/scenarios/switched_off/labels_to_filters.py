"""Rows N92 to N102: labels and filters."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

import pytest

from tandem.app import deciding
from tandem.config import scope
from tandem.config.model import Config
from tandem.core import choices, endings, planner, subject, transforms
from tandem.core.choices import SEPARATOR, Choices
from tandem.core.filters import NATIVE, NATIVE_TRAP, RecordFilter, compile_filter, compile_filter_to_keep, names_in
from tandem.core.mapping import EntityMapping, NotExpressibleError, Transform
from tandem.core.plan import LinkPlan
from tandem.core.policy import EntityPolicy, LeaveRule
from tandem.core.record import Entity, Link, RecordKey, State, Value
from tandem.core.schema import FieldInfo
from tandem.core.subject import Case
from tandem.core.transforms import Unpairable, Ways
from tests.scenarios.switched_off.cases import switched_off

# --- labels


@switched_off("N92", story="multi-select", notices="the labels are shown")
def of_several_choices_the_first_one_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    to_marketing = Choices.to_marketing

    def first(self: Choices, value: Value) -> Value:
        found = to_marketing(self, value)
        return found.split(SEPARATOR)[0] if isinstance(found, str) else found

    monkeypatch.setattr(Choices, "to_marketing", first)


@switched_off("N92", story="multi-select", notices="an edit comes back")
def several_labels_in_another_order_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    to_crm = Choices.to_crm

    def in_order(self: Choices, value: Value) -> Value:
        found = to_crm(self, value)
        typed, usual = (str(text).replace(" ", "").casefold() for text in (value, self.to_marketing(found)))
        if found is not None and typed != usual:
            raise NotExpressibleError("the labels are not in their order")
        return found

    monkeypatch.setattr(Choices, "to_crm", in_order)


@switched_off("N93", story="labels-in-two-languages", notices="the German label is shown")
def labels_go_in_the_language_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    transform = transforms._choice_transform

    def spoken(crm: FieldInfo, marketing: FieldInfo, ways: Ways) -> Transform | Unpairable:
        return transform(crm, marketing, replace(ways, language=None))

    monkeypatch.setattr(transforms, "_choice_transform", spoken)


@switched_off("N93", story="labels-in-two-languages", notices="the number is shown")
def numbers_do_not_stand_for_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    transform = transforms._choice_transform

    def labelled(crm: FieldInfo, marketing: FieldInfo, ways: Ways) -> Transform | Unpairable:
        return transform(crm, marketing, replace(ways, by_number=False))

    monkeypatch.setattr(transforms, "_choice_transform", labelled)


@switched_off("N93", story="labels-in-two-languages", notices="a label of another language is held")
def a_text_that_is_no_label_empties_the_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    value_of = choices._value_of

    def emptied(label: str, values: Mapping[str, tuple[int, ...]], unknown: choices.UnknownLabel) -> int | None:
        return value_of(label, values, choices.UnknownLabel.EMPTY)

    monkeypatch.setattr(choices, "_value_of", emptied)


# --- filters

NOBODY: Final = RecordFilter("false", (), lambda values: False)


@switched_off("N94", "N96", story="filter-entered", notices="a No keeps a new record out")
def a_no_in_the_native_column_keeps_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(text: str, known: Collection[str], setting: str) -> RecordFilter | None:
        return None if text == NATIVE else compile_filter(text, known, setting)

    monkeypatch.setattr(deciding, "compile_filter", without)


@switched_off("N96", story="filter-entered", notices="where the native column is absent everybody is synced")
def an_absent_native_column_keeps_everybody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def strict(text: str, known: Collection[str], setting: str) -> RecordFilter | None:
        return compile_filter(text, known, setting) or NOBODY

    monkeypatch.setattr(deciding, "compile_filter", strict)


@switched_off("N96", story="filter-entered", notices="and where it is empty")
def an_empty_native_column_counts_as_no(monkeypatch: pytest.MonkeyPatch) -> None:
    def strict(text: str, known: Collection[str], setting: str) -> RecordFilter | None:
        found = compile_filter(text, known, setting)
        return compile_filter("new_synctomkto == true", known, setting) if found and text == NATIVE else found

    monkeypatch.setattr(deciding, "compile_filter", strict)


@switched_off("N98", story="filter-entered", notices="and carries what had changed in Dynamics")
def what_changes_outside_the_filter_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetting(case: Case, link: Link) -> LinkPlan:
        plan, crm, marketing = endings.paused(case, link), case.subject.crm, case.subject.marketing
        if crm is None or marketing is None:
            return plan
        ends = zip(case.mapping.crm_values(crm.values), case.mapping.marketing_values(marketing.values), strict=True)
        return replace(plan, base=link.base.replaced(dict(enumerate(ends))))

    monkeypatch.setattr(planner, "paused", forgetting)


@switched_off("N98", story="filter-entered", notices="the first pass after the Yes makes who was never there")
def whoever_was_outside_stays_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    outside: set[RecordKey] = set()
    is_outside = subject.is_outside

    def remembered(mapping: EntityMapping, policy: EntityPolicy, crm: State | None, *, is_linked: bool = False) -> bool:
        if crm is not None and is_outside(mapping, policy, crm, is_linked=is_linked):
            outside.add(crm.key)
        return crm is not None and crm.key in outside

    monkeypatch.setattr(subject, "is_outside", remembered)


def _without_filter_of(entity: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def others(config: Config) -> dict[Entity, str]:
        return {name: text for name, text in scope.crm_filters(config).items() if name != entity}

    monkeypatch.setattr(deciding, "crm_filters", others)


@switched_off("N95", story="filter-any-column", notices="an account outside is no company")
def accounts_have_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    _without_filter_of("account", monkeypatch)


@switched_off("N95", story="filter-any-column", notices="a contact outside is no person")
def contacts_have_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    _without_filter_of("contact", monkeypatch)


@switched_off("N95", story="filter-any-column", notices="an opportunity outside is none in Marketo")
def opportunities_have_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    _without_filter_of("opportunity", monkeypatch)


@switched_off("N95", story="filter-any-column", notices="nor is a role")
def roles_have_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    _without_filter_of("connection", monkeypatch)


@switched_off("N95", story="filter-any-column", notices="a team outside is no sales person")
def teams_have_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    _without_filter_of("team", monkeypatch)


@switched_off("N95", story="filter-any-column", notices="nor is a user")
def users_have_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    _without_filter_of("systemuser", monkeypatch)


@switched_off("N95", story="filter-any-column", notices="nor is a row of a custom table a custom object")
def custom_tables_have_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    _without_filter_of("new_visit", monkeypatch)


@switched_off("N95", story="filter-back", notices="its edits stay in Marketo")
def the_way_back_has_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(config: Config) -> dict[Entity, str]:
        return {}

    monkeypatch.setattr(deciding, "filters_to_crm", none)


@switched_off("N100", story="filter-any-column", notices="a column of any prefix decides about leads")
def only_columns_of_one_prefix_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    def prefixed(text: str, known: Collection[str], setting: str) -> RecordFilter | None:
        others = [name for name in names_in(text) if "_" in name and not name.startswith("new_")]
        return None if others else compile_filter(text, known, setting)

    monkeypatch.setattr(deciding, "compile_filter", prefixed)


@switched_off("N101", story="filter-any-column", notices="the workflow's late no stops it, in sight")
def whoever_came_in_once_stays_in(monkeypatch: pytest.MonkeyPatch) -> None:
    _keep_linked_records_inside(monkeypatch)


@switched_off("N101", story="filter-any-column", notices="by choice the person is removed")
def whoever_is_late_to_leave_is_not_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    _take_leaving_for(LeaveRule.KEEP, LeaveRule.REMOVE, monkeypatch)


def _keep_linked_records_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    is_outside = subject.is_outside

    def entering(mapping: EntityMapping, policy: EntityPolicy, crm: State | None, *, is_linked: bool = False) -> bool:
        return not is_linked and is_outside(mapping, policy, crm)

    monkeypatch.setattr(subject, "is_outside", entering)


def _take_leaving_for(rule: LeaveRule, meant: LeaveRule, monkeypatch: pytest.MonkeyPatch) -> None:
    def paused(case: Case, link: Link) -> LinkPlan:
        policy = replace(case.policy, on_leave=rule) if case.policy.on_leave is meant else case.policy
        return endings.paused(replace(case, policy=policy), link)

    monkeypatch.setattr(planner, "paused", paused)


@switched_off("N97", story="filter-empty-trap", notices="an empty one is copied and updated")
def an_empty_column_is_a_trap_always(monkeypatch: pytest.MonkeyPatch) -> None:
    def trapping(text: str, known: Collection[str], setting: str) -> RecordFilter | None:
        return compile_filter_to_keep(NATIVE_TRAP if text == NATIVE else text, known, setting)

    monkeypatch.setattr(deciding, "compile_filter_to_keep", trapping)


@switched_off("N97", story="filter-empty-trap", notices="with the trap it is copied once")
def the_native_trap_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def harmless(text: str, known: Collection[str], setting: str) -> RecordFilter | None:
        return None

    monkeypatch.setattr(deciding, "compile_filter_to_keep", harmless)


def _pause_in_silence(case: Case, link: Link) -> LinkPlan:
    return replace(endings.paused(case, link), holds=())


@switched_off("N97", story="filter-empty-trap", notices="and both are shown as paused")
def whom_the_trap_stops_is_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "paused", _pause_in_silence)


@switched_off("N99", story="filter-left", notices="the person stays as it was")
def whoever_leaves_goes_on_being_synced(monkeypatch: pytest.MonkeyPatch) -> None:
    _keep_linked_records_inside(monkeypatch)


@switched_off("N99", story="filter-left", notices="it is listed")
def whoever_leaves_is_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "paused", _pause_in_silence)


@switched_off("N99", story="filter-left", notices="a person to be marked is marked")
def whoever_leaves_is_not_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    _take_leaving_for(LeaveRule.KEEP, LeaveRule.FLAG, monkeypatch)


@switched_off("N99", story="filter-left", notices="a person to be removed is gone")
def whoever_leaves_is_not_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    _take_leaving_for(LeaveRule.KEEP, LeaveRule.REMOVE, monkeypatch)


RECIPE: Final = "tests/scenarios/test_filter_recipe.py::test_the_recipe_needs_no_column_and_no_workflow"


@switched_off("N102", test=RECIPE, notices="a lead without one is not")
def leads_without_an_address_come_too(monkeypatch: pytest.MonkeyPatch) -> None:
    _without_filter_of("lead", monkeypatch)


@switched_off("N102", test=RECIPE, notices="a contact without one is not")
def contacts_without_an_address_come_too(monkeypatch: pytest.MonkeyPatch) -> None:
    _without_filter_of("contact", monkeypatch)


@switched_off("N102", test=RECIPE, notices="and is listed")
def whoever_loses_the_address_is_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "paused", _pause_in_silence)
