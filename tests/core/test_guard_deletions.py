"""What the rails count as a deletion: flagging a person, or ending a link; not the flag's first, false value."""

import pytest

from tandem.core.guard import Rails, Totals, guard_plan
from tandem.core.plan import Action, ActionKind, FieldWrite, LinkPlan, Plan
from tandem.core.record import CONTACT, PERSON, Base, LinkNumber, LinkStatus, RecordId, Side

NO_DELETIONS = Rails(max_deletes=0, max_delete_share=0.0)


def flagged(value: bool, kind: ActionKind = ActionKind.UPDATE) -> LinkPlan:
    write = FieldWrite("@deleted|microsoftIsDeleted", "microsoftIsDeleted", None, value, value, "")
    action = Action(Side.MARKETING, PERSON, kind, RecordId("7"), (write,))
    return LinkPlan("", CONTACT, LinkNumber(1), None, None, LinkStatus.LIVE, Base.unknown(1), actions=(action,))


def ended() -> LinkPlan:
    return LinkPlan("", CONTACT, LinkNumber(1), None, None, LinkStatus.TOMBSTONE, Base.unknown(1))


@pytest.mark.parametrize(
    ("link", "held"),
    [(flagged(True), 1), (flagged(False), 0), (flagged(False, ActionKind.CREATE), 0), (ended(), 1)],
    ids=["flagged", "flag taken back or filled", "created", "link ended"],
)
def test_only_what_is_gone_needs_the_rail_for_deletions(link: LinkPlan, held: int) -> None:
    assert guard_plan(Plan((link,)), NO_DELETIONS, Totals(links=10)).held == held
