"""An update that names a record which is gone in Marketo is refused for that field; one whose own record is gone is
missing. Marketo answers both with the same code."""

from collections.abc import Sequence
from typing import Any

import pytest

from tandem.connectors.marketo.connector import MarketoConnector
from tandem.connectors.marketo.objects import OPPORTUNITY, OPPORTUNITY_ROLE
from tandem.core.plan import ActionKind
from tandem.core.record import COMPANY, PERSON, Entity, RecordId
from tandem.core.schema import FieldLink, NewField, NewObject
from tandem.ports import Missing, Refused, Write, WriteResult, Written
from tests.connectors.marketo.emulator import Emulator

UNKNOWN = RecordId("00000000-0000-0000-0000-000000000000")
BOAT, CREW = Entity("boat"), Entity("crew")


async def made(connector: MarketoConnector, entity: Entity, lookup: str, **values: Any) -> RecordId:
    [result] = await connector.write(entity, [Write(ActionKind.CREATE, None, values, lookup=lookup)])
    assert isinstance(result, Written)
    return result.id


def an_update(id_: RecordId, **values: Any) -> Write:
    return Write(ActionKind.UPDATE, id_, values)


def told(results: Sequence[WriteResult]) -> list[object]:
    """Code and field of what is refused, and what else became of a record."""
    return [(result.code, result.field) if isinstance(result, Refused) else result for result in results]


async def test_a_deal_that_names_a_company_or_seller_who_is_gone_is_refused_for_that_field(
    connector: MarketoConnector, emulator: Emulator
) -> None:
    company = await made(connector, COMPANY, "externalCompanyId", externalCompanyId="gone-1", company="Gone")
    deal = await made(
        connector, OPPORTUNITY, "externalOpportunityId", externalOpportunityId="named-1", name="Deal", amount=1.0
    )
    await connector.write(COMPANY, [Write(ActionKind.DELETE, company, {})])
    emulator.control("counters/reset", {})
    results = await connector.write(
        OPPORTUNITY,
        [
            an_update(deal, externalCompanyId="gone-1"),
            an_update(UNKNOWN, externalCompanyId="gone-1"),
            an_update(RecordId(f"{UNKNOWN[:-1]}1"), name="Nothing named"),
        ],
    )
    assert told(results) == [("1013", "externalCompanyId"), Missing(), Missing()]
    assert emulator.counters()["requests"]["opportunities.query"] == 1
    results = await connector.write(OPPORTUNITY, [an_update(deal, externalSalesPersonId="nobody")])
    assert told(results) == [("718", "externalSalesPersonId")]


async def test_where_nothing_is_named_no_look_is_spent(connector: MarketoConnector, emulator: Emulator) -> None:
    emulator.control("counters/reset", {})
    assert list(await connector.write(OPPORTUNITY, [an_update(UNKNOWN, name="No")])) == [Missing()]
    assert "opportunities.query" not in emulator.counters()["requests"]


async def test_a_look_that_fails_leaves_it_to_the_next_plan(connector: MarketoConnector, emulator: Emulator) -> None:
    """The rest of the call is written, so nothing may be raised that says that it was not."""
    deals = [
        await made(connector, OPPORTUNITY, "externalOpportunityId", externalOpportunityId=f"look-{n}", name="Deal")
        for n in range(2)
    ]
    emulator.fault("opportunities.query", "body", body={"code": "1003"})
    updates = [an_update(deals[0], externalCompanyId="never"), an_update(deals[1], name="Won")]
    assert list(await connector.write(OPPORTUNITY, updates)) == [Missing(), Written(deals[1])]


async def test_a_person_who_is_moved_to_a_company_that_is_gone_is_refused_for_that_field(
    connector: MarketoConnector, emulator: Emulator
) -> None:
    person = RecordId(str(emulator.records("person")[0]["id"]))
    results = [
        *await connector.write(PERSON, [an_update(person, externalCompanyId="nobody")]),
        *await connector.write(PERSON, [an_update(person, externalSalesPersonId="nobody")]),
    ]
    assert told(results) == [("1013", "externalCompanyId"), ("718", "externalSalesPersonId")]


async def test_a_roles_own_record_and_the_one_it_names_are_told_apart(
    connector: MarketoConnector, emulator: Emulator
) -> None:
    person = int(emulator.records("person")[1]["id"])
    await made(connector, OPPORTUNITY, "externalOpportunityId", externalOpportunityId="role-1", name="Deal")
    role = await made(connector, OPPORTUNITY_ROLE, "role", externalOpportunityId="role-1", leadId=person, role="Buyer")
    results = await connector.write(
        OPPORTUNITY_ROLE, [an_update(role, leadId=999_999_999), an_update(UNKNOWN, leadId=person)]
    )
    assert told(results) == [("1004", "leadId"), Missing()]


@pytest.fixture
async def boats(connector: MarketoConnector) -> MarketoConnector:
    boat = NewObject(BOAT, "Boat", "Boats", (NewField("hull", "Hull", "string", is_key=True),))
    crew = NewObject(
        CREW,
        "Crew",
        "Crews",
        (
            NewField("badge", "Badge", "string", is_key=True),
            NewField("sailor", "Sailor", "integer", link=FieldLink(PERSON, "id")),
            NewField("boat", "Boat", "string", link=FieldLink(BOAT, "hull")),
            NewField("rank", "Rank", "string"),
        ),
    )
    await connector.create_object(boat)
    await connector.create_object(crew)
    return connector


async def test_a_custom_record_is_refused_for_the_link_that_leads_nowhere(
    boats: MarketoConnector, emulator: Emulator
) -> None:
    person = int(emulator.records("person")[2]["id"])
    mate = await made(boats, CREW, "badge", badge="b-1", sailor=person, rank="mate")
    results = await boats.write(
        CREW,
        [
            an_update(mate, sailor=999_999_999, rank="captain"),
            an_update(UNKNOWN, boat="none"),
        ],
    )
    assert told(results) == [("1004", "sailor"), Missing()]
    results = await boats.write(CREW, [an_update(mate, boat="none", sailor=person)])
    assert told(results) == [("1013", "boat")]
    [row] = [row for row in emulator.records(str(CREW)) if row["badge"] == "b-1"]
    assert row["rank"] == "mate"
