"""Opportunities and who takes part in them, as Dynamics keeps them.

Money: what is expected stands in one column, what came of it in another, each also in the organisation's base currency.
Who takes part: the potential customer, where it is a contact, and the stakeholders. Those are *connections*, general
pairs of rows that say the same from both ends; of each pair the row that leads from the opportunity to a lead or a
contact is read, and no other (dataverse-web-api 10, native-sync 2.6).
"""

from collections.abc import Mapping
from typing import Final

from tandem.connectors.dynamics.views import Derived, Facts, Row, View
from tandem.core.record import ACCOUNT, CONNECTION, OPPORTUNITY, OPPORTUNITY_CUSTOMER, Entity, Value
from tandem.core.schema import FieldInfo, FieldKind

ACCOUNTS: Final = "accounts of contacts"
ROLE_NAMES: Final = "names of connection roles"

CONNECTION_ROLE: Final = Entity("connectionrole")

STAKEHOLDER: Final = "Stakeholder"
"""The role of a connection that names none; Marketo wants one."""
CUSTOMER: Final = "Customer"
"""The role of the potential customer, for which Dynamics has no word of its own."""

_OPEN, _WON = 0, 1
_OPPORTUNITY_CODE: Final = 3
_PERSON_CODES: Final = frozenset({2, 4})
"""Contact and lead."""


def _column(name: str, label: str, kind: FieldKind, **more: object) -> FieldInfo:
    return FieldInfo(name, label, kind, "virtual", is_writable=False, **more)  # type: ignore[arg-type]


def _amount(row: Row, base: str = "") -> Value:
    """What is expected before the opportunity is closed, what came of it after (N132)."""
    expected, actual = row[f"estimatedvalue{base}"], row[f"actualvalue{base}"]
    return expected if row["statecode"] == _OPEN or actual is None else actual


def _expected_revenue(row: Row, base: str = "") -> Value:
    """Amount times probability; whether a closed opportunity comes off is no longer a question."""
    amount, chance = _amount(row, base), row["closeprobability"]
    if not isinstance(amount, int | float):
        return None
    if row["statecode"] != _OPEN:
        return amount if row["statecode"] == _WON else 0.0
    return round(amount * chance / 100, 2) if isinstance(chance, int | float) else None


def _money(base: str) -> tuple[Derived, Derived]:
    suffix, of = ("_base", " (base currency)") if base else ("", "")
    needs = ("statecode", f"estimatedvalue{base}", f"actualvalue{base}")
    return (
        Derived(
            _column(f"@amount{suffix}", f"Amount{of}", FieldKind.NUMBER), needs, lambda row, facts: _amount(row, base)
        ),
        Derived(
            _column(f"@expected_revenue{suffix}", f"Expected Revenue{of}", FieldKind.NUMBER),
            (*needs, "closeprobability"),
            lambda row, facts: _expected_revenue(row, base),
        ),
    )


def _close_date(row: Row, facts: Facts) -> Value:
    return row["estimatedclosedate"] if row["statecode"] == _OPEN else row["actualclosedate"]


def _account(row: Row, facts: Facts) -> Value:
    """The customer, or the company of the contact that is the customer, if it has one (N31-N33)."""
    return row["accountid"] or facts.get(str(row["contactid"]))


def _role(row: Row, facts: Facts) -> Value:
    return facts.get(str(row["record2roleid"])) or STAKEHOLDER


_ROLE_INFO: Final = _column("@role", "Role", FieldKind.TEXT, max_length=100)

_OPPORTUNITY: Final = (
    *_money(""),
    *_money("_base"),
    Derived(
        _column("@is_closed", "Is Closed", FieldKind.BOOLEAN), ("statecode",), lambda r, _: r["statecode"] != _OPEN
    ),
    Derived(_column("@is_won", "Is Won", FieldKind.BOOLEAN), ("statecode",), lambda r, _: r["statecode"] == _WON),
    Derived(
        _column("@close_date", "Close Date", FieldKind.DATE),
        ("statecode", "estimatedclosedate", "actualclosedate"),
        _close_date,
    ),
    Derived(
        _column("@account", "Account", FieldKind.REFERENCE, targets=(ACCOUNT,)),
        ("accountid", "contactid"),
        _account,
        asks=("contactid", ACCOUNTS),
    ),
)
_CONNECTION: Final = (Derived(_ROLE_INFO, ("record2roleid",), _role, asks=("record2roleid", ROLE_NAMES)),)
_CUSTOMER: Final = (
    Derived(_ROLE_INFO, (), lambda row, facts: CUSTOMER),
    Derived(_column("@is_primary", "Is Primary", FieldKind.BOOLEAN), (), lambda row, facts: True),
)


def _is_stakeholder(row: Row) -> bool:
    ends = row["record1objecttypecode"] == _OPPORTUNITY_CODE and row["record2objecttypecode"] in _PERSON_CODES
    return ends and row["statecode"] == 0


def _has_contact(row: Row) -> bool:
    """Dynamics keeps one customer: with an account on the form too, the account (N33)."""
    return row["contactid"] is not None and row["accountid"] is None


def _by_name(columns: tuple[Derived, ...]) -> dict[str, Derived]:
    return {column.info.name: column for column in columns}


VIEWS: Final[Mapping[Entity, View]] = {
    OPPORTUNITY: View(OPPORTUNITY, _by_name(_OPPORTUNITY)),
    CONNECTION: View(
        CONNECTION,
        _by_name(_CONNECTION),
        ("record1objecttypecode", "record2objecttypecode", "statecode"),
        _is_stakeholder,
    ),
    OPPORTUNITY_CUSTOMER: View(OPPORTUNITY, _by_name(_CUSTOMER), ("accountid", "contactid"), _has_contact),
}


def view_of(entity: Entity) -> View:
    return VIEWS.get(entity) or View(entity)
