"""Which work a claim takes, and what it brings along; the same for every store.

Work is claimed by link, not by key: whichever side's row is met first, the claim takes both. A link is claimed once at
a time, so that one plan never decides about it twice; what is left of it waits for the next claim.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from tandem.core.record import ChangeRecord, Entity, Lane, Link, LinkNumber, RecordId, RecordKey, Side, State, Value
from tandem.ports import Claim, JournalRow

# Marketo stamps a change with its own clock and in whole seconds, so a change may seem to precede our call.
CLOCK_SLACK = timedelta(seconds=5)


class Work(Protocol):
    """The look-ups a claim needs, each answered for a whole batch at once."""

    def find_lanes(self, marketing_entity: Entity, crm_entities: Sequence[Entity]) -> Sequence[Lane]:
        """The lanes in which anything waits, deferred or not, the most urgent first: what keeps a quiet pass quick."""

    def load_waiting(self, side: Side, entity: Entity, lane: Lane, limit: int, now: datetime) -> Sequence[State]:
        """Inbox rows by arrival, without deferred ones and those of links with an open journal row."""

    def load_due(self, crm_entities: Sequence[Entity], lane: Lane, limit: int) -> Sequence[Link]:
        """Links that are due, oldest first, without those with an open journal row."""

    def load_states(self, keys: Iterable[RecordKey]) -> Mapping[RecordKey, State]: ...

    def find_links(self, side: Side, entity: Entity, ids: Iterable[RecordId]) -> Mapping[RecordId, Link]: ...

    def load_unconfirmed(self, links: Sequence[LinkNumber]) -> Mapping[LinkNumber, Sequence[JournalRow]]:
        """Finished marketing writes that no reading has confirmed."""

    def load_rejected_values(self, links: Sequence[LinkNumber]) -> Mapping[LinkNumber, Mapping[str, Value]]: ...

    def load_records(self, keys: Iterable[RecordKey], since: datetime) -> Sequence[ChangeRecord]: ...


def collect(
    work: Work, marketing_entity: Entity, crm_entities: Sequence[Entity], limit: int, now: datetime, slowest: Lane
) -> list[Claim]:
    claims: list[Claim] = []
    taken: set[LinkNumber] = set()
    kinds = [*((Side.CRM, entity) for entity in crm_entities), (Side.MARKETING, marketing_entity)]
    for lane in work.find_lanes(marketing_entity, crm_entities):
        if lane > slowest:
            break
        for side, entity in kinds:
            if len(claims) < limit:
                states = work.load_waiting(side, entity, lane, limit, now)
                claims += _claims_of_rows(work, side, entity, states, taken, limit - len(claims))
        if len(claims) < limit:
            links = [link for link in work.load_due(crm_entities, lane, limit) if link.number not in taken]
            taken.update(link.number for link in links)
            claims += _claims_of_due(work, links[: limit - len(claims)])
    return _with_history(work, claims)


def _claims_of_rows(
    work: Work, side: Side, entity: Entity, states: Sequence[State], taken: set[LinkNumber], limit: int
) -> list[Claim]:
    """One claim a state, but for those whose link is `taken` already."""
    links = work.find_links(side, entity, [state.key.id for state in states])
    chosen: list[tuple[State, Link | None]] = []
    for state in states:
        link = links.get(state.key.id)
        if len(chosen) == limit:
            break
        if link is None or link.number not in taken:
            chosen.append((state, link))
        if link is not None:
            taken.add(link.number)
    others = work.load_states(
        [key for state, link in chosen if link and link.end(side) == state.key and (key := link.end(side.other))]
    )
    return [_claim_of(side, state, link, others) for state, link in chosen]


def _claim_of(side: Side, state: State, link: Link | None, others: Mapping[RecordKey, State]) -> Claim:
    """A claim of an alias comes alone: the rows of the link's own ends are claimed with the link."""
    is_alias = link is not None and link.end(side) != state.key
    other_key = link.end(side.other) if link and not is_alias else None
    other = others.get(other_key) if other_key else None
    crm, marketing = (state, other) if side is Side.CRM else (other, state)
    return Claim(link=link, crm=crm, marketing=marketing, alias_of=link.number if link and is_alias else None)


def _claims_of_due(work: Work, links: Sequence[Link]) -> list[Claim]:
    """A due link takes its rows too, deferred ones included."""
    states = work.load_states([key for link in links for key in (link.crm, link.marketing) if key])

    def state_of(key: RecordKey | None) -> State | None:
        return states.get(key) if key else None

    return [Claim(link=link, crm=state_of(link.crm), marketing=state_of(link.marketing)) for link in links]


def _with_history(work: Work, claims: list[Claim]) -> list[Claim]:
    numbers = [claim.link.number for claim in claims if claim.link]
    if not numbers:
        return claims
    written, rejected = work.load_unconfirmed(numbers), work.load_rejected_values(numbers)
    if not written and not rejected:
        return claims
    records = _records_of(work, claims, written)
    return [
        replace(
            claim,
            written=tuple(written.get(claim.link.number, ())),
            records=tuple(records.get(claim.link.number, ())),
            rejected=rejected.get(claim.link.number, {}),
        )
        if claim.link
        else claim
        for claim in claims
    ]


def _records_of(
    work: Work, claims: Sequence[Claim], written: Mapping[LinkNumber, Sequence[JournalRow]]
) -> dict[LinkNumber, list[ChangeRecord]]:
    """Each link's marketing change records since its oldest unconfirmed write."""
    since: dict[RecordKey, tuple[LinkNumber, datetime]] = {}
    for claim in claims:
        rows = written.get(claim.link.number, ()) if claim.link else ()
        sent = [row.sent_at for row in rows if row.sent_at]
        if claim.link and claim.link.marketing and sent:
            since[claim.link.marketing] = (claim.link.number, min(sent) - CLOCK_SLACK)
    if not since:
        return {}
    found: dict[LinkNumber, list[ChangeRecord]] = {}
    for record in work.load_records(since, min(at for _, at in since.values())):
        number, at = since[record.key]
        if record.at >= at:
            found.setdefault(number, []).append(record)
    return found
