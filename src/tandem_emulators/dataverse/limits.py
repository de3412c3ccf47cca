"""Service protection: requests, execution time and concurrency of each user in a sliding window of 300 seconds."""

from collections import deque
from dataclasses import dataclass, field
from math import ceil

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.errors import ODataError
from tandem_emulators.dataverse.settings import Settings
from tandem_emulators.kit.clock import Clock

WINDOW_S = 300
_CONCURRENCY_RETRY_S = 2


@dataclass
class _Usage:
    requests: deque[float] = field(default_factory=deque)
    work: deque[tuple[float, float]] = field(default_factory=deque)
    work_ms: float = 0.0

    def forget(self, before: float) -> None:
        while self.requests and self.requests[0] <= before:
            self.requests.popleft()
        while self.work and self.work[0][0] <= before:
            self.work_ms -= self.work.popleft()[1]


class Limits:
    def __init__(self, clock: Clock, settings: Settings) -> None:
        self._clock = clock
        self._settings = settings
        self._users: dict[str, _Usage] = {}

    def check(self, user_id: str, in_flight: int) -> ODataError | None:
        """The refusal that this request meets; a request that passes is counted."""
        if self._settings.limits != "published":
            return None
        now = self._clock.timestamp()
        usage = self._usage(user_id)
        if in_flight > self._settings.concurrency_limit:
            return errors.too_many_at_once(self._settings.concurrency_limit, _CONCURRENCY_RETRY_S)
        if len(usage.requests) >= self._settings.requests_limit:
            free_at = usage.requests[0] + WINDOW_S
            return errors.too_many_requests(self._settings.requests_limit, WINDOW_S, max(1, ceil(free_at - now)))
        if usage.work_ms >= self._settings.execution_limit_ms:
            free_at = usage.work[0][0] + WINDOW_S
            return errors.too_much_time(self._settings.execution_limit_ms, WINDOW_S, max(1, ceil(free_at - now)))
        usage.requests.append(now)
        return None

    def worked(self, user_id: str, seconds: float) -> None:
        usage = self._usage(user_id)
        usage.work.append((self._clock.timestamp(), seconds * 1000))
        usage.work_ms += seconds * 1000

    def headers(self, user_id: str) -> dict[str, str]:
        """What is left, as the service prints it: the time in seconds with a thousands separator."""
        usage = self._usage(user_id)
        burst = max(0, self._settings.requests_limit - len(usage.requests))
        time_s = max(0.0, (self._settings.execution_limit_ms - usage.work_ms) / 1000)
        return {
            "x-ms-ratelimit-burst-remaining-xrm-requests": str(burst),
            "x-ms-ratelimit-time-remaining-xrm-requests": f"{time_s:,.2f}",
        }

    def _usage(self, user_id: str) -> _Usage:
        usage = self._users.setdefault(user_id, _Usage())
        usage.forget(self._clock.timestamp() - WINDOW_S)
        return usage
