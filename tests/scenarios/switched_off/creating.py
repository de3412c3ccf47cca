"""Rows N16 to N23: creating in Dynamics."""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from tandem.app import push
from tandem.app import requests as app_requests
from tandem.app.build import Setup
from tandem.app.reports import PlannedAction
from tandem.app.request_reports import PushReport
from tandem.app.run_loop import RunLoop
from tandem.core import creation, planner
from tandem.core.memberships import CreationRule
from tandem.core.plan import FieldWrite, Plan
from tandem.core.record import LEAD, Entity, Link, RecordId, RecordKey, Side, State
from tandem.core.requests import Ask, Asked, Deed, Request, RequestState
from tandem.core.subject import Case
from tandem.runtime import asking, candidates, foresight, memberships, requests
from tandem.runtime.engine import Engine
from tandem.runtime.requests import Reception
from tests.scenarios.switched_off.cases import switched_off


def anybody_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person known only to Marketo becomes a record whether or not somebody asks for it."""

    def always(case: Case, marketing: State) -> bool:
        return True

    monkeypatch.setattr(planner, "_may_be_created", always)


@switched_off("N16", story="push-by-webhook", notices="nobody is made in Dynamics unasked")
def everybody_is_made_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    anybody_is_made(monkeypatch)


@switched_off("N16", story="push-by-webhook", notices="who is in Dynamics already is not made again")
def nobody_looks_who_is_in_dynamics_already(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nobody(engine: Engine, entity: Entity, by_key: object) -> None:
        return

    monkeypatch.setattr(candidates, "_mark_known", nobody)


@switched_off("N16", story="made-by-membership", notices="nobody else is made")
def who_is_on_no_list_is_made_too(monkeypatch: pytest.MonkeyPatch) -> None:
    anybody_is_made(monkeypatch)


@switched_off("N16", "N18", story="made-by-membership", notices="the member is made as the rule says")
def members_of_a_list_are_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(rule: CreationRule, people: Collection[RecordId], links: object) -> Sequence[Ask]:
        return ()

    monkeypatch.setattr(memberships, "who_is_made", nobody)


def ask_with(monkeypatch: pytest.MonkeyPatch, *, force: bool) -> None:
    """Calls are read as if they had said so about force."""
    read = app_requests.read_ask

    def rewritten(deed: Deed, fields: Mapping[str, Any], **more: Any) -> Ask:
        ask = read(deed, fields, **more)
        said = {name: value for name, value in ask.arguments.items() if name != "force"}
        return replace(ask, arguments={**said, "force": True} if force else said)

    monkeypatch.setattr(app_requests, "read_ask", rewritten)


@switched_off("N17", story="push-by-webhook", notices="what Dynamics changed goes to Marketo as ever")
def the_step_carries_the_persons_values_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    ask_with(monkeypatch, force=True)


@switched_off("N17", story="push-by-webhook", notices="by force the step carries the person's values again")
def force_is_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    ask_with(monkeypatch, force=False)


@switched_off("N18", story="push-by-webhook", notices="the lead is there long before the next pass is due")
def a_flow_step_waits_for_the_next_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    async def undisturbed(self: RunLoop, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stop.wait(), seconds)

    monkeypatch.setattr(RunLoop, "_rest", undisturbed)


@switched_off("N19", story="push-again-no-effect", notices="its edit is in Marketo at once")
def a_push_waits_for_the_next_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    push_record = push._push_record

    async def later(setup: Setup, key: RecordKey, link: Link | None) -> PushReport:
        is_person = key.side is Side.MARKETING
        return await push_record(setup, key, link) if is_person else PushReport(str(key), "done", "carried later")

    monkeypatch.setattr(push, "_push_record", later)


@switched_off("N19", story="push-again-no-effect", notices="and shows its plan")
def a_push_does_not_show_its_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(engine: Engine, plan: Plan) -> tuple[PlannedAction, ...]:
        return ()

    monkeypatch.setattr(push, "_actions", nothing)


@switched_off("N20", story="push-again-no-effect", notices="one contact was made")
def whoever_is_made_is_a_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    asked_of = asking.asked_of

    async def as_lead(engine: Engine, request: Request, person: State | None) -> Asked:
        return replace(await asked_of(engine, request, person), entity=LEAD)

    for module in (requests, foresight):
        monkeypatch.setattr(module, "asked_of", as_lead)


@switched_off("N20", story="push-again-no-effect", notices="it is under the account of that name")
def a_contact_is_made_under_no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    async def none(engine: Engine, person: State) -> None:
        return None

    monkeypatch.setattr(asking, "_account_of", none)


@switched_off("N20", story="push-again-no-effect", notices="by choice a contact is under no account")
def a_contact_is_always_made_under_its_account(monkeypatch: pytest.MonkeyPatch) -> None:
    read = app_requests.read_ask

    def under_its_account(deed: Deed, fields: Mapping[str, Any], **more: Any) -> Ask:
        return read(deed, {**fields, "account": "company"}, **more)

    monkeypatch.setattr(push, "read_ask", under_its_account)


@switched_off("N21", story="push-by-webhook", notices="the step's repetition is told so")
def who_is_in_dynamics_is_a_stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(link: Link | None) -> None:
        return None

    monkeypatch.setattr(foresight, "live_record", nobody)


@switched_off("N22", story="push-by-webhook", notices="it belongs to the user that was named")
def whoever_is_made_belongs_to_us(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(case: Case, written: Collection[str]) -> Iterator[FieldWrite]:
        return iter(())

    monkeypatch.setattr(creation, "_asked_columns", nothing)


@switched_off("N23", story="push-again-no-effect", notices="what Dynamics refuses is refused with its reason")
def what_dynamics_refuses_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(self: Reception, asked: object, links: object) -> None:
        return

    monkeypatch.setattr(Reception, "_refuse_the_hopeless", never)


@switched_off("N23", story="push-again-no-effect", notices="and listed with it")
def why_dynamics_refuses_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    end = Reception._end

    def without_reason(self: Reception, request: Request, state: RequestState, said: str) -> None:
        end(self, request, state, "refused" if state is RequestState.REFUSED else said)

    monkeypatch.setattr(Reception, "_end", without_reason)
