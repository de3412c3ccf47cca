"""Everything switched on: besides users, teams, accounts and people also opportunities, roles, a table of visits that
an admin makes in Dynamics, and the campaigns. What the judge compares of them stands here a second time, on purpose.
"""

from typing import Final

from tandem.app.demo.services import Service
from tandem.app.demo.stories.admin import Admin
from tandem.app.demo.stories.judge import find_differences
from tandem.app.demo.stories.sales_judge import OPPORTUNITIES, OPPORTUNITY_KEY
from tandem.app.demo.stories.visits import VISITS, VISITS_WATCH, make_table_of_visits
from tandem.app.demo.stories.watch import Watch
from tandem.app.demo.world import Pair

SETTINGS: Final = f"""
[entities.opportunity]
enabled = true
{VISITS}
[[custom]]
table = "campaign"
object = "crmCampaign"
[[custom.fields]]
crm = "name"
marketing = "campaignName"
[[custom.fields]]
crm = "codename"
marketing = "campaignCode"
"""
CAMPAIGNS: Final = Watch(
    "campaign", "crmCampaign", "crmId", (Pair("name", "campaignName"), Pair("codename", "campaignCode"))
)
_VISITS_MAX: Final = 200


async def make_visits(crm: Service) -> None:
    """The table, and a visit of every tenth contact."""
    await make_table_of_visits(Admin(crm))
    contacts = [row["contactid"] for row in await crm.control.records("contact") if not row.get("merged")]
    for number, contact in enumerate(contacts[::10][:_VISITS_MAX]):
        visitor = {"entity": "contact", "id": contact}
        await crm.control.create("new_visit", {"new_name": f"Visit {number + 1}", "new_visitorid": visitor})


async def judge_the_rest(crm: Service, marketing: Service) -> list[str]:
    """Differences of everything that ``checker`` does not look at."""
    found = await find_differences(crm.control, marketing.control, (OPPORTUNITIES, VISITS_WATCH, CAMPAIGNS))
    return sorted(map(str, found))


async def count_objects(crm: Service, marketing: Service) -> dict[str, int]:
    """How many of each further kind Marketo shows."""
    opportunities = await marketing.control.records("opportunity")
    return {
        "teams": len(await crm.control.records("team")),
        "opportunities": sum(bool(row.get(OPPORTUNITY_KEY)) for row in opportunities),
        "roles": len(await marketing.control.records("opportunityRole")),
        "visits": len(await marketing.control.records("visit")),
        "campaigns": len(await marketing.control.records("crmCampaign")),
    }
