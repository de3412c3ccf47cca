"""Rows N36 to N59: custom tables, campaigns and their members, calls from flow steps."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tandem.app import build, commands
from tandem.app import requests as app_requests
from tandem.app import schema as app_schema
from tandem.app.quarantine import quarantined
from tandem.app.reports import SchemaReport
from tandem.config import policies
from tandem.config.model import Config
from tandem.config.tables import CustomConfig
from tandem.connectors.dynamics import check, desk, errors
from tandem.connectors.dynamics.desk import DynamicsDesk
from tandem.connectors.dynamics.schema import Column
from tandem.core import mapping_resolver, planner, related
from tandem.core.default_mapping import DEFAULT_MAPPINGS, DefaultMapping
from tandem.core.endings import tombstone
from tandem.core.memberships import CampaignRule, Roster, who_comes_and_goes
from tandem.core.plan import LinkPlan, Plan
from tandem.core.policy import EntityPolicy
from tandem.core.record import (
    ACCOUNT,
    CONTACT,
    LEAD,
    USER,
    Entity,
    Lane,
    Link,
    ReadNumber,
    RecordId,
    RecordKey,
    Side,
    State,
)
from tandem.core.related import LINKED_BY, Related, Shown, find_shown
from tandem.core.requests import Ask, Asked, Deed, Request, RequestState, derived_id
from tandem.core.schema import FieldInfo
from tandem.core.subject import Case, Rules, Subject
from tandem.core.wanted_pairs import WantedPair
from tandem.ports import Access, Campaign, MemberList, Page, Store
from tandem.runtime import deeds, extract, lanes, memberships, requests, sync_pass
from tandem.runtime.asking import asked_of
from tandem.runtime.backfill import FIRST_COPY
from tandem.runtime.deeds import Settled, Step, own_list
from tandem.runtime.engine import Engine
from tandem.runtime.extract import to_state
from tandem.runtime.memberships import Rule
from tandem.runtime.pauses import is_paused
from tandem.store import requests as stored_requests
from tandem.web.routes import hooks
from tests.scenarios.switched_off.cases import switched_off

# --- custom tables


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


# --- campaigns and their members


@switched_off("N47", story="campaign-members", notices="who leaves the list leaves the campaign")
def members_only_come(monkeypatch: pytest.MonkeyPatch) -> None:
    def comes(rule: CampaignRule, *more: Any) -> Sequence[Ask]:
        return who_comes_and_goes(replace(rule, remove=None), *more)

    monkeypatch.setattr(memberships, "who_comes_and_goes", comes)


@switched_off("N47", story="campaign-list", notices="a deleted campaign is gone")
def a_campaign_that_is_gone_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(case: Case, link: Link, marketing: State) -> LinkPlan:
        return tombstone(case, link, "deleted in crm", ())

    monkeypatch.setattr(planner, "deleted_in_crm", ended)


@switched_off("N47", story="campaign-by-status", notices="who is invited only is no member")
def every_status_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Roster, "counts", lambda roster, member: True)


@switched_off("N48", story="campaign-members", notices="who leaves the list leaves the campaign")
def the_members_in_dynamics_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read_before: dict[str, list[RecordKey]] = {}
    present = memberships._present

    async def as_at_first(engine: Engine, rule: CampaignRule, campaign: Campaign) -> list[RecordKey]:
        if rule.name not in read_before:
            read_before[rule.name] = await present(engine, rule, campaign)
        return read_before[rule.name]

    monkeypatch.setattr(memberships, "_present", as_at_first)


@switched_off("N49", story="campaign-members", notices="who was missing in Dynamics was made first")
def whoever_is_missing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    without_a_record = (Deed.ADD_TO_CAMPAIGN, Deed.REMOVE_FROM_CAMPAIGN)
    monkeypatch.setattr(Deed, "needs_a_record", property(lambda deed: deed not in without_a_record))


@switched_off("N49", story="campaign-steps", notices="who is missing in Dynamics is made first")
def a_step_makes_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    whoever_is_missing_is_left_out(monkeypatch)


@switched_off("N49", story="campaign-by-status", notices="who attended and was missing is made as the rule says")
def whoever_is_missing_becomes_a_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    async def as_a_lead(engine: Engine, request: Request, person: State | None) -> Asked:
        return replace(await asked_of(engine, request, person), entity=LEAD)

    monkeypatch.setattr(requests, "asked_of", as_a_lead)


@switched_off("N50", story="campaign-members", notices="and the lead, in a list of its own")
def leads_share_the_list_of_the_contacts(monkeypatch: pytest.MonkeyPatch) -> None:
    def shared(engine: Engine, campaign: RecordId, entity: Entity) -> MemberList:
        return own_list(engine, campaign, CONTACT)

    monkeypatch.setattr(deeds, "own_list", shared)


@switched_off("N50", story="campaign-members", notices="in the list that was made first")
def a_list_that_was_left_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    left: Counter[Entity] = Counter()
    remove_member = DynamicsDesk.remove_member

    async def remove(self: DynamicsDesk, list_: MemberList, id: RecordId) -> None:
        await remove_member(self, list_, id)
        left[list_.entity] += 1

    def another(engine: Engine, campaign: RecordId, entity: Entity) -> MemberList:
        own = own_list(engine, campaign, entity)
        return replace(own, id=derived_id(own.id, str(left[entity]))) if left[entity] else own

    monkeypatch.setattr(DynamicsDesk, "remove_member", remove)
    monkeypatch.setattr(deeds, "own_list", another)
    monkeypatch.setattr(memberships, "own_list", another)


@switched_off("N51", story="campaign-members", notices="they are in lists with names of their own")
def the_lists_have_other_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deeds, "list_name", lambda entity, campaign: f"{entity}s")


def _with_rule(monkeypatch: pytest.MonkeyPatch, **other: Any) -> None:
    """The rule of the settings, but for `other` members of it."""
    compare = memberships._compare

    async def otherwise(engine: Engine, rule: Rule) -> Sequence[Ask]:
        return await compare(engine, replace(rule, **other) if isinstance(rule, CampaignRule) else rule)

    monkeypatch.setattr(memberships, "_compare", otherwise)


@switched_off("N52", story="campaign-members", notices="whom others added stays")
def whom_others_added_is_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    _with_rule(monkeypatch, remove="all")


@switched_off("N52", story="campaign-members", notices="by choice they go too")
def whom_others_added_stays_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    _with_rule(monkeypatch, remove="own")


def _removing(monkeypatch: pytest.MonkeyPatch, *, others: bool) -> None:
    remove = deeds._remove_from_campaign

    async def otherwise(engine: Engine, request: Request, record: RecordKey) -> Settled | Step:
        return await remove(engine, replace(request, arguments={**request.arguments, "others": others}), record)

    monkeypatch.setattr(deeds, "_remove_from_campaign", otherwise)


@switched_off("N52", story="campaign-steps", notices="whom others added stays")
def a_step_takes_out_whoever_is_in(monkeypatch: pytest.MonkeyPatch) -> None:
    _removing(monkeypatch, others=True)


@switched_off("N52", story="campaign-steps", notices="unless the step says others too")
def a_step_takes_out_its_own_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    _removing(monkeypatch, others=False)


@switched_off("N53", story="campaign-members", notices="and whom somebody else takes out is put back")
def only_what_tandem_changed_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is on the list and was added once is left to whoever takes them out in Dynamics."""
    members: dict[str, set[RecordId]] = {}

    def as_changed_here(rule: CampaignRule, campaign: RecordId, people: Collection[RecordId], *more: Any) -> list[Ask]:
        known = members.get(rule.name, set())
        members[rule.name] = set(people)
        asks = who_comes_and_goes(rule, campaign, people, *more)
        return [ask for ask in asks if ask.person not in known]

    monkeypatch.setattr(memberships, "who_comes_and_goes", as_changed_here)


@switched_off("N54", story="campaign-steps", notices="a campaign that is not active takes nobody")
def a_campaign_that_is_over_takes_people(monkeypatch: pytest.MonkeyPatch) -> None:
    every_campaign_counts_as_active(monkeypatch)


@switched_off("N54", story="campaign-members", notices="a campaign that is not active is left alone")
def every_campaign_counts_as_active(monkeypatch: pytest.MonkeyPatch) -> None:
    find = DynamicsDesk.find_campaign

    async def active(self: DynamicsDesk, named: str) -> Campaign | None:
        found = await find(self, named)
        return replace(found, is_active=True) if found else None

    monkeypatch.setattr(DynamicsDesk, "find_campaign", active)


# --- calls from flow steps


@switched_off("N55", story="change-owner-hook", notices="the contact belongs to the new owner at once")
def nobody_is_assigned(monkeypatch: pytest.MonkeyPatch) -> None:
    async def assigned(engine: Engine, request: Request, record: RecordKey) -> Settled | Step:
        return Settled("assigned")

    monkeypatch.setattr(deeds, "_change_owner", assigned)


@switched_off("N55", story="change-owner-hook", notices="whoever was missing was made first")
def whoever_has_no_record_gets_no_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Deed, "needs_a_record", property(lambda deed: deed is not Deed.CHANGE_OWNER))


@switched_off("N55", story="change-owner-hook", notices="the owner may be a sales person of Marketo")
def a_sales_person_is_no_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deeds, "SALESPERSON", Entity("nobody"))


@switched_off("N55", story="change-owner-hook", notices="or a team")
def a_team_is_no_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    find = DynamicsDesk.find_owner

    async def user(self: DynamicsDesk, who: str) -> RecordKey | None:
        found = await find(self, who)
        return found if found is not None and found.entity == USER else None

    monkeypatch.setattr(DynamicsDesk, "find_owner", user)


@switched_off(
    "N55", story="change-owner-hook", notices="who chose another owner before the step's answer came prevails"
)
def the_step_prevails(monkeypatch: pytest.MonkeyPatch) -> None:
    change_owner = deeds._change_owner

    async def anew(engine: Engine, request: Request, record: RecordKey) -> Settled | Step:
        return await change_owner(engine, replace(request, state=RequestState.WAITING), record)

    monkeypatch.setattr(deeds, "_change_owner", anew)


@switched_off("N56", story="create-task-hook", notices="it regards the lead")
def a_task_regards_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    create = DynamicsDesk._create

    async def alone(self: DynamicsDesk, path: str, body: Mapping[str, Any], operation: str) -> None:
        body = {name: value for name, value in body.items() if not name.startswith("regardingobjectid")}
        await create(self, path, body, operation)

    monkeypatch.setattr(DynamicsDesk, "_create", alone)


@switched_off("N56", story="create-task-hook", notices="called twice it is one task")
def every_call_is_another_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_requests, "is_repeat", lambda earlier, ask, now: False)


@switched_off("N57", story="create-task-hook", notices="it is due in five days")
def a_task_is_due_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deeds, "DUE_DAYS", 0)


@switched_off("N57", story="create-task-hook", notices="or in as many as the step says")
def every_task_is_due_in_five_days(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app_requests._FIELDS[Deed.CREATE_TASK], "due_days", lambda name, given: None)


@switched_off("N58", story="create-task-hook", notices="its status reason is the step's status")
def a_task_has_not_been_started(monkeypatch: pytest.MonkeyPatch) -> None:
    not_started = 2
    monkeypatch.setattr(desk, "_status", lambda column, named: not_started)


@switched_off("N58", story="create-task-hook", notices="which may be a number")
def a_status_goes_by_its_label_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    status = desk._status

    def labelled(column: Column, named: str) -> int:
        not_started = 2
        return not_started if named.isdecimal() else status(column, named)

    monkeypatch.setattr(desk, "_status", labelled)


@switched_off("N59", story="create-task-hook", notices="the token in its subject is filled")
def a_text_is_taken_as_it_was_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def raw(text: str, **more: Any) -> list[tuple[str, str]]:
        return [(name, value) for name, _, value in (part.partition("=") for part in text.split("&"))]

    monkeypatch.setattr(hooks, "parse_qsl", raw)
