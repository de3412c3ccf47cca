"""A story can fail: what is not so, what differs, who was made in vain, and a pass that still writes."""

from pathlib import Path
from typing import Any

import pytest

from tandem.app.demo.stories import scene, settings
from tandem.app.demo.stories.catalogue import all_stories, find_story
from tandem.app.demo.stories.registry import Play, Story
from tandem.app.demo.stories.scene import Scene
from tandem.core.errors import ConfigError
from tests.scenarios.emulator_pair import Pair


async def complaints(pair: Pair, folder: Path, play: Play, **more: Any) -> tuple[str, ...]:
    result = await pair.play(Story("probe", "A probe", play, **more), folder)
    assert result.passed == (not result.complaints)
    return result.complaints


async def test_each_story_begins_where_the_first_began(pair: Pair, tmp_path: Path) -> None:
    seen = []

    async def play(at: Scene) -> None:
        seen.append((len(await at.people()), len(await at.records("crm", "contact"))))
        await at.crm_enter("contact", lastname="One", emailaddress1="one@story.example")
        await at.marketing.set(missing_lead="empty")
        await at.marketing.strike("leads.sync", "status", times=None)
        at.check("it began", True)
        await at.marketing.clear_faults()

    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        assert await complaints(pair, tmp_path / name, play) == ()
    assert seen == [(0, 0), (0, 0)]


async def test_what_is_not_so_is_told_by_its_sentence(pair: Pair, tmp_path: Path) -> None:
    async def play(at: Scene) -> None:
        at.check("the sky is green", False)

    assert await complaints(pair, tmp_path, play) == ("not so: the sky is green",)


async def test_a_story_that_looks_at_nothing_has_not_passed(pair: Pair, tmp_path: Path) -> None:
    async def play(at: Scene) -> None:
        return

    assert await complaints(pair, tmp_path, play) == ("it checked nothing",)


async def test_a_story_that_breaks_off_says_where(pair: Pair, tmp_path: Path) -> None:
    async def play(at: Scene) -> None:
        assert await at.person_of("nobody") is not None, "nobody is there"

    (line,) = await complaints(pair, tmp_path, play)
    assert "AssertionError: nobody is there" in line


async def test_the_judge_finds_a_field_that_differs_and_a_record_without_a_person(pair: Pair, tmp_path: Path) -> None:
    """A pair taken out of the mapping, and a filter, are what a sync that does not work looks like."""
    rules = """
[entities.contact]
filter = "lastname != 'Left out'"
[[entities.contact.fields]]
crm = "jobtitle"
remove = true
"""

    async def play(at: Scene) -> None:
        await at.crm_enter("contact", lastname="There", emailaddress1="a@story.example", jobtitle="Clerk")
        await at.crm_enter("contact", lastname="Left out", emailaddress1="b@story.example")
        at.check("it began", True)

    found = await complaints(pair, tmp_path, play, settings=rules)
    assert sorted(line.partition(":")[0] for line in found) == ["contact without a person", "differs"]


async def test_a_difference_that_was_told_is_none_but_must_be_there(pair: Pair, tmp_path: Path) -> None:
    async def play(at: Scene) -> None:
        left_out = await at.crm_enter("contact", lastname="Left out", emailaddress1="b@story.example")
        there = await at.crm_enter("contact", lastname="There", emailaddress1="a@story.example", jobtitle="Clerk")
        at.leave_apart(left_out, why="the filter leaves it out")
        at.leave_apart(there, "jobtitle", why="a reason that is none")
        at.check("it began", True)

    rules = "[entities.contact]\nfilter = \"lastname != 'Left out'\"\n"
    (line,) = await complaints(pair, tmp_path, play, settings=rules)
    assert line.startswith("not apart, although a reason that is none")


async def test_people_whom_nobody_made_are_found(pair: Pair, tmp_path: Path) -> None:
    async def play(at: Scene) -> None:
        await at.marketing.create("person", {"lastName": "Twin", "email": "twin@story.example"})
        at.check("it began", True)

    (line,) = await complaints(pair, tmp_path, play)
    assert line.startswith("person that nobody made")


async def test_a_pass_that_still_writes_is_found(pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody types before each pass, so that none of them is the last."""
    monkeypatch.setattr(scene, "PASSES_MAX", 3)
    pass_ = Scene.sync
    contacts: list[str] = []

    async def typed_and_synced(self: Scene) -> Any:
        self.check("typed", True)
        await self.crm_edit("contact", contacts[0], jobtitle=f"Title {len(self.checks)}")
        return await pass_(self)

    async def play(at: Scene) -> None:
        contacts.append(await at.crm_enter("contact", lastname="Restless", emailaddress1="r@story.example"))
        await at.settle()
        monkeypatch.setattr(Scene, "sync", typed_and_synced)

    found = await complaints(pair, tmp_path, play)
    assert "one more pass wrote 1 records" in found
    assert "not so: the passes come to rest within 3" in found


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    name = all_stories()[0].name
    with pytest.raises(ConfigError, match=f"did you mean .*{name}"):
        find_story(name[:-1])


def test_the_settings_of_a_story_lie_over_those_of_the_stage() -> None:
    below = {"crm": {"url": "http://a", "settle_s": 2.0}, "rails": {"max_deletes": 1}}
    above = settings.parse('[crm]\nsettle_s = 1.5\n[[custom]]\ntable = "t"\n[[custom.fields]]\ncrm = "é\\"\\u007f"\n')
    both = settings.merged(below, above)
    assert settings.parse(settings.render(both)) == {
        "crm": {"url": "http://a", "settle_s": 1.5},
        "rails": {"max_deletes": 1},
        "custom": [{"table": "t", "fields": [{"crm": 'é"\x7f'}]}],
    }
