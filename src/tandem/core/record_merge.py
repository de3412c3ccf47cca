"""The merge of one record: every pair in turn, then at most one action for each side.

The base moves where both sides agree. What must wait (for a parent, for a lead to be reopened, after a rejection) keeps
its base, so that the next plan finds the same difference.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tandem.core.lineage import aliases_of
from tandem.core.mapping import FieldPair, Winner
from tandem.core.merge import Agreed, Carry, Held, Quiet, Sighting, agree, merge_pair
from tandem.core.newest import newer_side
from tandem.core.plan import Action, ActionKind, Conflict, FieldWrite, Hold, LinkPlan
from tandem.core.read_back import ReadBack
from tandem.core.record import Base, LinkStatus, RecordKey, Side, State, Unknown, Value
from tandem.core.settled import as_settled
from tandem.core.subject import Case
from tandem.core.values import same


def merge_record(case: Case, crm: State, marketing: State, read_back: ReadBack, *, title: str) -> LinkPlan:
    """The live link of two present records, merged from `read_back.base`."""
    merged = _Merged()
    for place, seen in _sightings(case, crm, marketing, read_back):
        if place not in read_back.skip:
            _merge_place(case, place, seen, merged)
    merged.writes[Side.MARKETING].update(read_back.restored)
    link, base = case.subject.link, read_back.base.replaced(merged.agreed)
    actions = _actions(merged, crm, marketing)
    is_new = (
        link is None or link.status is not LinkStatus.LIVE or link.crm != crm.key or link.marketing != marketing.key
    )
    version = crm.version if _stands_for(case, base, crm) else None
    return LinkPlan(
        title=title,
        crm_entity=case.subject.crm_entity,
        link=case.link_number,
        crm=crm.key,
        marketing=marketing.key,
        status=LinkStatus.LIVE,
        base=base,
        crm_version=version,
        actions=actions,
        conflicts=(*read_back.conflicts, *merged.conflicts),
        holds=(*read_back.holds, *merged.holds),
        waits_for=tuple(merged.waits),
        aliases=aliases_of(case.mapping, crm) if link is None or link.crm != crm.key else (),
        confirmed=read_back.confirmed,
        revisit_s=case.rules.retry_s if read_back.is_early or merged.is_early else None,
        changes_link=is_new
        or merged.has_news
        or read_back.has_news
        or bool(actions)
        or link is None
        or base != link.base
        or version != link.crm_version,
    )


@dataclass(slots=True)
class _Merged:
    """What the pairs of one record came to."""

    agreed: dict[int, tuple[Value, Value]] = field(default_factory=dict)
    writes: dict[Side, dict[str, FieldWrite]] = field(default_factory=lambda: {Side.CRM: {}, Side.MARKETING: {}})
    conflicts: list[Conflict] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    waits: list[RecordKey] = field(default_factory=list)
    is_early: bool = False

    @property
    def has_news(self) -> bool:
        return bool(self.agreed or self.conflicts or self.holds or self.waits)

    def hold(self, pair: str, reason: str, conflict: Conflict | None) -> None:
        self.holds.append(Hold(pair, reason))
        self.conflicts.extend([conflict] if conflict else [])


def _sightings(case: Case, crm: State, marketing: State, read_back: ReadBack) -> Iterator[tuple[int, Sighting]]:
    """The pairs of which a side differs from its half of the base, and those to fill again, with their places."""
    base, again = read_back.base, case.givers
    crm_values, marketing_values = case.mapping.crm_values(crm.values), case.mapping.marketing_values(marketing.values)
    if not read_back.typed and not again and crm_values == base.crm and marketing_values == base.marketing:
        return
    for place, pair in enumerate(case.mapping.pairs):
        known, value = base.crm[place], read_back.typed.get(place, marketing_values[place])
        present = crm_values[place]
        if pair.may_be_hidden and present is None and not isinstance(known, Unknown):
            present = known
        if pair.name in again or not same(present, known) or not same(value, base.marketing[place]):
            newer = _newer(case, pair)
            yield place, Sighting(pair, known, base.marketing[place], present, value, newer)


def _newer(case: Case, pair: FieldPair) -> Side | None:
    times = case.subject.times
    return newer_side(times, pair.marketing) if times is not None else None


def _is_too_early(case: Case, seen: Sighting) -> bool:
    """Whether Marketo's log may still tell which of two edits is the newer one."""
    times = case.subject.times
    if seen.newer or times is None or times.is_complete or case.policy.winner_of(seen.pair) is not Winner.NEWEST:
        return False
    both_changed = seen.has_changed(Side.CRM) and seen.has_changed(Side.MARKETING)
    return both_changed and not agree(seen.pair, seen.crm, seen.marketing) and not seen.is_opted_out


def _merge_place(case: Case, place: int, seen: Sighting, merged: _Merged) -> None:
    if seen.pair.may_be_hidden and seen.crm is None and isinstance(seen.base_crm, Unknown):
        merged.hold(seen.pair.name, f"{seen.pair.crm} is secured in crm: an empty reading may be a hidden value", None)
        return
    if case.is_unresolved(seen.pair):
        merged.waits.extend(case.missing_parents(seen.pair, seen.crm))
        return
    seen = as_settled(seen, case.subject.settled)
    if _is_too_early(case, seen):
        merged.is_early = True
        return
    match merge_pair(seen, case.policy, case.givers.get(seen.pair.name)):
        case Quiet():
            return
        case Agreed():
            merged.agreed[place] = (seen.crm, seen.marketing)
        case Held(reason, conflict):
            merged.hold(seen.pair.name, reason, conflict)
        case Carry() as carry:
            _carry(case, seen, carry, merged)


def _carry(case: Case, seen: Sighting, carry: Carry, merged: _Merged) -> None:
    pair, name = seen.pair, seen.pair.field_on(carry.to)
    source = seen.value(carry.to.other)
    if carry.to is Side.MARKETING and (parents := case.missing_parents(pair, source)):
        merged.waits.extend(parents)
    elif carry.to is Side.CRM and case.is_closed:
        merged.hold(pair.name, "the lead is closed in crm and takes no changes until it is open", carry.conflict)
    elif carry.to is Side.CRM and case.stays_in_marketing:
        assert case.policy.filter_to_crm is not None
        reason = f"paused: the person does not pass filter_to_crm {case.policy.filter_to_crm.text}"
        merged.hold(pair.name, reason, carry.conflict)
    elif case.was_rejected(pair, source):
        merged.hold(pair.name, f"{name} in {carry.to} was rejected with this value", carry.conflict)
    elif name not in merged.writes[carry.to]:
        before = seen.value(carry.to)
        merged.writes[carry.to][name] = FieldWrite(pair.name, name, before, carry.after, source, carry.reason)
        merged.conflicts.extend([carry.conflict] if carry.conflict else [])


def _actions(merged: _Merged, crm: State, marketing: State) -> tuple[Action, ...]:
    return tuple(
        Action(state.key.side, state.key.entity, ActionKind.UPDATE, state.key.id, writes, state.version)
        for state in (crm, marketing)
        if (writes := tuple(merged.writes[state.key.side].values()))
    )


def _stands_for(case: Case, base: Base, crm: State) -> bool:
    """Whether the crm half is what the record held at this version: then no later look needs to read it."""
    return not case.mapping.has_paths and all(map(same, base.crm, case.mapping.crm_values(crm.values)))
