"""What a lookup leads to, shown by its name or by a column: of people as of everybody else."""

from collections.abc import Mapping
from typing import Any, Final

from tandem.app.demo.stories.accounts import active_users
from tandem.app.demo.stories.columns import add_column, delete_column, field_of, pairs_of_contacts
from tandem.app.demo.stories.registry import story
from tandem.app.demo.stories.scene import Row, Scene, at
from tandem.app.demo.world import CRM, crm_key

SETTINGS: Final = """
[[entities.contact.fields]]
crm = "ownerid.@name"
marketing = "ownerName"
create_as = "string"
[[entities.contact.fields]]
crm = "ownerid.fullname"
marketing = "ownerIfUser"
create_as = "string"
[[entities.contact.fields]]
crm = "parentcustomerid.@name"
marketing = "customerName"
create_as = "string"
[[entities.contact.fields]]
crm = "transactioncurrencyid.isocurrencycode"
marketing = "currencyCode"
create_as = "string"
[[entities.lead.fields]]
crm = "ownerid.@name"
marketing = "ownerName"
create_as = "string"
[[entities.lead.fields]]
crm = "campaignid.typecode"
marketing = "campaignType"
create_as = "string"
"""
CAMPAIGN_TYPES: Final = {2: "Direct Marketing", 3: "Event"}


@story(
    "lookup-by-name",
    "People show their owner, customer, currency and campaign by name, or by any column of theirs",
    settings=SETTINGS,
)
async def lookup_by_name(scene: Scene) -> None:
    una, ugo = (await active_users(scene))[:2]
    team = await scene.crm_enter("team", name="Harbour sales")
    account = await scene.crm_enter("account", name="Quay Ltd")
    campaign = await scene.crm_enter("campaign", name="Spring", typecode=2)
    ann = await _contact(scene, "Ann", at("systemuser", una), parentcustomerid=at("account", account))
    bob = await _contact(scene, "Bob", at("team", team), parentcustomerid=at("contact", ann))
    lead = await scene.crm_enter(
        "lead", lastname="Lee", emailaddress1="lee@name.example", campaignid=at("campaign", campaign)
    )
    await scene.settle()
    name = str((await scene.crm_record("systemuser", una) or {})["fullname"])
    scene.check("a user's name is shown", await _shown(scene, ann, "ownerName", "ownerIfUser") == [name, name])
    scene.check("and a team's", await _shown(scene, bob, "ownerName", "ownerIfUser") == ["Harbour sales", None])
    customers = [await field_of(scene, contact, "customerName") for contact in (ann, bob)]
    scene.check("the customer is an account or a contact", customers == ["Quay Ltd", "Ann"])
    scene.check("the currency is shown by its code", await field_of(scene, ann, "currencyCode") == "USD")
    scene.check("a choice is shown by its label", await field_of(scene, lead, "campaignType") == CAMPAIGN_TYPES[2])
    scene.check("everybody shows the owner's name", await _wrong_owners(scene) == [])

    before = await _versions(scene, ann, bob)
    await scene.crm_edit("systemuser", una, lastname="Renamed")
    await scene.crm_edit("team", team, name="River sales")
    await scene.crm_edit("account", account, name="Pier Ltd")
    await scene.crm_edit("campaign", campaign, typecode=3)
    await scene.settle()
    scene.check("with new names everybody shows those", await _wrong_owners(scene) == [])
    scene.check("of the customer too", await field_of(scene, ann, "customerName") == "Pier Ltd")
    scene.check("and nobody was touched for that", await _versions(scene, ann, bob) == before)
    scene.check("nothing tells of a campaign", await field_of(scene, lead, "campaignType") == CAMPAIGN_TYPES[2])
    found = [line.field for line in (await scene.verify()).differences if line.crm_id == lead]
    scene.check("the comparison finds it", found == ["campaignid.typecode|campaignType"])

    await scene.tandem("verify", "--repair")
    await scene.crm_edit("contact", ann, ownerid=at("systemuser", ugo), lastname="Anders")
    await scene.settle()
    scene.check("and repairs it", await field_of(scene, lead, "campaignType") == CAMPAIGN_TYPES[3])
    scene.check("another owner is shown", await _wrong_owners(scene) == [])
    scene.check(
        "a contact's own name is, where it is the customer", await field_of(scene, bob, "customerName") == "Anders"
    )


TIER: Final = "crm = 'parentcustomerid.new_tier'\nmarketing = 'customerTier'\ncreate_as = 'string'"


@story(
    "lookup-end-deleted",
    "A column at the end of a lookup changes, is deleted, and comes back: its pair alone is set aside meanwhile",
)
async def lookup_end_deleted(scene: Scene) -> None:
    await add_column(scene, "new_tier", entity="account")
    scene.configure(pairs_of_contacts(TIER))
    account = await scene.crm_enter("account", name="Tier Ltd", new_tier="Gold")
    tia = await _contact(
        scene, "Tia", at("systemuser", (await active_users(scene))[0]), parentcustomerid=at("account", account)
    )
    await scene.settle()
    scene.check("the customer's column is shown", await field_of(scene, tia, "customerTier") == "Gold")
    await scene.crm_edit("account", account, new_tier="Silver")
    await scene.settle()
    scene.check("and follows, though accounts do not map it", await field_of(scene, tia, "customerTier") == "Silver")

    await delete_column(scene, "new_tier", entity="account")
    await scene.crm_edit("contact", tia, jobtitle="Goes on")
    await scene.settle()
    scene.check("without the column the rest goes on", await field_of(scene, tia, "title") == "Goes on")
    scene.check("and Marketo keeps what it has", await field_of(scene, tia, "customerTier") == "Silver")
    aside = [(line.crm_field, line.reason) for line in scene.status().quarantined]
    scene.check("the status says so", [field for field, _ in aside] == ["parentcustomerid.new_tier"])
    scene.check("and why", aside and "no column of account or contact" in aside[0][1])
    await add_column(scene, "new_tier", entity="account")
    await scene.crm_edit("account", account, new_tier="Bronze")
    await scene.settle()
    scene.check("it is back, and filled", await field_of(scene, tia, "customerTier") == "Bronze")
    scene.check("and nothing is set aside", scene.status().quarantined == ())


async def _contact(scene: Scene, name: str, owner: Mapping[str, str], **values: Any) -> str:
    currency = (await scene.records(CRM, "transactioncurrency"))[0]["transactioncurrencyid"]
    email = f"{name.lower()}@name.example"
    given = {"ownerid": owner, "transactioncurrencyid": at("transactioncurrency", currency)} | values
    return await scene.crm_enter("contact", lastname=name, emailaddress1=email, **given)


async def _shown(scene: Scene, contact: str, *fields: str) -> list[Any]:
    return [await field_of(scene, contact, field) for field in fields]


async def _versions(scene: Scene, *contacts: str) -> list[Any]:
    return [(await scene.crm_record("contact", contact) or {})["versionnumber"] for contact in contacts]


async def _wrong_owners(scene: Scene) -> list[str]:
    """Who of all people shows another name than that of who owns the record."""
    names = {_id(row, "systemuser"): row["fullname"] for row in await scene.records(CRM, "systemuser")}
    names |= {_id(row, "team"): row["name"] for row in await scene.records(CRM, "team")}
    owners = {
        _id(row, entity): names[str(row["ownerid"]).lower()]
        for entity in ("lead", "contact")
        for row in await scene.records(CRM, entity)
    }
    people = {key: person for person in await scene.people() if (key := crm_key(person)) in owners}
    return [key for key, person in people.items() if person.get("ownerName") != owners[key]]


def _id(row: Row, entity: str) -> str:
    return str(row[f"{entity}id"]).lower()
