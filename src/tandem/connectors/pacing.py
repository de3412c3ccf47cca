"""Turns for calls, so that a side's quota is never exceeded: windows, so many at once, and a day's ledger.

A connector makes one ``Pacer`` for its side; every HTTP call holds one turn of it. What a side says with its answers
(wait, or how much it can take) changes the turns of all calls that wait.
"""

import asyncio
import contextlib
import re
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from tandem.ports import Clock

RETRY_AFTER_MAX_S = 60.0
"""A side that asks for a longer wait gets it from the runtime: a call does not sleep for minutes, and none is sent."""


_TICK_S: Final = 1e-6
"""Less than a clock tells apart: what rounding leaves of a wait that is over."""

_SECONDS: Final = re.compile(r"\s*([0-9]{1,7}(?:\.[0-9]{1,6})?)\s*")


def parse_retry_after(text: str) -> float | None:
    """Seconds. A date is not understood (neither side sends one), nor is what would be months."""
    found = _SECONDS.fullmatch(text)
    return float(found[1]) if found else None


@dataclass(frozen=True, slots=True)
class Rule:
    """At most `calls` in any `window_s` seconds.

    ``seen_within_s``: how long after a call began the side has surely seen it, None for not before its end.
    """

    calls: int
    window_s: float
    seen_within_s: float | None = None


class _Window:
    """One rule's memory. A call counts from before it is sent until `window_s` after the side has surely seen it, so
    that the side never counts more than the rule allows.

    Half of a window may go in one burst; the other half is rationed until the oldest call drops out. So a first copy
    that uses all there is never makes the next call, a person's edit say, wait for most of a window.
    """

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._in_flight = 0
        self._seen: deque[datetime] = deque()
        self._last_began: datetime | None = None

    def wait_s(self, now: datetime) -> float:
        """0 when a call may start now. There is always a call to wait for when the window is full: the pacer lets fewer
        run at once than the rule has calls."""
        while self._seen and (now - self._seen[0]).total_seconds() >= self.rule.window_s:
            self._seen.popleft()
        left = self.rule.calls - self._in_flight - len(self._seen)
        if 2 * left > self.rule.calls or self._last_began is None or not self._seen:
            return 0.0
        oldest_goes_s = self.rule.window_s - (now - self._seen[0]).total_seconds()
        if left <= 0:  # Below zero once the side has said that it takes less.
            return oldest_goes_s
        return max(0.0, oldest_goes_s / left - (now - self._last_began).total_seconds())

    def began(self, now: datetime) -> None:
        self._last_began = now
        if self.rule.seen_within_s is None:
            self._in_flight += 1
        else:
            self._seen.append(now + timedelta(seconds=self.rule.seen_within_s))

    def ended(self, now: datetime) -> None:
        if self.rule.seen_within_s is None:
            self._in_flight -= 1
            self._seen.append(now)


class BudgetSpentError(Exception):
    """The day's calls are used up; `retry_after_s` until the next day's."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("The day's calls are used up.")
        self.retry_after_s = retry_after_s


class PausedError(Exception):
    """The side asked for a wait that is too long for a call to sleep through; `retry_after_s` of it are left."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("The side asked to be left alone.")
        self.retry_after_s = retry_after_s


class _Turns:
    """So many at once, first come, first served. ``size`` may change while some are held."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._held = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def __aenter__(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self.admit()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._held -= 1
            self.admit()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._held -= 1
        self.admit()

    def admit(self) -> None:
        while self._waiting and (self._held < self.size or self._waiting[0].done()):
            turn = self._waiting.popleft()
            if not turn.done():
                self._held += 1
                turn.set_result(None)


class Ledger(Protocol):
    """Counts the calls of a day."""

    def spend(self) -> None:
        """Raises BudgetSpentError: no call is left today."""

    def give_back(self) -> None:
        """The call was not made after all."""


class Pacer:
    """Turns for calls: several windows, so many at once, all in a ledger. Those who wait go in the order they came.

    A side that tells what it can take moves ``at_once`` (never above ``concurrent_max``) and the first rule's calls.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        rules: Sequence[Rule] = (),
        concurrent_max: int = 5,
        ledger: Ledger | None = None,
    ) -> None:
        self._clock = clock
        self._windows = [_Window(rule) for rule in rules]
        self._concurrent_max = concurrent_max
        self._turns = _Turns(concurrent_max)
        self.at_once = concurrent_max
        self._door = asyncio.Lock()
        self._ledger = ledger
        self._paused_until: datetime | None = None

    @property
    def at_once(self) -> int:
        """How many calls may be under way: what was set, within ``concurrent_max`` and every rule."""
        return self._turns.size

    @at_once.setter
    def at_once(self, number: int) -> None:
        most = min([self._concurrent_max, *(window.rule.calls for window in self._windows)])
        self._turns.size = max(1, min(number, most))
        self._turns.admit()

    def allow(self, calls: int) -> None:
        """The first rule's window takes so many calls from now on."""
        self._windows[0].rule = replace(self._windows[0].rule, calls=max(1, calls))
        self.at_once = min(self.at_once, calls)

    def pause(self, seconds: float) -> None:
        """Let no call start for so long: the side said that we are too fast."""
        until = self._clock.now() + timedelta(seconds=seconds)
        self._paused_until = max(until, self._paused_until or until)

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold one turn; one HTTP call fits in it.

        Raises:
            BudgetSpentError: no call is left today.
            PausedError: the side asked for more patience than a call has.
        """
        async with self._turns:
            async with self._door:
                if self._ledger is not None:
                    self._ledger.spend()
                try:
                    await self._wait()
                except BaseException:
                    if self._ledger is not None:
                        self._ledger.give_back()
                    raise
                for window in self._windows:
                    window.began(self._clock.now())
            try:
                yield
            finally:
                for window in self._windows:
                    window.ended(self._clock.now())

    async def _wait(self) -> None:
        while (seconds := self._wait_s()) > _TICK_S:
            await self._clock.sleep(seconds)

    def _wait_s(self) -> float:
        now = self._clock.now()
        paused_s = (self._paused_until - now).total_seconds() if self._paused_until is not None else 0.0
        if paused_s > RETRY_AFTER_MAX_S:
            raise PausedError(paused_s)
        return max([paused_s, *(window.wait_s(now) for window in self._windows)])
