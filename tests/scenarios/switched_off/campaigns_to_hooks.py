"""Rows N47 to N59: campaigns and their members, calls from flow steps."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tandem.app import requests as app_requests
from tandem.connectors.dynamics import desk
from tandem.connectors.dynamics.desk import DynamicsDesk
from tandem.connectors.dynamics.schema import Column
from tandem.core import planner
from tandem.core.endings import tombstone
from tandem.core.memberships import CampaignRule, Roster, who_comes_and_goes
from tandem.core.plan import LinkPlan
from tandem.core.record import (
    CONTACT,
    LEAD,
    USER,
    Entity,
    Link,
    RecordId,
    RecordKey,
    State,
)
from tandem.core.requests import Ask, Asked, Deed, Request, RequestState, derived_id
from tandem.core.subject import Case
from tandem.ports import Campaign, MemberList
from tandem.runtime import deeds, memberships, requests
from tandem.runtime.asking import asked_of
from tandem.runtime.deeds import Settled, Step, own_list
from tandem.runtime.engine import Engine
from tandem.runtime.memberships import Rule
from tandem.store import requests as stored_requests
from tandem.web.routes import hooks
from tests.scenarios.switched_off.cases import switched_off

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
