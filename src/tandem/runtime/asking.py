"""What a request asks of its person, its names looked up: as what it is created, for whom, under whom."""

from typing import Final

from tandem.core.match import fold
from tandem.core.record import ACCOUNT, CONTACT, LEAD, PERSON, USER, State, Value
from tandem.core.requests import Asked, Deed, Request
from tandem.runtime.deeds import find_owner, refused
from tandem.runtime.engine import Engine

_OWNER: Final = "ownerid"
_ACCOUNT: Final = "parentcustomerid"


async def asked_of(engine: Engine, request: Request, person: State | None) -> Asked:
    """`person` is there where it has to be created first.

    Raises: RejectedError, where a name in the request means nobody.
    """
    entity = CONTACT if request.text("as") == CONTACT else LEAD
    columns: dict[str, Value] = {}
    if person is not None and request.deed in (Deed.SYNC_PERSON, Deed.CHANGE_OWNER) and request.text("owner"):
        owner = await find_owner(engine, request)
        if owner.entity == USER:
            columns[_OWNER] = owner.id
        elif request.deed is Deed.SYNC_PERSON:
            raise refused("A record is created for a user; assign it to a team afterwards.", request.deed)
    wants_account = person is not None and entity == CONTACT and request.text("account") == "company"
    if person is not None and wants_account and (account := await _account_of(engine, person)):
        columns[_ACCOUNT] = account
    return Asked(entity, columns, bool(request.arguments.get("force")), bool(request.arguments.get("resurrect")))


async def _account_of(engine: Engine, person: State) -> str | None:
    """The account that is the person's company: by its key, else by a name that only one active account has."""
    (reading,) = await engine.marketing.fetch_records(PERSON, ("externalCompanyId", "company"), [person.key.id])
    if not reading.values:
        return None
    key, name = reading.values
    if key is not None or fold(name) is None:
        return str(key) if key is not None else None
    found = await engine.crm.find_records(ACCOUNT, ("name", "statecode"), "name", [name])
    active = [account for account in found if account.values[1] in (None, 0)]
    return active[0].id if len(active) == 1 else None
