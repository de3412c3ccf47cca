"""A pair that was mapped and is left out now is set aside, since when and why; one that never was is not."""

from datetime import UTC, datetime, timedelta

from tandem.app.quarantine import note_what_is_mapped, quarantined
from tandem.core.left_out import LeftOut
from tandem.core.mapping import FieldPair, compile_mapping
from tandem.core.mapping_resolver import ResolvedMapping
from tandem.core.record import LEAD, PERSON
from tandem.core.transforms import Identity
from tandem.store.memory import MemoryStore

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def start(store: MemoryStore, *mapped: str, lost: tuple[str, ...] = (), hours: int = 0) -> None:
    """A start at which these columns can be mapped, and those cannot."""
    pairs = [FieldPair(name, name.title(), Identity()) for name in mapped]
    left_out = tuple(LeftOut(LEAD, name, name.title(), "it is gone", "Make it.") for name in lost)
    mapping = compile_mapping(LEAD, PERSON, pairs, key_field="crmKey")
    resolved = {LEAD: ResolvedMapping(mapping, (), left_out, ())}
    note_what_is_mapped(store, resolved, NOW + timedelta(hours=hours))


def aside(store: MemoryStore) -> list[tuple[str, datetime]]:
    return [(line.crm_field, line.since) for line in quarantined(store)]


def test_what_never_could_be_mapped_is_not_set_aside() -> None:
    store = MemoryStore()
    start(store, "name", lost=("fax",))
    assert aside(store) == []


def test_what_was_mapped_is_set_aside_since_it_was_lost_first() -> None:
    store = MemoryStore()
    start(store, "name", "fax")
    start(store, "name", lost=("fax",), hours=1)
    start(store, "name", lost=("fax",), hours=2)
    assert aside(store) == [("fax", NOW + timedelta(hours=1))]
    (line,) = quarantined(store)
    assert (line.entity, line.marketing_field, line.reason, line.remedy) == ("lead", "Fax", "it is gone", "Make it.")


def test_it_ends_when_the_pair_is_mapped_again_or_no_longer_wanted() -> None:
    for again in (("name", "fax"), ("name",)):
        store = MemoryStore()
        start(store, "name", "fax")
        start(store, "name", lost=("fax",), hours=1)
        start(store, *again, hours=2)
        assert aside(store) == []


def test_it_is_set_aside_anew_when_it_is_lost_again() -> None:
    store = MemoryStore()
    for hours, is_there in enumerate((True, False, True, False)):
        start(store, *(("fax",) if is_there else ()), lost=() if is_there else ("fax",), hours=hours)
    assert aside(store) == [("fax", NOW + timedelta(hours=3))]
