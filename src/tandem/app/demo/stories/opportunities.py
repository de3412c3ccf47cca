"""Opportunities and the roles of people in them."""

from typing import Final

from tandem.app.demo.stories.registry import story
from tandem.app.demo.stories.scene import Row, Scene, at
from tandem.app.demo.world import CRM, MARKETING

SETTINGS: Final = "[entities.opportunity]\nenabled = true\n"


async def opportunity_of(scene: Scene, id_: str) -> Row | None:
    return await scene.object_of("opportunity", "externalOpportunityId", id_)


async def roles_of(scene: Scene, opportunity: str) -> set[tuple[int, str]]:
    """Who has which role, as Marketo shows it."""
    rows = await scene.records(MARKETING, "opportunityRole")
    found = [row for row in rows if str(row["externalOpportunityId"]).lower() == opportunity]
    assert len({(row["leadId"], row["role"]) for row in found}) == len(found), "two roles with one key"
    return {(int(row["leadId"]), str(row["role"])) for row in found}


async def number_of(scene: Scene, crm_id: str) -> int:
    """What Marketo calls the person of a record; 0 where there is none."""
    person = await scene.person_of(crm_id)
    return int(person["id"]) if person else 0


async def role_names(scene: Scene) -> dict[str, str]:
    """The connection roles that Dynamics knows, by name."""
    return {
        str(row["name"]): str(row["connectionroleid"]).lower() for row in await scene.records(CRM, "connectionrole")
    }


async def connect(scene: Scene, opportunity: str, person: str, role: str = "", entity: str = "contact") -> str:
    """Somebody adds a stakeholder to an opportunity; the id of the connection that leads to the person."""
    end = {"entity": entity, "id": person} | ({"role": (await role_names(scene))[role]} if role else {})
    answer = await scene.crm_act("connect", **{"from": {"entity": "opportunity", "id": opportunity}, "to": end})
    return str(answer["id"]).lower()


@story(
    "role-added-removed",
    "A stakeholder comes, changes and goes, and so does the role",
    settings=SETTINGS,
    rows=("N35",),
)
async def role_added_removed(scene: Scene) -> None:
    ada = await scene.crm_enter("contact", lastname="Ada", emailaddress1="ada@role.example")
    bob = await scene.crm_enter("contact", lastname="Bob", emailaddress1="bob@role.example")
    deal = await scene.crm_enter("opportunity", name="Harbour cranes")
    first = await connect(scene, deal, ada, "Decision Maker")
    second = await connect(scene, deal, bob, "Influencer")
    await scene.settle()
    one, other = await number_of(scene, ada), await number_of(scene, bob)
    both = {(one, "Decision Maker"), (other, "Influencer")}
    scene.check("each stakeholder has its role", await roles_of(scene, deal) == both)
    names = await role_names(scene)
    await scene.crm_edit("connection", first, record2roleid={"entity": "connectionrole", "id": names["Champion"]})
    await scene.settle()
    changed = {(one, "Champion"), (other, "Influencer")}
    scene.check("another role in Dynamics is another role in Marketo", await roles_of(scene, deal) == changed)
    await scene.crm_delete("connection", second)
    await scene.settle()
    scene.check("who is no longer a stakeholder has no role", await roles_of(scene, deal) == {(one, "Champion")})
    await scene.crm_edit("connection", first, record2id=at("contact", bob))
    await scene.settle()
    scene.check("another person takes the role over", await roles_of(scene, deal) == {(other, "Champion")})


@story(
    "connection-pairs",
    "A pair of connections is one role, from whichever end it was made",
    settings=SETTINGS,
    rows=("N34",),
)
async def connection_pairs(scene: Scene) -> None:
    contact = await scene.crm_enter("contact", lastname="Pair", emailaddress1="pair@role.example")
    lead = await scene.crm_enter("lead", lastname="Lead", subject="Cranes", emailaddress1="lead@role.example")
    company = await scene.crm_enter("account", name="Pairs & Co")
    deal = await scene.crm_enter("opportunity", name="Two ends", customerid=at("account", company))
    await connect(scene, deal, contact, "End User")
    backwards = {"from": at("lead", lead) | {"role": (await role_names(scene))["Influencer"]}}
    await scene.crm_act("connect", **backwards, to=at("opportunity", deal))
    await scene.crm_act("connect", **{"from": at("opportunity", deal)}, to=at("account", company))
    read = (await scene.sync()).counts.get("read.crm.connection")
    scene.check("of the pairs that lead to a person one row each is taken", read == 2)
    await scene.settle()
    rows = await scene.records(CRM, "connection")
    mine = [row for row in rows if deal in (str(row["record1id"]).lower(), str(row["record2id"]).lower())]
    scene.check("Dynamics keeps six rows for the three connections", len(mine) == 6)
    wanted = {(await number_of(scene, contact), "End User"), (await number_of(scene, lead), "Influencer")}
    scene.check("the contact and the lead have one role each, the account none", await roles_of(scene, deal) == wanted)
    scene.check("no other row of theirs waits for anything", not scene.held())


@story(
    "opportunity-won-reopened",
    "An opportunity is won and opened again; its amount is what is expected, then what came of it",
    settings=SETTINGS,
    rows=("N11", "N15", "N30", "N132"),
)
async def opportunity_won_reopened(scene: Scene) -> None:
    company = await scene.crm_enter("account", name="Buyers Ltd")
    deal = await scene.crm_enter(
        "opportunity",
        name="Win me",
        estimatedvalue=1000.0,
        closeprobability=60,
        customerid=at("account", company),
    )
    await scene.settle()
    found, record = await opportunity_of(scene, deal), await scene.crm_record("opportunity", deal) or {}
    scene.check("it names its owner", _holds(found, externalSalesPersonId=str(record["ownerid"]).lower()))
    scene.check("and its company", _holds(found, externalCompanyId=company))
    scene.check(
        "while it is open, the amount is the estimate",
        _holds(found, stage="Open", amount=1000, expectedRevenue=600, isClosed=False),
    )
    await scene.crm_act("win", id=deal, values={"actualrevenue": 900.0})
    await scene.settle()
    won = await opportunity_of(scene, deal)
    scene.check(
        "once it is won, the amount is what came of it",
        _holds(won, stage="Won", amount=900, expectedRevenue=900, isClosed=True, isWon=True),
    )
    scene.check("it has a day of closing", won is not None and won.get("closeDate"))
    assert won is not None
    edit = {"entity": "opportunity", "id": won["marketoGUID"], "values": {"name": "Typed in Marketo"}}
    await scene.marketing.edit([edit])
    await scene.crm_act("reopen", entity="opportunity", id=deal)
    await scene.crm_edit("opportunity", deal, name="Win me again")
    await scene.settle()
    scene.check(
        "opened again, the estimate counts, and Dynamics prevails over what was typed in Marketo",
        _holds(await opportunity_of(scene, deal), stage="Open", amount=1000, isWon=False, name="Win me again"),
    )
    recorded = [line for line in scene.conflicts(deal) if line.marketing == "Typed in Marketo"]
    scene.check("what had been typed in Marketo is recorded", len(recorded) == 1)
    lost = await scene.crm_enter("opportunity", name="Lose me", estimatedvalue=500.0)
    await scene.crm_act("lose", id=lost, status=4)
    await scene.marketing.create("opportunity", {"name": "Only in Marketo", "externalOpportunityId": "from-marketo"})
    await scene.settle()
    scene.check(
        "a lost one is closed and not won",
        _holds(await opportunity_of(scene, lost), stage="Lost", isClosed=True, isWon=False),
    )
    deals = await scene.records(CRM, "opportunity")
    scene.check("none is made in Dynamics from Marketo", {row["opportunityid"] for row in deals} == {deal, lost})


BOTH_CURRENCIES: Final = f"""{SETTINGS}
[[entities.opportunity.fields]]
crm = "@expected_revenue"
remove = true
[[entities.opportunity.fields]]
crm = "@amount_base"
marketing = "expectedRevenue"
"""
"""The amount as it was entered, and beside it the same in the organisation's own currency."""


@story(
    "opportunity-currencies",
    "A deal in euros of an organisation in dollars shows both amounts, at the rate that Dynamics has for the deal",
    settings=BOTH_CURRENCIES,
    rows=("N132",),
)
async def opportunity_currencies(scene: Scene) -> None:
    names = {"currencyname": "Euro", "isocurrencycode": "EUR", "currencysymbol": "€", "currencyprecision": 2}
    euro = await scene.crm_enter("transactioncurrency", **names, exchangerate=0.8)
    in_euro = {"transactioncurrencyid": at("transactioncurrency", euro)}
    deal = await scene.crm_enter("opportunity", name="Abroad", estimatedvalue=1000.0, **in_euro)
    home = await scene.crm_enter("opportunity", name="At home", estimatedvalue=1000.0)
    await scene.settle()

    async def shows(id_: str, amount: int, base: int) -> bool:
        row = await scene.crm_record("opportunity", id_) or {}
        of_dynamics = row["actualvalue_base"] if row["statecode"] else row["estimatedvalue_base"]
        return of_dynamics == base and _holds(await opportunity_of(scene, id_), amount=amount, expectedRevenue=base)

    scene.check("a deal in dollars has one amount, twice", await shows(home, 1000, 1000))
    scene.check("one in euros has its own, and that in dollars", await shows(deal, 1000, 1250))
    await scene.crm_edit("transactioncurrency", euro, exchangerate=0.5)
    await scene.crm_edit("opportunity", deal, name="Still abroad")
    await scene.settle()
    scene.check("another rate changes no deal, nor does a new name", await shows(deal, 1000, 1250))
    await scene.crm_edit("opportunity", deal, estimatedvalue=600.0)
    await scene.settle()
    scene.check("another amount takes the rate of its day", await shows(deal, 600, 1200))
    await scene.crm_edit("transactioncurrency", euro, exchangerate=0.4)
    await scene.crm_act("win", id=deal, values={"actualrevenue": 500.0})
    await scene.settle()
    scene.check("won, what came of it counts, in both", await shows(deal, 500, 1250))


@story(
    "opportunity-customer",
    "The customer of an opportunity: a company, a contact with and without a company, or both",
    settings=SETTINGS,
    rows=("N31", "N32", "N33"),
)
async def opportunity_customer(scene: Scene) -> None:
    company = await scene.crm_enter("account", name="Employer Ltd")
    at_work = await scene.crm_enter("contact", lastname="Employed", parentcustomerid=at("account", company))
    freelance = await scene.crm_enter("contact", lastname="Freelance")
    of_company = await scene.crm_enter("opportunity", name="A company buys", customerid=at("account", company))
    of_both = await scene.crm_enter(
        "opportunity",
        name="Both on the form",
        customerid=at("account", company),
        parentaccountid=at("account", company),
        parentcontactid=at("contact", at_work),
    )
    of_contact = await scene.crm_enter("opportunity", name="A contact buys", customerid=at("contact", at_work))
    of_nobody = await scene.crm_enter("opportunity", name="Nobody's", customerid=at("contact", freelance))
    await scene.settle()
    for deal, employer, person in (
        (of_company, company, None),
        (of_both, company, None),
        (of_contact, company, at_work),
        (of_nobody, None, freelance),
    ):
        found = await opportunity_of(scene, deal)
        name = found["name"] if found else deal
        scene.check(f"{name}: its company", found is not None and found.get("externalCompanyId") == employer)
        wanted = {(await number_of(scene, person), "Customer")} if person else set()
        scene.check(f"{name}: its roles", await roles_of(scene, deal) == wanted)
    scene.check("no role waits for a person that an account is not", not scene.held())
    other = await scene.crm_enter("account", name="New employer Ltd")
    await scene.crm_edit("contact", at_work, parentcustomerid=at("account", other))
    await scene.crm_edit("opportunity", of_nobody, customerid=at("account", other))
    await scene.settle()
    moved, sold = await opportunity_of(scene, of_contact), await opportunity_of(scene, of_nobody)
    scene.check("the contact's new employer is the opportunity's", moved and moved["externalCompanyId"] == other)
    scene.check("another customer takes the role away", not await roles_of(scene, of_nobody))
    scene.check("and brings its company", sold and sold["externalCompanyId"] == other)


@story(
    "opportunity-deleted",
    "An opportunity is deleted: its roles go before it",
    settings=SETTINGS,
    rows=("N35",),
)
async def opportunity_deleted(scene: Scene) -> None:
    contact = await scene.crm_enter("contact", lastname="Stays", emailaddress1="stays@role.example")
    going = await scene.crm_enter("opportunity", name="Going", customerid=at("contact", contact))
    staying = await scene.crm_enter("opportunity", name="Staying", customerid=at("contact", contact))
    await connect(scene, going, contact, "Champion")
    await scene.settle()
    number = await number_of(scene, contact)
    both = {(number, "Customer"), (number, "Champion")}
    scene.check("the contact has both roles", await roles_of(scene, going) == both)
    await scene.crm_delete("opportunity", going)
    await scene.settle()
    scene.check("the opportunity is gone", await opportunity_of(scene, going) is None)
    scene.check("so are its roles", not await roles_of(scene, going))
    scene.check("the other one and its role stay", await roles_of(scene, staying) == {(number, "Customer")})
    scene.check("Marketo refused nothing", not any("in use" in line for line in scene.held()))


@story(
    "child-before-parent",
    "A role arrives before its person may, waits in sight of everybody, and is let go",
    settings=SETTINGS + "[entities.contact]\nfilter = \"jobtitle == 'Buyer'\"\n",
    rows=("N34",),
)
async def child_before_parent(scene: Scene) -> None:
    outside = await scene.crm_enter(
        "contact", lastname="Not yet", emailaddress1="notyet@role.example", jobtitle="Clerk"
    )
    deal = await scene.crm_enter("opportunity", name="Waits", customerid=at("contact", outside))
    await connect(scene, deal, outside, "Influencer")
    await scene.settle()
    scene.check("the opportunity is there", await opportunity_of(scene, deal) is not None)
    scene.check("no role is made for somebody whom Marketo does not know", not await roles_of(scene, deal))
    scene.check("both roles wait in sight", sum("waits until" in line for line in scene.held()) == 2)
    await scene.crm_edit("contact", outside, jobtitle="Buyer")
    await scene.settle()
    number = await number_of(scene, outside)
    both = {(number, "Customer"), (number, "Influencer")}
    scene.check("once the person is there, both roles are made", await roles_of(scene, deal) == both)
    scene.check("nothing waits any longer", not scene.held())


def _holds(row: Row | None, **values: object) -> bool:
    return row is not None and all(_plain(row.get(name)) == _plain(value) for name, value in values.items())


def _plain(value: object) -> object:
    """A boolean that nobody set is no, and a whole amount is the same with and without a fraction."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value or False
