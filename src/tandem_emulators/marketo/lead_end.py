"""How a person ends: deleted, or merged into another (3.4, 3.5)."""

from collections.abc import Sequence
from typing import Any

from tandem_emulators.marketo.call import BATCH_MAX, Call, as_integer
from tandem_emulators.marketo.envelope import Reply
from tandem_emulators.marketo.errors import ApiError, SkipError, invalid, lead_not_found, missing_parameter
from tandem_emulators.marketo.log import DELETE_LEAD, MERGE_LEADS, Activity
from tandem_emulators.marketo.people import Author, Lead
from tandem_emulators.marketo.store import encode, marks
from tandem_emulators.marketo.subscription import Handler, Subscription

LOSERS_MAX = 25


def delete(subscription: Subscription, call: Call) -> Reply:
    inputs = input_ids(call)
    subscription.counters.written(len(inputs))
    leads = subscription.leads.load([number for number in inputs if isinstance(number, int)])
    results = [_delete_result(number, leads) for number in inputs]
    doomed = list(leads.values())
    remove(subscription, doomed, subscription.author(call, "deleteLead"), call.now_s)
    return Reply(results)


def input_ids(call: Call) -> list[int | SkipError]:
    """The ids of a batch, from the JSON body or from the query; what is no id becomes the refusal of its record."""
    if call.has_body():
        return [input_id(record.get("id")) for record in call.input(call.body())]
    ids = call.integers("id")
    if not ids:
        raise missing_parameter("id")
    if len(ids) > BATCH_MAX:
        raise invalid(f"The number of ids, {len(ids)}, exceeds the maximum of {BATCH_MAX}")
    return list(ids)


def input_id(value: Any) -> int | SkipError:
    if value is None:
        return SkipError("1002", "Missing value for the required parameter 'id'")
    try:
        return as_integer(str(value))
    except ApiError as error:
        return SkipError(error.code, error.message)


def _delete_result(number: int | SkipError, leads: dict[int, Lead]) -> dict[str, Any]:
    if isinstance(number, SkipError):
        return number.as_result()
    return {"id": number, "status": "deleted"} if number in leads else lead_not_found().as_result()


def remove(subscription: Subscription, leads: Sequence[Lead], author: Author, now_s: float) -> None:
    """Delete people, with the entry that only the deleted-leads feed shows."""
    _forget(subscription, [lead.id for lead in leads], now_s, merged_into=None)
    writer = subscription.writer(author, now_s)
    writer.note(*(Activity(lead.id, DELETE_LEAD, lead.id, lead.full_name) for lead in leads))
    writer.flush()


def merge(subscription: Subscription, call: Call) -> Reply:
    losers = list(dict.fromkeys([*call.integers("leadId"), *call.integers("leadIds")]))
    if not losers:
        raise missing_parameter("leadId")
    if len(losers) > LOSERS_MAX:
        raise ApiError("1080", f"The number of leads to merge, {len(losers)}, exceeds the maximum of {LOSERS_MAX}")
    subscription.counters.written(1 + len(losers))
    merge_leads(subscription, call.path_integer("leadId"), losers, subscription.author(call, "mergeLeads"), call.now_s)
    return Reply()


def merge_leads(subscription: Subscription, winner_id: int, losers: list[int], author: Author, now_s: float) -> None:
    """The winner keeps its values, takes what it lacks from the losers in turn, and all their memberships.

    Raises:
        ApiError: 1004, one of them does not exist; 1003, the winner is its own loser.
    """
    leads = subscription.leads.load([winner_id, *losers])
    if len(leads) < 1 + len(set(losers) - {winner_id}):
        raise ApiError("1004", "Lead not found")
    if winner_id in losers:
        raise invalid(f"Invalid value for field 'leadId' and value '{winner_id}'")
    winner, lost = leads[winner_id], [leads[number] for number in losers]
    _take_over_values(subscription, winner, lost, int(now_s))
    _take_over_memberships(subscription, winner_id, losers, now_s)
    subscription.log.repoint(losers, winner_id)
    _forget(subscription, losers, now_s, merged_into=winner_id)
    writer = subscription.writer(author, now_s)
    writer.note(
        Activity(winner_id, MERGE_LEADS, winner_id, winner.full_name, {"Merge IDs": losers, "Merge Source": "leaddb"})
    )
    if subscription.settings.merge_losers_in_deleted_feed:
        writer.note(*(Activity(lead.id, DELETE_LEAD, lead.id, lead.full_name) for lead in lost))
    writer.flush()


def _take_over_values(subscription: Subscription, winner: Lead, lost: Sequence[Lead], now_s: int) -> None:
    values, company_id = dict(winner.values), winner.company_id
    for loser in lost if subscription.settings.merge_fallback == "first" else reversed(lost):
        values = loser.values | values
        company_id = company_id if company_id is not None else loser.company_id
    if values == winner.values and company_id == winner.company_id:
        return
    subscription.store.run(
        "UPDATE lead SET updated_s = ?, company_id = ?, doc = ? WHERE id = ?",
        (now_s, company_id, encode(values).decode(), winner.id),
    )


def _take_over_memberships(subscription: Subscription, winner_id: int, losers: Sequence[int], now_s: float) -> None:
    subscription.store.run(
        f"INSERT OR IGNORE INTO list_member SELECT list_id, ? FROM list_member WHERE lead_id IN ({marks(losers)})",
        (winner_id, *losers),
    )
    subscription.programs.take_over(winner_id, losers)
    _take_over_links(subscription, winner_id, losers, int(now_s))
    subscription.campaigns.take_over(winner_id, losers)


def _take_over_links(subscription: Subscription, winner_id: int, losers: Sequence[int], now_s: int) -> None:
    """Records that named a loser by its id name the winner, unless the winner has the same record already."""
    for records in subscription.all_records():
        for link in records.kind.links:
            if link.object != "lead" or link.target not in ("", "id"):
                continue
            for record in records.search([link.field], [[number] for number in losers], 0, -1):
                key = records.key(record.values | {link.field: winner_id})
                if (
                    key is not None
                    and records.find_by_key(key) is not None
                    and link.field in records.kind.dedupe_fields
                ):
                    records.delete(record, now_s)
                else:
                    records.update(record, {link.field: winner_id}, now_s)


def _forget(subscription: Subscription, ids: Sequence[int], now_s: float, *, merged_into: int | None) -> None:
    store = subscription.store
    store.run(f"DELETE FROM lead WHERE id IN ({marks(ids)})", ids)
    store.run(f"DELETE FROM list_member WHERE lead_id IN ({marks(ids)})", ids)
    subscription.programs.forget(ids)
    subscription.campaigns.forget(ids)
    store.run_many(
        "INSERT OR REPLACE INTO deleted (object, id, at_s, merged_into) VALUES ('lead', ?, ?, ?)",
        [(str(number), int(now_s), merged_into) for number in ids],
    )


HANDLERS: dict[str, Handler] = {
    "leads.delete": delete,
    "leads.merge": merge,
}
