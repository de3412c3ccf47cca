"""What an observer hears of a pass: the engine's news summed up, with how much is still to come."""

from collections import Counter
from collections.abc import Mapping

from tandem.app.reports import Observer, Progress
from tandem.core.mapping import EntityMapping
from tandem.core.record import Entity
from tandem.ports import Connector, Store
from tandem.runtime.engine import News


class Teller:
    """Passes news on to `observer`. Reading tells its sums itself; planning and writing tell batch by batch, and what
    is to be planned is counted once, when the first batch of a kind is through."""

    def __init__(
        self,
        observer: Observer,
        crm: Connector,
        marketing: Connector,
        store: Store,
        mappings: Mapping[Entity, EntityMapping],
    ) -> None:
        self._observer = observer
        self._mappings = mappings
        self._sides = (crm, marketing)
        self._store = store
        self._done: Counter[tuple[str, str]] = Counter()
        self._expected: dict[str, int] = {}

    def __call__(self, news: News) -> None:
        done, expected = news.done, news.expected
        if news.phase != "read":
            self._done[news.phase, news.entity] += news.done
            done = self._done[news.phase, news.entity]
        if news.phase == "plan":
            expected = max(done, self._to_plan(news))
        calls = sum(side.calls for side in self._sides)
        self._observer(Progress(news.phase, news.entity, done, expected, calls))

    def _to_plan(self, news: News) -> int:
        if news.entity not in self._expected:
            entities = [entity for entity, m in self._mappings.items() if m.marketing_entity == news.entity]
            waiting = sum(line.waiting for line in self._store.load_status() if line.crm_entity in entities)
            self._expected[news.entity] = news.done + waiting
        return self._expected[news.entity]
