"""Duplicate detection: published rules, as rows of duplicaterule with their conditions, looked up before a write.

A rule holds where all its conditions do. It runs only when the request asks for it, by the header
`MSCRM.SuppressDuplicateDetection: false` (sheet sections 2.2 and 5.10).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.organization import Organization
from tandem_emulators.dataverse.schema import Schema, Table
from tandem_emulators.dataverse.settings import Settings
from tandem_emulators.dataverse.store import Row, Store

PUBLISHED = {"statecode": 1, "statuscode": 2}
UNPUBLISHED = {"statecode": 0, "statuscode": 0}
_SAME_FIRST, _SAME_LAST = 1, 2
# The rules that an organisation is born with (sheet section 5.10): table and the columns compared.
_BORN_WITH = {
    "Accounts with the same Account Name": ("account", ("name",)),
    "Accounts with the same e-mail address": ("account", ("emailaddress1",)),
    "Contacts with the same first name and last name": ("contact", ("firstname", "lastname")),
    "Contacts with the same e-mail address": ("contact", ("emailaddress1",)),
    "Leads with the same e-mail address": ("lead", ("emailaddress1",)),
}


@dataclass
class Duplicates:
    schema: Schema
    store: Store
    settings: Settings

    def require_none(self, table: Table, record_id: str, row: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
        """`row` is the row as it will be; a rule runs when a column of it is written."""
        for rule in self._rules(table):
            conditions = self._conditions(rule)
            if not any(condition["baseattributename"] in changes for condition in conditions):
                continue
            if self._has_match(rule, conditions, record_id, row):
                raise errors.duplicate_found(self.settings.duplicate_status)

    def _rules(self, table: Table) -> list[Row]:
        return self._rows("duplicaterule", '"baseentityname" = ? AND "statuscode" = 2', table.name)

    def _conditions(self, rule: Row) -> list[Row]:
        return self._rows("duplicaterulecondition", '"regardingobjectid" = ?', rule["duplicateruleid"])

    def _rows(self, name: str, where: str, argument: str) -> list[Row]:
        cursor = self.store.connection.execute(f'SELECT * FROM "{name}" WHERE {where}', (argument,))
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]

    def _has_match(self, rule: Row, conditions: list[Row], record_id: str, row: Mapping[str, Any]) -> bool:
        target = self.schema.tables.get(rule["matchingentityname"] or rule["baseentityname"])
        if target is None or not conditions:
            return False
        tests, arguments = [f'"{target.key}" <> ?'], [record_id]
        for condition in conditions:
            value = row.get(condition["baseattributename"])
            name = condition["matchingattributename"]
            if value is None or name not in target.stored:
                return False
            test, argument = _comparison(name, condition, value)
            tests.append(test)
            arguments.append(argument)
        if rule.get("excludeinactiverecords") and "statecode" in target.stored:
            tests.append('"statecode" = 0')
        collation = "" if rule.get("iscasesensitive") else " COLLATE NOCASE"
        where = " AND ".join(f"{test}{collation}" for test in tests)
        sql = f'SELECT 1 FROM "{target.name}" WHERE {where} LIMIT 1'
        return self.store.connection.execute(sql, arguments).fetchone() is not None


def _comparison(name: str, condition: Row, value: Any) -> tuple[str, Any]:
    length = int(condition.get("operatorparam") or 0)
    match condition.get("operatorcode"):
        case code if code == _SAME_FIRST and isinstance(value, str):
            return f'substr("{name}", 1, {length}) = ?', value[:length]
        case code if code == _SAME_LAST and isinstance(value, str):
            return f'substr("{name}", -{length}) = ?', value[-length:]
    return f'"{name}" = ?', value


def default_rules(organization: Organization) -> Iterator[tuple[str, Row]]:
    """Table and row of each rule and condition of a new organisation."""
    owner = {"ownerid": organization.administrator_id, "owneridtype": "systemuser"}
    owner |= {"owninguser": organization.administrator_id, "owningbusinessunit": organization.business_unit_id}
    for name, (table, columns) in _BORN_WITH.items():
        rule_id = organization.id_of(f"duplicaterule/{name}")
        ends = {"baseentityname": table, "matchingentityname": table}
        yield "duplicaterule", {"duplicateruleid": rule_id, "name": name, **ends, **PUBLISHED, **owner}
        for column in columns:
            compared = {"baseattributename": column, "matchingattributename": column, "operatorcode": 0}
            condition_id = organization.id_of(f"duplicaterule/{name}/{column}")
            link = {"duplicateruleconditionid": condition_id, "regardingobjectid": rule_id}
            yield "duplicaterulecondition", {**link, **compared, **owner}
