"""The kinds of records Marketo keeps, and where the calls of each are.

People have calls of their own. Everything else, custom objects included, shares one interface (marketo-rest 4.1) and
differs in a path and in the field that is its id; an object that is not in the table is a custom object by API name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from tandem.core.record import COMPANY, PERSON, SALESPERSON, Entity, RecordId

OPPORTUNITY: Final = Entity("opportunity")
OPPORTUNITY_ROLE: Final = Entity("opportunityrole")
NAMED_ACCOUNT: Final = Entity("namedaccount")


@dataclass(frozen=True, slots=True)
class MarketoObject:
    """``word`` is the object's name in the role editor (Admin → Users & Roles → Roles → Access API).

    ``has_one_key``: one field alone says which records are the same; else it is a set of fields.
    """

    entity: Entity
    path: str
    operation: str
    id_field: str
    word: str
    has_one_key: bool = True

    @property
    def is_custom(self) -> bool:
        return self.operation == "customobjects"

    def wire_id(self, id_: RecordId) -> int | str:
        """An id as JSON wants it: a number, or a GUID."""
        return int(id_) if self.id_field == "id" else id_


_KNOWN: Final[Mapping[Entity, MarketoObject]] = {
    known.entity: known
    for known in (
        MarketoObject(PERSON, "/rest/v1/leads", "leads", "id", "Person"),
        MarketoObject(COMPANY, "/rest/v1/companies", "companies", "id", "Company"),
        MarketoObject(SALESPERSON, "/rest/v1/salespersons", "salespersons", "id", "Sales Person"),
        MarketoObject(OPPORTUNITY, "/rest/v1/opportunities", "opportunities", "marketoGUID", "Opportunity"),
        MarketoObject(OPPORTUNITY_ROLE, "/rest/v1/opportunities/roles", "roles", "marketoGUID", "Opportunity", False),
        MarketoObject(NAMED_ACCOUNT, "/rest/v1/namedaccounts", "namedaccounts", "marketoGUID", "Named Account"),
    )
}


def object_of(entity: Entity) -> MarketoObject:
    known = _KNOWN.get(entity)
    if known is not None:
        return known
    path = f"/rest/v1/customobjects/{quote(entity, safe='')}"
    return MarketoObject(entity, path, "customobjects", "marketoGUID", "Custom Object", False)
