"""How fast the service lets us be, read from every answer: how many calls at once, and what is left of its window.

The service counts requests and its own working time for each user and web server in a sliding window (its limits differ
between environments, so none is written here) and recommends a number of parallel calls. While half of what was ever
seen is left we go as wide as it recommends; below that parallelism shrinks with what is left, and the last part of the
requests is not ours: there we only keep the rate at which the window refills.
"""

import re
from collections.abc import Mapping
from typing import Final

from tandem.connectors.http import Response
from tandem.connectors.pacing import Pacer, Rule

WINDOW_S: Final = 300.0
AT_ONCE_BEFORE_A_HINT: Final = 4
"""The usual recommendation, and what the working time of the window lasts for when calls run without a break."""

REQUESTS_BEFORE_AN_ANSWER: Final = 6000
SHARE: Final = 5 / 6
"""Of the requests of a window: the rest is for others who sign in with the same application user."""

_HINT: Final = "x-ms-dop-hint"
_REQUESTS_LEFT: Final = "x-ms-ratelimit-burst-remaining-xrm-requests"
_TIME_LEFT: Final = "x-ms-ratelimit-time-remaining-xrm-requests"
_GROUPED: Final = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d*)?")


class ServicePace:
    """Moves `pacer` along with the service's own words; `at_once_max` is ours."""

    def __init__(self, pacer: Pacer, *, at_once_max: int) -> None:
        self._pacer = pacer
        self._at_once_max = at_once_max
        self._hint = AT_ONCE_BEFORE_A_HINT
        self._most: dict[str, float] = {}
        pacer.at_once = min(at_once_max, self._hint)

    def note(self, response: Response) -> None:
        """An answer without these headers changes nothing."""
        hint = parse_number(response.headers.get(_HINT, ""))
        if hint is not None and hint >= 1:
            self._hint = int(hint)
        requests = self._left(response.headers, _REQUESTS_LEFT)
        share_left = min(requests, self._left(response.headers, _TIME_LEFT))
        wide = min(self._hint, self._at_once_max)
        self._pacer.at_once = round(wide * min(1.0, 2 * share_left))
        most = self._most.get(_REQUESTS_LEFT)
        if most is not None:
            self._pacer.allow(int(most * SHARE))
            if requests <= 1 - SHARE:
                self._pacer.pause(WINDOW_S / most)

    def _left(self, headers: Mapping[str, str], name: str) -> float:
        """What is left, as a share of the most that was ever seen; all, where the service does not say."""
        left = parse_number(headers.get(name, ""))
        if left is None:
            return 1.0
        most = self._most[name] = max(self._most.get(name, 1.0), left)
        return left / most


def first_rule() -> Rule:
    """The window as it is assumed to be until the service has spoken."""
    return Rule(int(REQUESTS_BEFORE_AN_ANSWER * SHARE), WINDOW_S)


def parse_number(text: str) -> float | None:
    """``5999``, ``1199.46`` or ``1,199.46``; None for anything else."""
    text = text.strip()
    if _GROUPED.fullmatch(text):
        text = text.replace(",", "")
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None
