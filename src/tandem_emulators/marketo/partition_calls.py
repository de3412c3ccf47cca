"""The calls about lead partitions: list them, and move people between them (3.2, 3.6)."""

from typing import Any

from tandem_emulators.marketo.call import Call
from tandem_emulators.marketo.envelope import Reply
from tandem_emulators.marketo.errors import RefusalError, SkipError, lead_not_found
from tandem_emulators.marketo.lead_end import input_id
from tandem_emulators.marketo.people import Lead
from tandem_emulators.marketo.subscription import Handler, Subscription


def query(subscription: Subscription, call: Call) -> Reply:
    found = [each for each in subscription.partitions.all() if each.is_accessible]
    described = [{} if each.description is None else {"description": each.description} for each in found]
    return Reply([{"id": each.id, "name": each.name, **also} for each, also in zip(found, described, strict=True)])


def update(subscription: Subscription, call: Call) -> Reply:
    records = call.input(call.body())
    subscription.counters.written(len(records))
    writer = subscription.writer(subscription.author(call, "updateLeadPartition"), call.now_s)
    ids = [input_id(record.get("id")) for record in records]
    leads = subscription.leads.load([number for number in ids if isinstance(number, int)])
    results: list[dict[str, Any]] = []
    for number, record in zip(ids, records, strict=True):
        try:
            lead = _lead(number, leads)
            writer.move_to_partition(lead, subscription.partitions.get(record.get("partitionName")))
            results.append({"id": lead.id, "status": "updated"})
        except RefusalError as refusal:
            results.append(SkipError(refusal.code, refusal.message).as_result())
    writer.flush()
    return Reply(results)


def _lead(number: int | SkipError, leads: dict[int, Lead]) -> Lead:
    if isinstance(number, SkipError):
        raise number
    if number not in leads:
        raise lead_not_found()
    return leads[number]


HANDLERS: dict[str, Handler] = {"leads.partitions": query, "leads.partitions.update": update}
