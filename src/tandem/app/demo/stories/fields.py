"""Fields added, deleted and renamed while everything runs, and values that one side cannot hold."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from tandem.app import queries
from tandem.app.demo.stories.registry import story
from tandem.app.demo.stories.scene import Row, Scene

ENGLISH, GERMAN = 1033, 1031


def _pairs(*lines: str) -> str:
    """Settings that map columns of contacts; each line is what a pair says."""
    return "".join(f"[[entities.contact.fields]]\n{line}\n" for line in lines)


def _label(*texts: tuple[int, str]) -> dict[str, Any]:
    named = [
        {"@odata.type": "Microsoft.Dynamics.CRM.LocalizedLabel", "Label": text, "LanguageCode": language}
        for language, text in texts
    ]
    return {"@odata.type": "Microsoft.Dynamics.CRM.Label", "LocalizedLabels": named}


async def _add_column(
    scene: Scene, name: str, kind: str = "String", *, entity: str = "contact", **definition: Any
) -> None:
    """An admin's new column."""
    column = {
        "@odata.type": f"Microsoft.Dynamics.CRM.{kind}AttributeMetadata",
        "SchemaName": name,
        "DisplayName": _label((ENGLISH, name)),
        "RequiredLevel": {"Value": "None"},
        **({"MaxLength": 100} if kind == "String" else {}),
        **definition,
    }
    await scene.web_api("POST", f"EntityDefinitions(LogicalName='{entity}')/Attributes", column)


async def _delete_column(scene: Scene, name: str) -> None:
    path = f"EntityDefinitions(LogicalName='contact')/Attributes(LogicalName='{name}')"
    await scene.web_api("DELETE", path)


def _options(*labels: tuple[tuple[int, str], ...]) -> dict[str, Any]:
    options = [{"Value": value, "Label": _label(*texts)} for value, texts in enumerate(labels, start=1)]
    return {
        "@odata.type": "Microsoft.Dynamics.CRM.OptionSetMetadata",
        "IsGlobal": False,
        "OptionSetType": "Picklist",
        "Options": options,
    }


async def _shown(scene: Scene, contact: str, field: str) -> Any:
    return (await scene.person_of(contact) or {}).get(field)


async def _person_id(scene: Scene, contact: str) -> int:
    person = await scene.person_of(contact)
    assert person is not None, f"nobody carries the key {contact}"
    return int(person["id"])


async def _column_of(scene: Scene, contact: str, name: str) -> Any:
    return (await scene.crm_record("contact", contact) or {}).get(name)


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
}
LEAD: Final = {
    "fax": ("+44 4", "fax"),
    "subject": ("A topic", "microsoftTopic"),
    "companyname": ("Ltd", "microsoftCompanyName"),
}
ACCOUNT: Final = {
    "address1_line1": ("2 Low Street", "billingStreet"),
    "address1_city": ("York", "billingCity"),
    "address1_country": ("UK", "billingCountry"),
    "address1_postalcode": ("YO1", "billingPostalCode"),
    "telephone1": ("+44 5", "mainPhone"),
    "description": ("Notes", "mktoCompanyNotes"),
    "sic": ("7372", "sicCode"),
    "websiteurl": ("https://default.example", "website"),
    "numberofemployees": (12, "numberOfEmployees"),
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
            await _add_column(scene, column, "Integer", entity=entity, MinValue=0, MaxValue=100)
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
        "lead", emailaddress1="lead.default@story.example", **_given({**PERSON, **LEAD}), **scores
    )
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
    scene.check(
        "Microsoft Type tells them apart", (person["microsoftType"], other["microsoftType"]) == ("Contact", "Lead")
    )
    made = str((await scene.crm_record("contact", contact) or {})["createdon"])
    scene.check("Microsoft Created Date is that of Dynamics", str(person["microsoftCreatedDate"])[:19] == made[:19])
    scene.check("the owner is named", str(person["externalSalesPersonId"]).lower() == str(owner).lower())
    scene.check("and so is the company", str(person["externalCompanyId"]).lower() == account)
    scores_shown = [[each[field] for field in SALES_INSIGHT.values()] for each in (person, other)]
    scene.check("Sales Insight's fields are there for both", scores_shown == [[7, 7, 7], [7, 7, 7]])
    scene.check("nobody is marked as deleted", not person["microsoftIsDeleted"])
    await scene.crm_delete("contact", contact)
    await scene.settle()
    scene.check("until they are", (await scene.person_of(contact) or {})["microsoftIsDeleted"] is True)


@story(
    "one-field-for-both",
    "A column of leads and one of contacts share a Marketo field, whatever they are called",
    rows=("N140",),
)
async def one_field_for_both(scene: Scene) -> None:
    await _add_column(scene, "new_shoe", entity="lead", DisplayName=_label((ENGLISH, "Shoe of the lead")))
    await _add_column(scene, "new_footwear", DisplayName=_label((ENGLISH, "Footwear")))
    said = "marketing = 'shoe'\ncreate_as = 'string'"
    lead_pair = f"[[entities.lead.fields]]\ncrm = 'new_shoe'\n{said}\n"
    scene.configure(lead_pair + _pairs(f"crm = 'new_footwear'\n{said}"))
    lead = await scene.crm_enter("lead", lastname="Lead", emailaddress1="shoe.lead@story.example", new_shoe="Boots")
    contact = await scene.crm_enter("contact", lastname="Con", emailaddress1="shoe@story.example", new_footwear="Clogs")
    await scene.settle()
    scene.check(
        "both show it in one field", [await _shown(scene, id_, "shoe") for id_ in (lead, contact)] == ["Boots", "Clogs"]
    )
    await scene.marketing_edit(await _person_id(scene, contact), shoe="Slippers")
    await scene.settle()
    scene.check("and an edit goes to the right column", await _column_of(scene, contact, "new_footwear") == "Slippers")


# --- choosing fields while it runs --------------------------------------------------------------------------------

HOBBY: Final = "crm = 'new_hobby'\nmarketing = 'hobby'\ncreate_as = 'string'"


@story(
    "field-added-backfill",
    "A column that is mapped while everything runs is filled for everybody, and one that is taken out rests",
    rows=("N74", "N79", "N82", "N86", "N87"),
)
async def field_added_backfill(scene: Scene) -> None:
    await _add_column(scene, "new_hobby")
    names = ("Chess", "Judo", None)
    contacts = [
        await scene.crm_enter(
            "contact", lastname=f"Hobby {n}", emailaddress1=f"hobby.{n}@story.example", new_hobby=name
        )
        for n, name in enumerate(names)
    ]
    await scene.settle()
    scene.configure(_pairs(HOBBY))
    await scene.crm_edit("contact", contacts[2], jobtitle="Meanwhile")
    plan = await scene.plan()
    scene.check("the plan shows what is filled", plan.counts.get("marketing.update.person") == 3)
    await scene.settle()
    shown = [await _shown(scene, contact, "hobby") for contact in contacts]
    scene.check("everybody who has one shows it", shown == ["Chess", "Judo", None])
    scene.check("an edit made meanwhile arrived", await _shown(scene, contacts[2], "title") == "Meanwhile")
    filled = [line for line in scene.status().filling if "new_hobby" in line.reason and line.phase == "done"]
    scene.check("the status says that it is done, with how many", filled and filled[0].done > 2)

    scene.configure()
    await scene.crm_edit("contact", contacts[0], new_hobby="Golf")
    await scene.settle()
    scene.check("taken out, the column rests", await _shown(scene, contacts[0], "hobby") == "Chess")
    scene.check("which is no fault", scene.status().quarantined == ())
    scene.configure(_pairs(HOBBY))
    await scene.settle()
    scene.check("mapped again, it is filled up", await _shown(scene, contacts[0], "hobby") == "Golf")


@story(
    "field-filled-again",
    "Fields are filled again on request: of everybody, or of the records of a span of time; empty values go over too",
    rows=("N83", "N84", "N85"),
)
async def field_filled_again(scene: Scene) -> None:
    old, new, empty = [
        await scene.crm_enter("account", name=f"{name} Ltd", telephone1=phone)
        for name, phone in (("Old", "+44 1"), ("New", "+44 2"), ("Empty", None))
    ]
    await scene.settle()
    for account in (old, new, empty):
        company = await scene.company_of(account) or {}
        await scene.marketing_edit(company["id"], "company", mainPhone="+1 555")
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
    await _add_column(scene, "new_hobby")
    scene.configure(_pairs(HOBBY))
    contact = await scene.crm_enter(
        "contact", lastname="Deleted", emailaddress1="deleted.column@story.example", new_hobby="Chess"
    )
    await scene.settle()
    scene.check("the column is carried", await _shown(scene, contact, "hobby") == "Chess")
    await _delete_column(scene, "new_hobby")
    await scene.crm_edit("contact", contact, jobtitle="Goes on")
    await scene.settle()
    scene.check("the rest goes on", await _shown(scene, contact, "title") == "Goes on")
    scene.check("what Marketo has of it stays", await _shown(scene, contact, "hobby") == "Chess")
    aside = [line for line in scene.status().quarantined if line.crm_field == "new_hobby"]
    scene.check("the status says so, since when and what to do", aside and aside[0].since and aside[0].remedy)
    text = (await scene.tandem("status")).output
    scene.check("and so does the command", "Set aside" in text and "new_hobby" in text)

    await _add_column(scene, "new_hobby")
    await scene.settle()
    scene.check("it is back", scene.status().quarantined == ())
    scene.check("and filled up from the other side", await _column_of(scene, contact, "new_hobby") == "Chess")


@story("field-retyped", "A column gets another type: it alone is set aside, and mapped again when it fits")
async def field_retyped(scene: Scene) -> None:
    await _add_column(scene, "new_size")
    scene.configure(_pairs("crm = 'new_size'\nmarketing = 'shoeSize'\ncreate_as = 'string'"))
    contact = await scene.crm_enter("contact", lastname="Retyped", emailaddress1="retyped@story.example", new_size="42")
    await scene.settle()
    scene.check("the text is carried", await _shown(scene, contact, "shoeSize") == "42")
    await _delete_column(scene, "new_size")
    await _add_column(scene, "new_size", "Boolean", OptionSet=_yes_or_no())
    await scene.crm_edit("contact", contact, new_size=True, jobtitle="Goes on")
    await scene.settle()
    scene.check("the rest goes on", await _shown(scene, contact, "title") == "Goes on")
    scene.check("the text stays as it was", await _shown(scene, contact, "shoeSize") == "42")
    aside = scene.status().quarantined
    scene.check("the status says why", [line.crm_field for line in aside] == ["new_size"])
    scene.check("in words", aside and "yes or no" in aside[0].reason)
    await _delete_column(scene, "new_size")
    await _add_column(scene, "new_size", "Integer", MinValue=0, MaxValue=100)
    scene.configure(_pairs("crm = 'new_size'\nmarketing = 'shoeSizeNumber'\ncreate_as = 'integer'"))
    await scene.crm_edit("contact", contact, new_size=43)
    await scene.settle()
    scene.check("mapped to a fitting field it goes over", await _shown(scene, contact, "shoeSizeNumber") == 43)
    scene.check("and nothing is set aside", scene.status().quarantined == ())


@story(
    "marketo-field-changed",
    "A field of Marketo gets another type, or is hidden: it alone is set aside, until it fits again",
)
async def marketo_field_changed(scene: Scene) -> None:
    await _add_column(scene, "new_hobby")
    await _add_column(scene, "new_size")
    scene.configure(_pairs(HOBBY, "crm = 'new_size'\nmarketing = 'shoeSize'\ncreate_as = 'string'"))
    contact = await scene.crm_enter(
        "contact", lastname="Field", emailaddress1="field@story.example", new_hobby="Chess", new_size="42"
    )
    await scene.settle()
    await scene.marketing_act("change-field-type", field="shoeSize", type="boolean")
    await _hide(scene, "hobby", is_hidden=True)
    await scene.crm_edit("contact", contact, new_hobby="Judo", new_size="43", jobtitle="Goes on")
    await scene.settle()
    scene.check("the rest goes on", await _shown(scene, contact, "title") == "Goes on")
    reasons = {line.crm_field: line.reason for line in scene.status().quarantined}
    scene.check("both are set aside", sorted(reasons) == ["new_hobby", "new_size"])
    scene.check("each for its reason", "hides" in reasons.get("new_hobby", "") and "yes" in reasons.get("new_size", ""))
    await scene.marketing_act("change-field-type", field="shoeSize", type="string")
    await _hide(scene, "hobby", is_hidden=False)
    await scene.settle()
    scene.check("they are back", scene.status().quarantined == ())
    shown = [await _shown(scene, contact, field) for field in ("hobby", "shoeSize")]
    scene.check("and filled up", shown == ["Judo", "43"])


async def _hide(scene: Scene, field: str, *, is_hidden: bool) -> None:
    await scene.rest("POST", f"/rest/v1/leads/schema/fields/{field}.json", {"input": [{"isHidden": is_hidden}]})


def _yes_or_no() -> dict[str, Any]:
    return {
        "@odata.type": "Microsoft.Dynamics.CRM.BooleanOptionSetMetadata",
        "TrueOption": {"Value": 1, "Label": _label((ENGLISH, "Yes"))},
        "FalseOption": {"Value": 0, "Label": _label((ENGLISH, "No"))},
    }


# --- choices -------------------------------------------------------------------------------------------------------


@story("option-renamed", "A label is renamed: nobody is in conflict, and the new one goes over in the slow lane")
async def option_renamed(scene: Scene) -> None:
    await _add_column(scene, "new_grade", "Picklist", OptionSet=_options(((ENGLISH, "Gold"),), ((ENGLISH, "Silver"),)))
    scene.configure(_pairs("crm = 'new_grade'\nmarketing = 'grade'\ncreate_as = 'string'"))
    contacts = [
        await scene.crm_enter(
            "contact", lastname=f"Grade {n}", emailaddress1=f"grade.{n}@story.example", new_grade=value
        )
        for n, value in enumerate((1, 2))
    ]
    await scene.settle()
    scene.check("labels go over", [await _shown(scene, c, "grade") for c in contacts] == ["Gold", "Silver"])
    await _rename_option(scene, 1, "Premium")
    await scene.marketing_edit(await _person_id(scene, contacts[1]), grade="Gold")
    plan = await scene.plan()
    renamed = [action for action in plan.actions if any(field.after == "Premium" for field in action.fields)]
    scene.check("the plan shows who gets the new label", len(renamed) == 1)
    await scene.settle()
    scene.check("an old label still means its value", await _column_of(scene, contacts[1], "new_grade") == 1)
    scene.check("the new label is there", await _shown(scene, contacts[0], "grade") == "Premium")
    scene.check("Dynamics is as it was", await _column_of(scene, contacts[0], "new_grade") == 1)
    scene.check("nobody is in conflict", not any("grade" in line.field for line in scene.conflicts()))
    scene.check("nothing is held", not any("grade" in line for line in scene.held()))
    reasons = [line.reason for line in scene.status().filling if "labels renamed" in line.reason]
    scene.check("the status tells of it", reasons)


async def _rename_option(scene: Scene, value: int, label: str) -> None:
    body = {"EntityLogicalName": "contact", "AttributeLogicalName": "new_grade", "Value": value, "MergeLabels": False}
    await scene.web_api("POST", "UpdateOptionValue", {**body, "Label": _label((ENGLISH, label))})


@story(
    "labels-in-two-languages",
    "A choice goes by its labels in the language of the settings, or by its numbers",
    rows=("N93",),
)
async def labels_in_two_languages(scene: Scene) -> None:
    texts = (((ENGLISH, "Blue"), (GERMAN, "Blau")), ((ENGLISH, "Red"), (GERMAN, "Rot")))
    await _add_column(scene, "new_colour", "Picklist", OptionSet=_options(*texts))
    await _add_column(scene, "new_number", "Picklist", OptionSet=_options(*texts))
    scene.configure(
        _pairs(
            f"crm = 'new_colour'\nmarketing = 'farbe'\ncreate_as = 'string'\nlanguage = {GERMAN}",
            "crm = 'new_number'\nmarketing = 'colourNumber'\ncreate_as = 'string'\ntransform = 'number'",
        )
        + "[[entities.lead.fields]]\ncrm = 'leadqualitycode'\nmarketing = 'note'\ncreate_as = 'string'\n"
        + f"language = {GERMAN}\n"
    )
    lead = await scene.crm_enter(
        "lead", lastname="Seeded", emailaddress1="seeded.label@story.example", leadqualitycode=1
    )
    contact = await scene.crm_enter(
        "contact", lastname="Language", emailaddress1="language@story.example", new_colour=1, new_number=2
    )
    await scene.settle()
    scene.check("the German label is shown", await _shown(scene, contact, "farbe") == "Blau")
    scene.check("the number is shown", await _shown(scene, contact, "colourNumber") == "2")
    scene.check("Dynamics' own choices have labels in two languages", await _shown(scene, lead, "note") == "Heiß")
    scene.leave_apart(lead, "leadqualitycode", why="its label goes to another field here")
    person = await _person_id(scene, contact)
    await scene.marketing_edit(person, farbe="Rot", colourNumber="1")
    await scene.settle()
    scene.check("a German label comes back as its value", await _column_of(scene, contact, "new_colour") == 2)
    scene.check("and so does a number", await _column_of(scene, contact, "new_number") == 1)
    await scene.marketing_edit(person, farbe="Blue")
    await scene.settle()
    held = [line for line in scene.held() if "farbe" in line]
    scene.check("a label of another language is held", held and "none of the choice's labels" in held[0])
    scene.check("and changes nothing", await _column_of(scene, contact, "new_colour") == 2)
    await scene.marketing_edit(person, farbe="Rot")
    await scene.settle()
    scene.check("the hold ends when the text is a label", not any("farbe" in line for line in scene.held()))


@story("multi-select", "A choice of several is its labels in Marketo, in whatever order they are typed", rows=("N92",))
async def multi_select(scene: Scene) -> None:
    labels = [((ENGLISH, text),) for text in ("Hiking", "Sailing", "Chess")]
    await _add_column(scene, "new_interests", "MultiSelectPicklist", OptionSet=_options(*labels))
    scene.configure(_pairs("crm = 'new_interests'\nmarketing = 'interests'\ncreate_as = 'string'"))
    contact = await scene.crm_enter(
        "contact", lastname="Several", emailaddress1="several@story.example", new_interests="3,1"
    )
    await scene.settle()
    scene.check("the labels are shown", await _shown(scene, contact, "interests") == "Hiking;Chess")
    person = await _person_id(scene, contact)
    await scene.marketing_edit(person, interests="chess; Sailing")
    await scene.settle()
    scene.check("an edit comes back", sorted(str(await _column_of(scene, contact, "new_interests"))) == sorted("2,3"))
    scene.check("and the text stays as it was typed", await _shown(scene, contact, "interests") == "chess; Sailing")
    await scene.marketing_edit(person, interests=None)
    await scene.settle()
    scene.check("none at all comes back too", not await _column_of(scene, contact, "new_interests"))


# --- values that one side cannot hold ------------------------------------------------------------------------------


@story("long-text-narrowed", "A text that Marketo has no room for is cut, told once, and never comes back shorter")
async def long_text_narrowed(scene: Scene) -> None:
    await _add_column(scene, "new_story", "Memo", MaxLength=100_000)
    scene.configure(_pairs("crm = 'new_story'\nmarketing = 'story'\ncreate_as = 'string'"))
    text = "Grüße " * 60
    contact = await scene.crm_enter(
        "contact",
        lastname="Long",
        emailaddress1="long@story.example",
        new_story=text.strip(),
        description="ä" * 2_000,
    )
    await scene.settle()
    shown = str(await _shown(scene, contact, "story"))
    scene.check("as much as fits went over", len(shown) <= 255 and text.startswith(shown) and len(shown) > 240)
    scene.check("Dynamics keeps all of it", await _column_of(scene, contact, "new_story") == text.strip())
    scene.check("a text that fits is whole", await _shown(scene, contact, "mktoPersonNotes") == "ä" * 2_000)
    told = [line for line in scene.conflicts(contact) if line.kind == "narrowed" and "new_story" in line.field]
    scene.check("it is told", len(told) == 1)
    await scene.crm_edit("contact", contact, jobtitle="Another edit")
    await scene.settle()
    told = [line for line in scene.conflicts(contact) if line.kind == "narrowed" and "new_story" in line.field]
    scene.check("once", len(told) == 1)
    await scene.marketing_edit(await _person_id(scene, contact), story="Short")
    await scene.settle()
    scene.check(
        "an edit of the shorter text does not lose the rest", await _column_of(scene, contact, "new_story") != "Short"
    )
    scene.check("but waits for a person", any("shortened" in line for line in scene.held()))
    await scene.crm_edit("contact", contact, new_story="Now it fits")
    await scene.settle()
    scene.check("who decides in Dynamics", await _shown(scene, contact, "story") == "Now it fits")


@story(
    "boolean-null", "Two options may be unset in Dynamics; Marketo has only yes and no, and nothing goes back and forth"
)
async def boolean_null(scene: Scene) -> None:
    await _add_column(scene, "new_member", "Boolean", OptionSet=_yes_or_no(), DefaultValue=False)
    scene.configure(_pairs("crm = 'new_member'\nmarketing = 'isMember'\ncreate_as = 'boolean'"))
    unset = await scene.crm_enter("contact", lastname="Unset", emailaddress1="unset@story.example", new_member=None)
    member = await scene.crm_enter("contact", lastname="Member", emailaddress1="member@story.example", new_member=True)
    await scene.settle()
    scene.check("unset is no in Marketo", not await _shown(scene, unset, "isMember"))
    before = await _column_of(scene, unset, "new_member")
    scene.check("and stays as it is in Dynamics", before is None)
    await scene.crm_edit("contact", member, new_member=None)
    await scene.settle()
    scene.check("a yes that is unset becomes no", await _shown(scene, member, "isMember") is False)
    await scene.marketing_edit(await _person_id(scene, unset), isMember=True)
    await scene.settle()
    scene.check("a yes comes back", await _column_of(scene, unset, "new_member"))


@story("time-zones", "Days and times: an instant, a time without a zone, a day, and a time that is a day elsewhere")
async def time_zones(scene: Scene) -> None:
    behaviours = {
        "new_instant": "UserLocal",
        "new_wall": "TimeZoneIndependent",
        "new_day": "DateOnly",
        "new_born": "UserLocal",
    }
    for name, behaviour in behaviours.items():
        shape = "DateOnly" if behaviour == "DateOnly" else "DateAndTime"
        await _add_column(scene, name, "DateTime", DateTimeBehavior={"Value": behaviour}, Format=shape)
    scene.configure(
        "[crm]\ntime_zone = 'Europe/Berlin'\n"
        + _pairs(
            "crm = 'new_instant'\nmarketing = 'instant'\ncreate_as = 'datetime'",
            "crm = 'new_wall'\nmarketing = 'wall'\ncreate_as = 'datetime'",
            "crm = 'new_day'\nmarketing = 'dayOnly'\ncreate_as = 'date'",
            "crm = 'new_born'\nmarketing = 'bornOn'\ncreate_as = 'date'",
        )
    )
    contact = await scene.crm_enter(
        "contact",
        lastname="Zone",
        emailaddress1="zone@story.example",
        new_instant="2026-03-01T23:30:00Z",
        new_wall="2026-03-01T23:30:00Z",
        new_day="2026-03-01",
        new_born="2026-03-01T23:30:00Z",
    )
    await scene.settle()
    person = await scene.person_of(contact) or {}
    scene.check("an instant is the same instant", str(person.get("instant"))[:16] == "2026-03-01T23:30")
    scene.check("a time without a zone stays as it reads", str(person.get("wall"))[:16] == "2026-03-01T23:30")
    scene.check("a day stays that day", person.get("dayOnly") == "2026-03-01")
    scene.check(
        "half an hour before midnight in London is the next day in Berlin", person.get("bornOn") == "2026-03-02"
    )
    await scene.marketing_edit(int(person["id"]), dayOnly="2026-04-05", bornOn="2026-07-01")
    await scene.settle()
    record: Row = await scene.crm_record("contact", contact) or {}
    scene.check("a day comes back as that day", str(record.get("new_day"))[:10] == "2026-04-05")
    scene.check("and as its midnight in Berlin", str(record.get("new_born")) == "2026-06-30T22:00:00Z")
    scene.check("nobody is in conflict", not queries.conflicts(scene.config, 10, only_open=True))


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
    await scene.marketing_edit(await _person_id(scene, contact), loyaltyPoints=120)
    scene.configure(_pairs("crm = 'new_loyalty'\nmarketing = 'loyaltyPoints'\ncreate_column_as = 'Integer'"))
    planned = [line.name for line in (await scene.plan_schema()).fields if line.side == "crm"]
    scene.check("the column is planned", planned == ["new_loyalty"])
    scene.check("and not made yet", "new_loyalty" not in (await scene.crm_record("contact", contact) or {}))
    await scene.apply_schema()
    await scene.settle()
    scene.check("once it is made, the value is there", await _column_of(scene, contact, "new_loyalty") == 120)
    await scene.crm_edit("contact", contact, new_loyalty=130)
    await scene.settle()
    scene.check("and goes both ways", await _shown(scene, contact, "loyaltyPoints") == 130)
