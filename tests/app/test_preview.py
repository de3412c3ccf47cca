"""A plan reads Marketo as it will be once the fields that the mapping needs are there."""

from tandem.app.preview import PreviewConnector
from tandem.core.record import PERSON, Side
from tandem.core.schema import NewField
from tests.builders import World

MISSING = (NewField("isGone", "Is gone", "boolean"), NewField("topic", "Topic", "string"))


async def test_a_missing_field_reads_as_one_that_nobody_has_filled() -> None:
    world = World()
    made = world.marketing.create(PERSON, {"email": "ann@example.com"})
    preview = PreviewConnector(world.engine().marketing, MISSING)
    [reading] = await preview.fetch_records(PERSON, ("topic", "email", "isGone"), [made])
    assert reading.values == (None, "ann@example.com", False)
    assert preview.side is Side.MARKETING


async def test_nobody_is_found_by_a_missing_field() -> None:
    world = World()
    world.marketing.create(PERSON, {"email": "ann@example.com"})
    preview = PreviewConnector(world.engine().marketing, MISSING)
    assert await preview.find_records(PERSON, ("email",), "topic", ["anything"]) == []
    assert len(await preview.find_records(PERSON, ("email",), "email", ["ann@example.com"])) == 1
