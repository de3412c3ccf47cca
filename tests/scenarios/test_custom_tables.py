"""A custom table as a custom object, and Marketo's id as a column in Dynamics: planned, made on request, in step."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tandem.app import schema
from tests.connectors.dynamics.emulator import Emulator
from tests.scenarios.stage import Row, Stage, running_stage

SETTINGS = """
[[entities.contact.fields]]
crm = "new_marketoid"
marketing = "id"
direction = "to_crm"
create_column_as = "Integer"
is_key = true
is_own = true

[[custom]]
table = "new_visit"
object = "visit"

[[custom.fields]]
crm = "new_name"
marketing = "name"

[[custom.fields]]
crm = "new_visitorid"
marketing = "visitor"

[[custom.fields]]
crm = "new_visitorid.fullname"
marketing = "visitorName"

[[custom.fields]]
crm = "ownerid.@name"
marketing = "ownerName"

[[custom.fields]]
crm = "owningbusinessunit.name"
marketing = "unit"
"""
LABEL = {"LocalizedLabels": [{"Label": "Visit", "LanguageCode": 1033}]}


def web_api(crm: Emulator, path: str, body: dict[str, Any]) -> None:
    """An admin at work in Dynamics, over the documented API."""
    line = crm.first_line
    form = (
        f"grant_type=client_credentials&client_id={line['client_id']}&client_secret={line['client_secret']}"
        f"&scope={crm.url}/.default"
    )
    with urlopen(f"{line['authority']}/{line['tenant_id']}/oauth2/v2.0/token", form.encode()) as answer:
        token = json.load(answer)["access_token"]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with urlopen(Request(f"{crm.url}/api/data/v9.2/{path}", json.dumps(body).encode(), headers, method="POST")):
        return


def make_table(crm: Emulator) -> None:
    name = {
        "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata",
        "SchemaName": "new_Name",
        "IsPrimaryName": True,
        "MaxLength": 100,
        "FormatName": {"Value": "Text"},
        "RequiredLevel": {"Value": "None"},
        "DisplayName": LABEL,
    }
    table = {
        "@odata.type": "Microsoft.Dynamics.CRM.EntityMetadata",
        "SchemaName": "new_Visit",
        "DisplayName": LABEL,
        "DisplayCollectionName": LABEL,
        "OwnershipType": "UserOwned",
        "HasActivities": False,
        "HasNotes": False,
        "IsActivity": False,
        "ChangeTrackingEnabled": True,
        "Attributes": [name],
    }
    web_api(crm, "EntityDefinitions", table)
    lookup = {
        "@odata.type": "Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata",
        "SchemaName": "new_contact_new_visit",
        "ReferencedEntity": "contact",
        "ReferencingEntity": "new_visit",
        "Lookup": {
            "@odata.type": "Microsoft.Dynamics.CRM.LookupAttributeMetadata",
            "SchemaName": "new_VisitorId",
            "DisplayName": LABEL,
        },
    }
    web_api(crm, "RelationshipDefinitions", lookup)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with running_stage(tmp_path_factory.mktemp("custom"), people=6, marketing_people=3, seed=31) as stage:
        make_table(stage.crm)
        stage.configure(SETTINGS)
        asyncio.run(prepare(stage))
        yield stage


async def prepare(stage: Stage) -> None:
    with stage._secrets():
        await schema.apply_schema(stage.config)
    await stage.prepare(contact=4)


def visits(stage: Stage) -> dict[str, Row]:
    """The custom object's records by CRM key."""
    rows = stage.marketing.control("records/visit?limit=5000")["records"]
    return {row["crmId"]: row for row in rows}


def enter_visit(stage: Stage, name: str, visitor: str | None) -> str:
    bound = {"new_visitorid": {"entity": "contact", "id": visitor}} if visitor else {}
    return stage.enter("new_visit", new_name=name, **bound)


async def test_what_was_made_is_not_planned_again(stage: Stage) -> None:
    with stage._secrets():
        report = await schema.plan_schema(stage.config)
    assert (report.fields, report.objects) == ((), ())


async def test_a_record_arrives_with_a_link_to_its_person(stage: Stage) -> None:
    contact = stage.take("contact")
    visit = enter_visit(stage, "Fair", contact)
    await stage.sync_until(lambda: visit in visits(stage))
    found = visits(stage)[visit]
    assert (found["name"], int(found["visitor"])) == ("Fair", stage.person_of(contact)["id"])


async def test_a_record_and_its_person_arrive_together(stage: Stage) -> None:
    contact = stage.enter("contact", lastname="Visitor", emailaddress1="visitor@story.example")
    visit = enter_visit(stage, "Together", contact)
    await stage.sync_until(lambda: visit in visits(stage) and visits(stage)[visit].get("visitor"))
    assert int(visits(stage)[visit]["visitor"]) == stage.person_of(contact)["id"]


async def test_an_edit_and_another_visitor_arrive(stage: Stage) -> None:
    first, second = stage.take("contact"), stage.take("contact")
    visit = enter_visit(stage, "Before", first)
    await stage.sync_until(lambda: visit in visits(stage))
    stage.crm.edit("new_visit", visit, new_name="After", new_visitorid={"entity": "contact", "id": second})
    await stage.sync_until(lambda: visits(stage)[visit]["name"] == "After")
    assert int(visits(stage)[visit]["visitor"]) == stage.person_of(second)["id"]


async def test_what_its_lookups_lead_to_is_shown_whether_it_is_synced_or_not(stage: Stage) -> None:
    contact = stage.enter("contact", firstname="Vera", lastname="Shown", emailaddress1="vera@story.example")
    team = stage.enter("team", name="Visit team")
    visit = enter_visit(stage, "Shown", contact)
    stage.crm.edit("new_visit", visit, ownerid={"entity": "team", "id": team})
    await stage.sync_until(lambda: visit in visits(stage))
    (unit,) = [row["name"] for row in stage.crm.records("businessunit").values()]
    found = visits(stage)[visit]
    assert (found["visitorName"], found["ownerName"], found["unit"]) == ("Vera Shown", "Visit team", unit)
    stage.crm.edit("contact", contact, lastname="Renamed")
    stage.crm.edit("team", team, name="Renamed team")
    await stage.sync_until(lambda: visits(stage)[visit]["visitorName"] == "Vera Renamed")
    assert visits(stage)[visit]["ownerName"] == "Renamed team"


async def test_a_deleted_record_is_deleted(stage: Stage) -> None:
    visit = enter_visit(stage, "Cancelled", None)
    await stage.sync_until(lambda: visit in visits(stage))
    stage.crm.control("people/delete", {"entity": "new_visit", "id": visit})
    await stage.sync_until(lambda: visit not in visits(stage))


async def test_a_contact_holds_the_id_of_its_person(stage: Stage) -> None:
    contact = stage.take("contact")
    person = stage.person_of(contact)["id"]
    await stage.sync_until(lambda: stage.crm_has("contact", contact, new_marketoid=person))


async def test_all_of_it_agrees_and_comes_to_rest(stage: Stage) -> None:
    visit = enter_visit(stage, "Last", None)
    await stage.sync_until(lambda: visit in visits(stage))
    await stage.sync_until_quiet()
    report = await stage.verify()
    assert report.differences == ()
    assert report.compared["new_visit"] > 0
