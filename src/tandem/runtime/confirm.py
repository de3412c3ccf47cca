"""Reads back what was written to objects of which Marketo keeps no log.

Of people the log tells what became of a write and who wrote over it. Of a company, a sales person or a custom object
there is only its present value; read when the record changes next, weeks later perhaps, it could be what Marketo made
of our write or somebody's edit since. So it is read at once, one call for a batch of 300: what is there as it was sent
is confirmed, and a later difference is an edit. What came back otherwise is judged by the plan, as ever.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tandem.core.errors import AccessError, RejectedError, TransientError
from tandem.core.plan import ActionKind
from tandem.core.record import LinkNumber, Presence, Side, Value
from tandem.core.values import same
from tandem.ports import JournalRow, JournalState, Outcome
from tandem.runtime.engine import Engine

_WRITES = (ActionKind.CREATE, ActionKind.UPDATE)


async def confirmed(
    engine: Engine, batch: Sequence[JournalRow], outcomes: Sequence[Outcome]
) -> tuple[Sequence[Outcome], list[LinkNumber]]:
    """The outcomes, those confirmed whose values are there, and the links whose record came back otherwise: they are
    to be planned again at once. A side that does not answer confirms nothing."""
    action = batch[0].action
    if action.side is Side.CRM or action.kind not in _WRITES or engine.marketing.has_feed(action.entity):
        return outcomes, []
    ids = [outcome.id for outcome in outcomes if outcome.state is JournalState.DONE and outcome.id is not None]
    if not ids:
        return outcomes, []
    fields = engine.fields_of(Side.MARKETING, action.entity)
    try:
        readings = await engine.marketing.fetch_records(action.entity, fields, ids)
    except (TransientError, AccessError, RejectedError):
        return outcomes, []
    there = {r.id: dict(zip(fields, r.values, strict=True)) for r in readings if r.presence is Presence.PRESENT}
    judged, doubtful = list(outcomes), []
    for place, (outcome, row) in enumerate(zip(outcomes, batch, strict=True)):
        shown = there.get(outcome.id) if outcome.id is not None else None
        if shown is not None and _is_as_sent(row, shown):
            judged[place] = replace(outcome, is_confirmed=True)
        elif shown is not None:
            doubtful.append(row.link)
    return judged, doubtful


def _is_as_sent(row: JournalRow, shown: Mapping[str, Value]) -> bool:
    return all(same(shown.get(write.field), write.after) for write in row.action.writes)
