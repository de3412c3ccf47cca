"""What people do in Dynamics beside typing into records: assigning, tasks, and the marketing lists of campaigns.

What is made here carries an id that the caller derived and says ``If-None-Match: *``, so that a second try finds it
made. Members of a static list are added by a message that leaves those alone who are members already
(``AddListMembersList``); taking out one who is none is no error either.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from tandem.connectors.dynamics.batch import Part
from tandem.connectors.dynamics.client import DynamicsClient, fault_of
from tandem.connectors.dynamics.errors import NOT_FOUND, Fault, classify, classify_write
from tandem.connectors.dynamics.schema import Column, Table
from tandem.connectors.dynamics.side_effects import SideEffects
from tandem.connectors.dynamics.wire import is_guid, path_of
from tandem.core.errors import RejectedError, TransientError
from tandem.core.plan import ActionKind
from tandem.core.record import CONTACT, LEAD, TEAM, USER, Entity, RecordId, RecordKey, Side, Version
from tandem.ports import Campaign, MemberList, Refused, Task

_TASK: Final = Entity("task")
_MEMBER_CODES: Final = {CONTACT: 2, LEAD: 4}
"""``createdfromcode`` of a list (dataverse-web-api 10): what its members are. Lists of accounts hold no people."""
_MEMBER_KINDS: Final = {code: entity for entity, code in _MEMBER_CODES.items()}
_NOT_A_MEMBER: Final = "0x80048458"
_DUPLICATE: Final = "0x80040237"
_MEMBERS_PER_CALL: Final = 500
_IDS_PER_FILTER: Final = 50

_Row = dict[str, Any]


class _Rows(msgspec.Struct):
    value: list[_Row]
    next_link: str | None = msgspec.field(name="@odata.nextLink", default=None)


class DynamicsDesk:
    """`table_of` gives a table's metadata; `timeout_s` is how long a call may take to its end; `origin` is the address
    of the environment, which a reference to a record begins with (dataverse-web-api 5.5)."""

    def __init__(
        self,
        client: DynamicsClient,
        table_of: Callable[[Entity], Awaitable[Table]],
        side_effects: SideEffects,
        timeout_s: float,
        origin: str,
    ) -> None:
        self._client = client
        self._table_of = table_of
        self._side_effects = side_effects
        self._timeout_s = timeout_s
        self._origin = origin

    # --- owners

    async def find_owner(self, who: str) -> RecordKey | None:
        enabled = "isdisabled eq false"
        if is_guid(who):
            users = f"systemusers?$select=systemuserid&$filter={_encoded(f'systemuserid eq {who} and {enabled}')}"
            if await self._rows("find owner", users):
                return RecordKey(Side.CRM, USER, RecordId(who.lower()))
            teams = f"teams?$select=teamid&$filter={_encoded(f'teamid eq {who}')}"
            found = await self._rows("find owner", teams)
            return RecordKey(Side.CRM, TEAM, RecordId(who.lower())) if found else None
        named = f"internalemailaddress eq {_text(who)} and {enabled}"
        rows = await self._rows("find owner", f"systemusers?$select=systemuserid&$filter={_encoded(named)}")
        return RecordKey(Side.CRM, USER, RecordId(rows[0]["systemuserid"])) if len(rows) == 1 else None

    async def fetch_owner(self, record: RecordKey) -> tuple[RecordId | None, Version | None]:
        table = await self._table_of(record.entity)
        path = f"{table.set_name}({record.id})?$select=_ownerid_value"
        (answer,) = await self._client.get_many("read owner", [path])
        fault = fault_of(answer)
        if fault is not None and fault.code == NOT_FOUND:
            return None, None
        if fault is not None:
            raise classify(fault, "read owner")
        row = msgspec.json.decode(answer.body, type=_Row)
        return RecordId(row["_ownerid_value"]), Version(row["@odata.etag"])

    async def assign(self, record: RecordKey, owner: RecordKey, version: Version | None) -> bool:
        table, owners = await self._table_of(record.entity), await self._table_of(owner.entity)
        body = {"ownerid@odata.bind": f"/{owners.set_name}({owner.id})"}
        part = self._part("PATCH", f"{table.set_name}({record.id})", body, {"If-Match": version or "*"})
        fault = await self._send("assign", part)
        if fault is not None and fault.status == 412:
            return False
        self._raise(fault, "assign", body)
        return True

    # --- tasks

    async def has_task(self, id: RecordId) -> bool:
        return bool(await self._rows("find task", f"tasks?$select=activityid&$filter=activityid%20eq%20{id}"))

    async def create_task(self, task: Task) -> None:
        table = await self._table_of(_TASK)
        subject, regarding = table.column("subject"), table.column("regardingobjectid")
        target = await self._table_of(task.regarding.entity)
        body: _Row = {
            "subject": task.subject[: subject.max_length],
            "scheduledend": task.due_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            f"{regarding.navigation[task.regarding.entity]}@odata.bind": f"/{target.set_name}({task.regarding.id})",
        }
        if task.description:
            body["description"] = task.description[: table.column("description").max_length]
        if task.status:
            body["statuscode"] = _status(table.column("statuscode"), task.status)
        if task.owner:
            body["ownerid@odata.bind"] = f"/{(await self._table_of(task.owner.entity)).set_name}({task.owner.id})"
        await self._create(f"{table.set_name}({task.id})", body, "create task")

    # --- campaigns and their lists

    async def find_campaign(self, named: str) -> Campaign | None:
        condition = f"campaignid eq {named}" if is_guid(named) else f"name eq {_text(named)}"
        path = f"campaigns?$select=campaignid,name,statecode&$filter={_encoded(condition)}"
        rows = await self._rows("find campaign", path)
        if len(rows) != 1:
            return None
        return Campaign(RecordId(rows[0]["campaignid"]), rows[0]["name"] or "", rows[0]["statecode"] == 0)

    async def fetch_lists(self, campaign: RecordId) -> list[MemberList]:
        path = (
            f"campaigns({campaign})/campaignlist_association?$select=listid,createdfromcode,type,statecode,lockstatus"
        )
        return [
            MemberList(RecordId(row["listid"]), kind, is_open=row["statecode"] == 0 and not row["lockstatus"])
            for row in await self._rows("read the campaign's lists", path)
            if not row["type"] and (kind := _MEMBER_KINDS.get(row["createdfromcode"] or 0))
        ]

    async def ensure_list(self, campaign: RecordId, new: MemberList, name: str) -> None:
        body = {"listname": name, "createdfromcode": _MEMBER_CODES[new.entity], "type": False}
        await self._create(f"lists({new.id})", body, "create list")
        member = {"@odata.id": f"{self._origin}{self._client.path(f'lists({new.id})')}"}
        path = f"campaigns({campaign})/campaignlist_association/$ref"
        fault = await self._send("add the list to the campaign", self._part("POST", path, member))
        if fault is not None and fault.code != _DUPLICATE:
            self._raise(fault, "add the list to the campaign", {})

    async def fetch_members(self, list_: RecordId, among: Sequence[RecordId] | None = None) -> set[RecordId]:
        conditions = [f"_listid_value eq {list_}"]
        if among is not None:
            chunks = [among[start : start + _IDS_PER_FILTER] for start in range(0, len(among), _IDS_PER_FILTER)]
            ors = [" or ".join(f"_entityid_value eq {id_}" for id_ in chunk) for chunk in chunks]
            conditions = [f"_listid_value eq {list_} and ({any_of})" for any_of in ors]
        found: set[RecordId] = set()
        for condition in conditions:
            path = f"listmembers?$select=_entityid_value&$filter={_encoded(condition)}"
            found |= {RecordId(row["_entityid_value"]) for row in await self._rows("read members", path)}
        return found

    async def add_members(self, list_: MemberList, ids: Sequence[RecordId]) -> None:
        key = (await self._table_of(list_.entity)).primary_id
        for start in range(0, len(ids), _MEMBERS_PER_CALL):
            body = {
                "List": {"listid": list_.id, "@odata.type": "Microsoft.Dynamics.CRM.list"},
                "Members": [
                    {key: id_, "@odata.type": f"Microsoft.Dynamics.CRM.{list_.entity}"}
                    for id_ in ids[start : start + _MEMBERS_PER_CALL]
                ],
            }
            fault = await self._send("add members", self._part("POST", "AddListMembersList", body))
            self._raise(fault, "add members", {})

    async def remove_member(self, list_: MemberList, id: RecordId) -> None:
        path = f"lists({list_.id})/Microsoft.Dynamics.CRM.RemoveMemberList"
        fault = await self._send("remove member", self._part("POST", path, {"EntityId": id}))
        if fault is not None and fault.code != _NOT_A_MEMBER:
            self._raise(fault, "remove member", {})

    # --- calls

    def _part(self, method: str, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Part:
        sent = {"Content-Type": "application/json", **(headers or {})}
        return self._side_effects.on(Part(method, path, sent, msgspec.json.encode(body)))

    async def _send(self, operation: str, part: Part) -> Fault | None:
        """As a batch of one, whose every answer is told apart: refused, not begun, or unknown."""
        (answer,) = await self._client.send_batch(operation, [part], is_write=True, timeout_s=self._timeout_s)
        return fault_of(answer)

    async def _create(self, path: str, body: Mapping[str, Any], operation: str) -> None:
        """Again does no harm: the id is taken then."""
        fault = await self._send(operation, self._part("PATCH", path, body, {"If-None-Match": "*"}))
        if fault is not None and fault.status != 412:
            self._raise(fault, operation, body)

    def _raise(self, fault: Fault | None, operation: str, sent: Mapping[str, Any]) -> None:
        """Whatever is not done is raised: refused, or not begun and to be tried again."""
        if fault is None:
            return
        result = classify_write(ActionKind.UPDATE, fault, sent)
        if isinstance(result, Refused):
            text = f"Dynamics, {operation}: {result.message} ({result.code})."
            raise RejectedError(text, side=Side.CRM, operation=operation, code=result.code)
        if fault.status == 404:
            raise RejectedError(f"Dynamics, {operation}: not there.", side=Side.CRM, operation=operation, code="404")
        text = f"Dynamics, {operation}: the service is busy; it is tried again later."
        raise TransientError(text, side=Side.CRM, operation=operation, code=fault.code)

    async def _rows(self, operation: str, path: str) -> list[_Row]:
        rows: list[_Row] = []
        link: str | None = path
        while link is not None:
            page = await self._client.get_json(operation, link, _Rows)
            rows += page.value
            link = path_of(page.next_link)
        return rows


def _status(column: Column, named: str) -> int:
    """A status reason by its number or by its label.

    Raises: RejectedError, which lists those there are.
    """
    for value, label in column.choices.items():
        if named.strip().casefold() in (str(value), label.casefold()):
            return value
    known = ", ".join(sorted(column.choices.values()))
    text = f"A task has no status reason of that name. Use one of: {known}."
    raise RejectedError(text, side=Side.CRM, operation="create task", code="status")


def _encoded(condition: str) -> str:
    return quote(condition, safe="()',")


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
