"""What every fault test plays on: both emulators and `tandem` as processes, people who type, and the judge at the end.

The emulators outlive every run of `tandem`, so what a killed one wrote is there for the next. Settings differ from the
demonstration's in tempo only: a write without an answer settles in seconds.
"""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from tandem.app import commands, queries
from tandem.app.build import open_state
from tandem.app.demo.checker import Recorded, judge
from tandem.app.demo.stage import Stage, prepared_stage
from tandem.app.demo.typists import Typist, type_in
from tandem.app.demo.world import CRM, MARKETING, Deeds, Typed, World
from tandem.app.settings import load_config, write_settings
from tandem.ports import JournalRow

SETTLE_S: Final = 3.0
"""An injected delay must be shorter: it stands for what an endpoint may still do after its caller has gone."""

ACTIVITY_LAG_S: Final = 0.3
FEED_LAG_S: Final = 2.0
FEED_WAIT_S: Final = 0.8
"""After this, what people typed is in the feeds, and the feeds are due."""

PASSES_MAX: Final = 12
_ALL: Final = 100_000

Rule = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run of `tandem` ended."""

    status: int
    output: str
    complaint: str

    def assert_in_order(self, *statuses: int) -> None:
        """One of `statuses`, and whatever there is to say in one sentence."""
        assert self.status in statuses, self
        assert "Traceback" not in self.complaint + self.output, self
        assert len(self.complaint.splitlines()) == (self.status in (2, 3)), self


class Faults:
    """The faults and switches of both emulators, through their control APIs."""

    def __init__(self, session: aiohttp.ClientSession, stage: Stage) -> None:
        self._session = session
        self._urls = {CRM: stage.crm.fact("control_url"), MARKETING: stage.marketing.fact("control_url")}

    async def arm(self, side: str, **rule: Any) -> int:
        return int((await self._post(side, "/faults", rule))["id"])

    async def hits(self, side: str, number: int) -> int:
        async with self._session.get(self._urls[side] + "/faults") as response:
            rules = (await response.json())["faults"]
        return int(next(rule["hits"] for rule in rules if rule["id"] == number))

    async def wait_for(self, side: str, number: int) -> None:
        async with asyncio.timeout(60):
            while not await self.hits(side, number):  # noqa: ASYNC110 - another process counts them
                await asyncio.sleep(0.005)

    async def clear(self) -> None:
        for url in self._urls.values():
            async with self._session.delete(url + "/faults") as response:
                assert response.status == 200

    async def change_privileges(self, side: str, **change: Sequence[str]) -> None:
        await self._post(side, "/privileges", change)

    async def forget_changes_of(self, entity: str) -> None:
        """Every delta token of this table has expired."""
        await self._post(CRM, "/schema/changed", {"entity": entity})

    async def revoke_tokens(self) -> None:
        """Dynamics takes no token any more that it gave."""
        await self._post(CRM, "/tokens/revoke", {})

    async def counted(self, side: str, operation: str) -> int:
        async with self._session.get(self._urls[side] + "/counters") as response:
            return int((await response.json())["requests"].get(operation, 0))

    async def _post(self, side: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        async with self._session.post(self._urls[side] + path, json=body) as response:
            answer: dict[str, Any] = await response.json()
            assert response.status == 200, answer
            return answer


@dataclass(slots=True)
class Scene:
    """`before` is the picture from before the first copy; `deeds` is what people typed since."""

    stage: Stage
    faults: Faults
    before: World
    deeds: Deeds = field(default_factory=Deeds)
    turn: int = 1

    # --- tandem

    async def start(self, *command: str) -> Process:
        program = Path(sys.executable).parent / "tandem"
        settings = str(self.stage.folder / "tandem.toml")
        return await asyncio.create_subprocess_exec(
            program, *command, "--json", "--config", settings, stdout=PIPE, stderr=PIPE
        )

    async def tandem(self, *command: str) -> Ended:
        process = await self.start(*command)
        try:
            return await ended(process)
        finally:
            await kill(process)

    def open_rows(self) -> Sequence[JournalRow]:
        """What the journal has begun and not ended."""
        store = open_state(self.stage.config)
        try:
            return store.load_open_rows()
        finally:
            store.close()

    # --- people

    async def type(self, edits: Sequence[Typed]) -> None:
        self.deeds.typed += edits
        await type_in(edits, crm=self.stage.crm.control, marketing=self.stage.marketing.control)

    async def type_everywhere(self, seed: int, rivals: int = 3, singles: int = 6) -> None:
        """Edits on both sides, some of them of one field, and somebody new in Dynamics."""
        typist = Typist(await self.stage.look(), seed)
        edits = [edit for _ in range(rivals) for edit in typist.rivals(self.turn)]
        edits += [typist.single(side, self.turn) for _ in range(singles) for side in (CRM, MARKETING)]
        edits.append(typist.of_account(self.turn))
        await self.type(edits)
        for number in range(3):
            await self._enter(f"new.{seed}.{number}@live.example")
        await asyncio.sleep(FEED_WAIT_S)

    async def _enter(self, email: str) -> None:
        values = {"subject": "Asks for an offer", "lastname": "Ångström", "emailaddress1": email}
        lead = (await self.stage.crm.control.create("lead", values)).lower()
        self.deeds.made.add((CRM, lead))
        self.deeds.typed.append(Typed(self.turn, CRM, "lead", lead, "emailaddress1", email))

    # --- the end

    async def heal(self) -> None:
        """No more faults; then pass after pass until nothing is written, left open or asked."""
        await self.faults.clear()
        for _ in range(PASSES_MAX):
            await asyncio.sleep(FEED_WAIT_S)
            report = await commands.sync(self.stage.config)
            assert report.guard == ()
            if report.writes == 0 and not self.open_rows():
                return
        raise AssertionError(f"not quiet after {PASSES_MAX} passes: {report}")

    async def harm(self) -> dict[str, object]:
        """Everything that is wrong, by kind; empty when all is well. The judge reads the emulators' own records."""
        verdict = judge(self.before, await self.stage.look(), self.deeds, self._recorded())
        verified = await commands.verify(self.stage.config, limit=_ALL)
        places = [f"{d.kind}: {d.entity} {d.crm_id} {(d.field or '').partition('|')[0]}" for d in verified.differences]
        stuck = {f"field differs: {place}" for place in verdict.stuck}
        found: dict[str, object] = {
            "missing": verdict.missing,
            "doubled": verdict.doubled,
            "lost": verdict.lost,
            "differs": verdict.differences,
            "conflict not recorded": verdict.unrecorded,
            "verify": [place for place in places if place not in stuck],
            "not read": verified.unread,
            "written by one more pass": await self._written_by_one_more_pass(),
        }
        return {kind: what for kind, what in found.items() if what}

    async def _written_by_one_more_pass(self) -> int:
        await asyncio.sleep(FEED_WAIT_S)
        before = await self.stage.counters()
        await commands.sync(self.stage.config)
        after = await self.stage.counters()
        return sum(later.written - earlier.written for earlier, later in zip(before, after, strict=True))

    def _recorded(self) -> list[Recorded]:
        return [
            Recorded(line.crm_id, line.marketing_id, line.field, line.crm, line.marketing)
            for line in queries.conflicts(self.stage.config, _ALL)
        ]


@asynccontextmanager
async def set_scene(folder: Path, *, people: int, seed: int, **settings: object) -> AsyncIterator[Scene]:
    """Both emulators with `people` in Dynamics, nothing copied yet. `settings`: more of ``tandem.toml``, with ``__``
    for the dot."""
    async with prepared_stage(people=people, seed=seed, folder=folder) as stage, aiohttp.ClientSession() as session:
        await stage.marketing.control.set(activity_lag_s=ACTIVITY_LAG_S)
        configure(stage, **settings)
        yield Scene(stage, Faults(session, stage), await stage.look())


def configure(stage: Stage, **settings: object) -> None:
    """Write ``tandem.toml`` anew, in the tempo of a test."""
    crm, marketing = stage.config.crm, stage.config.marketing
    values: dict[str, object] = {
        "crm.url": crm.url,
        "crm.authority": crm.authority,
        "crm.tenant_id": crm.tenant_id,
        "crm.client_id": crm.client_id,
        "crm.settle_s": SETTLE_S,
        "marketing.url": marketing.url,
        "marketing.munchkin_id": marketing.munchkin_id,
        "marketing.client_id": marketing.client_id,
        "marketing.daily_share": 0.9,
        "marketing.max_people": 1_000_000,
        "marketing.rate_share": 0.9,
        "marketing.changes_interval_s": ACTIVITY_LAG_S,
        "marketing.merges_interval_s": ACTIVITY_LAG_S,
        "marketing.deletions_interval_s": ACTIVITY_LAG_S,
        "marketing.overlap_s": 600.0,
        "marketing.feed_lag_s": FEED_LAG_S,
        "marketing.settle_s": SETTLE_S,
        **{name.replace("__", "."): value for name, value in settings.items()},
    }
    path = stage.folder / "tandem.toml"
    write_settings(path, values, replaces=True)
    stage.config = load_config(path)


async def ended(process: Process) -> Ended:
    output, complaint = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, output.decode(), complaint.decode())


async def kill(process: Process) -> None:
    """Kill -9, unless it has ended by itself."""
    if process.returncode is None:
        process.kill()
        await process.wait()
