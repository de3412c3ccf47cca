"""The writing calls every object but the lead has: sync and delete (4.1)."""

from collections.abc import Mapping
from typing import Any

from tandem_emulators.marketo.call import Call, choice
from tandem_emulators.marketo.envelope import Reply
from tandem_emulators.marketo.errors import ApiError, SkipError, invalid
from tandem_emulators.marketo.fields import ValueRules
from tandem_emulators.marketo.lead_read import lookup_key
from tandem_emulators.marketo.log import Activity
from tandem_emulators.marketo.object_calls import CRM_OBJECTS, QUERIED, records_of
from tandem_emulators.marketo.objects import Link, ObjectType, Record, Records, read_values
from tandem_emulators.marketo.people import Author
from tandem_emulators.marketo.subscription import Handler, Subscription

ADD_TO_OPPORTUNITY = 34
_STRICT = ValueRules()


def sync(subscription: Subscription, call: Call) -> Reply:
    records = _writable_records(subscription, call)
    body, kind = call.body(), records.kind
    action = choice(body, "action", kind.actions, kind.actions[0])
    by_id = _by_id(body, "dedupeBy")
    if by_id and action != "updateOnly":
        raise invalid("Invalid dedupeBy 'idField' value")
    inputs = call.input(body)
    subscription.counters.written(len(inputs))
    author = subscription.author(call, f"sync{kind.display_name}".replace(" ", ""))
    batch = ObjectBatch(subscription, records, author, call.now_s, action, by_id=by_id)
    return Reply([batch.answer(seq, record) for seq, record in enumerate(inputs)])


def delete(subscription: Subscription, call: Call) -> Reply:
    records, body = _writable_records(subscription, call), call.body()
    by_id = _by_id(body, "deleteBy")
    inputs = call.input(body)
    subscription.counters.written(len(inputs))
    return Reply([_delete_one(subscription, records, call, by_id, seq, raw) for seq, raw in enumerate(inputs)])


def _writable_records(subscription: Subscription, call: Call) -> Records:
    """Raises ApiError 1018 for what a CRM owns: under a native sync, or a custom object mirrored from there."""
    records = records_of(subscription, call)
    if records.kind.crm_managed or (subscription.settings.native_crm != "none" and records.kind.name in CRM_OBJECTS):
        raise ApiError("1018", "CRM Enabled")
    return records


class ObjectBatch:
    """Writes records one by one: each is matched by its key, or by its id, and answered in its place."""

    def __init__(
        self,
        subscription: Subscription,
        records: Records,
        author: Author,
        now_s: float,
        action: str = "createOrUpdate",
        *,
        by_id: bool = False,
    ) -> None:
        self._subscription = subscription
        self._records = records
        self._author = author
        self._now_s = now_s
        self._action = action
        self._by_id = by_id
        self._seen: set[str] = set()

    def answer(self, seq: int, raw: Mapping[str, Any]) -> dict[str, Any]:
        try:
            record, status = self.write(raw)
        except SkipError as skip:
            return skip.as_result(seq=seq)
        return {"seq": seq, "status": status, self._records.kind.id_field: self._records.public_id(record)}

    def write(self, raw: Mapping[str, Any]) -> tuple[Record, str]:
        """The record and what became of it.

        Raises:
            SkipError: the record is refused; nothing of it was written.
        """
        records = self._records
        values = read_values(records.kind, raw, _STRICT)
        found = self._find(raw, values)
        if found is not None and self._action == "createOnly":
            raise SkipError("1017", "Object already exists")
        if found is None and self._action == "updateOnly":
            raise SkipError("1013", records.kind.missing)
        self._check_required(values, found)
        for link in records.kind.links:
            value = values.get(link.field)
            if value is not None and not _exists(self._subscription, link, value):
                raise SkipError(link.code, link.message)
        if found is None:
            made = records.insert(values, int(self._now_s))
            if records.kind.name == "opportunityRole":
                self._tell_role(made)
            return made, "created"
        self._check_key_is_free(found, values)
        if records is self._subscription.companies:
            self._subscription.change_company(found, values, self._author, self._now_s)
        else:
            records.update(found, values, int(self._now_s))
        return found, "updated"

    def _tell_role(self, role: Record) -> None:
        """A person who gets a role is told to have been added to the opportunity."""
        opportunities = self._subscription.records["opportunities"]
        key = opportunities.key(role.values)
        opportunity = opportunities.find_by_key(key) if key is not None else None
        assert opportunity is not None, "a role names an opportunity that exists"
        told = {"Is Primary": bool(role.values.get("isPrimary")), "Role": role.values["role"]}
        writer = self._subscription.writer(self._author, self._now_s)
        name = opportunity.values.get("name")
        writer.note(Activity(role.values["leadId"], ADD_TO_OPPORTUNITY, opportunity.id, name, told))
        writer.flush()

    def _find(self, raw: Mapping[str, Any], values: Mapping[str, Any]) -> Record | None:
        kind = self._records.kind
        if self._by_id:
            wanted = raw.get(kind.id_field)
            if wanted is None:
                raise _missing(kind.id_field)
            self._check_once(str(wanted))
            return self._records.find_by_id(wanted)
        if not kind.dedupe_fields:  # an intermediary without a key: every record is a new one
            return None
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

    def _check_key_is_free(self, found: Record, values: Mapping[str, Any]) -> None:
        key = self._records.key(found.values | dict(values))
        holder = self._records.find_by_key(key) if key is not None else None
        if holder is not None and holder.id != found.id:
            raise SkipError("1017", "Object already exists")


def _exists(subscription: Subscription, link: Link, value: Any) -> bool:
    """Whether there is the record that a link field names."""
    if link.object == "lead":
        name = link.target or "id"
        key = lookup_key(subscription.fields.find_exact(name), name, value)
        return bool(subscription.leads.find(name, [key]))
    target = subscription.find_records(link.object)
    if target is None:
        return False
    if link.target in ("id", "marketoGUID"):
        return target.find_by_id(value) is not None
    key = target.key({target.kind.dedupe_fields[0]: value})
    return key is not None and target.find_by_key(key) is not None


def _delete_one(
    subscription: Subscription, records: Records, call: Call, by_id: bool, seq: int, raw: Mapping[str, Any]
) -> dict[str, Any]:
    try:
        found = _addressed(records, by_id, raw)
        if found is None:
            raise SkipError("1013", records.kind.missing)
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
        raise _missing(next((name for name in kind.dedupe_fields if raw.get(name) is None), kind.id_field))
    return records.find_by_key(key)


def _is_in_use(subscription: Subscription, kind: ObjectType, record: Record) -> bool:
    """Whether a lead or another record points at it; a sales person is also held by a company deleted since (4.1)."""
    store = subscription.store
    if kind.name == "company" and store.one("SELECT 1 FROM lead WHERE company_id = ? LIMIT 1", (record.id,)):
        return True
    name = kind.dedupe_fields[0] if kind.dedupe_fields else kind.id_field
    value = record.values.get(name)
    if kind.name == "salesperson":
        sql = f"SELECT 1 FROM lead WHERE {store.path('lead', name, False)} = ? LIMIT 1"
        gone = "SELECT 1 FROM deleted WHERE object = 'company' AND seller = ? LIMIT 1"
        if store.one(sql, (value,)) is not None or store.one(gone, (value,)) is not None:
            return True
    pointing = [other for other in subscription.types.values() for link in other.links if link.object == kind.name]
    sql = f"SELECT 1 FROM record WHERE object = ? AND {store.path('record', name, False)} = ? LIMIT 1"
    return any(store.one(sql, (other.name, value)) is not None for other in pointing)


def _by_id(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name) or "dedupeFields"
    if value not in ("dedupeFields", "idField"):
        raise invalid(f"Invalid {name} '{value}' value")
    return bool(value == "idField")


def _missing(name: str) -> SkipError:
    return SkipError("1002", f"Missing value for the required parameter '{name}'")


HANDLERS: dict[str, Handler] = {
    f"{name}.{what}": handler
    for name in (*QUERIED, "customobjects")
    for what, handler in {"sync": sync, "delete": delete}.items()
}
