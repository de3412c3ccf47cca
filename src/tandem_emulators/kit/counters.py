"""How often each operation was called and how many records it touched: the judge of every call budget.

A request that carries others (`$batch`) is one request; what it carries is counted under `operations`. Sign-in is
counted by name but is no API request. A record in a write request counts whether or not it changed anything.
"""

from collections import Counter

SIGN_IN_OPERATIONS = frozenset({"token", "identity"})


class Counters:
    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.requests_total = 0
        self.requests: Counter[str] = Counter()
        self.operations: Counter[str] = Counter()
        self.records_read = 0
        self.records_written = 0
        self.served_at_once_max = 0

    def serving(self, at_once: int) -> None:
        self.served_at_once_max = max(self.served_at_once_max, at_once)

    def request(self, operation: str) -> None:
        self.requests[operation] += 1
        if operation not in SIGN_IN_OPERATIONS:
            self.requests_total += 1

    def inner(self, operation: str) -> None:
        self.operations[operation] += 1

    def read(self, records: int) -> None:
        self.records_read += records

    def written(self, records: int) -> None:
        self.records_written += records

    def as_dict(self) -> dict[str, object]:
        return {
            "requests_total": self.requests_total,
            "requests": dict(self.requests),
            "operations": dict(self.operations),
            "records_read": self.records_read,
            "records_written": self.records_written,
            "served_at_once_max": self.served_at_once_max,
        }
