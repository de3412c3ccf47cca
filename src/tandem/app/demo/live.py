"""The live part: people type on both sides while passes run, and each edit's arrival is told.

An arrival is seen in the other side's own records, through its control API, never in what the product says.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final

from tandem.app import commands
from tandem.app.demo.stage import Stage
from tandem.app.demo.typists import Typist, type_in
from tandem.app.demo.world import CRM, MARKETING, Deeds, Record, Typed, crm_key, find_pair
from tandem.app.reports import SyncReport

TYPING_PAUSE_S: Final = 2.0
LOOK_PAUSE_S: Final = 0.2
OVERDUE_S: Final = 60.0
STRANGER_STAYS_S: Final = 20.0
_PLACES: Final = {CRM: "Dynamics", MARKETING: "Marketo"}

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Awaited:
    """An edit on its way, and the record on the other side where it should arrive."""

    typed: Typed
    entity: str
    record_id: str
    since: float


async def go_live(stage: Stage, deeds: Deeds, tell: Tell, *, seed: int, seconds: float) -> None:
    """Until `seconds` have gone by: edits by turns on both sides, then what becomes of somebody only Marketo knows."""
    live = _Live(stage, deeds, tell, Typist(await stage.look(), seed))
    tell(f"Live: a pass every 2 s, somebody types every {TYPING_PAUSE_S:.0f} s. Ctrl-C ends it.")
    try:
        async with asyncio.timeout(seconds):
            await live.play()
    except TimeoutError:
        tell("The live part is over.")
    except ExceptionGroup as group:
        raise _first(group) from group


class _Live:
    def __init__(self, stage: Stage, deeds: Deeds, tell: Tell, typist: Typist) -> None:
        self._stage = stage
        self._deeds = deeds
        self._tell = tell
        self._typist = typist
        self._awaited: list[_Awaited] = []
        self._turn = 1

    async def play(self) -> None:
        """Typing, looking and the stranger's story side by side; the first failure ends them all."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._people_type())
            group.create_task(self._look_for_arrivals())
            group.create_task(self._stranger())

    async def _stranger(self) -> None:
        """A person known only to Marketo: not created in Dynamics by default, a lead once the setting says so."""
        async with self._passes():
            stranger = await self._create_stranger("Only", "Marketo")
            await asyncio.sleep(STRANGER_STAYS_S)
            arrived = await self._is_in_crm(stranger)
            self._tell(
                f"{'UNEXPECTED: ' if arrived else ''}Person {stranger}, known only to Marketo, "
                f"{'was created' if arrived else 'is not created'} in Dynamics: the default."
            )
        self._stage.create_people_in_crm()
        self._tell('Now create_in_crm = "lead" is set in tandem.toml; passes go on with it.')
        async with self._passes():
            newcomer = await self._create_stranger("Now", "Welcome")
            began = monotonic()
            while not await self._is_in_crm(newcomer):  # noqa: ASYNC110 - another process makes it true
                await asyncio.sleep(LOOK_PAUSE_S)
            self._tell(f"Person {newcomer} arrived in Dynamics as a lead after {monotonic() - began:.1f} s.")
            await asyncio.Event().wait()

    @contextlib.asynccontextmanager
    async def _passes(self) -> AsyncIterator[None]:
        """Passes with the settings of the moment, for as long as the context lasts; the last one ends in order."""
        stop, body = asyncio.Event(), asyncio.current_task()
        assert body is not None
        running = asyncio.create_task(commands.run(self._stage.config, stop, self._on_pass))
        # Passes end by themselves only when they fail; the body would wait for ever.
        running.add_done_callback(lambda _: stop.is_set() or body.cancel())
        try:
            yield
        finally:
            stop.set()
            await running

    def _on_pass(self, report: SyncReport) -> None:
        self._turn += 1
        for question in report.guard:
            self._tell(f"Waits for a person: {question}")

    async def _create_stranger(self, first: str, last: str) -> str:
        values = {"firstName": first, "lastName": last, "email": f"{first}.{last}@only-marketo.example".lower()}
        stranger = await self._stage.marketing.control.create("person", values)
        self._deeds.made.add((MARKETING, stranger))
        self._tell(f"Marketo: somebody fills in a form; person {stranger} is new.")
        return stranger

    async def _is_in_crm(self, person: str) -> bool:
        record = await self._stage.marketing.control.record("person", person)
        key = None if record is None else crm_key(record)
        return key is not None and await self._stage.crm.control.record("lead", key) is not None

    async def _people_type(self) -> None:
        while True:
            for side in (CRM, MARKETING):
                edit = self._typist.single(side, self._turn)
                await self._type(edit)
                await asyncio.sleep(TYPING_PAUSE_S)

    async def _type(self, edit: Typed) -> None:
        entity, record_id = self._typist.counterpart(edit)
        self._deeds.typed.append(edit)
        await type_in([edit], crm=self._stage.crm.control, marketing=self._stage.marketing.control)
        self._awaited.append(_Awaited(edit, entity, record_id, monotonic()))
        self._tell(f"{_PLACES[edit.side]}: somebody edits {edit.field} of {edit.entity} {edit.id}.")

    async def _look_for_arrivals(self) -> None:
        while True:
            for waiting in list(self._awaited):
                if await self._has_arrived(waiting):
                    self._awaited.remove(waiting)
                    self._tell(_arrival(waiting, monotonic() - waiting.since))
                elif monotonic() - waiting.since > OVERDUE_S:
                    self._awaited.remove(waiting)
                    self._tell(f"OVERDUE: {waiting.typed.field} of {waiting.typed.entity} {waiting.typed.id}.")
            await asyncio.sleep(LOOK_PAUSE_S)

    async def _has_arrived(self, waiting: _Awaited) -> bool:
        typed = waiting.typed
        control = self._stage.marketing.control if typed.side == CRM else self._stage.crm.control
        record: Record | None = await control.record(waiting.entity, waiting.record_id)
        pair = find_pair(typed.entity if typed.side == CRM else waiting.entity, typed.field)
        other = MARKETING if typed.side == CRM else CRM
        wanted = pair.reading_of(typed.side, typed.value)
        return record is not None and pair.reading(other, record) == wanted


def _arrival(waiting: _Awaited, seconds: float) -> str:
    other = MARKETING if waiting.typed.side == CRM else CRM
    return (
        f"    {waiting.typed.field} of {waiting.typed.entity} {waiting.typed.id}: "
        f"arrived in {_PLACES[other]} ({waiting.entity} {waiting.record_id}) after {seconds:.1f} s"
    )


def _first(group: ExceptionGroup[Exception]) -> Exception:
    """The failure that ended the others."""
    first = group.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first
