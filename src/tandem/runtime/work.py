"""One claim on its way to a subject: what the steps of the look have found for it so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tandem.core.decisions import Decision
from tandem.core.match import Contender
from tandem.core.record import (
    Entity,
    Link,
    LinkStatus,
    RecordId,
    State,
    Values,
)
from tandem.core.requests import Asked
from tandem.core.subject import Merge
from tandem.ports import Claim


@dataclass(slots=True, eq=False)
class Work:
    """One claim with what was found for it. Equal to itself only: a comparison of all it holds is dear."""

    claim: Claim
    crm_entity: Entity
    crm: State | None = None
    crm_is_base: bool = False
    marketing: State | None = None
    found_by_key: list[State] = field(default_factory=list)
    found_by_dedupe: list[State] = field(default_factory=list)
    linked_ids: Mapping[RecordId, Link] = field(default_factory=dict)
    crm_is_taken: bool = False
    origin: Link | None = None
    superseded: bool = False
    is_blocked: bool = False
    merge: Merge | None = None
    rivals: list[Contender] = field(default_factory=list)
    decision: Decision | None = None
    asked: Asked | None = None
    buried: Link | None = None
    is_made_anew: bool = False
    key_values: Values | None = None
    """The crm record's values with its parents named as Marketo does, where its key is made of them."""

    @property
    def link(self) -> Link | None:
        return self.claim.link

    @property
    def needs_reading(self) -> bool:
        is_closed = self.link is not None and self.link.status is LinkStatus.TOMBSTONE
        return not is_closed and not self.superseded

    @property
    def is_unlinked_crm(self) -> bool:
        has_end = self.link is not None and self.link.marketing is not None and not self.is_made_anew
        return self.crm is not None and self.crm.is_present and not has_end and not self.superseded

    @property
    def is_unlinked_marketing(self) -> bool:
        return self.crm is None and self.marketing is not None and self.marketing.is_present and not self.superseded
