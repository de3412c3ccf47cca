"""A person in the CRM's own screens, as the control API plays one: no privilege stops them, and they are not us."""

from collections.abc import Callable, Mapping
from typing import Any

from tandem_emulators.dataverse.errors import ODataError
from tandem_emulators.dataverse.merge import MERGEABLE
from tandem_emulators.dataverse.message import OF_ROW, UNBOUND, MessageCall, Outcome
from tandem_emulators.dataverse.messages import Messages
from tandem_emulators.dataverse.schema import Table
from tandem_emulators.dataverse.security import Caller
from tandem_emulators.dataverse.values import parse_guid
from tandem_emulators.dataverse.writing import Writer
from tandem_emulators.kit.errors import ControlError

Arguments = Mapping[str, Any]
Action = Callable[[Arguments], Mapping[str, object]]


class PersonAtWork:
    def __init__(self, writer: Writer, messages: Messages) -> None:
        self._writer = writer
        self._messages = messages
        self._caller = Caller(writer.organization.id_of("systemuser/0"), is_administrator=True)
        self._actions: dict[str, Action] = {
            "create": self._create,
            "edit": self._edit,
            "delete": self._delete,
            "merge": self._merge,
            "qualify": self._qualify,
            "win": lambda arguments: self._close("WinOpportunity", arguments),
            "lose": lambda arguments: self._close("LoseOpportunity", arguments),
            "reopen": self._reopen,
            "restore": self._restore,
            "assign": self._assign,
            "connect": self._connect,
            "add_to_list": lambda arguments: self._list_member("AddMemberList", arguments),
            "remove_from_list": lambda arguments: self._list_member("RemoveMemberList", arguments),
            "join_team": lambda arguments: self._team_member("AddMembersTeam", arguments),
            "leave_team": lambda arguments: self._team_member("RemoveMembersTeam", arguments),
        }

    def act(self, action: str, arguments: Arguments) -> Mapping[str, object]:
        if action not in self._actions:
            raise ControlError(f"A person can {', '.join(self._actions)}, not {action}.")
        try:
            with self._writer.store.transaction():
                return self._actions[action](arguments)
        except ODataError as error:
            raise ControlError(f"The service refuses: {error.message}") from error

    # Rows.

    def _create(self, arguments: Arguments) -> Mapping[str, object]:
        table = self._table(arguments)
        return {"id": self._writer.create(self._caller, table, self._values(table, arguments))}

    def _edit(self, arguments: Arguments) -> Mapping[str, object]:
        edits = arguments.get("edits", [arguments])
        if not isinstance(edits, list) or not all(isinstance(edit, dict) for edit in edits):
            raise ControlError("edits is a list of objects with entity, id and values.")
        for edit in edits:
            table = self._table(edit)
            self._writer.update(self._caller, table, _id(edit, "id"), self._values(table, edit))
        return {"edited": len(edits)}

    def _delete(self, arguments: Arguments) -> Mapping[str, object]:
        self._writer.delete(self._caller, self._table(arguments), _id(arguments, "id"))
        return {"deleted": 1}

    def _reopen(self, arguments: Arguments) -> Mapping[str, object]:
        """Of any table with states; an opportunity or a lead where nothing else is named."""
        table = self._table(arguments)
        self._writer.update(self._caller, table, _id(arguments, "id"), {"statecode": 0})
        return {"reopened": 1}

    def _restore(self, arguments: Arguments) -> Mapping[str, object]:
        """Out of the recycle bin, which must be on."""
        table, record_id = self._table(arguments), _id(arguments, "id")
        self._send("Restore", {"Target": {"@odata.type": table.edm_name, table.key: record_id}})
        return {"restored": 1}

    def _assign(self, arguments: Arguments) -> Mapping[str, object]:
        """`owner` is a user's or, with `owner_entity`, a team's id."""
        owner = self._table({"entity": arguments.get("owner_entity", "systemuser")})
        body = {"ownerid@odata.bind": f"/{owner.set_name}({_id(arguments, 'owner')})"}
        self._writer.update(self._caller, self._table(arguments), _id(arguments, "id"), body)
        return {"assigned": 1}

    def _connect(self, arguments: Arguments) -> Mapping[str, object]:
        """`from` and `to` are {"entity", "id"} each and may name a role; both rows of the pair are made."""
        table = self._writer.schema.tables["connection"]
        values: dict[str, Any] = {}
        for number, end in (("1", "from"), ("2", "to")):
            given = arguments.get(end)
            if not isinstance(given, dict):
                raise ControlError(f"{end} is an object with entity and id.")
            values[f"record{number}id"] = {"entity": self._table(given).name, "id": _id(given, "id")}
            if "role" in given:
                values[f"record{number}roleid"] = {"id": _id(given, "role")}
        return {"id": self._writer.create(self._caller, table, self._values(table, {"values": values}))}

    # Messages.

    def _merge(self, arguments: Arguments) -> Mapping[str, object]:
        table = self._table(arguments)
        if table.name not in MERGEABLE:
            raise ControlError(f"Records of {table.name!r} cannot be merged.")
        names = {"Target": _id(arguments, "winner"), "Subordinate": _id(arguments, "loser")}
        self._send("Merge", {name: {"@odata.type": table.edm_name, table.key: key} for name, key in names.items()})
        return {"winner": names["Target"]}

    def _qualify(self, arguments: Arguments) -> Mapping[str, object]:
        body = {
            "CreateAccount": bool(arguments.get("create_account", False)),
            "CreateContact": bool(arguments.get("create_contact", True)),
            "CreateOpportunity": bool(arguments.get("create_opportunity", False)),
        }
        answer = self._send("QualifyLead", body, "lead", _id(arguments, "id")).body or {}
        kinds = {row["@odata.type"].rpartition(".")[2]: row for row in answer["value"]}
        return {f"{kind}_id": row[self._writer.schema.tables[kind].key] for kind, row in kinds.items()}

    def _close(self, message: str, arguments: Arguments) -> Mapping[str, object]:
        """`values` are those of the closing activity, `status` the opportunity's."""
        activity = self._writer.schema.tables["opportunityclose"]
        values = self._values(activity, {"values": arguments.get("values", {})})
        values["opportunityid@odata.bind"] = f"/opportunities({_id(arguments, 'id')})"
        status = arguments.get("status", -1)
        if not isinstance(status, int):
            raise ControlError("status is the number of a status of the opportunity.")
        self._send(message, {"OpportunityClose": values, "Status": status})
        return {"closed": 1}

    def _list_member(self, message: str, arguments: Arguments) -> Mapping[str, object]:
        self._send(message, {"EntityId": _id(arguments, "member")}, "list", _id(arguments, "list"))
        return {"members": 1}

    def _team_member(self, message: str, arguments: Arguments) -> Mapping[str, object]:
        user = self._writer.schema.tables["systemuser"]
        member = {"@odata.type": user.edm_name, user.key: _id(arguments, "user")}
        self._send(message, {"Members": [member]}, "team", _id(arguments, "team"))
        return {"members": 1}

    def _send(self, name: str, body: Mapping[str, Any], bound_to: str = "", record_id: str = "") -> Outcome:
        table = self._writer.schema.tables.get(bound_to)
        segment = f"Microsoft.Dynamics.CRM.{name}" if table is not None else name
        message = self._messages.get(OF_ROW if table is not None else UNBOUND, segment, table)
        return message.run(MessageCall(self._caller, "", body, table=table, record_id=record_id))

    # What the arguments say.

    def _table(self, arguments: Arguments) -> Table:
        name = arguments.get("entity")
        table = self._writer.schema.tables.get(str(name)) or self._writer.schema.by_set.get(str(name))
        if table is None:
            raise ControlError(f"There is no table {name!r}.")
        return table

    def _values(self, table: Table, arguments: Arguments) -> dict[str, Any]:
        """Values by property name. A lookup may also be set by its column, as {"entity": …, "id": …} or null."""
        values = arguments.get("values")
        if not isinstance(values, dict):
            raise ControlError("values is an object of columns and their new values.")
        body: dict[str, Any] = {}
        for name, value in values.items():
            column = table.columns.get(name)
            if column is not None and column.is_lookup:
                navigation, url = self._bound(table, name, value)
                body[f"{navigation}@odata.bind"] = url
            else:
                body[name] = value
        return body

    def _bound(self, table: Table, column: str, value: Any) -> tuple[str, str | None]:
        kind = value.get("entity") if isinstance(value, dict) else None
        for navigation, (found, targets) in table.navigation.items():
            if found.name == column and (kind is None or kind in targets):
                if value is None:
                    return navigation, None
                target = self._writer.schema.tables.get(kind or targets[0])
                record_id = value.get("id") if isinstance(value, dict) else value
                if target is not None:
                    return navigation, f"{target.set_name}({record_id})"
        raise ControlError(f"The lookup {column!r} cannot point to {kind!r}.")


def _id(arguments: Arguments, name: str) -> str:
    record_id = parse_guid(str(arguments.get(name, "")))
    if record_id is None:
        raise ControlError(f"{name} must be the GUID of a record.")
    return record_id
