"""Which rights each thing that Tandem does takes on either side: the one table of them.

`tandem check` tries the rights of what the settings ask for, and the page ``docs/how-to/permissions.md`` is made from
the same lines. A Dynamics right is a table and a kind (its name, ``prvReadContact``, is in the table's metadata), all
of them at access level Organization; a Marketo permission is what the role editor calls it.
"""

from dataclasses import dataclass
from typing import Final

ORGANIZATION_WIDE: Final = "Global"
"""What the service calls the access level Organization."""


@dataclass(frozen=True, slots=True)
class Right:
    """A privilege of a table; without a table, `kind` is the whole name of one that belongs to none."""

    table: str
    kind: str

    @property
    def name(self) -> str:
        """As it is called for the standard tables; a custom one has its schema name in it."""
        return f"prv{self.kind}{_STEMS.get(self.table, self.table)}" if self.table else self.kind


_STEMS: Final = {
    "lead": "Lead", "contact": "Contact", "account": "Account", "systemuser": "User", "team": "Team",
    "opportunity": "Opportunity", "connection": "Connection", "connectionrole": "ConnectionRole",
    "campaign": "Campaign", "list": "List", "listmember": "ListMember", "task": "Activity",
    "transactioncurrency": "TransactionCurrency",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Feature:
    """Something Tandem does, with what it takes. `is_required`: the sync does not start without it; else it goes on
    without that one thing."""

    name: str
    title: str
    crm: tuple[Right, ...] = ()
    marketing: tuple[str, ...] = ()
    is_required: bool = True


def rights(kind: str, *tables: str) -> tuple[Right, ...]:
    return tuple(Right(table, kind) for table in tables)


PERSON: Final = "Read-Write Person"
COMPANY: Final = "Read-Write Company"
SALES_PERSON: Final = "Read-Write Sales Person"
OPPORTUNITY: Final = "Read-Write Opportunity"
ACTIVITY: Final = "Read-Only Activity"
NEW_FIELDS: Final = "Read-Write Schema Custom Field"
CUSTOM_OBJECT: Final = "Read-Write Custom Object"
CUSTOM_OBJECT_TYPE: Final = "Read-Write Custom Object Type"
