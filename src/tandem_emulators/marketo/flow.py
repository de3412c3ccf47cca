"""The flow of a smart campaign: steps run on people one after the other, told as `Marketo Flow Action` (5.3).

A step is an object with its kind in `step`; a person at the control API may run steps without a campaign, too.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from tandem_emulators.kit.errors import ControlError
from tandem_emulators.marketo.campaigns import Campaign
from tandem_emulators.marketo.errors import RefusalError, SkipError
from tandem_emulators.marketo.fields import Field
from tandem_emulators.marketo.lead_end import remove
from tandem_emulators.marketo.lead_sync import Reader, write_company_of
from tandem_emulators.marketo.lists import add_members, find_list, remove_members
from tandem_emulators.marketo.log import Activity
from tandem_emulators.marketo.people import Author, Lead
from tandem_emulators.marketo.program_writer import ProgramWriter
from tandem_emulators.marketo.subscription import Subscription
from tandem_emulators.marketo.webhooks import BATCH_CAMPAIGN, Caller, Outcome, Webhook

CALL_WEBHOOK, REQUEST_CAMPAIGN = 110, 47
SOURCE = "Marketo Flow Action"

Step = Mapping[str, Any]


class Flows:
    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self._caller = Caller()
        self._steps: dict[str, Callable[[Step, Lead, Author, float], None]] = {
            "change_data_value": self._change_data_value,
            "change_score": self._change_score,
            "add_to_list": self._add_to_list,
            "remove_from_list": self._remove_from_list,
            "change_program_status": self._change_program_status,
            "change_partition": self._change_partition,
            "call_webhook": self._call_webhook,
            "delete": self._delete,
        }

    def check(self, steps: Any) -> list[Step]:
        """The steps, as far as their kinds and webhooks can be judged before anybody runs through them."""
        if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
            raise ControlError("The steps of a flow are a list of objects.")
        for step in steps:
            if step.get("step") not in self._steps:
                raise ControlError(f"A flow step is one of {', '.join(self._steps)}, not {step.get('step')!r}.")
            if step["step"] == "call_webhook":
                _webhook(step)
        return steps

    def run(self, steps: Sequence[Step], lead_ids: Sequence[int], now_s: float, campaign: Campaign | None) -> None:
        """Run people through the steps, each person through all of them before the next one.

        A campaign passes over a step that fails; run by hand it says what is wrong.
        """
        for number in lead_ids:
            for step in steps:
                lead = self._subscription.leads.load([number]).get(number)
                if lead is None:
                    break
                try:
                    self._steps[step["step"]](step, lead, _author(step, campaign), now_s)
                except (RefusalError, ControlError):
                    if campaign is None:
                        raise
        if campaign is not None:
            self._subscription.campaigns.join(campaign.id, lead_ids, int(now_s))

    def request(self, campaign: Campaign, lead_ids: Sequence[int], author: Author, now_s: float) -> None:
        """What Request Campaign does, and what the campaign then does."""
        writer = self._subscription.writer(author, now_s)
        told = {"Source": author.source}
        writer.note(*(Activity(number, REQUEST_CAMPAIGN, campaign.id, campaign.name, told) for number in lead_ids))
        writer.flush()
        self.run(campaign.flow, lead_ids, now_s, campaign)

    def is_anything_due(self, now_s: float) -> bool:
        return self._caller.has_answers() or self._subscription.campaigns.is_any_due(now_s)

    def catch_up(self, now_s: float) -> None:
        """Take in the answers of webhooks and run what was scheduled."""
        outcomes, due = self._caller.take(), self._subscription.campaigns.take_due(now_s)
        for outcome in outcomes:
            self._take_in(outcome, now_s)
        for campaign in due:
            self.run(campaign.flow, self._audience(campaign), now_s, campaign)

    def _audience(self, campaign: Campaign) -> list[int]:
        """A batch campaign's smart list is here the members of a static list."""
        sql = "SELECT lead_id FROM list_member WHERE list_id = ? ORDER BY lead_id"
        return [number for (number,) in self._subscription.store.rows(sql, (campaign.list_id,))]

    def _take_in(self, outcome: Outcome, now_s: float) -> None:
        lead = self._subscription.leads.load([outcome.lead_id]).get(outcome.lead_id)
        if lead is None:
            return
        told = {"Response": outcome.text[:1_000], **({"Error Type": outcome.error} if outcome.error else {})}
        author = Author(SOURCE, SOURCE, f"Webhook {outcome.webhook.name}", campaign_id=outcome.campaign_id)
        writer = self._subscription.writer(author, now_s)
        writer.note(Activity(lead.id, CALL_WEBHOOK, None, outcome.webhook.name, told))
        writer.flush()
        for name, value in outcome.values.items():
            try:
                self._write(lead, {name: value}, author, now_s)
            except RefusalError:
                continue  # a mapping that does not fit fills nothing

    def _change_data_value(self, step: Step, lead: Lead, author: Author, now_s: float) -> None:
        self._write(lead, {_text(step, "field"): step.get("value")}, author, now_s)

    def _change_score(self, step: Step, lead: Lead, author: Author, now_s: float) -> None:
        """`+5` and `-5` add, `=5` sets."""
        field = self._score(step.get("field", "leadScore"))
        text = _text(step, "change").replace(" ", "")
        try:
            number = int(text.removeprefix("="))
        except ValueError as error:
            raise ControlError(f"A change of a score is +n, -n or =n, not {text!r}.") from error
        value = number if text.startswith("=") else int(lead.values.get(field.name) or 0) + number
        self._write(lead, {field.name: value}, author, now_s)

    def _score(self, name: Any) -> Field:
        found = self._subscription.fields.find_exact(str(name))
        if found is None or found.data_type != "score":
            raise ControlError(f"There is no score field {name!r}.")
        return found

    def _write(self, lead: Lead, values: Mapping[str, Any], author: Author, now_s: float) -> None:
        change, company_values = Reader(self._subscription).read(values)
        writer = self._subscription.writer(author, now_s)
        if company_values:
            write_company_of(self._subscription, writer, lead, company_values, author, now_s, managed_too=True)
        writer.change(lead, change)
        writer.flush()

    def _add_to_list(self, step: Step, lead: Lead, author: Author, now_s: float) -> None:
        add_members(self._subscription, self._list(step), [lead.id], author, now_s)

    def _remove_from_list(self, step: Step, lead: Lead, author: Author, now_s: float) -> None:
        remove_members(self._subscription, self._list(step), [lead.id], author, now_s)

    def _list(self, step: Step) -> int:
        found = find_list(self._subscription, step.get("list"))
        if found is None:
            raise ControlError(f"There is no list {step.get('list')!r}.")
        return found

    def _change_program_status(self, step: Step, lead: Lead, author: Author, now_s: float) -> None:
        wanted = step.get("program")
        program = self._subscription.programs.find(wanted) if isinstance(wanted, int | str) else None
        status = program.find_status(_text(step, "status")) if program is not None else None
        if program is None or status is None:
            raise ControlError(f"There is no program {wanted!r} with a status {step.get('status')!r}.")
        writer = ProgramWriter(self._subscription, program, author, now_s)
        member = self._subscription.programs.members(program.id, [lead.id]).get(lead.id)
        try:
            writer.progress(lead.id, member, status)
        except SkipError:
            return  # a flow does not move a member back either
        writer.flush()

    def _change_partition(self, step: Step, lead: Lead, author: Author, now_s: float) -> None:
        writer = self._subscription.writer(author, now_s)
        writer.move_to_partition(lead, self._subscription.partitions.get(step.get("partition")))
        writer.flush()

    def _call_webhook(self, step: Step, lead: Lead, author: Author, now_s: float) -> None:
        """Only a trigger campaign calls; in a batch campaign the step fails (7.1)."""
        campaign = self._subscription.campaigns.find(author.campaign_id or 0)
        if campaign is not None and campaign.type == "batch":
            self._take_in(Outcome(lead.id, campaign.id, _webhook(step), error=BATCH_CAMPAIGN), now_s)
            return
        company = self._subscription.leads.companies([lead]).get(lead.company_id, {})
        fields = list(self._subscription.fields)
        values = self._subscription.leads.view(lead, company, [field.name for field in fields])
        tokens = {f"lead.{field.display_name}": values[field.name] for field in fields}
        tokens |= {f"lead.{field.name}": values[field.name] for field in fields}
        self._caller.call(_webhook(step), tokens | {"lead.Id": lead.id}, lead.id, author.campaign_id)

    def _delete(self, step: Step, lead: Lead, author: Author, now_s: float) -> None:
        remove(self._subscription, [lead], author, now_s)


def _author(step: Step, campaign: Campaign | None) -> Author:
    name = campaign.name if campaign is not None else "Flow by hand"
    action = str(step["step"]).replace("_", " ").title()
    reason = f"Changed by Smart Campaign {name} action {action}"
    return Author(SOURCE, SOURCE, reason, campaign_id=campaign.id if campaign is not None else None)


def _webhook(step: Step) -> Webhook:
    try:
        webhook = msgspec.convert({name: value for name, value in step.items() if name != "step"}, Webhook)
    except msgspec.ValidationError as error:
        raise ControlError(f"This is no webhook: {error}.") from error
    webhook.check()
    return webhook


def _text(step: Step, name: str) -> str:
    value = step.get(name)
    if not isinstance(value, str) or not value:
        raise ControlError(f"The step {step['step']} needs {name!r}.")
    return value
