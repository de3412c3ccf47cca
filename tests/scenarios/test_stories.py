"""Every story, over both emulators and judged by what they hold; one pair of them serves all stories of a process."""

from pathlib import Path
from typing import Any

import pytest

from tandem.app.demo.stories.catalogue import all_stories, find_story
from tandem.app.demo.stories.registry import Story
from tests.scenarios.emulator_pair import Pair


def _case(story: Story) -> Any:
    return pytest.param(story, id=story.name, marks=[pytest.mark.parity(row) for row in story.rows])


@pytest.mark.parametrize("story", [*map(_case, all_stories())])
async def test_story(story: Story, pair: Pair, tmp_path: Path) -> None:
    result = await pair.play(story, tmp_path)
    assert result.passed, result.complaints


ON_POSTGRESQL = (
    "edits-both-ways", "runs-by-itself", "history-forgotten", "qualify-with-account", "crm-merge",
    "duplicate-candidates", "role-added-removed", "custom-entity-live", "filter-left", "deleted-in-crm",
    "field-added-backfill", "push-by-webhook", "campaign-members",
)  # fmt: skip
"""Stories that between them use every table of the store."""


@pytest.mark.parametrize("name", ON_POSTGRESQL)
async def test_story_on_postgresql(name: str, pair: Pair, tmp_path: Path, postgresql_url: str) -> None:
    url = postgresql_url.replace("postgresql+psycopg://", "postgresql://")
    result = await pair.play(find_story(name), tmp_path, url)
    assert result.passed, result.complaints
    assert not (tmp_path / "tandem.db").exists()
