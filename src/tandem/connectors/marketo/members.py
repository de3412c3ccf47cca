"""Who is a member of a static list or of a program: ids, and of a program the member's status, 300 a call."""

from collections.abc import AsyncIterator
from typing import Final

import msgspec

from tandem.connectors.marketo.client import MarketoClient
from tandem.core.memberships import Member, Roster
from tandem.core.record import RecordId

_PAGE: Final = "300"


class _Membership(msgspec.Struct, rename="camel"):
    progression_status: str | None = None


class _Lead(msgspec.Struct):
    id: int
    membership: _Membership | None = None


async def iter_members(client: MarketoClient, roster: Roster) -> AsyncIterator[list[Member]]:
    """Page by page (marketo-rest 3.2). Raises: RejectedError where there is no such list or program."""
    kind, number = roster.kind, roster.id
    path = f"/rest/v1/lists/{number}/leads.json" if kind == "list" else f"/rest/v1/leads/programs/{number}.json"
    params = {"fields": "id", "batchSize": _PAGE}
    while True:
        answer = await client.get(f"members.of_{kind}", path, params)
        leads = answer.rows(_Lead)
        yield [_member(lead) for lead in leads]
        if not answer.next_page_token or not leads or answer.next_page_token == params.get("nextPageToken"):
            return
        params["nextPageToken"] = answer.next_page_token


def _member(lead: _Lead) -> Member:
    return Member(RecordId(str(lead.id)), lead.membership.progression_status if lead.membership else None)
