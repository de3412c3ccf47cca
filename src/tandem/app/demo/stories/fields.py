"""Fields: those paired from the start, and those added, deleted, renamed and retyped while everything runs."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from tandem.app.demo.stories.columns import (
    ENGLISH,
    add_column,
    column_of,
    columns_of,
    delete_column,
    field_of,
    labelled,
    pairs_of_contacts,
    person_id,
    yes_or_no,
)
from tandem.app.demo.stories.flow_steps import until
from tandem.app.demo.stories.registry import story
from tandem.app.demo.stories.scene import Scene
from tandem.app.system import SystemClock

# --- what is mapped from the start -----------------------------------------------------------------------------------

PERSON: Final = {
    "salutation": ("Dr.", "salutation"),
    "firstname": ("Ada", "firstName"),
    "middlename": ("M.", "middleName"),
    "lastname": ("Default", "lastName"),
    "jobtitle": ("Engineer", "title"),
    "telephone1": ("+44 1", "phone"),
    "mobilephone": ("+44 2", "mobilePhone"),
    "telephone2": ("+44 3", "microsoftHomePhone"),
    "address1_line1": ("1 High Street", "address"),
    "address1_line2": ("Second floor", "microsoftAddress2"),
    "address1_line3": ("Back yard", "microsoftAddress3"),
    "address1_city": ("Leeds", "city"),
    "address1_stateorprovince": ("Yorkshire", "state"),
    "address1_country": ("UK", "country"),
    "address1_postalcode": ("LS1", "postalCode"),
    "description": ("Notes", "mktoPersonNotes"),
    "donotphone": (True, "doNotCall"),
    "donotbulkemail": (True, "unsubscribed"),
    "donotemail": (True, "microsoftDoNotEmail"),
    "donotfax": (True, "microsoftDoNotFax"),
    "donotsendmm": (True, "microsoftDoNotSendMarketingMaterial"),
}
LEAD: Final = {
    "fax": ("+44 4", "fax"),
    "subject": ("A topic", "microsoftTopic"),
    "companyname": ("Ltd", "microsoftCompanyName"),
    "revenue": (5000, "microsoftAnnualRevenue"),
}
ACCOUNT: Final = {
    "address1_line1": ("2 Low Street", "billingStreet"),
    "address1_city": ("York", "billingCity"),
    "address1_stateorprovince": ("Yorkshire", "billingState"),
    "address1_country": ("UK", "billingCountry"),
    "address1_postalcode": ("YO1", "billingPostalCode"),
    "telephone1": ("+44 5", "mainPhone"),
    "description": ("Notes", "mktoCompanyNotes"),
    "sic": ("7372", "sicCode"),
    "websiteurl": ("https://default.example", "website"),
    "numberofemployees": (12, "numberOfEmployees"),
    "revenue": (9000, "annualRevenue"),
}
CHOICES: Final = {"leadsourcecode": 8, "leadqualitycode": 1, "preferredcontactmethodcode": 2}
LABELS: Final = {
    "leadSource": "Web",
    "rating": "Hot",
    "microsoftPreferredMethodOfContact": "Email",
    "leadStatus": "Open",
    "statusReason": "New",
}
SALES_INSIGHT: Final = {
    "mkt_relativescore": "relativeScore",
    "mkt_priority": "priority",
    "mkt_urgency": "relativeUrgency",
}
Expected = Mapping[str, tuple[Any, str]]


def _given(expected: Expected) -> dict[str, Any]:
    return {column: value for column, (value, _) in expected.items()}


def _wrong(expected: Expected, shown: Mapping[str, Any]) -> list[str]:
    return [field for value, field in expected.values() if shown.get(field) != value]


@story(
    "default-mapping",
    "Without a word in the settings the usual fields are paired, and Marketo says what each person is in Dynamics",
    rows=("N73", "N75", "N76", "N77", "N78", "N131"),
)
async def default_mapping(scene: Scene) -> None:
    for column in SALES_INSIGHT:
        for entity in ("lead", "contact"):
            await add_column(scene, column, "Integer", entity=entity, MinValue=0, MaxValue=100)
    scores = dict.fromkeys(SALES_INSIGHT, 7)
    account = await scene.crm_enter("account", name="Default Ltd", **_given(ACCOUNT))
    owner = (await scene.records("crm", "systemuser"))[0]["systemuserid"]
    contact = await scene.crm_enter(
        "contact",
        emailaddress1="contact.default@story.example",
        parentcustomerid={"entity": "account", "id": account},
        ownerid={"entity": "systemuser", "id": owner},
        **_given(PERSON),
        **scores,
    )
    lead = await scene.crm_enter(
        "lead", emailaddress1="lead.default@story.example", **_given({**PERSON, **LEAD}), **CHOICES, **scores
    )
    stranger = await scene.marketing_enter(lastName="Stranger", email="stranger.default@story.example")
    await scene.settle()
    for side in (scene.crm, scene.marketing):
        await side.advance_clock(60)
    await scene.crm_edit("contact", contact, department="Edited later")
    await scene.settle()
    company, person, other = (
        await scene.company_of(account),
        await scene.person_of(contact),
        await scene.person_of(lead),
    )
    assert company is not None
    assert person is not None
    assert other is not None
    scene.check("every value of the account is the company's", _wrong(ACCOUNT, company) == [])
    scene.check("every value of the contact is the person's", _wrong(PERSON, person) == [])
    scene.check("and so with the lead", _wrong({**PERSON, **LEAD}, other) == [])
    scene.check("choices and states are shown by their labels", {name: other.get(name) for name in LABELS} == LABELS)
    nobody = next(each for each in await scene.people() if each["id"] == stranger)
    types = [each.get("microsoftType") for each in (person, other, nobody)]
    scene.check(
        "Microsoft Type tells them apart, and those whom Dynamics does not know", types == ["Contact", "Lead", None]
    )
    made = str((await scene.crm_record("contact", contact) or {})["createdon"])
    scene.check("Microsoft Created Date is that of Dynamics", str(person.get("microsoftCreatedDate"))[:19] == made[:19])
    scene.check("the owner is named", str(person.get("externalSalesPersonId")).lower() == str(owner).lower())
    scene.check("and so is the company", str(person.get("externalCompanyId")).lower() == account)
    scores_shown = [[each.get(field) for field in SALES_INSIGHT.values()] for each in (person, other)]
    scene.check("Sales Insight's fields are there for both", scores_shown == [[7, 7, 7], [7, 7, 7]])
    scene.check("nobody is marked as deleted", not person.get("microsoftIsDeleted"))
    await scene.crm_delete("contact", contact)
    await scene.settle()
    scene.check("until they are", (await scene.person_of(contact) or {}).get("microsoftIsDeleted") is True)


@story(
    "one-field-for-both",
    "A column of leads and one of contacts share a Marketo field, whatever they are called",
    rows=("N140",),
)
async def one_field_for_both(scene: Scene) -> None:
    await add_column(scene, "new_shoe", entity="lead", DisplayName=labelled((ENGLISH, "Shoe of the lead")))
    await add_column(scene, "new_footwear", DisplayName=labelled((ENGLISH, "Footwear")))
    said = "marketing = 'shoe'\ncreate_as = 'string'"
    lead_pair = f"[[entities.lead.fields]]\ncrm = 'new_shoe'\n{said}\n"
    scene.configure(lead_pair + pairs_of_contacts(f"crm = 'new_footwear'\n{said}"))
    lead = await scene.crm_enter("lead", lastname="Lead", emailaddress1="shoe.lead@story.example", new_shoe="Boots")
    contact = await scene.crm_enter("contact", lastname="Con", emailaddress1="shoe@story.example", new_footwear="Clogs")
    await scene.settle()
    scene.check(
        "both show it in one field",
        [await field_of(scene, id_, "shoe") for id_ in (lead, contact)] == ["Boots", "Clogs"],
    )
    await scene.marketing_edit(await person_id(scene, contact), shoe="Slippers")
    await scene.settle()
    scene.check("and an edit goes to the right column", await column_of(scene, contact, "new_footwear") == "Slippers")


# --- choosing fields while it runs --------------------------------------------------------------------------------

HOBBY: Final = "crm = 'new_hobby'\nmarketing = 'hobby'\ncreate_as = 'string'"
_EARLIER: Final = timedelta(hours=2)
"""What changed within it the live feed tells anew when its columns change; the rest is for the slow lane."""
TIER: Final = "[[entities.account.fields]]\ncrm = 'new_tier'\nmarketing = 'site'\n"


@story(
    "field-added-backfill",
    "A column that is mapped while everything runs is filled for everybody, and one that is taken out rests",
    rows=("N74", "N79", "N82", "N87"),
)
async def field_added_backfill(scene: Scene) -> None:
    await add_column(scene, "new_hobby")
    await add_column(scene, "new_tier", entity="account")
    account = await scene.crm_enter("account", name="Tier Ltd", new_tier="Gold")
    names = ("Chess", "Judo", None)
    await scene.crm.set_clock(SystemClock().now() - _EARLIER)
    contacts = [
        await scene.crm_enter(
            "contact", lastname=f"Hobby {n}", emailaddress1=f"hobby.{n}@story.example", new_hobby=name
        )
        for n, name in enumerate(names)
    ]
    await scene.crm.set_clock(SystemClock().now())
    await scene.settle()
    scene.configure(pairs_of_contacts(HOBBY) + TIER)
    await scene.crm_edit("contact", contacts[2], jobtitle="Meanwhile")
    plan = await scene.plan()
    scene.check("the plan shows what is filled", plan.counts.get("marketing.update.person") == 3)
    await scene.settle()
    shown = [await field_of(scene, contact, "hobby") for contact in contacts]
    scene.check("everybody who has one shows it", shown == ["Chess", "Judo", None])
    company = await scene.company_of(account) or {}
    scene.check("and so does a company that of its account", company.get("site") == "Gold")
    scene.check("an edit made meanwhile arrived", await field_of(scene, contacts[2], "title") == "Meanwhile")
    filled = [line for line in scene.status().filling if "new_hobby" in line.reason and line.phase == "done"]
    scene.check("the status says that it is done, with how many", filled and filled[0].done > 2)

    scene.configure()
    await scene.crm_edit("contact", contacts[0], new_hobby="Golf")
    await scene.marketing_edit(await person_id(scene, contacts[2]), hobby="Rowing")
    await scene.settle()
    scene.check("taken out, the column rests", await field_of(scene, contacts[0], "hobby") == "Chess")
    scene.check("which is no fault", scene.status().quarantined == ())
    scene.configure(pairs_of_contacts(HOBBY))
    await scene.settle()
    scene.check("mapped again, it is filled up", await field_of(scene, contacts[0], "hobby") == "Golf")
    scene.check("from whichever side has a value", await column_of(scene, contacts[2], "new_hobby") == "Rowing")


@story(
    "field-filled-again",
    "Fields are filled again on request: of everybody, or of the records of a span of time; empty values go over too",
    rows=("N83", "N84", "N85"),
)
async def field_filled_again(scene: Scene) -> None:
    old, new, empty, emptied = [
        await scene.crm_enter("account", name=f"{name} Ltd", telephone1=phone)
        for name, phone in (("Old", "+44 1"), ("New", "+44 2"), ("Empty", None), ("Emptied", "+44 4"))
    ]
    await scene.settle()

    async def edit_companies_of(*accounts: str) -> None:
        for account in accounts:
            company = await scene.company_of(account) or {}
            await scene.marketing_edit(company["id"], "company", mainPhone="+1 555")

    await edit_companies_of(old, new, empty)
    await scene.settle()

    async def phones() -> list[Any]:
        return [(await scene.company_of(account) or {}).get("mainPhone") for account in (old, new, empty)]

    scene.check("Marketo tells of no edit of a company", await phones() == ["+1 555"] * 3)
    since = await _edited_later(scene, new)
    told = await scene.tandem("backfill", "telephone1", "--entity", "account", "--updated-since", since, "--json")
    scene.check("the command says what it asked for", told.json()["asked"][0]["giver"] == "crm")
    await scene.settle()
    scene.check(
        "the record of the span is filled again, the others wait", await phones() == ["+1 555", "+44 2", "+1 555"]
    )
    late = await scene.crm_enter("account", name="Late Ltd", telephone1="+44 3")
    await scene.crm_edit("account", emptied, telephone1=None)
    await scene.settle()
    scene.check("an emptied value goes over", (await scene.company_of(emptied) or {}).get("mainPhone") is None)
    await edit_companies_of(new, late)
    await scene.tandem("backfill", "telephone1", "--entity", "account", "--created-since", since)
    await scene.settle()
    scene.check("what was made in a span is filled", (await scene.company_of(late) or {}).get("mainPhone") == "+44 3")
    scene.check("and nothing that is older", await phones() == ["+1 555"] * 3)
    await edit_companies_of(late)
    span = ["--created-since", "2000-01-01", "--until", since]
    await scene.tandem("backfill", "telephone1", "--entity", "account", *span)
    await scene.settle()
    scene.check("nor what is newer than its end", (await scene.company_of(late) or {}).get("mainPhone") == "+1 555")
    scene.check("but all between", await phones() == ["+44 1", "+44 2", None])
    await edit_companies_of(old, empty)
    await scene.tandem("backfill", "mainPhone", "--entity", "account")
    await scene.settle()
    scene.check("then all of them, the empty one too", await phones() == ["+44 1", "+44 2", None])
    wrong = await scene.tandem("backfill", "telefone1")
    scene.check("a field that nobody mapped is named", wrong.status == 2 and "telefone1" in wrong.complaints)


async def _edited_later(scene: Scene, account: str) -> str:
    """When an account was edited, in a second of its own."""
    await asyncio.sleep(1.1)
    await scene.crm_edit("account", account, description="Edited later")
    return str((await scene.crm_record("account", account) or {})["modifiedon"])[:19]


# --- fields that change at the source ------------------------------------------------------------------------------


@story(
    "field-deleted",
    "A column is deleted while everything runs: it alone is set aside, and filled up when it is back",
    rows=("N89", "N90", "N91"),
)
async def field_deleted(scene: Scene) -> None:
    await add_column(scene, "new_hobby")
    scene.configure(pairs_of_contacts(HOBBY) + "[run]\npass_interval_s = 0.3\n")
    contact = await scene.crm_enter(
        "contact", lastname="Deleted", emailaddress1="deleted.column@story.example", new_hobby="Chess"
    )

    async def is_shown(field: str, value: str) -> bool:
        return bool(await field_of(scene, contact, field) == value)

    async with scene.running("run"):
        scene.check("the column is carried", await until(lambda: is_shown("hobby", "Chess")))
        await delete_column(scene, "new_hobby")
        await scene.crm_edit("contact", contact, jobtitle="Goes on")
        scene.check("the rest goes on, in the same process", await until(lambda: is_shown("title", "Goes on")))
    await scene.settle()
    scene.check("what Marketo has of it stays", await field_of(scene, contact, "hobby") == "Chess")
    aside = [line for line in scene.status().quarantined if line.crm_field == "new_hobby"]
    scene.check("the status says so, since when and what to do", aside and aside[0].since and aside[0].remedy)
    text = (await scene.tandem("status")).output
    scene.check("and so does the command", "Set aside" in text and "new_hobby" in text)

    await add_column(scene, "new_hobby")
    await scene.settle()
    scene.check("it is back", scene.status().quarantined == ())
    scene.check("and filled up from the other side", await column_of(scene, contact, "new_hobby") == "Chess")


@story("field-retyped", "A column gets another type: it alone is set aside, and mapped again when it fits")
async def field_retyped(scene: Scene) -> None:
    await add_column(scene, "new_size")
    scene.configure(pairs_of_contacts("crm = 'new_size'\nmarketing = 'shoeSize'\ncreate_as = 'string'"))
    contact = await scene.crm_enter("contact", lastname="Retyped", emailaddress1="retyped@story.example", new_size="42")
    await scene.settle()
    scene.check("the text is carried", await field_of(scene, contact, "shoeSize") == "42")
    await delete_column(scene, "new_size")
    await add_column(scene, "new_size", "Boolean", OptionSet=yes_or_no())
    await scene.crm_edit("contact", contact, new_size=True, jobtitle="Goes on")
    await scene.settle()
    scene.check("the rest goes on", await field_of(scene, contact, "title") == "Goes on")
    scene.check("the text stays as it was", await field_of(scene, contact, "shoeSize") == "42")
    aside = scene.status().quarantined
    scene.check("the status says why", [line.crm_field for line in aside] == ["new_size"])
    scene.check("in words", aside and "yes or no" in aside[0].reason)
    await delete_column(scene, "new_size")
    await add_column(scene, "new_size", "Integer", MinValue=0, MaxValue=100)
    scene.configure(pairs_of_contacts("crm = 'new_size'\nmarketing = 'shoeSizeNumber'\ncreate_as = 'integer'"))
    await scene.crm_edit("contact", contact, new_size=43)
    await scene.settle()
    scene.check("mapped to a fitting field it goes over", await field_of(scene, contact, "shoeSizeNumber") == 43)
    scene.check("and nothing is set aside", scene.status().quarantined == ())


@story(
    "marketo-field-changed",
    "A field of Marketo gets another type, or is hidden: it alone is set aside, until it fits again",
)
async def marketo_field_changed(scene: Scene) -> None:
    await add_column(scene, "new_hobby")
    await add_column(scene, "new_size")
    scene.configure(pairs_of_contacts(HOBBY, "crm = 'new_size'\nmarketing = 'shoeSize'\ncreate_as = 'string'"))
    contact = await scene.crm_enter(
        "contact", lastname="Field", emailaddress1="field@story.example", new_hobby="Chess", new_size="42"
    )
    await scene.settle()
    await scene.marketing_act("change-field-type", field="shoeSize", type="boolean")
    await _hide(scene, "hobby", is_hidden=True)
    await scene.crm_edit("contact", contact, new_hobby="Judo", new_size="43", jobtitle="Goes on")
    await scene.settle()
    scene.check("the rest goes on", await field_of(scene, contact, "title") == "Goes on")
    reasons = {line.crm_field: line.reason for line in scene.status().quarantined}
    scene.check("both are set aside", sorted(reasons) == ["new_hobby", "new_size"])
    scene.check("each for its reason", "hides" in reasons.get("new_hobby", "") and "yes" in reasons.get("new_size", ""))
    await scene.marketing_act("change-field-type", field="shoeSize", type="string")
    await _hide(scene, "hobby", is_hidden=False)
    await scene.settle()
    scene.check("they are back", scene.status().quarantined == ())
    shown = [await field_of(scene, contact, field) for field in ("hobby", "shoeSize")]
    scene.check("and filled up", shown == ["Judo", "43"])


async def _hide(scene: Scene, field: str, *, is_hidden: bool) -> None:
    await scene.rest("POST", f"/rest/v1/leads/schema/fields/{field}.json", {"input": [{"isHidden": is_hidden}]})


# --- columns from the other side -----------------------------------------------------------------------------------


@story(
    "column-from-marketo",
    "A Marketo field gets a column in Dynamics: shown first, made on request, then filled",
    rows=("N81",),
)
async def column_from_marketo(scene: Scene) -> None:
    field = {"name": "loyaltyPoints", "displayName": "Loyalty Points", "dataType": "integer"}
    await scene.rest("POST", "/rest/v1/leads/schema/fields.json", {"input": [field]})
    contact = await scene.crm_enter("contact", lastname="Loyal", emailaddress1="loyal@story.example")
    await scene.settle()
    await scene.marketing_edit(await person_id(scene, contact), loyaltyPoints=120)
    scene.configure(pairs_of_contacts("crm = 'new_loyalty'\nmarketing = 'loyaltyPoints'\ncreate_column_as = 'Integer'"))
    planned = [line.name for line in (await scene.plan_schema()).fields if line.side == "crm"]
    scene.check("the column is planned", planned == ["new_loyalty"])
    await scene.settle()
    scene.check("and not made yet", "new_loyalty" not in await columns_of(scene, "contact"))
    await scene.apply_schema()
    await scene.settle()
    scene.check("once it is made, the value is there", await column_of(scene, contact, "new_loyalty") == 120)
    await scene.crm_edit("contact", contact, new_loyalty=130)
    await scene.settle()
    scene.check("and goes both ways", await field_of(scene, contact, "loyaltyPoints") == 130)
