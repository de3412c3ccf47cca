"""The calls every object but the lead has: describe, query, sync, delete, and its fields' metadata (4.1)."""

from collections.abc import Mapping, Sequence
from typing import Any

from tandem_emulators.marketo.call import BATCH_MAX, Call, choice
from tandem_emulators.marketo.envelope import Reply
from tandem_emulators.marketo.errors import ApiError, SkipError, field_not_found, invalid, missing_parameter
from tandem_emulators.marketo.fields import ValueRules, convert
from tandem_emulators.marketo.lead_read import filter_values
from tandem_emulators.marketo.objects import FieldData, ObjectType, Record, Records, read_values
from tandem_emulators.marketo.subscription import Handler, Subscription

ACTIONS = ("createOrUpdate", "createOnly", "updateOnly")
TYPES_SINCE = "2015-01-01T00:00:00Z"
_STRICT = ValueRules()


def describe(subscription: Subscription, call: Call) -> Reply:
    kind = _records(subscription, call).kind
    head = {
        "name": kind.name,
        "displayName": kind.display_name,
        "description": kind.description,
        "createdAt": TYPES_SINCE,
        "updatedAt": TYPES_SINCE,
        "idField": kind.id_field,
        "dedupeFields": kind.dedupe_fields,
        "searchableFields": kind.searchable_fields,
        "relationships": [],
    }
    return Reply([{**head, "fields": [_described(field) for field in kind.fields]}])


def query(subscription: Subscription, call: Call) -> Reply:
    records = _records(subscription, call)
    stated = call.body() if call.has_body() else None
    names, wanted = _filter(records.kind, call, stated)
    shown = _shown_fields(records.kind, call, stated)
    size = call.batch_size(stated.get("batchSize") if stated else None)
    token = str(stated["nextPageToken"]) if stated and stated.get("nextPageToken") else call.text("nextPageToken")
    after, mark = subscription.position(token, records.kind.name, names, wanted, shown)
    found = records.search(names, wanted, after, size + 1)
    page, next_token = subscription.page(found, size, mark, lambda record: record.id)
    subscription.counters.read(len(page))
    return Reply([{"seq": seq, **records.view(record, shown)} for seq, record in enumerate(page)], next_token)


def sync(subscription: Subscription, call: Call) -> Reply:
    _check_native_crm(subscription)
    records, body = _records(subscription, call), call.body()
    action = choice(body, "action", ACTIONS, "createOrUpdate")
    by_id = _by_id(body, "dedupeBy")
    if by_id and action != "updateOnly":
        raise invalid("Invalid dedupeBy 'idField' value")
    inputs = call.input(body)
    subscription.counters.written(len(inputs))
    batch = _Batch(subscription, records, call, action, by_id)
    return Reply([batch.answer(seq, record) for seq, record in enumerate(inputs)])


def delete(subscription: Subscription, call: Call) -> Reply:
    _check_native_crm(subscription)
    records, body = _records(subscription, call), call.body()
    by_id = _by_id(body, "deleteBy")
    inputs = call.input(body)
    subscription.counters.written(len(inputs))
    return Reply([_delete_one(subscription, records, call, by_id, seq, raw) for seq, raw in enumerate(inputs)])


def list_fields(subscription: Subscription, call: Call) -> Reply:
    kind = _records(subscription, call).kind
    return Reply([_metadata(field) for field in kind.fields], more_result=False)


def get_field(subscription: Subscription, call: Call) -> Reply:
    name = call.path["fieldApiName"]
    found = [field for field in _records(subscription, call).kind.fields if field.name == name]
    if not found:
        raise field_not_found(name)
    return Reply([_metadata(found[0])])


class _Batch:
    """One Sync call: each record is matched by its key, or by its id, and answered in its place."""

    def __init__(self, subscription: Subscription, records: Records, call: Call, action: str, by_id: bool) -> None:
        self._subscription = subscription
        self._records = records
        self._call = call
        self._action = action
        self._by_id = by_id
        self._seen: set[str] = set()
        self._author = subscription.author(call, f"sync{records.kind.display_name}".replace(" ", ""))

    def answer(self, seq: int, raw: Mapping[str, Any]) -> dict[str, Any]:
        try:
            record, status = self._write(raw)
        except SkipError as skip:
            return skip.as_result(seq=seq)
        return {"seq": seq, "status": status, self._records.kind.id_field: self._records.public_id(record)}

    def _write(self, raw: Mapping[str, Any]) -> tuple[Record, str]:
        records = self._records
        values = read_values(records.kind, raw, _STRICT)
        found = self._find(raw, values)
        if found is not None and self._action == "createOnly":
            raise SkipError("1017", "Object already exists")
        if found is None and self._action == "updateOnly":
            raise SkipError("1013", "Object not found")
        self._check_required(values, found)
        self._check_links(values)
        if found is None:
            return records.insert(values, int(self._call.now_s)), "created"
        self._check_key_is_free(found, values)
        if records is self._subscription.companies:
            self._subscription.change_company(found, values, self._author, self._call.now_s)
        else:
            records.update(found, values, int(self._call.now_s))
        return found, "updated"

    def _find(self, raw: Mapping[str, Any], values: Mapping[str, Any]) -> Record | None:
        kind = self._records.kind
        if self._by_id:
            wanted = raw.get(kind.id_field)
            if wanted is None:
                raise _missing(kind.id_field)
            self._check_once(str(wanted))
            return self._records.find_by_id(wanted)
        key = self._records.key(values)
        if key is None:
            raise _missing(next(name for name in kind.dedupe_fields if values.get(name) is None))
        self._check_once(key)
        return self._records.find_by_key(key)

    def _check_once(self, key: str) -> None:
        if key in self._seen:
            raise SkipError("1036", "Duplicate object found in input")
        self._seen.add(key)

    def _check_required(self, values: Mapping[str, Any], found: Record | None) -> None:
        present = values if found is None else found.values | dict(values)
        for name in (*self._records.kind.required, *self._records.kind.dedupe_fields):
            if present.get(name) is None and not (found is not None and name not in values):
                raise _missing(name)

    def _check_links(self, values: Mapping[str, Any]) -> None:
        for link in self._records.kind.links:
            value = values.get(link.field)
            if value is not None and not self._exists(link.object, value):
                raise SkipError(link.code, link.message)

    def _exists(self, object_name: str, value: Any) -> bool:
        if object_name == "lead":
            return bool(self._subscription.leads.load([value]))
        target = next(records for records in self._subscription.records.values() if records.kind.name == object_name)
        key = target.key({target.kind.dedupe_fields[0]: value})
        return key is not None and target.find_by_key(key) is not None

    def _check_key_is_free(self, found: Record, values: Mapping[str, Any]) -> None:
        key = self._records.key(found.values | dict(values))
        holder = self._records.find_by_key(key) if key is not None else None
        if holder is not None and holder.id != found.id:
            raise SkipError("1017", "Object already exists")


def _delete_one(
    subscription: Subscription, records: Records, call: Call, by_id: bool, seq: int, raw: Mapping[str, Any]
) -> dict[str, Any]:
    try:
        found = _addressed(records, by_id, raw)
        if found is None:
            raise SkipError("1013", "Object not found")
        if _is_in_use(subscription, records.kind, found):
            raise SkipError("1022", "Object in use")
    except SkipError as skip:
        return skip.as_result(seq=seq)
    records.delete(found, int(call.now_s))
    return {"seq": seq, "status": "deleted", records.kind.id_field: records.public_id(found)}


def _addressed(records: Records, by_id: bool, raw: Mapping[str, Any]) -> Record | None:
    kind = records.kind
    if by_id:
        wanted = raw.get(kind.id_field)
        if wanted is None:
            raise _missing(kind.id_field)
        return records.find_by_id(wanted)
    key = records.key(read_values(kind, raw, _STRICT))
    if key is None:
        raise _missing(next(name for name in kind.dedupe_fields if raw.get(name) is None))
    return records.find_by_key(key)


def _is_in_use(subscription: Subscription, kind: ObjectType, record: Record) -> bool:
    """Whether a lead or another record points at it."""
    store = subscription.store
    if kind.name == "company":
        return store.one("SELECT 1 FROM lead WHERE company_id = ? LIMIT 1", (record.id,)) is not None
    name = kind.dedupe_fields[0]
    value = record.values.get(name)
    if len(kind.dedupe_fields) > 1 or value is None:
        return False
    if subscription.fields.find_exact(name) is not None:
        sql = f"SELECT 1 FROM lead WHERE {store.path('lead', name, False)} = ? LIMIT 1"
        if store.one(sql, (value,)) is not None:
            return True
    pointing = [other for other in subscription.types.values() for link in other.links if link.object == kind.name]
    sql = f"SELECT 1 FROM record WHERE object = ? AND {store.path('record', name, False)} = ? LIMIT 1"
    return any(store.one(sql, (other.name, value)) is not None for other in pointing)


def _filter(kind: ObjectType, call: Call, stated: Mapping[str, Any] | None) -> tuple[list[str], list[list[Any]]]:
    """The fields a query selects by, and the tuples of values it asks for."""
    name = str(stated.get("filterType") or "") if stated else call.text("filterType")
    if not name:
        raise invalid("filterType not specified")
    names = _aliased(kind, name)
    if stated and "input" in stated:
        return names, [[_key_part(kind, part, record.get(part)) for part in names] for record in call.input(stated)]
    if len(names) > 1:
        raise missing_parameter("input")
    return names, [[_key_part(kind, names[0], value)] for value in dict.fromkeys(_plain_values(call, stated))]


def _plain_values(call: Call, stated: Mapping[str, Any] | None) -> Sequence[Any]:
    values = stated.get("filterValues") if stated else None
    if values is None:
        return filter_values(call)
    if not isinstance(values, list) or not 0 < len(values) <= BATCH_MAX:
        raise invalid("filterValues not specified")
    return values


def _aliased(kind: ObjectType, name: str) -> list[str]:
    names = {"idField": [kind.id_field], "dedupeFields": kind.dedupe_fields}.get(name, [name])
    if names not in kind.searchable_fields:
        raise invalid(f"Invalid filterType '{name}'")
    return list(names)


def _key_part(kind: ObjectType, name: str, value: Any) -> Any:
    found = kind.field(name)
    assert found is not None, name
    if value is None:
        raise missing_parameter(name)
    try:
        return convert(found, value, _STRICT)
    except SkipError as skip:
        raise ApiError(skip.code, skip.message) from skip


def _shown_fields(kind: ObjectType, call: Call, stated: Mapping[str, Any] | None) -> list[str]:
    listed = stated.get("fields") if stated else None
    names = [str(name) for name in listed] if isinstance(listed, list) else call.texts("fields")
    for name in names:
        if kind.field(name) is None:
            raise field_not_found(name)
    return list(dict.fromkeys(names)) or list(dict.fromkeys(kind.default_fields()))


def _by_id(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name) or "dedupeFields"
    if value not in ("dedupeFields", "idField"):
        raise invalid(f"Invalid {name} '{value}' value")
    return bool(value == "idField")


def _check_native_crm(subscription: Subscription) -> None:
    if subscription.settings.native_crm != "none":
        raise ApiError("1018", "CRM Enabled")


def _records(subscription: Subscription, call: Call) -> Records:
    """Raises ApiError 610 for an object whose calls are known but whose metadata is not."""
    found = subscription.records.get(call.operation.name.partition(".")[0])
    if found is None:
        raise ApiError("610", "Requested resource not found")
    return found


def _missing(name: str) -> SkipError:
    return SkipError("1002", f"Missing value for the required parameter '{name}'")


def _described(field: FieldData) -> dict[str, Any]:
    head: dict[str, Any] = {"name": field.name, "displayName": field.display_name, "dataType": field.data_type}
    if field.length is not None:
        head["length"] = field.length
    return {**head, "updateable": field.updateable, "crmManaged": False}


def _metadata(field: FieldData) -> dict[str, Any]:
    head: dict[str, Any] = {
        "displayName": field.display_name,
        "name": field.name,
        "description": "",
        "dataType": field.data_type,
    }
    if field.length is not None:
        head["length"] = field.length
    flags = {"isHidden": False, "isHtmlEncodingInEmail": True, "isSensitive": False}
    return head | flags | {"isCustom": False, "isApiCreated": False}


HANDLERS: dict[str, Handler] = {
    f"{name}.{what}": handler
    for name in ("companies", "salespersons", "opportunities", "roles", "namedaccounts")
    for what, handler in {
        "describe": describe,
        "query": query,
        "sync": sync,
        "delete": delete,
        "fields.list": list_fields,
        "fields.get": get_field,
    }.items()
}
