"""What members of a list or program of Marketo are in Dynamics: members of a campaign, or just there."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from tandem.core.record import Link, LinkStatus, RecordId, RecordKey, Value
from tandem.core.requests import MEMBERSHIP, Ask, Deed

NOT_IN_PROGRAM: Final = "Not in Program"
"""The status that Marketo gives whoever was taken out of a program (marketo-rest 5.3)."""


@dataclass(frozen=True, slots=True)
class Roster:
    """A static list or a program of Marketo; `statuses` are those of a program's members that count, all where none is
    named."""

    kind: Literal["list", "program"]
    id: int
    statuses: tuple[str, ...] = ()

    def counts(self, member: "Member") -> bool:
        if self.kind == "list":
            return True
        if self.statuses:
            return (member.status or "").casefold() in {status.casefold() for status in self.statuses}
        return member.status != NOT_IN_PROGRAM


@dataclass(frozen=True, slots=True)
class Member:
    person: RecordId
    status: str | None = None


@dataclass(frozen=True, slots=True)
class CampaignRule:
    """``create_as``: what a member missing in Dynamics is made as first, None to leave it out. ``remove``: who is taken
    out on leaving, those in our own lists, or in every open list of the campaign, or nobody."""

    campaign: str
    roster: Roster
    create_as: str | None = "lead"
    remove: Literal["own", "all"] | None = "own"
    interval_s: float = 300.0

    @property
    def name(self) -> str:
        return f"campaign:{self.roster.kind}:{self.roster.id}:{self.campaign}"


@dataclass(frozen=True, slots=True)
class CreationRule:
    """Members who are made in Dynamics as ``create_as`` where they are missing there (N16 by membership)."""

    roster: Roster
    create_as: str = "lead"
    interval_s: float = 300.0

    @property
    def name(self) -> str:
        return f"creation:{self.roster.kind}:{self.roster.id}"


def who_is_made(rule: CreationRule, people: Collection[RecordId], links: Mapping[RecordId, Link]) -> Sequence[Ask]:
    """What to ask for, so that all `people` are in Dynamics; whoever was there and was deleted stays deleted."""
    return [
        Ask(Deed.SYNC_PERSON, person, {"as": rule.create_as}, MEMBERSHIP)
        for person in sorted(people)
        if person not in links or links[person].status is LinkStatus.PENDING
    ]


def who_comes_and_goes(
    rule: CampaignRule,
    campaign: RecordId,
    people: Collection[RecordId],
    links: Mapping[RecordId, Link],
    present: Iterable[RecordKey],
) -> Sequence[Ask]:
    """What to ask for, so that the campaign has the `people`: `links` by person; `present` are the records in the lists
    that the rule may change.
    """
    records = {link.crm: person for person in people if (link := links.get(person)) and link.status is LinkStatus.LIVE}
    there = set(present)
    asks: list[Ask] = []
    for person in sorted(people):
        link = links.get(person)
        is_live = link is not None and link.status is LinkStatus.LIVE
        if (link is not None and is_live and link.crm in there) or (not is_live and rule.create_as is None):
            continue
        arguments: dict[str, Value] = {"campaign": campaign, **({"as": rule.create_as} if rule.create_as else {})}
        asks.append(Ask(Deed.ADD_TO_CAMPAIGN, person, arguments, MEMBERSHIP))
    if rule.remove is None:
        return asks
    for record in sorted(there - set(records)):
        arguments = {"campaign": campaign, "record": f"{record.entity}/{record.id}", "others": rule.remove == "all"}
        asks.append(Ask(Deed.REMOVE_FROM_CAMPAIGN, RecordId(""), arguments, MEMBERSHIP))
    return asks
