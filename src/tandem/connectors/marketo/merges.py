"""Merges of two people: the loser's values fill what the winner lacks, its activities and memberships become the
winner's, and it is gone (marketo-rest 3.5). There is no way back.

What the winner must not lose to that rule (an opt-out of the loser) is written to it before.
"""

from tandem.connectors.marketo.client import MarketoClient
from tandem.connectors.marketo.writer import Writer
from tandem.core.errors import RejectedError
from tandem.core.plan import ActionKind
from tandem.core.record import PERSON
from tandem.ports import Missing, Refused, Write, WriteResult, Written

OPERATION = "leads.merge"
_NOT_THERE = "1004"


async def merge(client: MarketoClient, writer: Writer, write: Write) -> WriteResult:
    """One merge, in one call or two. A person who is not there (either of them) is ``Missing``.

    Raises:
        UnknownOutcomeError: the winner may have been written, or the two may be one by now.
    """
    assert write.id is not None, "a merge names its loser"
    assert write.survivor is not None, "a merge names its winner"
    if write.values:
        given = (await writer.write(PERSON, [Write(ActionKind.UPDATE, write.survivor, write.values)]))[0]
        if not isinstance(given, Written):
            return given
    try:
        await client.command(OPERATION, f"/rest/v1/leads/{write.survivor}/merge.json?leadId={write.id}")
    except RejectedError as error:
        return Missing() if error.code == _NOT_THERE else Refused(error.code, str(error))
    return Written(write.id)
