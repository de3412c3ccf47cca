"""Turns for calls, so that a side's quota is never exceeded: windows, so many at once, so many a day.

A connector makes one ``Pacer`` for its side; every HTTP call holds one turn of it. What a side says with its answers
(wait, or how much it can take) changes the turns of all calls that wait.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tandem.ports import Clock

RETRY_AFTER_MAX_S = 60.0
"""A side that asks for a longer wait gets it from the runtime: a call does not sleep for minutes, and none is sent."""


@dataclass(frozen=True, slots=True)
class Rule:
    """At most `calls` in any `window_s` seconds."""

    calls: int
    window_s: float


class _Window:
    """One rule's memory. A call counts from before it is sent until `window_s` after its end, so that the side, which
    sees it somewhere in between, never counts more than the rule allows.

    Half of a window may go in one burst; the other half is rationed until the oldest call drops out. So a first copy
    that uses all there is never makes the next call, a person's edit say, wait for most of a window.
    """

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._in_flight = 0
        self._ended: deque[datetime] = deque()
        self._last_began: datetime | None = None

    def wait_s(self, now: datetime) -> float:
        """0 when a call may start now. There is always an ended call to wait for when the window is full: the pacer
        lets fewer run at once than the rule has calls."""
        while self._ended and (now - self._ended[0]).total_seconds() >= self.rule.window_s:
            self._ended.popleft()
        left = self.rule.calls - self._in_flight - len(self._ended)
        if 2 * left > self.rule.calls or self._last_began is None or not self._ended:
            return 0.0
        oldest_goes_s = self.rule.window_s - (now - self._ended[0]).total_seconds()
        if left == 0:
            return oldest_goes_s
        return max(0.0, oldest_goes_s / left - (now - self._last_began).total_seconds())

    def began(self, now: datetime) -> None:
        self._in_flight += 1
        self._last_began = now

    def ended(self, now: datetime) -> None:
        self._in_flight -= 1
        self._ended.append(now)


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


DayEnd = Callable[[datetime], datetime]


def end_of_utc_day(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


class Pacer:
    """Turns for calls: several windows, so many at once, so many a day. Those who wait go in the order they came.

    A side that tells what it can take moves ``at_once`` (never above ``concurrent_max``) and the first rule's calls.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        rules: Sequence[Rule] = (),
        concurrent_max: int = 5,
        daily_budget: int | None = None,
        day_end: DayEnd = end_of_utc_day,
    ) -> None:
        self._clock = clock
        self._windows = [_Window(rule) for rule in rules]
        self._concurrent_max = concurrent_max
        self._turns = _Turns(concurrent_max)
        self.at_once = concurrent_max
        self._door = asyncio.Lock()
        self._daily_budget = daily_budget
        self._day_end = day_end
        self._day_ends_at = day_end(clock.now())
        self._paused_until: datetime | None = None
        self.spent_today = 0

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
        self._windows[0].rule = Rule(max(1, calls), self._windows[0].rule.window_s)
        self.at_once = min(self.at_once, calls)

    @property
    def left_today(self) -> int | None:
        """Calls left of the day's budget; None where there is no budget."""
        self._turn_the_day()
        return None if self._daily_budget is None else max(0, self._daily_budget - self.spent_today)

    def note_spent(self, calls: int) -> None:
        """The side itself counts so many calls of ours today: an earlier process made them."""
        self._turn_the_day()
        self.spent_today = max(self.spent_today, calls)

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
                self._spend()
                try:
                    await self._wait()
                except BaseException:
                    self.spent_today -= 1
                    raise
                for window in self._windows:
                    window.began(self._clock.now())
            try:
                yield
            finally:
                for window in self._windows:
                    window.ended(self._clock.now())

    async def _wait(self) -> None:
        while (seconds := self._wait_s()) > 0:
            await self._clock.sleep(seconds)

    def _wait_s(self) -> float:
        now = self._clock.now()
        paused_s = (self._paused_until - now).total_seconds() if self._paused_until is not None else 0.0
        if paused_s > RETRY_AFTER_MAX_S:
            raise PausedError(paused_s)
        return max([paused_s, *(window.wait_s(now) for window in self._windows)])

    def _spend(self) -> None:
        if self.left_today == 0:
            raise BudgetSpentError((self._day_ends_at - self._clock.now()).total_seconds())
        self.spent_today += 1

    def _turn_the_day(self) -> None:
        now = self._clock.now()
        if now >= self._day_ends_at:
            self._day_ends_at = self._day_end(now)
            self.spent_today = 0
