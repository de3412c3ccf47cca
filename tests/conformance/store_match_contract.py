"""Matches that wait for a person, decisions about them, and merges that wait in the inbox."""

from tandem.core.plan import Action, ActionKind, Candidate, Question
from tandem.core.record import LEAD, PERSON, LinkStatus, RecordId
from tandem.ports import MatchGroup, MatchRow, Store
from tests.conformance.store_world import (
    NOW,
    a_link,
    a_link_plan,
    a_state,
    a_write,
    again,
    an_open_row,
    claim,
    commit,
    contact,
    finish,
    later,
    lead,
    link_of,
    load_link,
    person,
    save,
)

ONE, TWO = Candidate(RecordId("1"), "2026-01-01T00:00:00Z"), Candidate(RecordId("2"))
ASKED = Question("several", (ONE, TWO))


def ask(store: Store, key: str, question: Question = ASKED) -> MatchRow:
    commit(store, a_link_plan(lead(key), question=question))
    number = link_of(store, lead(key)).number
    return next(row for row in store.load_matches(100) if row.link == number)


class MatchContract:
    def test_a_question_is_kept_with_its_people(self, store: Store) -> None:
        row = ask(store, "a")
        assert row == MatchRow(row.link, lead("a"), "several", (ONE, TWO), NOW)

    def test_questions_are_counted_by_cause_and_people_and_read_page_by_page(self, store: Store) -> None:
        first, second = ask(store, "a"), ask(store, "b")
        other = ask(store, "c", Question("another", (ONE,)))
        store.decide_matches({second.link: "create"}, later(1))
        assert store.count_matches() == [MatchGroup("another", 1, 1, 0), MatchGroup("several", 2, 2, 1)]
        assert [row.link for row in store.load_matches(1)] == [first.link]
        assert [row.link for row in store.load_matches(9, after=first.link)] == [second.link, other.link]
        assert [row.link for row in store.load_matches(9, cause="several", size=2, only_open=True)] == [first.link]
        assert store.load_matches(9, cause="several", size=3) == []

    def test_a_decision_makes_the_link_due_and_stays_until_it_is_planned(self, store: Store) -> None:
        row = ask(store, "a")
        assert not claim(store)
        store.decide_matches({row.link: "2"}, later(1))
        assert store.load_decisions([row.link]) == {row.link: "2"}
        assert [found.link.number for found in claim(store) if found.link] == [row.link]
        (decided,) = store.load_matches(9)
        assert (decided.decision, decided.decided_at) == ("2", later(1))

    def test_a_question_asked_anew_has_no_decision(self, store: Store) -> None:
        row = ask(store, "a")
        store.decide_matches({row.link: "2"}, later(1))
        commit(store, again(link_of(store, lead("a")), question=Question("gone", (ONE,))), now=later(9))
        (asked,) = store.load_matches(9)
        assert asked == MatchRow(row.link, lead("a"), "gone", (ONE,), NOW)
        assert store.load_decisions([row.link]) == {}

    def test_a_settled_question_keeps_what_was_decided(self, store: Store) -> None:
        row = ask(store, "a")
        store.decide_matches({row.link: "never"}, later(1))
        commit(store, again(link_of(store, lead("a")), question=Question("", is_settled=True)))
        assert store.load_decisions([row.link]) == {row.link: "never"}

    def test_a_link_planned_without_a_question_has_none(self, store: Store) -> None:
        row = ask(store, "a")
        commit(store, again(link_of(store, lead("a")), marketing=person("1"), status=LinkStatus.LIVE))
        assert store.load_matches(9) == []
        store.decide_matches({row.link: "create"}, later(1))
        assert store.load_decisions([row.link]) == {}

    def test_links_with_a_record_in_marketing_are_counted(self, store: Store) -> None:
        a_link(store, lead("a"), person("1"))
        gone = a_link(store, lead("b"), person("2"))
        commit(store, again(gone, status=LinkStatus.TOMBSTONE))
        ask(store, "c")
        assert store.count_linked([PERSON]) == 1
        assert store.count_linked([]) == 0


class MergedContract:
    def test_records_merged_into_others_are_found_in_the_inbox(self, store: Store) -> None:
        loser = a_state(lead("a"), 5, merged_into=RecordId("b"))
        save(store, loser, a_state(lead("c"), 5))
        save(store, a_state(contact("d"), 5, merged_into=RecordId("b")))
        assert store.find_losers([lead("b")]) == [loser]
        assert store.find_losers([lead("c")]) == []

    def test_crm_rows_are_found_by_their_dedupe_key(self, store: Store) -> None:
        save(store, a_state(lead("a"), 5), search={"a": ("", "ann@example.com")})
        found = store.find_inbox(LEAD, "dedupe_key", ["ann@example.com"], lead("a").side)
        assert [state.key for state in found] == [lead("a")]
        assert store.find_inbox(LEAD, "dedupe_key", ["ann@example.com"]) == []

    def test_a_merge_keeps_its_survivor_and_makes_the_link_due(self, store: Store) -> None:
        link = a_link(store, lead("a"), person("1"))
        merge = Action(person("1").side, PERSON, ActionKind.MERGE, RecordId("1"), (a_write(),), survivor=RecordId("2"))
        row = an_open_row(store, link, merge)
        assert store.load_open_rows()[0].action == merge
        finish(store, row)
        after = load_link(store, link.number)
        assert (after.base, after.marketing, after.status) == (link.base, person("1"), link.status)
        assert after.marketing_written > 0
        assert [found.link.number for found in claim(store) if found.link] == [link.number]
