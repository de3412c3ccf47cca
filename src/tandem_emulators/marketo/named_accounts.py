"""Members of named account lists; the accounts and the lists themselves are objects like the others (4.1)."""

from typing import Any

from tandem_emulators.marketo.call import Call
from tandem_emulators.marketo.envelope import Reply
from tandem_emulators.marketo.errors import ApiError, SkipError, field_not_found
from tandem_emulators.marketo.objects import Record
from tandem_emulators.marketo.subscription import Handler, Subscription


def members(subscription: Subscription, call: Call) -> Reply:
    accounts = subscription.records["namedaccounts"]
    names = call.texts("fields")
    for name in names:
        if accounts.kind.field(name) is None:
            raise field_not_found(name)
    shown = names or accounts.kind.default_fields()
    list_id = _list(subscription, call).id
    after, mark = subscription.position(call.text("nextPageToken"), "accountMembers", list_id, shown)
    size = call.batch_size()
    sql = "SELECT account_id FROM account_list_member WHERE list_id = ? AND account_id > ? ORDER BY account_id LIMIT ?"
    ids = [number for (number,) in subscription.store.rows(sql, (list_id, after, size + 1))]
    page, token = subscription.page(ids, size, mark, lambda number: number)
    found = [accounts.get(number) for number in page]
    subscription.counters.read(len(found))
    return Reply([{"seq": seq, **accounts.view(each, shown)} for seq, each in enumerate(found)], token)


def add(subscription: Subscription, call: Call) -> Reply:
    sql = "INSERT OR IGNORE INTO account_list_member VALUES (?, ?)"
    return _change(subscription, call, sql, "added")


def remove(subscription: Subscription, call: Call) -> Reply:
    sql = "DELETE FROM account_list_member WHERE list_id = ? AND account_id = ?"
    return _change(subscription, call, sql, "removed")


def _change(subscription: Subscription, call: Call, sql: str, status: str) -> Reply:
    list_id, inputs = _list(subscription, call).id, call.input(call.body())
    subscription.counters.written(len(inputs))
    results: list[dict[str, Any]] = []
    for seq, raw in enumerate(inputs):
        try:
            account = _account(subscription, raw.get("marketoGUID"))
            if status == "removed" and not _is_member(subscription, list_id, account):
                raise SkipError("1013", "Membership not found")
        except SkipError as skip:
            results.append(skip.as_result(seq=seq))
            continue
        subscription.store.run(sql, (list_id, account.id))
        results.append({"seq": seq, "marketoGUID": account.guid, "status": status})
    return Reply(results)


def _account(subscription: Subscription, guid: Any) -> Record:
    if guid is None or guid == "":
        raise SkipError("1002", "Missing value for the required parameter 'marketoGUID'")
    found = subscription.records["namedaccounts"].find_by_id(guid)
    if found is None:
        raise SkipError("1013", "Record not found")
    return found


def _is_member(subscription: Subscription, list_id: int, account: Record) -> bool:
    sql = "SELECT 1 FROM account_list_member WHERE list_id = ? AND account_id = ?"
    return subscription.store.one(sql, (list_id, account.id)) is not None


def _list(subscription: Subscription, call: Call) -> Record:
    found = subscription.records["namedaccountlists"].find_by_id(call.path["id"])
    if found is None:
        raise ApiError("1013", "Record not found")
    return found


HANDLERS: dict[str, Handler] = {
    "namedaccountlists.members": members,
    "namedaccountlists.add": add,
    "namedaccountlists.remove": remove,
}
