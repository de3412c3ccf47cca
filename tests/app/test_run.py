"""``tandem run``: sides that are away, settings that change, fields that change, and calls for a pass at once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tandem.app import run_loop
from tandem.app.run_loop import RunLoop
from tandem.app.troubles import load_trouble
from tandem.config.loading import load_config
from tandem.config.model import Config
from tandem.core.errors import (
    AccessError,
    ConfigError,
    LeaseLostError,
    PausedError,
    SchemaChangedError,
    TandemError,
    TransientError,
)
from tandem.core.record import Side
from tests.builders import World

SETTINGS = """\
[crm]
url = "http://127.0.0.1:1"
tenant_id = "t"
client_id = "c"
[marketing]
url = "http://127.0.0.1:2"
munchkin_id = "m"
client_id = "c"
[run]
pass_interval_s = 0.01
"""
MORE = "[rails]\nmax_deletes = 7\n"
AWAY = TransientError("away", side=Side.MARKETING)


class Stage:
    """What the loop opened, with which settings, and what each pass is to come to."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = World()
        self.file = folder / "tandem.toml"
        self.file.write_text(SETTINGS, encoding="utf-8")
        self.opened: list[Config] = []
        self.passes = 0
        self.rests: list[float] = []
        self.stop = asyncio.Event()
        self.refuses: Callable[[Config], TandemError | None] = lambda config: None
        self.passing: Callable[[int], TandemError | None] = lambda number: None
        monkeypatch.setattr(run_loop, "opened", self._opened)
        monkeypatch.setattr(run_loop, "make_pass", self._pass)
        monkeypatch.setattr(run_loop, "note_trouble", lambda config, text: self.troubles.append(text))
        self.troubles: list[str] = []

    @asynccontextmanager
    async def _opened(self, config: Config, *_: object, **__: object) -> AsyncIterator[Any]:
        self.opened.append(config)
        if refusal := self.refuses(config):
            raise refusal
        yield SimpleNamespace(engine=self.world.engine())

    async def _pass(self, setup: Any) -> Any:
        self.passes += 1
        if failure := self.passing(self.passes):
            raise failure
        return SimpleNamespace(guard=())

    async def run(self, until: Callable[[], bool], **more: Any) -> None:
        """The loop, until the condition holds at the end of a pass."""
        loop = RunLoop(load_config(self.file), self.stop, lambda report: None, file=self.file, **more)

        async def rest(seconds: float) -> None:
            self.rests.append(seconds)
            self.world.clock.advance(seconds)
            if until() or len(self.rests) > 100:
                self.stop.set()
            await asyncio.sleep(0)

        loop._rest = rest  # type: ignore[method-assign]
        await loop.run()
        assert len(self.rests) <= 100, "the loop never got there"


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(tmp_path, monkeypatch)


@pytest.mark.parametrize(("asked_s", "rest_s"), [(None, 0.01), (20.0, 20.0), (36_000.0, run_loop.OTHER_SIDE_S)])
async def test_a_side_that_asks_for_hours_is_not_waited_for(stage: Stage, asked_s: float | None, rest_s: float) -> None:
    stage.passing = lambda number: TransientError("away", side=Side.MARKETING, retry_after_s=asked_s)
    await stage.run(lambda: True)
    assert stage.rests[0] == rest_s


async def test_refused_access_is_tried_again_later(stage: Stage) -> None:
    stage.passing = lambda number: AccessError("no", side=Side.CRM) if number < 3 else None
    await stage.run(lambda: stage.passes == 3)
    assert stage.rests[:2] == [run_loop.REFUSED_S, run_loop.REFUSED_S]
    assert len(stage.opened) == 1


async def test_a_sync_that_another_process_works_on_is_no_trouble(stage: Stage) -> None:
    stage.passing = lambda number: LeaseLostError("another process is working on this sync") if number < 3 else None
    await stage.run(lambda: stage.passes == 3)
    assert stage.rests[:2] == [0.01, 0.01]


async def test_what_cannot_be_served_from_the_start_ends_the_loop(stage: Stage) -> None:
    @asynccontextmanager
    async def unserved(*_: object) -> AsyncIterator[None]:
        raise ConfigError("webhooks.listen: the address is in use")
        yield

    with pytest.raises(ConfigError, match="in use"):
        await stage.run(lambda: True, beside=unserved)
    assert stage.passes == 0


async def test_a_paused_sync_is_asked_again_at_each_interval(stage: Stage) -> None:
    stage.passing = lambda number: PausedError("paused") if number < 5 else None
    await stage.run(lambda: stage.passes == 5)
    assert len(stage.opened) == 1


async def test_new_settings_are_taken_over_between_passes(stage: Stage) -> None:
    def edit(number: int) -> None:
        if number == 2:
            stage.file.write_text(SETTINGS + MORE, encoding="utf-8")

    stage.passing = edit
    await stage.run(lambda: stage.passes == 4)
    first, second = stage.opened
    assert first.rails.max_deletes != 7 == second.rails.max_deletes


async def test_a_file_that_was_touched_and_not_changed_opens_nothing(stage: Stage) -> None:
    def touch(number: int) -> None:
        stage.file.write_text(SETTINGS, encoding="utf-8")

    stage.passing = touch
    await stage.run(lambda: stage.passes == 5)
    assert len(stage.opened) == 1


@pytest.mark.parametrize("mistake", ["[rails\n", "[rails]\nmax_delets = 7\n"])
async def test_a_file_that_cannot_be_read_is_reported_once_and_the_old_settings_go_on(
    stage: Stage, mistake: str
) -> None:
    def edit(number: int) -> None:
        if number == 2:
            stage.file.write_text(SETTINGS + mistake, encoding="utf-8")

    stage.passing = edit
    await stage.run(lambda: stage.passes == 6)
    assert len(stage.opened) == 1
    (trouble,) = stage.troubles
    assert "tandem.toml" in trouble


async def test_settings_that_are_as_before_again_are_no_trouble(stage: Stage) -> None:
    def edit(number: int) -> None:
        if number in (2, 4):
            stage.file.write_text(SETTINGS + "[rails" * (number == 2), encoding="utf-8")
        if number == 3:
            stage.world.store.save_setting("settings_trouble", stage.troubles[0])

    stage.passing = edit
    await stage.run(lambda: stage.passes == 6)
    assert (len(stage.troubles), load_trouble(stage.world.store)) == (1, None)


async def test_settings_that_do_not_work_with_the_sides_are_left_for_those_before(stage: Stage) -> None:
    def edit(number: int) -> None:
        if number == 2:
            stage.file.write_text(SETTINGS + MORE, encoding="utf-8")

    stage.passing = edit
    stage.refuses = lambda config: ConfigError("no such column") if config.rails.max_deletes == 7 else None
    await stage.run(lambda: stage.passes == 6)
    first, refused, again = stage.opened
    assert (first, refused.rails.max_deletes) == (again, 7)
    assert stage.troubles == ["no such column"]


async def test_a_changed_field_opens_anew_at_once(stage: Stage) -> None:
    gone = SchemaChangedError("gone", side=Side.CRM)
    stage.passing = lambda number: gone if number == 2 else None
    await stage.run(lambda: stage.passes == 4)
    assert len(stage.opened) == 2
    assert stage.rests[1] == 0.0


async def test_fields_and_rights_are_looked_at_anew_now_and_then(stage: Stage) -> None:
    stage.passing = lambda number: stage.world.clock.advance(600)
    await stage.run(lambda: stage.passes == 20)
    assert len(stage.opened) == 1 + 20 * 600 // 3600


async def test_the_first_opening_ends_the_process_and_later_ones_do_not(stage: Stage) -> None:
    stage.refuses = lambda config: AWAY
    with pytest.raises(TransientError):
        await stage.run(lambda: False)
    stage.refuses = lambda config: AWAY if len(stage.opened) in (3, 4) else None
    stage.passing = lambda number: SchemaChangedError("gone", side=Side.CRM) if number == 1 else None
    await stage.run(lambda: stage.passes == 3)
    assert stage.rests.count(run_loop.REFUSED_S) == 2


async def test_what_is_served_beside_can_call_for_a_pass_at_once(tmp_path: Path, stage: Stage) -> None:
    stage.file.write_text(SETTINGS.replace("0.01", "3600.0"), encoding="utf-8")
    served = []

    @asynccontextmanager
    async def beside(setup: Any, config: Config, wake: Callable[[], None]) -> AsyncIterator[None]:
        served.append("open")
        timer = asyncio.get_running_loop().call_later(0.05, wake)
        yield
        timer.cancel()
        served.append("closed")

    def end(number: int) -> None:
        if number == 2:
            stage.stop.set()

    stage.passing = end
    loop = RunLoop(load_config(stage.file), stage.stop, lambda report: None, beside=beside)
    await asyncio.wait_for(loop.run(), 5.0)
    assert stage.passes == 2
    assert served == ["open", "closed"]
