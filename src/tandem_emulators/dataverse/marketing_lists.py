"""Members of marketing lists: who may be one, of which lists, and how many there are.

A static list takes members of its own kind while it is active and not locked; a dynamic list is a query and takes
none (sheet section 10; the texts are the published ones).
"""

from collections.abc import Mapping
from typing import Any

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.events import RowEvent
from tandem_emulators.dataverse.message import MessageCall, Outcome, named_row, row_of
from tandem_emulators.dataverse.navigation import Through, get_navigation
from tandem_emulators.dataverse.schema import Table
from tandem_emulators.dataverse.store import Row
from tandem_emulators.dataverse.values import parse_guid
from tandem_emulators.dataverse.writing import Writer

KINDS = {1: "account", 2: "contact", 4: "lead"}


class MarketingLists:
    """A listener too: a member may come or go by an association as well as by a message."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def derive(self, row: Mapping[str, Any], changes: dict[str, Any]) -> None:
        """Columns of a list that follow from others, and what a static or a dynamic list cannot have."""
        if "createdfromcode" in changes:
            changes["membertype"] = changes["createdfromcode"]
        if row.get("type") and row.get("lockstatus"):
            raise errors.list_lock_dynamic()
        if not row.get("type") and row.get("query") is not None:
            raise errors.list_query_static()

    def notice(self, event: RowEvent) -> None:
        if event.table.name != "listmember" or event.message == "Update":
            return
        columns = event.changes if event.message == "Create" else event.before
        row = self._writer.store.find(self._lists, columns["listid"])
        if row is None:
            return
        if event.message == "Create":
            self._require_open(row, self._kind_of(columns))
        self._recount(row)

    @property
    def _lists(self) -> Table:
        return self._writer.schema.tables["list"]

    def _kind_of(self, columns: Mapping[str, Any]) -> str | None:
        pairs = self._writer.schema.tables["listmember"]
        kind = columns.get(pairs.columns["entityid"].type_column or "")
        return str(kind) if kind else None

    def _require_open(self, row: Row, kind: str | None) -> None:
        if row.get("type"):
            raise errors.list_dynamic()
        if row.get("statecode"):
            raise errors.list_inactive()
        if row.get("lockstatus"):
            raise errors.list_locked()
        if kind is not None and KINDS.get(row.get("createdfromcode") or 0) != kind:
            raise errors.list_member_type()

    def _recount(self, row: Row) -> None:
        sql = 'SELECT count(*) FROM "listmember" WHERE "listid" = ?'
        count = self._writer.store.connection.execute(sql, (row["listid"],)).fetchone()[0]
        self._writer.store.update(self._lists, row["listid"], {"membercount": count})

    # Messages.

    def add_many(self, call: MessageCall) -> Outcome:
        """AddListMembersList: those who are members already stay so."""
        table, list_id = named_row(self._writer.schema, call.body, "List", frozenset({"list"}))
        row = self._list(call, list_id)
        members = call.body.get("Members")
        if not isinstance(members, list):
            raise errors.invalid_argument("Required parameter 'Members' is missing.")
        kinds = frozenset({KINDS.get(row.get("createdfromcode") or 0, "contact")})
        for member in members:
            if not isinstance(member, dict):
                raise errors.invalid_argument("Each of the 'Members' must be an object.")
            member_table, member_id = row_of(self._writer.schema, member, "Members")
            if member_table.name not in kinds:
                raise errors.list_member_type()
            self._add(call, table, row, member_id)
        return Outcome()

    def add_one(self, call: MessageCall) -> Outcome:
        row = self._list(call, call.record_id)
        member_id = self._add(call, call.bound_table, row, self._entity_id(call))
        context = f"{call.root}$metadata#Microsoft.Dynamics.CRM.AddMemberListResponse"
        return Outcome({"@odata.context": context, "Id": member_id})

    def remove_one(self, call: MessageCall) -> Outcome:
        row = self._list(call, call.record_id)
        self._require_open(row, None)
        navigation = self._navigation(call.bound_table, row)
        pair_id = self._writer.associations.pair(navigation, call.record_id, self._entity_id(call))
        if pair_id is None:
            raise errors.not_a_list_member()
        self._writer.remove(call.caller, navigation.pairs, pair_id)
        return Outcome()

    def _list(self, call: MessageCall, list_id: str) -> Row:
        self._writer.security.require(call.caller, self._lists, "Write")
        row = self._writer.store.find(self._lists, list_id)
        if row is None:
            raise errors.does_not_exist("list", list_id)
        return row

    def _entity_id(self, call: MessageCall) -> str:
        """The documented form is a GUID; newer clients send the member as an object."""
        given = call.body.get("EntityId")
        if isinstance(given, dict):
            return row_of(self._writer.schema, given, "EntityId", frozenset(KINDS.values()))[1]
        record_id = parse_guid(given) if isinstance(given, str) else None
        if record_id is None:
            raise errors.invalid_argument("Required parameter 'EntityId' is missing.")
        return record_id

    def _navigation(self, table: Table, row: Row) -> Through:
        kind = KINDS.get(row.get("createdfromcode") or 0)
        found = get_navigation(self._writer.schema, table, f"list{kind}_association")
        assert isinstance(found, Through)
        return found

    def _add(self, call: MessageCall, table: Table, row: Row, member_id: str) -> str:
        self._require_open(row, None)
        navigation = self._navigation(table, row)
        if not self._writer.store.exists(navigation.target, member_id):
            raise errors.does_not_exist(navigation.target.name, member_id)
        found = self._writer.associations.pair(navigation, row["listid"], member_id)
        return found or self._writer.associations.add_pair(call.caller, table, row["listid"], navigation, member_id)
