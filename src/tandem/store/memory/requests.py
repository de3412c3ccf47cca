"""The memory store's requests."""

from collections.abc import Sequence
from datetime import datetime

from tandem.core.requests import Ask, Request, is_repeat
from tandem.store.memory.part import MemoryPart


class MemoryRequests(MemoryPart):
    def take_request(self, ask: Ask, now: datetime) -> Request:
        kept, key = self.state.requests, ask.idempotency_key
        earlier = next((request for request in reversed(kept.values()) if request.key == key), None)
        if earlier is not None and is_repeat(earlier, ask, now):
            return earlier
        number = max(kept, default=0) + 1
        kept[number] = Request(number, key, ask.deed, ask.person, dict(ask.arguments), ask.origin, now)
        return kept[number]

    def save_request(self, request: Request) -> None:
        self._writable().requests[request.number] = request

    def load_open_requests(self) -> Sequence[Request]:
        return [request for request in self.state.requests.values() if request.state.is_open]

    def load_requests(self, limit: int) -> Sequence[Request]:
        return list(self.state.requests.values())[::-1][:limit]

    def drop_requests_before(self, at: datetime) -> None:
        kept = self._writable().requests
        for request in list(kept.values()):
            if request.finished_at is not None and request.finished_at < at:
                del kept[request.number]
