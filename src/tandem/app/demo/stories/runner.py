"""Plays stories one after the other over one pair of emulators, and lets the judge look at each.

Before a story both sides go back to the opening: users, nobody else, every switch and the clock as at the start. After
it the passes come to rest, one more is counted by the emulators' own counters, and the judge reads both sides.
"""

import contextlib
import os
import traceback
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any, Final

from tandem.app.demo.services import Control, Service, running_service
from tandem.app.demo.stage import secrets_of
from tandem.app.demo.stories.judge import differences
from tandem.app.demo.stories.registry import Story
from tandem.app.demo.stories.sales_judge import OPPORTUNITIES
from tandem.app.demo.stories.scene import Scene
from tandem.app.demo.stories.settings import merged
from tandem.app.system import SystemClock
from tandem.core.errors import TandemError

CRM_OPTIONS: Final = ("--seed", "7", "--limits", "off")
MARKETING_OPTIONS: Final = (*CRM_OPTIONS, "--set", "activity_lag_s=0")

TEMPO: Final[Mapping[str, Any]] = {
    "crm": {"settle_s": 2.0},
    "marketing": {
        "daily_share": 1.0,
        "max_people": 1_000_000,
        "rate_share": 1.0,
        "changes_interval_s": 0.01,
        "merges_interval_s": 0.01,
        "deletions_interval_s": 0.01,
        "feed_lag_s": 0.1,
        "settle_s": 2.0,
    },
}
"""The settings of a scene differ from the defaults only in tempo: the emulators answer at once."""


_SHOWN_MAX: Final = 8
_BREAKS: Final = (AssertionError, TandemError, LookupError, TypeError)
"""What ends a story early where something is not as it expects (a record is not there). The next ones go on."""


@dataclass(frozen=True, slots=True)
class StoryResult:
    """How a story ended. ``checks`` counts what the story looked at, ``failed`` names by their sentences those that
    were not so; ``differences`` counts the judge's findings, which are in ``differing``."""

    story: str
    passed: bool
    checks: int
    differences: int
    extra_pass_writes: int
    seconds: float
    failed: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()

    @property
    def complaints(self) -> tuple[str, ...]:
        """Why it did not pass, a sentence each."""
        lines = [*(f"not so: {check}" for check in self.failed), *self.differing]
        lines += [f"one more pass wrote {self.extra_pass_writes} records"] if self.extra_pass_writes else []
        lines += [] if self.checks else ["it checked nothing"]
        return tuple(lines)


@dataclass(frozen=True, slots=True)
class Opening:
    """What both sides go back to before each story: the numbers of their snapshots, and their switches."""

    crm: str
    marketing: str
    crm_options: Mapping[str, Any]
    marketing_options: Mapping[str, Any]
    crm_privileges: Mapping[str, Any]


@contextlib.asynccontextmanager
async def running_pair(folder: Path) -> AsyncIterator[tuple[Service, Service]]:
    """The two emulators as stories want them."""
    async with (
        running_service(["dataverse", "--people", "0", *CRM_OPTIONS], folder / "dataverse.log") as crm,
        running_service(["marketo", "--people", "0", *MARKETING_OPTIONS], folder / "marketo.log") as marketing,
    ):
        yield crm, marketing


async def open_stage(crm: Service, marketing: Service) -> Opening:
    """Take down how both sides are now, so that each story begins there."""
    return Opening(
        crm=await crm.control.take_snapshot(),
        marketing=await marketing.control.take_snapshot(),
        crm_options=await crm.control.settings(),
        marketing_options=await marketing.control.settings(),
        crm_privileges=await crm.control.privileges(),
    )


@contextlib.asynccontextmanager
async def opened_scene(
    story: Story, crm: Service, marketing: Service, opening: Opening, folder: Path, store_url: str | None = None
) -> AsyncIterator[Scene]:
    """Both sides at the opening, and the story's settings in a folder of its own."""
    await _give_back(crm.control, opening.crm_privileges)
    await _go_back(crm.control, opening.crm, {**opening.crm_options, **story.crm_options})
    await _go_back(marketing.control, opening.marketing, {**opening.marketing_options, **story.marketing_options})
    with secrets_in_environment(crm, marketing):
        scene = Scene(crm, marketing, folder, _base(crm, marketing, store_url))
        scene.configure(story.settings)
        yield scene


async def play(
    story: Story, crm: Service, marketing: Service, opening: Opening, folder: Path, store_url: str | None = None
) -> StoryResult:
    """Play one story from the opening on, in a folder of its own."""
    began = monotonic()
    extra, found = 0, []
    async with opened_scene(story, crm, marketing, opening, folder, store_url) as scene:
        try:
            await story.play(scene)
            await scene.settle()
            extra = await _written_by_one_more_pass(scene)
            found = await _judge(scene, story)
        except _BREAKS as error:
            scene.check(f"it comes to its end ({_place_of(error)}: {type(error).__name__}: {error})", False)
    failed = tuple(check.what for check in scene.checks if not check.is_so)
    return StoryResult(
        story=story.name,
        passed=bool(scene.checks) and not failed and not found and not extra,
        checks=len(scene.checks),
        differences=len(found),
        extra_pass_writes=extra,
        seconds=round(monotonic() - began, 2),
        failed=failed,
        differing=tuple(found),
    )


def _place_of(error: BaseException) -> str:
    """The last line of a story, or else of anything, that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).parent == Path(__file__).parent]
    return f"{Path((own or frames)[-1].filename).name}:{(own or frames)[-1].lineno}"


async def play_all(stories: Sequence[Story], tell: Callable[[str], None]) -> list[StoryResult]:
    """All of them over one pair of emulators, each told in a line when it is over."""
    results = []
    with TemporaryDirectory(prefix="tandem-stories-") as name:
        async with running_pair(Path(name)) as (crm, marketing):
            opening = await open_stage(crm, marketing)
            for story in stories:
                folder = Path(name) / story.name
                folder.mkdir()
                result = await play(story, crm, marketing, opening, folder)
                results.append(result)
                tell(_line(story, result))
    return results


def _line(story: Story, result: StoryResult) -> str:
    if result.passed:
        return f"{story.name}: {story.sentence} ({result.checks} checks, {result.seconds:.1f} s)."
    shown, more = result.complaints[:_SHOWN_MAX], len(result.complaints) - _SHOWN_MAX
    return f"{story.name} FAILED: {'; '.join(shown)}{f'; and {more} more' if more > 0 else ''}"


def _base(crm: Service, marketing: Service, store_url: str | None) -> dict[str, Any]:
    sides = {
        "crm": {name: crm.facts[name] for name in ("url", "authority", "tenant_id", "client_id")},
        "marketing": {name: marketing.facts[name] for name in ("url", "munchkin_id", "client_id")},
    }
    store = {"store": {"url": store_url}} if store_url else {}
    return merged(merged(sides, TEMPO), store)


async def _go_back(control: Control, snapshot: str, options: Mapping[str, Any]) -> None:
    await control.clear_faults()
    await control.set_latency(0)
    await control.restore_snapshot(snapshot)
    await control.set(**options)
    await control.set_clock(SystemClock().now())


async def _give_back(crm: Control, before: Mapping[str, Any]) -> None:
    """What our user may do in Dynamics, as at the start; in Marketo it is part of the snapshot."""
    now = await crm.privileges()
    granted, had = set(now["granted"]), set(before["granted"])
    columns = now["revoked_columns"]
    if (granted, columns, now["secured_columns"], now["shallow"]) != (had, {}, {}, []):
        change = {"grant": sorted(had - granted), "revoke": sorted(granted - had)}
        change |= {"grant_columns": columns, "unsecure_columns": now["secured_columns"], "widen": now["shallow"]}
        await crm.change_privileges(**change)


async def _written_by_one_more_pass(scene: Scene) -> int:
    before = [await scene.crm.counters(), await scene.marketing.counters()]
    await scene.sync()
    after = [await scene.crm.counters(), await scene.marketing.counters()]
    return sum(later.written - earlier.written for earlier, later in zip(before, after, strict=True))


async def _judge(scene: Scene, story: Story) -> list[str]:
    sales = (OPPORTUNITIES,) if scene.config.entities.opportunity.enabled else ()
    return await differences(scene.crm, scene.marketing, (*story.watches, *sales), scene.apart_by_rule, scene.made)


@contextlib.contextmanager
def secrets_in_environment(crm: Service, marketing: Service) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(secrets_of(crm.facts, marketing.facts))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
