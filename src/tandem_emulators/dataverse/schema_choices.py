"""Choices and their options: global ones as definitions of their own, options by messages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tandem_emulators.dataverse import errors, schema_errors
from tandem_emulators.dataverse.definitions import (
    check_name,
    merge_labels,
    next_value,
    parse_label,
    parse_option,
    parse_options,
)
from tandem_emulators.dataverse.schema import Column, Table
from tandem_emulators.dataverse.schema_changes import SchemaChanges
from tandem_emulators.dataverse.table_parts import option_set, stable_id

Options = list[dict[str, Any]]
_EXTENSIBLE = frozenset({"Picklist", "MultiSelectPicklist", "Status"})


@dataclass
class ChoiceWriter:
    changes: SchemaChanges

    # Global choices.

    def create(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        name = check_name(body.get("Name"), "OptionSet")
        if name.lower() in {known.lower() for known in self.changes.schema.option_sets}:
            raise schema_errors.choice_exists()
        made = option_set(name, "Picklist", parse_options(body.get("Options")), is_global=True)
        made |= {label: parse_label(body.get(label)) for label in ("DisplayName", "Description")}
        made |= {"IsCustomOptionSet": True, "IsManaged": False}
        made["MetadataId"] = stable_id("optionset", name, str(self.changes.store.version))
        self.changes.put_choice(made)
        return made

    def update(self, choice: Mapping[str, Any], body: Mapping[str, Any], *, merge: bool) -> None:
        """Labels only: options are changed by their messages."""
        changed = dict(choice)
        for name in ("DisplayName", "Description"):
            if name in body:
                new = parse_label(body[name])
                changed[name] = merge_labels(choice.get(name), new) if merge else new
        self.changes.put_choice(changed)

    def delete(self, choice: Mapping[str, Any]) -> None:
        tables = self.changes.schema.tables.values()
        users = [c for t in tables for c in t.columns.values() if _uses(c, choice["Name"])]
        if users:
            raise schema_errors.component_in_use("OptionSet", choice["MetadataId"], len(users))
        self.changes.remove_choice(choice)

    def find(self, name: str, value: str) -> Mapping[str, Any]:
        for choice in self.changes.schema.option_sets.values():
            if str(choice.get(name, "")).lower() == value.lower():
                return choice
        raise errors.ODataError(404, "0x80060888", f"Could not find an option set with name {value}.")

    # Options, of a global choice or of a column.

    def insert(self, body: Mapping[str, Any]) -> int:
        """InsertOptionValue and InsertStatusValue: the value that was given, or the next free one."""
        added: list[int] = []

        def change(options: Options) -> Options:
            taken = {option["Value"] for option in options}
            value = body.get("Value")
            value = next_value(taken) if value is None else value
            if not isinstance(value, int) or isinstance(value, bool) or value in taken or not 0 <= value < 2**31:
                raise schema_errors.bad_option_set()
            added.append(value)
            return [*options, parse_option(value, body) | self._state(body)]

        self._change(body, change)
        return added[0]

    def _state(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The state that a new status belongs to; only a status has one."""
        if body.get("OptionSetName"):
            return {}
        table, column = self._column(body)
        if column.type != "Status":
            return {}
        if isinstance(body.get("StateCode"), bool) or body.get("StateCode") not in list(table.default_status):
            raise schema_errors.bad_option_set()
        return {"State": body["StateCode"]}

    def update_option(self, body: Mapping[str, Any]) -> None:
        """UpdateOptionValue and UpdateStateValue: the label and what stands beside it."""

        def change(options: Options) -> Options:
            value = self._known(options, body.get("Value"))
            return [self._relabelled(o, body) if o["Value"] == value else o for o in options]

        self._change(body, change, deletes=False)

    def _relabelled(self, option: dict[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
        changed = dict(option)
        for name in ("Label", "Description"):
            if body.get(name) is not None:
                new = parse_label(body[name])
                changed[name] = merge_labels(option.get(name), new) if body.get("MergeLabels") else new
        return changed | ({"Color": body["Color"]} if isinstance(body.get("Color"), str) else {})

    def delete_option(self, body: Mapping[str, Any]) -> None:
        def change(options: Options) -> Options:
            value = self._known(options, body.get("Value"))
            return [option for option in options if option["Value"] != value]

        self._change(body, change, deletes=True)

    def order(self, body: Mapping[str, Any]) -> None:
        def change(options: Options) -> Options:
            by_value = {option["Value"]: option for option in options}
            wanted = body.get("Values")
            if not isinstance(wanted, list) or not all(type(value) is int for value in wanted):
                raise schema_errors.bad_order()
            if sorted(wanted) != sorted(by_value):
                raise schema_errors.bad_order()
            return [by_value[value] for value in wanted]

        self._change(body, change)

    def _known(self, options: Options, value: Any) -> Any:
        if type(value) is not int or value not in [option["Value"] for option in options]:
            raise schema_errors.bad_option_set()
        return value

    def _change(self, body: Mapping[str, Any], change: Callable[[Options], Options], *, deletes: bool = False) -> None:
        if body.get("OptionSetName"):
            choice = self.find("Name", str(body["OptionSetName"]))
            self.changes.put_choice({**choice, "Options": change(list(choice.get("Options", ())))})
            return
        table, column = self._column(body)
        present = column.metadata.get("OptionSet") or {}
        if column.type not in _EXTENSIBLE and not (column.type == "State" and "Options" in present and not deletes):
            raise schema_errors.options_not_deletable() if deletes else schema_errors.options_not_addable()
        changed = {**present, "Options": change(list(present.get("Options", ())))}
        if present.get("IsGlobal"):
            self.changes.put_choice(changed)
            return
        attributes = [
            {**a, "OptionSet": changed} if a["LogicalName"] == column.name else a for a in table.metadata["Attributes"]
        ]
        self.changes.replace(table, Attributes=attributes)

    def _column(self, body: Mapping[str, Any]) -> tuple[Table, Column]:
        table = self.changes.schema.tables.get(str(body.get("EntityLogicalName")))
        if table is None:
            raise errors.no_table(str(body.get("EntityLogicalName")))
        column = table.columns.get(str(body.get("AttributeLogicalName")))
        if column is None:
            raise errors.no_column(str(body.get("AttributeLogicalName")), table.name)
        return table, column


def _uses(column: Column, name: str) -> bool:
    used = column.metadata.get("OptionSet") or {}
    return bool(used.get("IsGlobal")) and used.get("Name") == name
