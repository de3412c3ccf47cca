"""Children go before their parents.

Records are made in the order of the stages, parents first; they are deleted in the reverse order, once everything else
of a pass is done (native-sync 10.2): Marketo refuses to delete an opportunity that has roles, a company that has people
or a sales person that somebody names (1022). Until then such a deletion stands in the journal as intended, which keeps
its link from being claimed; one that the pass does not come to is withdrawn and planned again, like everything else.
People go at once: nothing keeps them, and they let go of their companies.
"""

from collections.abc import Sequence

from tandem.core.plan import ActionKind, Plan
from tandem.core.record import PERSON, Entity, Side
from tandem.ports import JournalRow


def split_deletions(
    marketing_entity: Entity, plan: Plan, rows: Sequence[JournalRow]
) -> tuple[list[JournalRow], list[JournalRow]]:
    """The rows of `plan`'s actions, in its order: those for now, and the deletions that come last."""
    now: list[JournalRow] = []
    last: list[JournalRow] = []
    for (link, action), row in zip(plan.iter_actions(), rows, strict=True):
        is_last = action.kind is ActionKind.DELETE and action.side is Side.MARKETING and link.is_deletion
        (last if is_last and marketing_entity != PERSON else now).append(row)
    return now, last
