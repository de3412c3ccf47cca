"""Ways by which people come in besides Sync Leads: Push Lead, Submit Form, and a cookie made known (3.6)."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tandem_emulators.marketo.call import Call, as_integer
from tandem_emulators.marketo.envelope import Reply
from tandem_emulators.marketo.errors import ApiError, SkipError, bad_value, invalid, missing_parameter
from tandem_emulators.marketo.lead_sync import LeadBatch
from tandem_emulators.marketo.log import Activity
from tandem_emulators.marketo.lookup import FieldLookup, stated_lookup
from tandem_emulators.marketo.people import Author
from tandem_emulators.marketo.program_calls import member_values
from tandem_emulators.marketo.program_writer import ProgramWriter
from tandem_emulators.marketo.programs import Program, Status
from tandem_emulators.marketo.subscription import Handler, Subscription

FILL_OUT_FORM, PUSH_LEAD = 2, 145
_COOKIE = re.compile(r"id:[\w-]+&token:_mch-[\w.-]+")
_VISITOR = {
    "pageURL": "Referrer URL",
    "queryString": "Query Parameters",
    "leadClientIpAddress": "Client IP Address",
    "userAgentString": "User Agent",
}


class Form(msgspec.Struct, rename="camel", kw_only=True):
    """`fields` are the lead and member fields on it; one that belongs to a program names it."""

    name: str
    fields: list[str]
    program_id: int | None = None


def create_form(subscription: Subscription, form: Form) -> int:
    doc = msgspec.json.encode(form).decode()
    return subscription.store.run("INSERT INTO form (doc) VALUES (?)", (doc,))


def push(subscription: Subscription, call: Call) -> Reply:
    body = call.body()
    name = body.get("programName")
    if not isinstance(name, str) or not name:
        raise missing_parameter("programName")
    records = call.input(body)
    program = subscription.programs.get(name)
    status = _status(program, body.get("programStatus"))
    subscription.counters.written(len(records))
    author = subscription.author(call, "pushLead")
    lookup = stated_lookup(subscription, body.get("lookupField"))
    batch = LeadBatch(subscription, author, call.now_s, "createOrUpdate", lookup, takes_company_values=True)
    batch.use_partition(body.get("partitionName"))
    results = batch.run(records)
    ids = [result["id"] for result in results if "id" in result]
    told = {"Source": body.get("source"), "Reason": body.get("reason")}
    writer = subscription.writer(author, call.now_s)
    attributes = {name: str(value) for name, value in told.items() if value is not None}
    writer.note(*(Activity(number, PUSH_LEAD, program.id, program.name, attributes) for number in ids))
    writer.flush()
    if status is not None:
        _put_into(subscription, program, status, ids, author, call.now_s)
    return Reply(results)


def _status(program: Program, name: Any) -> Status | None:
    if name is None or name == "":
        return None
    found = program.find_status(str(name))
    if found is None:
        raise ApiError("1025", "Program status not found")
    return found


def _put_into(
    subscription: Subscription, program: Program, status: Status, ids: Sequence[int], author: Author, now_s: float
) -> None:
    """Move people forward in a program; who is further already stays there."""
    writer = ProgramWriter(subscription, program, author, now_s)
    members = subscription.programs.members(program.id, ids)
    for number in dict.fromkeys(ids):
        try:
            writer.progress(number, members.get(number), status)
        except SkipError:
            continue
    writer.flush()


def submit_form(subscription: Subscription, call: Call) -> Reply:
    body = call.body()
    form_id = body.get("formId")
    if form_id is None:
        raise missing_parameter("formId")
    form_id = as_integer(str(form_id))
    form = _form(subscription, form_id)
    records = call.input(body)
    if len(records) != 1:
        raise invalid("Only one record can be submitted at a time")
    subscription.counters.written(1)
    program = _program_of(subscription, form, body.get("programId"))
    try:
        return Reply([_submitted(subscription, call, form, form_id, program, records[0])])
    except SkipError as skip:
        return Reply([skip.as_result()])


def _submitted(
    subscription: Subscription, call: Call, form: Form, form_id: int, program: Program | None, raw: Mapping[str, Any]
) -> dict[str, Any]:
    fields = raw.get("leadFormFields")
    if not isinstance(fields, dict):
        raise SkipError("1002", "Missing value for the required parameter 'leadFormFields'")
    if not fields.get("email"):
        raise SkipError("1002", "Missing value for the required parameter 'email'")
    if not set(fields) <= {"email", *form.fields}:
        raise SkipError("1003", "Form validation failed")
    own = {name: value for name, value in fields.items() if subscription.fields.find_exact(name) is None}
    data = member_values(subscription, own)
    cookie = raw.get("cookie")
    if cookie is not None and not _is_cookie(cookie):
        raise SkipError("1012", f"Invalid cookie value '{cookie}'")
    author = Author("Web form fillout", "Web form fillout", f"Form {form.name}")
    record = {name: value for name, value in fields.items() if name not in own}
    result = _upsert(subscription, author, call.now_s, record)
    if "id" not in result:
        return result
    visitor = raw.get("visitorData")
    _tell_form(subscription, author, call.now_s, form_id, form, result["id"], fields, visitor)
    if cookie is not None:
        keep_cookie(subscription, result["id"], cookie)
    if program is not None:
        first = program.statuses()[0]
        _put_into(subscription, program, first, [result["id"]], author, call.now_s)
        member = subscription.programs.members(program.id, [result["id"]])[result["id"]]
        writer = ProgramWriter(subscription, program, author, call.now_s)
        writer.write(member, data)
        writer.flush()
    return result


def _upsert(subscription: Subscription, author: Author, now_s: float, record: dict[str, Any]) -> dict[str, Any]:
    """By e-mail; among several of one address the one that was updated last is taken (3.6)."""
    email = record["email"]
    if not isinstance(email, str):
        raise bad_value("email", email)
    found = subscription.leads.find("email", [email.lower()]).get(email.lower(), [])
    if not found:
        batch = LeadBatch(
            subscription, author, now_s, "createOnly", FieldLookup(subscription, "email"), takes_company_values=True
        )
        return batch.run([record])[0]
    latest = max(subscription.leads.load(found).values(), key=lambda lead: (lead.updated_s, lead.id))
    batch = LeadBatch(
        subscription, author, now_s, "updateOnly", FieldLookup(subscription, "id"), takes_company_values=True
    )
    return batch.run([record | {"id": latest.id}])[0]


def _tell_form(
    subscription: Subscription,
    author: Author,
    now_s: float,
    form_id: int,
    form: Form,
    lead_id: int,
    fields: Mapping[str, Any],
    visitor: Any,
) -> None:
    data = visitor if isinstance(visitor, dict) else {}
    told = {shown: str(data[name]) for name, shown in _VISITOR.items() if data.get(name) is not None}
    told["Form Fields"] = msgspec.json.encode(fields).decode()
    writer = subscription.writer(author, now_s)
    writer.note(Activity(lead_id, FILL_OUT_FORM, form_id, form.name, dict(sorted(told.items()))))
    writer.flush()


def _program_of(subscription: Subscription, form: Form, stated: Any) -> Program | None:
    """The stated program; else the form's own, when a member field is on the form."""
    if stated is not None:
        return subscription.programs.get(as_integer(str(stated)))
    has_member_field = any(subscription.programs.fields.find_exact(name) for name in form.fields)
    return subscription.programs.get(form.program_id) if has_member_field and form.program_id is not None else None


def _form(subscription: Subscription, form_id: int) -> Form:
    row = subscription.store.one("SELECT doc FROM form WHERE id = ?", (form_id,))
    if row is None:
        raise ApiError("1013", "Object not found")
    return msgspec.json.decode(row[0], type=Form)


def associate(subscription: Subscription, call: Call) -> Reply:
    cookie = call.required("cookie")
    if not _is_cookie(cookie):
        raise ApiError("1012", f"Invalid cookie value '{cookie}'")
    lead_id = call.path_integer("leadId")
    if lead_id not in subscription.leads.find("id", [lead_id]):
        raise ApiError("1004", "Lead not found")
    subscription.counters.written(1)
    keep_cookie(subscription, lead_id, cookie)
    return Reply()


def _is_cookie(value: Any) -> bool:
    return isinstance(value, str) and _COOKIE.fullmatch(value) is not None


def keep_cookie(subscription: Subscription, lead_id: int, cookie: str) -> None:
    """From now on this cookie is that person; no field changes, so nothing is told."""
    store = subscription.store
    path = store.path("lead", "cookies", False)
    store.run(f"UPDATE lead SET doc = json_remove(doc, '$.cookies') WHERE {path} = ?", (cookie,))
    store.run("UPDATE lead SET doc = json_set(doc, '$.cookies', ?) WHERE id = ?", (cookie, lead_id))


HANDLERS: dict[str, Handler] = {
    "leads.push": push,
    "leads.submitform": submit_form,
    "leads.associate": associate,
}
