"""Derived columns and views: what an opportunity's amount is, and which rows are a stakeholder's."""

from collections.abc import Sequence

import pytest

from tandem.connectors.dynamics.opportunities import ACCOUNTS, CUSTOMER, ROLE_NAMES, STAKEHOLDER, view_of
from tandem.connectors.dynamics.views import Facts, Lens
from tandem.core.record import (
    CONNECTION,
    CONTACT,
    OPPORTUNITY,
    OPPORTUNITY_CUSTOMER,
    Cursor,
    Entity,
    Presence,
    RecordId,
    Value,
)
from tandem.core.schema import EntitySchema
from tandem.ports import Page, Reading

ID = RecordId("00000000-0000-0000-0000-000000000001")


class Others:
    """Rows that a lens may ask for; it remembers what was asked."""

    def __init__(self, **facts: str | None) -> None:
        self.facts = facts
        self.asked: list[Sequence[str]] = []

    async def __call__(self, ids: Sequence[str]) -> Facts:
        self.asked.append(ids)
        return {id_: self.facts[id_] for id_ in ids if id_ in self.facts}


def lens(entity: Entity, *fields: str, others: Others | None = None) -> Lens:
    asked = others or Others()
    return Lens(view_of(entity), fields, {ACCOUNTS: asked, ROLE_NAMES: asked})


async def read(looking: Lens, **row: Value) -> Reading:
    values = tuple(row.get(column) for column in looking.columns)
    (reading,) = await looking.readings([Reading(ID, values)])
    return reading


OPEN, WON, LOST = 0, 1, 2


@pytest.mark.parametrize(
    ("state", "expected", "actual", "amount", "revenue"),
    [
        (OPEN, 1000.0, None, 1000.0, 250.0),
        (OPEN, 1000.0, 900.0, 1000.0, 250.0),  # opened again: what had come of it counts no longer
        (OPEN, None, None, None, None),
        (WON, 1000.0, 900.0, 900.0, 900.0),
        (WON, 1000.0, None, 1000.0, 1000.0),  # closed without a word about money
        (LOST, 1000.0, 0.0, 0.0, 0.0),
    ],
)
@pytest.mark.parametrize("base", ["", "_base"])
async def test_the_amount_is_expected_until_the_opportunity_is_closed(
    state: int, expected: Value, actual: Value, amount: Value, revenue: Value, base: str
) -> None:
    looking = lens(OPPORTUNITY, f"@amount{base}", f"@expected_revenue{base}")
    money = {f"estimatedvalue{base}": expected, f"actualvalue{base}": actual}
    reading = await read(looking, statecode=state, closeprobability=25, **money)
    assert reading.values == (amount, revenue)


async def test_nobody_knows_what_to_expect_without_a_probability() -> None:
    looking = lens(OPPORTUNITY, "@expected_revenue")
    assert (await read(looking, statecode=OPEN, estimatedvalue=10.0)).values == (None,)


@pytest.mark.parametrize(("state", "closed", "won"), [(OPEN, False, False), (WON, True, True), (LOST, True, False)])
async def test_only_a_closed_opportunity_is_won(state: int, closed: bool, won: bool) -> None:
    looking = lens(OPPORTUNITY, "@is_closed", "@is_won", "@close_date")
    reading = await read(looking, statecode=state, estimatedclosedate="2026-05-01", actualclosedate="2026-04-01")
    assert reading.values == (closed, won, "2026-04-01" if closed else "2026-05-01")


@pytest.mark.parametrize(
    ("account", "contact", "company"),
    [
        ("acme", None, "acme"),
        ("acme", "ann", "acme"),
        (None, "ann", "ann's"),
        (None, "freelance", None),
        (None, None, None),
    ],
)
async def test_the_account_is_the_customer_or_the_company_of_the_contact(
    account: str | None, contact: str | None, company: str | None
) -> None:
    looking = lens(OPPORTUNITY, "@account", others=Others(ann="ann's", freelance=None))
    assert (await read(looking, accountid=account, contactid=contact)).values == (company,)


async def test_a_page_asks_once_for_what_other_rows_say() -> None:
    others = Others(ann="acme", bob="contoso")
    looking = lens(OPPORTUNITY, "@account", others=others)
    rows = [{"contactid": "ann"}, {"contactid": "bob"}, {"contactid": "ann"}, {}]
    readings = [Reading(ID, tuple(row.get(column) for column in looking.columns)) for row in rows]
    assert [r.values for r in await looking.readings(readings)] == [("acme",), ("contoso",), ("acme",), (None,)]
    assert others.asked == [["ann", "bob"]]


@pytest.mark.parametrize(
    ("one", "other", "state", "is_stakeholder"),
    [(3, 2, 0, True), (3, 4, 0, True), (2, 3, 0, False), (3, 8, 0, False), (3, 1, 0, False), (3, 2, 1, False)],
    ids=["contact", "lead", "the other row of a pair", "user", "account", "inactive"],
)
async def test_a_stakeholder_is_the_row_from_the_opportunity_to_a_person(
    one: int, other: int, state: int, is_stakeholder: bool
) -> None:
    looking = lens(CONNECTION, "record1id", "record2id")
    ends = {"record1objecttypecode": one, "record2objecttypecode": other, "statecode": state}
    reading = await read(looking, record1id="deal", record2id="ann", **ends)
    assert reading.presence is (Presence.PRESENT if is_stakeholder else Presence.GONE)
    assert reading.values == (("deal", "ann") if is_stakeholder else ())


@pytest.mark.parametrize(("role", "name"), [("buyer", "Buyer"), ("unknown", STAKEHOLDER), (None, STAKEHOLDER)])
async def test_a_stakeholder_has_the_name_of_its_role(role: str | None, name: str) -> None:
    looking = lens(CONNECTION, "@role", others=Others(buyer="Buyer"))
    ends = {"record1objecttypecode": 3, "record2objecttypecode": 2, "statecode": 0}
    assert (await read(looking, record2roleid=role, **ends)).values == (name,)


@pytest.mark.parametrize(
    ("account", "contact", "has_role"), [(None, "ann", True), ("acme", "ann", False), ("acme", None, False)]
)
async def test_a_customer_has_a_role_where_it_is_a_contact_alone(
    account: str | None, contact: str | None, has_role: bool
) -> None:
    looking = lens(OPPORTUNITY_CUSTOMER, "contactid", "@role", "@is_primary")
    reading = await read(looking, accountid=account, contactid=contact)
    assert reading.values == ((contact, CUSTOMER, True) if has_role else ())


async def test_a_row_that_leaves_a_view_is_told_as_gone_and_left_out_of_a_full_read() -> None:
    looking = lens(OPPORTUNITY_CUSTOMER, "contactid")
    rows = [Reading(ID, ("ann", None)), Reading(ID, (None, "acme")), Reading(ID, presence=Presence.SUSPECT)]
    assert looking.columns == ("contactid", "accountid")
    changes = await looking.page(Page(rows, Cursor("")))
    assert [r.presence for r in changes.readings] == [Presence.PRESENT, Presence.GONE, Presence.SUSPECT]
    whole = await looking.page(Page(rows, Cursor(""), is_full_read=True))
    assert [r.presence for r in whole.readings] == [Presence.PRESENT, Presence.SUSPECT]


async def test_a_table_without_a_view_is_read_as_it_is() -> None:
    looking = lens(CONTACT, "lastname", "@id")
    page = Page([Reading(ID, ("Ann", ID))], Cursor(""))
    assert await looking.page(page) is page
    assert looking.columns == ("lastname", "@id")


def test_derived_columns_stand_in_the_schema_and_cannot_be_written() -> None:
    schema = view_of(OPPORTUNITY_CUSTOMER).schema(OPPORTUNITY_CUSTOMER, EntitySchema(OPPORTUNITY, {}))
    assert schema.entity == OPPORTUNITY_CUSTOMER
    assert schema.fields.keys() == {"@role", "@is_primary"}
    assert not any(info.is_writable for info in schema.fields.values())
