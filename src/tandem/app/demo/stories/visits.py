"""A table of visits that an admin makes in Dynamics, shown as a custom object.

Several stories and the full demonstration have it beside the tables that are there from the start.
"""

from typing import Final

from tandem.app.demo.stories.admin import Admin
from tandem.app.demo.stories.scene import Scene
from tandem.app.demo.stories.tables import make_lookup, make_table
from tandem.app.demo.stories.watch import Watch
from tandem.app.demo.world import Pair

VISITS: Final = """
[[custom]]
table = "new_visit"
object = "visit"
[[custom.fields]]
crm = "new_name"
marketing = "title"
[[custom.fields]]
crm = "new_visitorid"
marketing = "visitor"
"""
VISITS_WATCH: Final = Watch("new_visit", "visit", "crmId", (Pair("new_name", "title"),))


async def make_table_of_visits(place: Scene | Admin, *, is_tracked: bool = True) -> None:
    """Each visit may name the contact who came."""
    await make_table(place, "visit", is_tracked=is_tracked)
    await make_lookup(place, "new_visit", "new_VisitorId", "contact")
