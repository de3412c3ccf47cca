"""The demonstration from beginning to end: first copy, edits on both sides, and the judge's sum.

``perform`` tells what happens line by line and answers with the summary. Whatever ends it, the emulators end with it.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Final

from tandem.app import commands, queries, schema
from tandem.app.demo import full
from tandem.app.demo.checker import Recorded, Verdict, judge
from tandem.app.demo.deeds import DEEDS
from tandem.app.demo.live import go_live
from tandem.app.demo.stage import FEED_LAG_S, Stage, prepared_stage
from tandem.app.demo.stories.catalogue import all_stories
from tandem.app.demo.stories.runner import play_all
from tandem.app.demo.typists import Typist, type_in
from tandem.app.demo.world import CRM, MARKETING, Deeds, Typed, World
from tandem.app.reports import Observer, SyncReport, VerifyReport

ROUNDS: Final = 5
RIVALS_A_ROUND: Final = 10
SINGLES_A_ROUND: Final = 20
PASSES_MAX: Final = 12
_ALL: Final = 100_000

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Settings:
    people: int = 5000
    seed: int = 7
    is_once: bool = False
    minutes: float = 30.0
    folder: Path | None = None
    is_full: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """The sum of a demonstration. Calls and written records are the emulators' own counts; ``differences``,
    ``people_missing``, ``people_doubled`` and ``edits_lost`` are the judge's, ``verify_differences`` the product's.
    ``stuck`` are fields of closed leads on which the sides differed from the start (see ``checker``); not counted
    among the differences. ``objects`` counts what a full demonstration shows besides, by kind."""

    people_linked: int
    accounts_linked: int
    users_linked: int
    edits: int
    conflicts: int
    conflicts_recorded: int
    crm_calls: int
    marketing_calls: int
    differences: int
    verify_differences: int
    stuck: int
    extra_pass_writes: int
    people_missing: int
    people_doubled: int
    edits_lost: int
    passes: int
    first_copy_seconds: float
    first_copy_calls_per_1000: float
    seconds: float
    objects: Mapping[str, int] = field(default_factory=dict)
    stories: int = 0
    stories_passed: int = 0

    @property
    def is_good(self) -> bool:
        wrong = self.stories - self.stories_passed
        wrong += self.differences + self.verify_differences + self.extra_pass_writes
        wrong += self.people_missing + self.people_doubled + self.edits_lost
        return wrong == 0 and self.conflicts_recorded == self.conflicts


async def perform(
    settings: Settings, tell: Tell, watching: Callable[[], AbstractContextManager[Observer]] | None = None
) -> Summary:
    """Play it all; `watching` gives an observer for as long as the first copy takes."""
    began = monotonic()
    tell(f"Starting Dataverse with {settings.people:,} people, and Marketo which knows some of them ...")
    more = full.SETTINGS if settings.is_full else ""
    async with prepared_stage(people=settings.people, seed=settings.seed, folder=settings.folder, more=more) as stage:
        tell(f"Dynamics at {stage.crm.fact('url')}, Marketo at {stage.marketing.fact('url')}.")
        tell(f"Settings: {stage.folder / 'tandem.toml'}")
        if settings.is_full:
            await full.make_visits(stage.crm)
            await schema.apply_schema(stage.config)
        play = _Play(stage, tell, await stage.look(), began)
        with watching() if watching else nullcontext() as observer:
            await play.first_copy(observer)
        if settings.is_once:
            await play.edit_in_rounds(settings.seed)
        else:
            await go_live(stage, play.deeds, tell, seed=settings.seed, seconds=60 * settings.minutes)
        summary = await play.close()
        if settings.is_full:
            summary = await _with_the_rest(summary, stage, tell)
    if settings.is_full:
        summary = await _with_stories(summary, tell)
    return replace(summary, seconds=round(monotonic() - began, 2))


async def _with_the_rest(summary: Summary, stage: Stage, tell: Tell) -> Summary:
    """What the judge sees of opportunities, roles, the custom table and campaigns."""
    differing = await full.judge_the_rest(stage.crm, stage.marketing)
    for line in differing[:10]:
        tell(f"differs: {line}")
    objects = await full.count_objects(stage.crm, stage.marketing)
    tell(f"Beside them in Marketo: {', '.join(f'{count:,} {kind}' for kind, count in objects.items())}.")
    return replace(summary, differences=summary.differences + len(differing), objects=objects)


async def _with_stories(summary: Summary, tell: Tell) -> Summary:
    """Every story, on a pair of emulators of their own: each of them begins with nobody there."""
    stories = all_stories()
    tell(f"Playing {len(stories)} stories ...")
    passed = sum(result.passed for result in await play_all(stories, tell))
    tell(f"Stories: {len(stories)}, passed {passed}.")
    return replace(summary, stories=len(stories), stories_passed=passed)


class _Play:
    """What has happened so far on a stage."""

    def __init__(self, stage: Stage, tell: Tell, before: World, began: float) -> None:
        self._stage = stage
        self._tell = tell
        self._before = before
        self._began = began
        self._passes = 0
        self._first_copy: SyncReport | None = None
        self.deeds = Deeds()

    async def first_copy(self, observer: Observer | None) -> None:
        report = await self._pass(observer)
        self._first_copy = report
        self._tell(
            f"First copy: {report.records:,} records in {report.seconds:.1f} s, "
            f"{report.calls_per_1000_records:.1f} calls per 1,000 records."
        )

    async def edit_in_rounds(self, seed: int) -> None:
        """200 edits in rounds with a pass in between; half of each round are rivals over one field."""
        typist = Typist(await self._stage.look(), seed)
        for deed in DEEDS:
            self._tell(await deed(self._stage, typist, self.deeds, 1))
        for turn in range(1, ROUNDS + 1):
            edits = [edit for _ in range(RIVALS_A_ROUND) for edit in typist.rivals(turn)]
            edits += _singles(typist, turn)
            self.deeds.typed += edits
            await type_in(edits, crm=self._stage.crm.control, marketing=self._stage.marketing.control)
            await asyncio.sleep(FEED_LAG_S)
            report = await self._pass()
            self._tell(f"Round {turn}: {len(edits)} edits typed; the pass wrote {report.writes:,} records.")

    async def close(self) -> Summary:
        """Pass until quiet, verify, pass once more, and let the judge look."""
        await self._pass_until_quiet()
        verified = await commands.verify(self._stage.config, limit=_ALL)
        extra = await self._written_by_one_more_pass()
        verdict = judge(self._before, await self._stage.look(), self.deeds, self._recorded())
        found = _unexplained(verified, verdict, self.deeds)
        for line in [*_complaints(verdict), *found[:10]]:
            self._tell(line)
        summary = await self._summary(verdict, len(found), extra)
        for line in _lines(summary):
            self._tell(line)
        return summary

    async def _pass(self, observer: Observer | None = None) -> SyncReport:
        self._passes += 1
        report = await commands.sync(self._stage.config, observer)
        for question in report.guard:
            self._tell(f"Waits for a person: {question}")
        return report

    async def _pass_until_quiet(self) -> None:
        for _ in range(PASSES_MAX):
            await asyncio.sleep(FEED_LAG_S)
            if (await self._pass()).writes == 0:
                return
        self._tell(f"Still not quiet after {PASSES_MAX} passes.")

    async def _written_by_one_more_pass(self) -> int:
        await asyncio.sleep(FEED_LAG_S)
        before = await self._stage.counters()
        await self._pass()
        after = await self._stage.counters()
        return sum(later.written - earlier.written for earlier, later in zip(before, after, strict=True))

    def _recorded(self) -> list[Recorded]:
        return [
            Recorded(line.crm_id, line.marketing_id, line.field, line.crm, line.marketing)
            for line in queries.conflicts(self._stage.config, _ALL)
        ]

    async def _summary(self, verdict: Verdict, verify_differences: int, extra: int) -> Summary:
        crm, marketing = await self._stage.counters()
        assert self._first_copy is not None
        return Summary(
            people_linked=verdict.people_linked,
            accounts_linked=verdict.accounts_linked,
            users_linked=verdict.users_linked,
            edits=sum((typed.side, typed.id) not in self.deeds.made for typed in self.deeds.typed),
            conflicts=verdict.conflicts,
            conflicts_recorded=verdict.conflicts_recorded,
            crm_calls=crm.calls,
            marketing_calls=marketing.calls,
            differences=len(verdict.differences),
            verify_differences=verify_differences,
            stuck=len(verdict.stuck),
            extra_pass_writes=extra,
            people_missing=len(verdict.missing),
            people_doubled=len(verdict.doubled),
            edits_lost=len(verdict.lost),
            passes=self._passes,
            first_copy_seconds=round(self._first_copy.seconds, 2),
            first_copy_calls_per_1000=round(self._first_copy.calls_per_1000_records, 2),
            seconds=round(monotonic() - self._began, 2),
        )


def _singles(typist: Typist, turn: int) -> list[Typed]:
    """As many on each side; two of those in Dynamics are of accounts."""
    half = SINGLES_A_ROUND // 2
    crm = [typist.of_account(turn), typist.of_account(turn), *(typist.single(CRM, turn) for _ in range(half - 2))]
    return crm + [typist.single(MARKETING, turn) for _ in range(half)]


def _complaints(verdict: Verdict) -> list[str]:
    """The first few of everything wrong, by ids and field names."""
    kinds = {
        "missing": verdict.missing,
        "doubled": verdict.doubled,
        "edit lost": verdict.lost,
        "differs": verdict.differences,
        "conflict not recorded": verdict.unrecorded,
    }
    return [f"{kind}: {line}" for kind, lines in kinds.items() for line in lines[:10]]


def _unexplained(verified: VerifyReport, verdict: Verdict, deeds: Deeds) -> list[str]:
    """What the product's own proof found beyond the places that are stuck and the records that people took away: one
    that was merged stays in Dynamics, inactive, and its person waits for somebody to merge it too."""
    found = [f"verify could not read {name}" for name in verified.unread]
    for line in verified.differences:
        place = f"{line.entity} {line.crm_id} {(line.field or '').partition('|')[0]}"
        if place not in verdict.stuck and (CRM, line.crm_id) not in deeds.removed:
            found.append(f"verify: {line.kind}: {place} ({line.marketing_id})")
    return found


def _lines(summary: Summary) -> list[str]:
    linked = f"{summary.people_linked:,} people, {summary.accounts_linked:,} accounts, {summary.users_linked:,} users"
    calls = f"{summary.crm_calls:,} to Dynamics, {summary.marketing_calls:,} to Marketo"
    return [
        f"Linked: {linked}.",
        f"Edits: {summary.edits:,}, lost {summary.edits_lost}; "
        f"conflicts: {summary.conflicts}, recorded with both values {summary.conflicts_recorded}.",
        f"People missing {summary.people_missing}, doubled {summary.people_doubled}; "
        f"differences {summary.differences} (and {summary.stuck} in closed leads from before the first copy); "
        f"written by one more pass {summary.extra_pass_writes}.",
        f"Calls: {calls}; {summary.seconds:.0f} s in all.",
    ]
