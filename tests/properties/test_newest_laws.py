"""Laws of "the newest wins": the older edit never wins, and what cannot be known is held.

The oracle knows when people really edited; the merge knows only what the two services and the passes tell of it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import event, given
from hypothesis import strategies as st

from tandem.core.mapping import FieldPair, Winner
from tandem.core.merge import Carry, Held, Sighting, merge_pair
from tandem.core.newest import EditTimes, newer_side, parse_modified
from tandem.core.plan import ConflictKind
from tandem.core.policy import EntityPolicy
from tandem.core.record import Side
from tandem.core.transforms import Identity

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
NEWEST = EntityPolicy(Winner.NEWEST)


@dataclass(frozen=True, slots=True)
class History:
    """Seconds since noon. `planned` is when the crm record was last known whole, `crm` and `marketing` when people
    edited the field, `touched` when somebody last edited the crm record at all. Clocks may be two seconds apart."""

    planned: int
    crm: int
    touched: int
    marketing: int
    skew: int

    @property
    def times(self) -> EditTimes:
        return EditTimes(
            crm_after=NOON + timedelta(seconds=self.planned),
            crm_until=NOON + timedelta(seconds=self.touched),
            marketing={"title": NOON + timedelta(seconds=self.marketing + self.skew)},
        )


@st.composite
def histories(draw: st.DrawFn) -> History:
    planned = draw(st.integers(0, 100))
    crm = planned + draw(st.integers(0, 100))
    touched = crm + draw(st.integers(0, 100))
    return History(planned, crm, touched, draw(st.integers(-200, 400)), draw(st.integers(-2, 2)))


@given(histories())
def test_whoever_is_called_newer_is(history: History) -> None:
    found = newer_side(history.times, "title")
    event(str(found))
    if found is not None:
        assert found is (Side.MARKETING if history.marketing > history.crm else Side.CRM)


@given(histories())
def test_an_edit_outside_the_span_is_always_told(history: History) -> None:
    if history.marketing > history.touched + 10 or history.marketing < history.planned - 10:
        assert newer_side(history.times, "title") is not None


@given(histories())
def test_an_unread_log_never_makes_the_crm_edit_newer(history: History) -> None:
    """A later change may be hidden in it; one that is seen already proves that Marketo's is newer."""
    times = EditTimes(history.times.crm_after, history.times.crm_until, history.times.marketing, is_complete=False)
    assert newer_side(times, "title") is not Side.CRM


@given(histories())
def test_the_merge_carries_the_newer_value_or_holds_and_records_both(history: History) -> None:
    pair = FieldPair("jobtitle", "title", Identity())
    seen = Sighting(pair, "old", "old", "from crm", "from marketing", newer_side(history.times, "title"))
    verdict = merge_pair(seen, NEWEST)
    assert isinstance(verdict, Carry | Held)
    assert verdict.conflict is not None
    assert verdict.conflict.kind is ConflictKind.BOTH_CHANGED
    if isinstance(verdict, Held):
        assert verdict.conflict.winner is Winner.HOLD
        assert "cannot be told" in verdict.reason
    else:
        newest = "from marketing" if history.marketing > history.crm else "from crm"
        assert (verdict.after, verdict.conflict.winner) == (newest, Winner(verdict.to.other.value))


def test_without_a_time_nothing_is_known() -> None:
    assert newer_side(EditTimes(NOON, NOON), "title") is None
    assert newer_side(EditTimes(None, None, {"title": NOON}), "title") is None


def test_the_time_of_a_crm_record_is_read_as_it_is_written() -> None:
    assert parse_modified("2026-05-01T12:00:00Z") == NOON
    assert parse_modified(None) is None
