"""What becomes of accounts, users and teams, and of the people who belong to them."""

from typing import Final

from tandem.app.demo.stories.registry import story
from tandem.app.demo.stories.scene import Row, Scene, at
from tandem.app.demo.world import CRM, MARKETING, SALESPERSON_KEY

KEPT: Final = '[entities.account]\nedited_in_marketing = "keep"\n'
ENFORCED: Final = '[entities.account]\nedited_in_marketing = "enforce"\n[run]\ncompare_interval_s = 0.01\n'


async def company_of_person(scene: Scene, contact: str) -> str:
    """The name of the company that a contact's person belongs to, as Marketo shows it on the person."""
    person = await scene.person_of(contact)
    return str((person or {}).get("company") or "")


async def sales_person(scene: Scene, id_: str) -> Row:
    return await scene.object_of("salesperson", SALESPERSON_KEY, id_) or {}


async def owner_of_person(scene: Scene, contact: str) -> str:
    person = await scene.person_of(contact)
    return str((person or {}).get(SALESPERSON_KEY) or "").lower()


async def active_users(scene: Scene) -> list[str]:
    """People who work in Dynamics, by id; they come with the organisation."""
    rows = await scene.records(CRM, "systemuser")
    return [str(row["systemuserid"]).lower() for row in rows if row["accessmode"] == 0 and not row["isdisabled"]]


@story(
    "reparent-person",
    "A contact moves to another account, and its person to the other company",
    settings='[[entities.account.fields]]\ncrm = "parentaccountid"\nmarketing = "site"\n',
    rows=("N8", "N26", "N138"),
)
async def reparent_person(scene: Scene) -> None:
    old = await scene.crm_enter("account", name="Old Harbour", address1_city="Hamburg")
    new = await scene.crm_enter("account", name="New Harbour", address1_city="Bremen")
    lonely = await scene.crm_enter("account", name="Nobody Works Here")
    ann = await scene.crm_enter(
        "contact", lastname="Ann", emailaddress1="ann@harbour.example", parentcustomerid=at("account", old)
    )
    await scene.settle()
    scene.check("the person belongs to the account's company", await company_of_person(scene, ann) == "Old Harbour")
    scene.check("an account without contacts is a company too", await scene.company_of(lonely))
    await scene.crm_edit("account", old, name="Older Harbour", parentaccountid=at("account", lonely))
    await scene.settle()
    company = await scene.company_of(old) or {}
    scene.check("its parent account is named by its key", str(company.get("site")).lower() == lonely)
    scene.check("a change of the account reaches its people", await company_of_person(scene, ann) == "Older Harbour")
    await scene.crm_edit("contact", ann, parentcustomerid=at("account", new))
    await scene.settle()
    person = await scene.person_of(ann) or {}
    scene.check("the person has moved to the other company", await company_of_person(scene, ann) == "New Harbour")
    scene.check("with its other values", person.get("billingCity") == "Bremen")
    accounts = len(await scene.records(CRM, "account"))
    await scene.marketing_enter("company", company="Typed in Marketo", externalCompanyId="typed-in-marketo")
    await scene.settle()
    scene.check("no account is made from Marketo", len(await scene.records(CRM, "account")) == accounts)


@story("lose-account", "A contact loses its account; Marketo keeps the company, and Tandem says so once")
async def lose_account(scene: Scene) -> None:
    old = await scene.crm_enter("account", name="Left Behind")
    new = await scene.crm_enter("account", name="Next Employer")
    ann = await scene.crm_enter(
        "contact", lastname="Ann", emailaddress1="ann@left.example", parentcustomerid=at("account", old)
    )
    await scene.settle()
    await scene.crm_edit("contact", ann, parentcustomerid=None, jobtitle="Freelancer")
    await scene.settle()
    person = await scene.person_of(ann) or {}
    scene.check("Marketo cannot take a person out of a company", await company_of_person(scene, ann) == "Left Behind")
    scene.check("the rest of the record goes", person.get("title") == "Freelancer")
    told = [line for line in scene.held() if ann in line]
    scene.check("it is told once, with the reason", len(told) == 1 and "cannot be emptied in marketing" in told[0])
    verified = await scene.verify()
    scene.check("it is no drift", not [line for line in verified.differences if line.crm_id == ann])
    await scene.crm_edit("contact", ann, parentcustomerid=at("account", new))
    await scene.settle()
    scene.check("another account is another company", await company_of_person(scene, ann) == "Next Employer")
    scene.check("and nothing is held any more", not [line for line in scene.held() if ann in line])


@story("lead-company-name", "A lead that has only a company's name shows it, and joins a company once it is a contact")
async def lead_company_name(scene: Scene) -> None:
    lead = await scene.crm_enter(
        "lead", lastname="Ann", subject="Cranes", companyname="Small & Sons", emailaddress1="ann@small.example"
    )
    await scene.settle()
    person = await scene.person_of(lead) or {}
    scene.check("the name is a field of the person", person.get("microsoftCompanyName") == "Small & Sons")
    scene.check("the person belongs to no company", not person.get("externalCompanyId"))
    keyed = [row for row in await scene.records(MARKETING, "company") if row.get("externalCompanyId")]
    scene.check("and no company is made of a name", keyed == [])
    await scene.crm_edit("lead", lead, companyname="Small & Daughters")
    await scene.settle()
    person = await scene.person_of(lead) or {}
    scene.check("another name arrives", person.get("microsoftCompanyName") == "Small & Daughters")
    made = await scene.crm_act("qualify", id=lead, create_account=True, create_contact=True)
    contact = str(made["contact_id"]).lower()
    await scene.settle()
    name = await company_of_person(scene, contact)
    scene.check("qualified with an account, the person belongs to its company", name == "Small & Daughters")


@story(
    "account-edited",
    "Values of a company that are edited in Marketo: overwritten, kept or put back",
    rows=("N24", "N25"),
)
async def account_edited(scene: Scene) -> None:
    account = await scene.crm_enter("account", name="Edited", address1_city="Rome", telephone1="1")
    contacts = [
        await scene.crm_enter("contact", lastname=name, parentcustomerid=at("account", account)) for name in "AB"
    ]
    await scene.settle()

    async def type_city(city: str) -> None:
        person = await scene.person_of(contacts[0]) or {}
        await scene.marketing_edit(person["id"], billingCity=city)

    async def city_and_phone() -> tuple[str, str]:
        company = await scene.company_of(account) or {}
        return str(company["billingCity"]), str(company["mainPhone"])

    await type_city("Naples")
    await scene.settle()
    other = await scene.person_of(contacts[1]) or {}
    scene.check("an edit on one person is the company's, and so on all of its people", other["billingCity"] == "Naples")
    record = await scene.crm_record("account", account) or {}
    scene.check("it does not go to Dynamics", record["address1_city"] == "Rome")
    await scene.crm_edit("account", account, telephone1="2")
    await scene.settle()
    scene.check("the next change in Dynamics replaces all values", await city_and_phone() == ("Rome", "2"))
    lost = [line for line in scene.conflicts(account) if line.marketing == "Naples"]
    scene.check("what was overwritten is recorded", len(lost) == 1)

    scene.configure(KEPT)
    await type_city("Turin")
    await scene.crm_edit("account", account, telephone1="3")
    await scene.settle()
    scene.check("kept, only the changed value is written", await city_and_phone() == ("Turin", "3"))
    verified = await scene.verify()
    scene.check("a kept edit is no drift", not [line for line in verified.differences if line.crm_id == account])
    await scene.crm_edit("account", account, address1_city="Milan")
    await scene.settle()
    scene.check("until Dynamics changes that very value", await city_and_phone() == ("Milan", "3"))

    scene.configure(ENFORCED)
    await type_city("Venice")
    await scene.settle()
    scene.check("enforced, it is put back by the comparison", await city_and_phone() == ("Milan", "3"))


@story(
    "team-owner",
    "A record that a team owns names the team",
    settings="[entities.opportunity]\nenabled = true\n",
    rows=("N10", "N139"),
)
async def team_owner(scene: Scene) -> None:
    team = await scene.crm_enter("team", name="Harbour sales")
    owned = {"ownerid": at("team", team)}
    ann = await scene.crm_enter("contact", lastname="Ann", emailaddress1="ann@team.example", **owned)
    lea = await scene.crm_enter("lead", lastname="Lea", emailaddress1="lea@team.example", **owned)
    firm = await scene.crm_enter("account", name="Quay Works", **owned)
    deal = await scene.crm_enter("opportunity", name="Quay", **owned)
    await scene.settle()
    row = await sales_person(scene, team)
    scene.check(
        "the team is a sales person of its own kind",
        (row.get("lastName"), row.get("title")) == ("Harbour sales", "Team"),
    )
    scene.check("the owner is the team, not left blank", await owner_of_person(scene, ann) == team)
    others = (
        await scene.person_of(lea),
        await scene.company_of(firm),
        await scene.object_of("opportunity", "externalOpportunityId", deal),
    )
    named = [str((row or {}).get(SALESPERSON_KEY) or "").lower() for row in others]
    scene.check("so it is of a lead, a company and an opportunity", named == [team] * 3)
    await scene.crm_edit("team", team, name="River sales")
    user = (await active_users(scene))[0]
    await scene.crm_edit("contact", ann, ownerid=at("systemuser", user))
    await scene.settle()
    scene.check("another name of the team arrives", (await sales_person(scene, team)).get("lastName") == "River sales")
    scene.check("and another owner, who is a user", await owner_of_person(scene, ann) == user)


@story("owner-disabled", "A user is disabled, gets another address, and owns something or nothing", rows=("N9", "N29"))
async def owner_disabled(scene: Scene) -> None:
    una, idle = (await active_users(scene))[:2]
    ann = await scene.crm_enter(
        "contact", lastname="Ann", emailaddress1="ann@user.example", ownerid=at("systemuser", una)
    )
    await scene.settle()
    scene.check("the owner is shown", await owner_of_person(scene, ann) == una)
    scene.check("a user that owns nothing is a sales person too", (await sales_person(scene, idle)).get("email"))
    await scene.crm_edit("systemuser", una, internalemailaddress="una.new@crm.example")
    await scene.settle()
    row = await sales_person(scene, una)
    scene.check("another address arrives", row.get("email") == "una.new@crm.example")
    bob = await scene.crm_enter(
        "contact", lastname="Bob", emailaddress1="bob@user.example", ownerid=at("systemuser", una)
    )
    await scene.crm_edit("systemuser", una, isdisabled=True)
    await scene.crm_edit("contact", ann, jobtitle="Director")
    await scene.settle()
    person = await scene.person_of(ann) or {}
    scene.check("a disabled user stays the owner that people show", await owner_of_person(scene, ann) == una)
    scene.check("those who come later too", await owner_of_person(scene, bob) == una)
    scene.check("and holds nothing up", person.get("title") == "Director")
    await scene.crm_edit("contact", ann, ownerid=at("systemuser", idle))
    await scene.settle()
    scene.check("the next owner arrives", await owner_of_person(scene, ann) == idle)
    users, written = len(await scene.records(CRM, "systemuser")), (await scene.crm.counters()).written
    await scene.crm.grant("prvCreateUser")
    await scene.marketing_enter("salesperson", externalSalesPersonId="typed-in-marketo", email="typed@m.example")
    await scene.settle()
    scene.check("no user is made from Marketo", len(await scene.records(CRM, "systemuser")) == users)
    scene.check("nor is it tried where we might", (await scene.crm.counters()).written == written)


FAN_OUT: Final = 5_001
"""One more than the people up to which the native sync tells a change of their account."""


async def _told_on(scene: Scene, people: set[int], field: str) -> set[int]:
    """Of `people` those on whom Marketo's log tells a change of `field`."""
    token = (await scene.rest("GET", "/rest/v1/activities/pagingtoken.json?sinceDatetime=2020-01-01T00:00:00Z"))[
        "nextPageToken"
    ]
    found: set[int] = set()
    more = True
    while more:
        path = f"/rest/v1/activities/leadchanges.json?fields={field}&nextPageToken={token}"
        answer = await scene.rest("GET", path)
        token, more = answer["nextPageToken"], answer["moreResult"]
        told = [row for row in answer.get("result", ()) if any(each["name"] == field for each in row.get("fields", ()))]
        found |= {row["leadId"] for row in told}
    return found & people


@story(
    "account-fan-out",
    "A change of an account is one write, and reaches each of its people, more than 5,000 of them too",
    rows=("N27", "N28"),
)
async def account_fan_out(scene: Scene) -> None:
    small = await scene.crm_enter("account", name="Small", address1_city="Rome")
    big = await scene.crm_enter("account", name="Big", address1_city="Rome")
    contacts = [await scene.crm_enter("contact", lastname=name, parentcustomerid=at("account", small)) for name in "AB"]
    await scene.settle()
    for start in range(0, FAN_OUT, 300):
        people = [
            {"email": f"worker.{number}@big.example", "externalCompanyId": big}
            for number in range(start, min(start + 300, FAN_OUT))
        ]
        answer = await scene.rest("POST", "/rest/v1/leads.json", {"action": "createOnly", "input": people})
        scene.made |= {(MARKETING, str(made["id"])) for made in answer["result"]}
    await scene.settle()
    before = await scene.marketing.counters()
    await scene.crm_edit("account", small, address1_city="Milan")
    await scene.crm_edit("account", big, address1_city="Milan")
    await scene.settle()
    after = await scene.marketing.counters()
    scene.check("two accounts are two writes, however many people they have", after.written - before.written == 2)
    workers = [row for row in await scene.people() if str(row.get("email") or "").endswith("@big.example")]
    scene.check("each of the 5,001 people shows it", len(workers) == FAN_OUT)
    scene.check("with the new value", {row["billingCity"] for row in workers} == {"Milan"})
    few = {int((await scene.person_of(contact) or {})["id"]) for contact in contacts}
    scene.check("Marketo's log tells it on each person", await _told_on(scene, few, "billingCity") == few)
