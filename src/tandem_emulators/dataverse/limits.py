"""Service protection: requests, execution time and concurrency of each user on each web server (sheet 7.1).

Requests and execution time are counted in a sliding window on the emulator's clock. A caller that goes on during the
wait it was told makes the wait longer. Entitlement, the daily allowance, is counted and never enforced (7.3).
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from math import ceil

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.errors import ODataError
from tandem_emulators.dataverse.settings import Settings
from tandem_emulators.kit.clock import Clock

_CONCURRENCY_RETRY_S = 2
_DAY_S = 86_400


@dataclass
class _Usage:
    """`in_flight` are the requests being served; `closed_until` is the end of the wait that Retry-After announced."""

    requests: deque[float] = field(default_factory=deque)
    work: deque[tuple[float, float]] = field(default_factory=deque)
    work_ms: float = 0.0
    in_flight: int = 0
    closed_until: float = 0.0

    def forget(self, before: float) -> None:
        while self.requests and self.requests[0] <= before:
            self.requests.popleft()
        while self.work and self.work[0][0] <= before:
            self.work_ms -= self.work.popleft()[1]

    def last_to_go(self, limit_ms: float) -> float:
        """When the piece of work was done that must leave the window before there is room again."""
        rest_ms = self.work_ms
        for done_at, took_ms in self.work:
            rest_ms -= took_ms
            if rest_ms < limit_ms:
                return done_at
        return 0.0


class Limits:
    """The caller that was let in by `enter` must `leave`; one that was refused must not."""

    def __init__(self, clock: Clock, settings: Settings) -> None:
        self._clock = clock
        self._settings = settings
        self._usages: dict[tuple[str, int], _Usage] = {}
        self._entitlement: dict[int, Counter[str]] = {}

    def enter(self, user_id: str, server: int) -> ODataError | None:
        """The refusal that this request meets; a request that passes is counted."""
        usage = self._usage(user_id, server)
        refusal = self._refusal(usage) if self._settings.limits == "published" else None
        if refusal is None:
            usage.requests.append(self._clock.timestamp())
            usage.in_flight += 1
        return refusal

    def leave(self, user_id: str, server: int, seconds: float) -> None:
        usage = self._usage(user_id, server)
        usage.in_flight -= 1
        usage.work.append((self._clock.timestamp(), seconds * 1000))
        usage.work_ms += seconds * 1000

    def _refusal(self, usage: _Usage) -> ODataError | None:
        limits, window = self._settings, self._settings.limits_window_s
        if usage.in_flight >= limits.concurrency_limit:
            return errors.too_many_at_once(limits.concurrency_limit, _CONCURRENCY_RETRY_S)
        if len(usage.requests) >= limits.requests_limit:
            wait_s = self._wait(usage, usage.requests[len(usage.requests) - limits.requests_limit])
            return errors.too_many_requests(limits.requests_limit, window, wait_s)
        if usage.work_ms >= limits.execution_limit_ms:
            oldest = usage.last_to_go(limits.execution_limit_ms)
            return errors.too_much_time(limits.execution_limit_ms, window, self._wait(usage, oldest))
        if usage.closed_until > self._clock.timestamp():
            return errors.too_many_requests(limits.requests_limit, window, self._wait(usage, 0.0))
        return None

    def _wait(self, usage: _Usage, oldest: float) -> int:
        """Until the oldest call leaves the window, and longer if the caller did not keep the wait it was told."""
        now = self._clock.timestamp()
        pressed = self._settings.pressing_adds_s if usage.closed_until > now else 0.0
        usage.closed_until = max(usage.closed_until, oldest + self._settings.limits_window_s) + pressed
        return max(1, ceil(usage.closed_until - now))

    def headers(self, user_id: str, server: int) -> dict[str, str]:
        """What is left, as the service prints it: the time in seconds with a thousands separator."""
        usage = self._usage(user_id, server)
        limits = self._settings
        burst = max(0, limits.requests_limit - len(usage.requests))
        time_s = max(0.0, (limits.execution_limit_ms - usage.work_ms) / 1000)
        used = max(len(usage.requests) / limits.requests_limit, usage.work_ms / limits.execution_limit_ms)
        return {
            "x-ms-ratelimit-burst-remaining-xrm-requests": str(burst),
            "x-ms-ratelimit-time-remaining-xrm-requests": f"{time_s:,.2f}",
            "x-ms-utilization-percent": str(min(100, round(used * 100))),
        }

    def _usage(self, user_id: str, server: int) -> _Usage:
        usage = self._usages.setdefault((user_id, server), _Usage())
        usage.forget(self._clock.timestamp() - self._settings.limits_window_s)
        return usage

    # Entitlement, for each user and day (UTC).

    def entitle(self, user_id: str, requests: int) -> None:
        day = int(self._clock.timestamp() // _DAY_S)
        self._entitlement.setdefault(day, Counter())[user_id] += requests

    def as_dict(self) -> dict[str, object]:
        """For the control API: what each user has used, on each server and of today's entitlement."""
        today = self._entitlement.get(int(self._clock.timestamp() // _DAY_S), Counter())
        windows = []
        for user, server in self._usages:
            usage = self._usage(user, server)
            spent = {"requests": len(usage.requests), "execution_ms": round(usage.work_ms, 3)}
            windows.append({"user": user, "server": server, **spent})
        return {"windows": windows, "entitlement_today": dict(today)}
