"""The judge's eye for opportunities and the roles of people in them, where a story syncs them.

Who has a role is read anew from Dynamics' rows: the contact that is the customer, and everybody whom a connection joins
with the opportunity, from whichever end it was made.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from tandem.app.demo.services import Control
from tandem.app.demo.stories.finding import Finding
from tandem.app.demo.stories.watch import Watch
from tandem.app.demo.world import SALESPERSON_KEY, Pair, World

Record = Mapping[str, Any]

OPPORTUNITY_KEY: Final = "externalOpportunityId"
OPPORTUNITIES: Final = Watch(
    "opportunity",
    "opportunity",
    OPPORTUNITY_KEY,
    (
        Pair("name", "name"),
        Pair("description", "description"),
        Pair("closeprobability", "probability"),
        Pair("statecode", "stage", {0: "Open", 1: "Won", 2: "Lost"}),
        Pair("ownerid", SALESPERSON_KEY),
    ),
)


async def find_wrong_roles(crm: Control, marketing: Control, world: World) -> list[Finding]:
    wanted = set(_iter_wanted(await crm.records("opportunity"), await crm.records("connection"), world))
    rows = await marketing.records("opportunityRole")
    shown = [(str(row[OPPORTUNITY_KEY]).lower(), int(row["leadId"])) for row in rows]
    lacking = [Finding(deal, "roles", f"person {person} has no role") for deal, person in wanted - set(shown)]
    return lacking + [Finding(deal, "roles", f"a role of person {person}") for deal, person in set(shown) - wanted]


def _iter_wanted(deals: Iterable[Record], connections: Iterable[Record], world: World) -> Iterator[tuple[str, int]]:
    """Opportunity and person of each role; nobody who is not in Marketo."""
    numbers = {key: int(people[0]) for key, people in world.persons_by_key().items()}
    keys = {str(deal["opportunityid"]).lower() for deal in deals}
    ends = [(str(deal["opportunityid"]).lower(), str(deal.get("contactid") or "").lower()) for deal in deals]
    for row in connections:
        one, other = (str(row.get(end) or "").lower() for end in ("record1id", "record2id"))
        ends += [(one, other), (other, one)]
    yield from ((deal, numbers[person]) for deal, person in ends if deal in keys and person in numbers)
