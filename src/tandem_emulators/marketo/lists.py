"""Static lists and their members (3.8). Adding a member twice is no error and logs nothing the second time."""

from collections.abc import Mapping, Sequence
from typing import Any

from tandem_emulators.marketo.call import Call
from tandem_emulators.marketo.envelope import Reply
from tandem_emulators.marketo.errors import ApiError, SkipError, lead_not_found
from tandem_emulators.marketo.lead_end import input_ids
from tandem_emulators.marketo.lead_read import render, requested_fields
from tandem_emulators.marketo.log import ADD_TO_LIST, REMOVE_FROM_LIST, Activity
from tandem_emulators.marketo.people import Author, iso
from tandem_emulators.marketo.store import decode, encode, marks
from tandem_emulators.marketo.subscription import Handler, Subscription

_SOURCES = {"id": "id", "name": "json_extract(doc, '$.name')", "programName": "json_extract(doc, '$.programName')",
            "workspaceName": "json_extract(doc, '$.workspaceName')"}  # fmt: skip


def create_list(subscription: Subscription, name: str, now_s: float, **also: Any) -> int:
    values = {"name": name, **also, "workspaceName": "Default"}
    sql = "INSERT INTO list (created_s, updated_s, doc) VALUES (?, ?, ?)"
    return subscription.store.run(sql, (int(now_s), int(now_s), encode(values).decode()))


def find_list(subscription: Subscription, wanted: Any) -> int | None:
    """The id of a list, by id or by name."""
    if isinstance(wanted, bool) or not isinstance(wanted, int | str) or (isinstance(wanted, int) and wanted >= 2**63):
        return None
    sql = "SELECT id FROM list WHERE id = ? OR json_extract(doc, '$.name') = ?"
    row = subscription.store.one(sql, (wanted, wanted))
    return int(row[0]) if row is not None else None


def query(subscription: Subscription, call: Call) -> Reply:
    conditions = ["id > ?"]
    values: list[Any] = []
    for name, source in _SOURCES.items():
        wanted: Sequence[Any] = call.integers(name) if name == "id" else call.texts(name)
        if wanted:
            conditions.append(f"{source} IN ({marks(wanted)})")
            values += wanted
    after, mark = subscription.position(call.text("nextPageToken"), "lists", conditions, values)
    size = call.batch_size()
    sql = f"SELECT id, created_s, updated_s, doc FROM list WHERE {' AND '.join(conditions)} ORDER BY id LIMIT ?"
    rows = list(subscription.store.rows(sql, (after, *values, size + 1)))
    page, token = subscription.page(rows, size, mark, lambda row: int(row[0]))
    return Reply([_shown(row) for row in page], token)


def get(subscription: Subscription, call: Call) -> Reply:
    row = _row(subscription, call.path_integer("listId"))
    return Reply([_shown(row)])


def members(subscription: Subscription, call: Call) -> Reply:
    list_id = _row(subscription, call.path_integer("listId"))[0]
    names = requested_fields(subscription, call.texts("fields"))
    after, mark = subscription.position(call.text("nextPageToken"), "members", list_id, names)
    size = call.batch_size()
    sql = "SELECT lead_id FROM list_member WHERE list_id = ? AND lead_id > ? ORDER BY lead_id LIMIT ?"
    ids = [number for (number,) in subscription.store.rows(sql, (list_id, after, size + 1))]
    page, token = subscription.page(ids, size, mark, lambda number: number)
    leads = subscription.leads.load(page)
    return Reply(render(subscription, [leads[number] for number in page], names), token)


def add(subscription: Subscription, call: Call) -> Reply:
    list_id, ids = _row(subscription, call.path_integer("listId"))[0], input_ids(call)
    subscription.counters.written(len(ids))
    known = subscription.leads.load(_numbers(ids))
    add_members(subscription, list_id, list(known), subscription.author(call, "addLeadsToList"), call.now_s)
    return Reply([_result(number, dict.fromkeys(known, "added")) for number in ids])


def remove(subscription: Subscription, call: Call) -> Reply:
    list_id, ids = _row(subscription, call.path_integer("listId"))[0], input_ids(call)
    subscription.counters.written(len(ids))
    known = subscription.leads.load(_numbers(ids))
    present = members_among(subscription, list_id, _numbers(ids))
    remove_members(subscription, list_id, present, subscription.author(call, "removeLeadsFromList"), call.now_s)
    outcome: dict[int, str | SkipError] = {
        number: "removed" if number in present else SkipError("1015", "Lead not in list") for number in known
    }
    return Reply([_result(number, outcome) for number in ids])


def is_member(subscription: Subscription, call: Call) -> Reply:
    list_id, ids = _row(subscription, call.path_integer("listId"))[0], input_ids(call)
    known = subscription.leads.load(_numbers(ids))
    present = members_among(subscription, list_id, _numbers(ids))
    outcome = {number: "memberof" if number in present else "notmemberof" for number in known}
    return Reply([_result(number, outcome) for number in ids])


def lists_of_lead(subscription: Subscription, call: Call) -> Reply:
    lead_id = call.path_integer("leadId")
    if lead_id not in subscription.leads.load([lead_id]):
        raise ApiError("1004", "Lead not found")
    after, mark = subscription.position(call.text("nextPageToken"), "listMembership", lead_id)
    size = call.batch_size()
    sql = (
        "SELECT id, created_s, updated_s FROM list JOIN list_member ON list_id = id"
        " WHERE lead_id = ? AND id > ? ORDER BY id LIMIT ?"
    )
    rows = list(subscription.store.rows(sql, (lead_id, after, size + 1)))
    page, token = subscription.page(rows, size, mark, lambda row: int(row[0]))
    shown = [{"listId": number, "createdAt": iso(made), "updatedAt": iso(kept)} for number, made, kept in page]
    return Reply(shown, token, more_result=token is not None)


def add_members(subscription: Subscription, list_id: int, ids: Sequence[int], author: Author, now_s: float) -> None:
    present = members_among(subscription, list_id, ids)
    new = [number for number in dict.fromkeys(ids) if number not in present]
    subscription.store.run_many("INSERT INTO list_member VALUES (?, ?)", [(list_id, number) for number in new])
    _tell(subscription, ADD_TO_LIST, list_id, new, author, now_s)


def remove_members(subscription: Subscription, list_id: int, ids: Sequence[int], author: Author, now_s: float) -> None:
    sql = "DELETE FROM list_member WHERE list_id = ? AND lead_id = ?"
    subscription.store.run_many(sql, [(list_id, number) for number in ids])
    _tell(subscription, REMOVE_FROM_LIST, list_id, ids, author, now_s)


def members_among(subscription: Subscription, list_id: int, ids: Sequence[int]) -> list[int]:
    sql = f"SELECT lead_id FROM list_member WHERE list_id = ? AND lead_id IN ({marks(ids)})"
    return [number for (number,) in subscription.store.rows(sql, (list_id, *ids))]


def _tell(
    subscription: Subscription, type_id: int, list_id: int, ids: Sequence[int], author: Author, now_s: float
) -> None:
    name = decode(_row(subscription, list_id)[3])["name"]
    writer = subscription.writer(author, now_s)
    writer.note(*(Activity(number, type_id, list_id, name, {"Source": author.source}) for number in ids))
    writer.flush()


def _row(subscription: Subscription, list_id: int) -> tuple[Any, ...]:
    row = subscription.store.one("SELECT id, created_s, updated_s, doc FROM list WHERE id = ?", (list_id,))
    if row is None:
        raise ApiError("1013", "Object not found")
    return row


def _shown(row: tuple[Any, ...]) -> dict[str, Any]:
    number, created_s, updated_s, doc = row
    values = {name: value for name, value in decode(doc).items() if name != "folder"}
    return {"id": number, **values, "createdAt": iso(created_s), "updatedAt": iso(updated_s)}


def _numbers(ids: Sequence[int | SkipError]) -> list[int]:
    return [number for number in ids if isinstance(number, int)]


def _result(number: int | SkipError, outcomes: Mapping[int, str | SkipError]) -> dict[str, Any]:
    """What came of one id; one that is nobody's is skipped."""
    if isinstance(number, SkipError):
        return number.as_result()
    outcome = outcomes.get(number, lead_not_found())
    return outcome.as_result(id=number) if isinstance(outcome, SkipError) else {"id": number, "status": outcome}


HANDLERS: dict[str, Handler] = {
    "lists.query": query,
    "lists.get": get,
    "lists.leads": members,
    "lists.add": add,
    "lists.remove": remove,
    "lists.ismember": is_member,
    "leads.listmembership": lists_of_lead,
}
