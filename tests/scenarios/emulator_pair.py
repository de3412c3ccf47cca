"""One pair of emulator processes for many stories, whichever event loop each of them has."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tandem.app.demo.services import Control, Service
from tandem.app.demo.stories.registry import Story
from tandem.app.demo.stories.runner import (
    CRM_OPTIONS,
    MARKETING_OPTIONS,
    Opening,
    StoryResult,
    open_stage,
    opened_scene,
    play,
)
from tandem.app.demo.stories.scene import Scene
from tests.connectors.dynamics import emulator as dataverse
from tests.connectors.marketo import emulator as marketo


@dataclass(slots=True)
class Pair:
    crm: Mapping[str, Any]
    marketing: Mapping[str, Any]
    opening: Opening | None = None

    async def play(self, story: Story, folder: Path, store_url: str | None = None) -> StoryResult:
        async with self.services() as (crm, marketing):
            self.opening = self.opening or await open_stage(crm, marketing)
            return await play(story, crm, marketing, self.opening, folder, store_url)

    @asynccontextmanager
    async def scene(self, story: Story, folder: Path, store_url: str | None = None) -> AsyncIterator[Scene]:
        """The opening of a story, for a test that goes on by itself."""
        async with self.services() as (crm, marketing):
            self.opening = self.opening or await open_stage(crm, marketing)
            async with opened_scene(story, crm, marketing, self.opening, folder, store_url) as scene:
                yield scene

    @asynccontextmanager
    async def services(self) -> AsyncIterator[tuple[Service, Service]]:
        async with aiohttp.ClientSession() as session:
            crm, marketing = (
                Service(facts, Control(session, facts["control_url"]), 0) for facts in (self.crm, self.marketing)
            )
            yield crm, marketing


@contextmanager
def running_pair() -> Iterator[Pair]:
    with ExitStack() as stack:
        crm = stack.enter_context(dataverse.running(0, *CRM_OPTIONS))
        marketing = stack.enter_context(marketo.running(0, *MARKETING_OPTIONS))
        yield Pair(crm.first_line, marketing.first_line)
