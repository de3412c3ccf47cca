"""Pass after pass until told to stop, through everything that changes meanwhile.

Between two passes the loop looks whether the settings file has changed, whether the two sides' fields and rights are
to be looked at anew, and whether somebody called for a pass at once. Settings that cannot be used are reported, and
those from before go on. What stops a pass (a side that is away, an access that was refused) is told and tried again;
only what keeps the very first opening from working ends the process.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from tandem.app.build import Setup, opened
from tandem.app.notices import Notices, open_notices
from tandem.app.passing import make_pass
from tandem.app.reports import Observer, SyncReport
from tandem.app.settings_file import SettingsFile
from tandem.app.troubles import forget_trouble, note_trouble
from tandem.config.model import Config
from tandem.core.errors import (
    AccessError,
    ConfigError,
    LeaseLostError,
    PausedError,
    RejectedError,
    RemoteError,
    SchemaChangedError,
    TandemError,
    TransientError,
)
from tandem.ports import Store
from tandem.telemetry import get_logger

OTHER_SIDE_S: Final = 60.0
"""While a side asks to be left alone for longer, the other one is read so often. Connectors keep their own waits."""

REFUSED_S: Final = 30.0
"""Refused access does not get better by itself, but a person may grant it at any time."""

Beside = Callable[[Setup, Config, Callable[[], None]], AbstractAsyncContextManager[object]]
"""What is served beside the passes while an engine is open; it gets a function that calls for a pass at once."""

log = get_logger()


def nothing_beside(setup: Setup, config: Config, wake: Callable[[], None]) -> AbstractAsyncContextManager[object]:
    return nullcontext()


@dataclass
class RunLoop:
    config: Config
    stop: asyncio.Event
    on_pass: Callable[[SyncReport], None]
    observer: Observer | None = None
    file: Path | None = None
    """The settings file to follow; None: the settings stay as they are."""
    beside: Beside = nothing_beside
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._watched = SettingsFile(self.file) if self.file else None
        self._proven: Config | None = None

    async def run(self) -> None:
        """
        Raises:
            TandemError: the first opening did not work.
        """
        while not self.stop.is_set():
            pause = 0.0
            try:
                async with opened(self.config, self.observer, creates_fields=True) as setup:
                    await self._pass_until_reopening(setup)
            except ConfigError as error:
                if self._proven is None:
                    raise
                pause = self._fall_back(self._proven, error)
            except (RemoteError, LeaseLostError) as error:
                if self._proven is None:
                    raise
                pause = REFUSED_S
                log.warning("sync.was_not_opened", error_type=type(error).__name__)
            await self._rest(pause)

    def _prove(self, setup: Setup) -> None:
        if self._proven is not self.config:
            if self._proven is not None:
                log.info("settings.were_taken_over")
            self._proven = self.config
            forget_trouble(setup.engine.store)

    def _fall_back(self, proven: Config, error: ConfigError) -> float:
        """New settings that do not work are left for those before; if these no longer work either, wait."""
        log.error("settings.were_refused", error_type=type(error).__name__)
        note_trouble(proven, str(error))
        if self.config is proven:
            return REFUSED_S
        self.config = proven
        return 0.0

    async def _pass_until_reopening(self, setup: Setup) -> None:
        clock, store = setup.engine.clock, setup.engine.store
        reopen_at = clock.now() + timedelta(seconds=self.config.run.refresh_interval_s)
        notices = open_notices(self.config, store, clock.now())
        try:
            async with self.beside(setup, self.config, self.wake.set):
                self._prove(setup)
                while not self.stop.is_set():
                    self.wake.clear()
                    pause = await self._pass(setup, notices)
                    if pause is None or self._has_new_settings(store) or clock.now() >= reopen_at:
                        return
                    await self._rest(pause)
        finally:
            if notices is not None:
                await notices.close()

    async def _pass(self, setup: Setup, notices: Notices | None) -> float | None:
        """How long to rest after it; None when the engine has to be opened anew first."""
        failure: TandemError | None = None
        questions: tuple[str, ...] = ()
        pause = self.config.run.pass_interval_s
        try:
            report = await make_pass(setup)
            questions = report.guard
            self.on_pass(report)
        except SchemaChangedError as error:
            log.warning("mapping.became_outdated", side=str(error.side), operation=error.operation)
            return None
        except PausedError:
            return pause
        except TransientError as error:
            failure, pause = error, max(pause, min(error.retry_after_s or 0.0, OTHER_SIDE_S))
            log.warning("side.became_unavailable", side=str(error.side), operation=error.operation)
        except LeaseLostError:
            log.info("pass.was_left", state="held elsewhere")
            return pause
        except (AccessError, RejectedError) as error:
            failure, pause = error, max(pause, REFUSED_S)
            log.error("pass.was_refused", error_type=type(error).__name__)
        if notices is not None:
            notices.look(setup.engine.clock.now(), failure, questions)
        return pause

    def _has_new_settings(self, store: Store) -> bool:
        try:
            changed = self._watched.load_if_changed() if self._watched else None
        except ConfigError as error:
            self._fall_back(self.config, error)
            return False
        if changed == self.config:  # as they were before somebody broke them
            forget_trouble(store)
        elif changed is not None:
            self.config = changed
            return True
        return False

    async def _rest(self, seconds: float) -> None:
        """Until the time is over, somebody calls for a pass, or the end is asked for."""
        waiting = [asyncio.ensure_future(event.wait()) for event in (self.stop, self.wake)]
        try:
            await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*waiting)
