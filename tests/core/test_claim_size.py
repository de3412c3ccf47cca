"""How many links are planned at once: more while Marketo's calls will not last the day."""

from datetime import timedelta

from tandem.connectors.memory import MemoryConnector
from tandem.ports import Budget
from tests.builders import START, World


def test_more_records_are_claimed_at_once_when_calls_run_short() -> None:
    engine = World().engine()
    assert isinstance(engine.marketing, MemoryConnector)
    assert engine.claim_size == engine.settings.claim_size
    plenty = Budget(10, 0, 1_000, 990, 0.1, None, START + timedelta(hours=8))
    engine.marketing.budget = plenty
    assert engine.claim_size == engine.settings.claim_size
    engine.marketing.budget = Budget(900, 0, 1_000, 100, 50.0, START + timedelta(minutes=2), plenty.resets_at)
    assert engine.claim_size == engine.settings.claim_size_when_scarce
