"""A person in the CRM's own screens, as the control API plays one: no privilege stops them, and they are not us."""

from collections.abc import Mapping
from typing import Any

from tandem_emulators.dataverse.errors import ODataError
from tandem_emulators.dataverse.messages import MERGEABLE, Messages
from tandem_emulators.dataverse.schema import Table
from tandem_emulators.dataverse.security import Caller
from tandem_emulators.dataverse.values import parse_guid
from tandem_emulators.dataverse.writing import Writer
from tandem_emulators.kit.errors import ControlError


class PersonAtWork:
    def __init__(self, writer: Writer, messages: Messages) -> None:
        self._writer = writer
        self._messages = messages
        self._caller = Caller(writer.organization.id_of("systemuser/0"), is_administrator=True)

    def act(self, action: str, arguments: Mapping[str, Any]) -> Mapping[str, object]:
        actions = {
            "create": self._create,
            "edit": self._edit,
            "delete": self._delete,
            "merge": self._merge,
            "qualify": self._qualify,
        }
        if action not in actions:
            raise ControlError(f"A person can {', '.join(actions)}, not {action}.")
        try:
            with self._writer.store.transaction():
                return actions[action](arguments)
        except ODataError as error:
            raise ControlError(f"The service refuses: {error.message}") from error

    def _create(self, arguments: Mapping[str, Any]) -> Mapping[str, object]:
        table = self._table(arguments)
        return {"id": self._writer.create(self._caller, table, self._values(table, arguments))}

    def _edit(self, arguments: Mapping[str, Any]) -> Mapping[str, object]:
        edits = arguments.get("edits", [arguments])
        if not isinstance(edits, list) or not all(isinstance(edit, dict) for edit in edits):
            raise ControlError("edits is a list of objects with entity, id and values.")
        for edit in edits:
            table = self._table(edit)
            self._writer.update(self._caller, table, _id(edit, "id"), self._values(table, edit))
        return {"edited": len(edits)}

    def _delete(self, arguments: Mapping[str, Any]) -> Mapping[str, object]:
        self._writer.delete(self._caller, self._table(arguments), _id(arguments, "id"))
        return {"deleted": 1}

    def _merge(self, arguments: Mapping[str, Any]) -> Mapping[str, object]:
        table = self._table(arguments)
        if table.name not in MERGEABLE:
            raise ControlError(f"Records of {table.name!r} cannot be merged.")
        names = {"Target": _id(arguments, "winner"), "Subordinate": _id(arguments, "loser")}
        body = {name: {"@odata.type": table.edm_name, table.key: key} for name, key in names.items()}
        self._messages.merge(self._caller, body)
        return {"winner": names["Target"]}

    def _qualify(self, arguments: Mapping[str, Any]) -> Mapping[str, object]:
        body = {
            "CreateAccount": bool(arguments.get("create_account", False)),
            "CreateContact": bool(arguments.get("create_contact", True)),
        }
        lead = self._writer.schema.tables["lead"]
        answer = self._messages.qualify(self._caller, lead, _id(arguments, "id"), body, "")
        kinds = {row["@odata.type"].rpartition(".")[2]: row for row in answer["value"]}
        return {f"{kind}_id": row[self._writer.schema.tables[kind].key] for kind, row in kinds.items()}

    def _table(self, arguments: Mapping[str, Any]) -> Table:
        name = arguments.get("entity")
        table = self._writer.schema.tables.get(str(name)) or self._writer.schema.by_set.get(str(name))
        if table is None:
            raise ControlError(f"There is no table {name!r}.")
        return table

    def _values(self, table: Table, arguments: Mapping[str, Any]) -> dict[str, Any]:
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


def _id(arguments: Mapping[str, Any], name: str) -> str:
    record_id = parse_guid(str(arguments.get(name, "")))
    if record_id is None:
        raise ControlError(f"{name} must be the GUID of a record.")
    return record_id
