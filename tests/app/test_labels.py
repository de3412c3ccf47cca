"""What a value was called before still stands for it; a renamed label is filled in slowly, one way only."""

from dataclasses import replace
from datetime import UTC, datetime

from tandem.app.labels import with_former_labels
from tandem.core.choices import Choice
from tandem.core.mapping import Direction, FieldPair, compile_mapping
from tandem.core.mapping_resolver import ResolvedMapping
from tandem.core.record import LEAD, PERSON, Entity, Side
from tandem.runtime.backfill import FIRST_COPY, open_backfills
from tandem.store.memory import MemoryStore

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def a_store(*, is_copied: bool = True) -> MemoryStore:
    store = MemoryStore()
    if is_copied:
        store.save_setting(FIRST_COPY, "done")
    return store


def opened_with(store: MemoryStore, labels: dict[int, str], direction: Direction = Direction.BOTH) -> Choice:
    """The choice's transform as a start with these labels makes it."""
    pair = FieldPair("rating", "rating", Choice(labels), direction)
    mapping = compile_mapping(LEAD, PERSON, [pair], key_field="crmKey")
    told = with_former_labels(store, {LEAD: ResolvedMapping(mapping, (), (), ())}, NOW)
    transform = told[LEAD].mapping.pairs[0].transform
    assert isinstance(transform, Choice)
    return transform


def asked(store: MemoryStore) -> list[tuple[Side, Entity, Side | None]]:
    return [(backfill.side, backfill.entity, backfill.giver) for backfill in open_backfills(store)]


def test_the_first_start_remembers_and_asks_for_nothing() -> None:
    store = a_store()
    assert opened_with(store, {1: "Hot"}).to_crm("Hot") == 1
    assert asked(store) == []


def test_a_renamed_label_stands_for_its_value_and_is_asked_to_be_filled_once() -> None:
    store = a_store()
    opened_with(store, {1: "Hot", 2: "Cold"})
    for _ in range(2):
        choice = opened_with(store, {1: "Warm", 2: "Cold"})
    assert [choice.to_crm(label) for label in ("hot", "Warm", "Cold")] == [1, 1, 2]
    assert choice.to_marketing(1) == "Warm"
    assert asked(store) == [(Side.CRM, LEAD, Side.CRM), (Side.MARKETING, PERSON, None)]


def test_a_label_given_to_another_value_means_that_one() -> None:
    store = a_store()
    opened_with(store, {1: "Hot", 2: "Cold"})
    choice = opened_with(store, {1: "Cold", 2: "Icy"})
    assert choice.to_crm("Cold") == 1
    assert choice.to_crm("Hot") == 1


def test_a_value_that_is_gone_keeps_its_label() -> None:
    store = a_store()
    opened_with(store, {1: "Hot", 2: "Cold"})
    opened_with(store, {1: "Hot"})
    assert asked(store) == []
    assert opened_with(store, {1: "Hot", 2: "Frozen"}).to_crm("Cold") == 2


def test_nothing_is_filled_before_the_first_copy_or_where_labels_do_not_go_over() -> None:
    store = a_store(is_copied=False)
    opened_with(store, {1: "Hot"})
    opened_with(store, {1: "Warm"})
    assert asked(store) == []
    store = a_store()
    opened_with(store, {1: "Hot"}, Direction.TO_CRM)
    opened_with(store, {1: "Warm"}, Direction.TO_CRM)
    assert asked(store) == []


def test_other_transforms_are_left_alone() -> None:
    store = a_store()
    mapping = compile_mapping(LEAD, PERSON, [FieldPair("a", "b", Choice({1: "x"}))], key_field="crmKey")
    plain = replace(mapping, pairs=())
    told = with_former_labels(store, {LEAD: ResolvedMapping(plain, (), (), ())}, NOW)
    assert told[LEAD].mapping.pairs == ()
