"""From what both sides hold to a plan: links first, then fields. Pure, and the same for the first copy and for a pass.

``plan_pass`` takes *subjects*: one for each claimed link or unlinked record, with everything the look found. It never
assumes what a side holds: whatever is not in the subject was read and is not there.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

from tandem.core.creation import content_for, create_in_crm, create_in_marketing, pending
from tandem.core.decisions import MergePeople, Never
from tandem.core.dedupe import crm_dedupe_key, marketing_dedupe_key
from tandem.core.endings import (
    deleted_in_crm,
    deleted_in_marketing,
    deletion_conflicts,
    is_made_anew,
    paused,
    removed,
    severed,
    tombstone,
    unchanged,
)
from tandem.core.keys import INCOMPLETE, TAKEN, key_of, rekeyed
from tandem.core.lineage import convert_base
from tandem.core.mapping import Winner
from tandem.core.match import Ambiguous, Matched
from tandem.core.matching import asked, decided_match, left_out
from tandem.core.merges import (
    ended_by_merge,
    follow_in_crm,
    goes_on_apart,
    hold_apart,
    merge_counterparts,
    merged_away_in_marketing,
    survivor_is_gone,
)
from tandem.core.plan import Hold, InboxRef, LinkPlan, Plan
from tandem.core.policy import MergeRule
from tandem.core.read_back import ReadBack, read_back
from tandem.core.record import LEAD, Base, Link, LinkStatus, Side, State
from tandem.core.record_merge import merge_record
from tandem.core.subject import Case, Merge, Rules, Subject, open_case


def plan_pass(subjects: Iterable[Subject], rules: Rules) -> Plan:
    """The plan for `subjects`. Within it a dedupe key is created once and a person is matched once; the rest wait."""
    links: list[LinkPlan] = []
    ignored: list[InboxRef] = []
    deferred: list[tuple[InboxRef, float]] = []
    planner = _Planner()
    for subject in subjects:
        match planner.plan(open_case(subject, rules)):
            case LinkPlan(revisit_s=float(seconds)) as link:
                links.append(link)
                deferred.extend((ref, seconds) for ref in subject.refs)
            case LinkPlan() as link:
                links.append(replace(link, consumed=subject.refs))
            case (*plans, last):
                links += [*plans, replace(last, consumed=subject.refs)]
            case _Ignore():
                ignored.extend(subject.refs)
            case _Defer(seconds):
                deferred.extend((ref, seconds) for ref in subject.refs)
    return Plan(tuple(links), tuple(ignored), tuple(deferred))


@dataclass(frozen=True, slots=True)
class _Ignore:
    """Nothing to do, and nothing to remember."""


@dataclass(frozen=True, slots=True)
class _Defer:
    """Look again after so many seconds; 0: with the next plan."""

    seconds: float


_Outcome: TypeAlias = LinkPlan | tuple[LinkPlan, ...] | _Ignore | _Defer


class _Planner:
    """Plans case after case; it remembers only which keys and persons this plan has spoken for."""

    def __init__(self) -> None:
        self._taken: set[object] = set()

    def _reserve(self, key: object) -> bool:
        """Speak for `key`; False when an earlier case has."""
        if key in self._taken:
            return False
        self._taken.add(key)
        return True

    def plan(self, case: Case) -> _Outcome:
        subject, link = case.subject, case.subject.link
        if subject.is_blocked:
            return _Defer(case.rules.retry_s)
        if subject.superseded:
            return _Ignore()
        if link is not None and link.status is LinkStatus.TOMBSTONE:
            return _Ignore() if subject.refs else tombstone(case, link, "deleted on one side")
        if link is not None and subject.merge is not None:
            return self._plan_merged(case, link, subject.merge)
        if link is not None and link.crm and link.marketing:
            survivor = subject.marketing.key if subject.marketing else link.marketing
            if survivor != link.marketing and not self._reserve(survivor):
                return _Defer(
                    case.rules.retry_s
                )  # somebody else is being linked to the person this one was merged into
            return self._make_anew(case, link) if is_made_anew(case) else _plan_live(case, link)
        if subject.crm is not None:
            return self._plan_crm(case, subject.crm)
        return self._plan_marketing(case)

    def _plan_merged(self, case: Case, link: Link, merge: Merge) -> _Outcome:
        """One end of a link was merged into another record."""
        marketing, counterpart = case.subject.marketing, merge.counterpart
        if merge.survivor.key.side is Side.MARKETING:
            return merged_away_in_marketing(case, link, merge)
        if marketing is None or not marketing.is_present:
            return ended_by_merge(case, link, merge)
        if not merge.survivor.is_present:
            return survivor_is_gone(case, link, marketing)
        if merge.is_busy or not self._reserve(merge.survivor.key):
            return _Defer(case.rules.retry_s)
        if merge.link is None or merge.link.marketing is None:
            return follow_in_crm(case, link, merge)
        if counterpart is None or not counterpart.is_present:
            return _Defer(0.0)  # the survivor's own link ends first
        if isinstance(case.subject.decision, MergePeople):
            return merge_counterparts(case, link, merge)
        match case.policy.merged_in_crm:
            case MergeRule.CARRY:
                return merge_counterparts(case, link, merge)
            case MergeRule.HOLD:
                return hold_apart(case, link, merge)
            case MergeRule.IGNORE:
                return goes_on_apart(case, link)

    def _plan_crm(self, case: Case, crm: State) -> _Outcome:
        """A crm record that is no live link's end yet."""
        subject, link = case.subject, case.subject.link
        if not crm.is_present:
            return _Ignore() if link is None else tombstone(case, link, "deleted in crm before it was carried over")
        if case.is_outside:
            return _Ignore() if link is None else paused(case, link)
        if link is not None and link.marketing is not None and subject.marketing is not None:
            return _plan_created_in_crm(case, link, crm, subject.marketing)
        if subject.origin is None:
            return self._match_or_create(case, crm)
        if not self._reserve(subject.origin.number):
            return _Defer(case.rules.retry_s)
        if subject.origin.marketing is not None:
            return _take_over(case, subject.origin, crm)
        return self._match_or_create(open_case(replace(subject, link=subject.origin), case.rules), crm)

    def _match_or_create(self, case: Case, crm: State) -> _Outcome:
        if isinstance(case.subject.decision, Never):
            return left_out(case, crm)
        match decided_match(case, crm):
            case Ambiguous() as unclear:
                return asked(case, crm, unclear)
            case Matched(state, reason):
                return _join(case, crm, state, reason) if self._reserve(state.key) else _Defer(0.0)
        if not case.policy.create_in_marketing:
            return _Ignore() if case.subject.link is None else unchanged(case, case.subject.link)
        content = content_for(case, case.mapping.crm_values(crm.values), Side.MARKETING)
        if case.mapping.key_parts:
            key = key_of(case, crm)
            if key is None or case.subject.key_owner:
                hold = Hold(None, TAKEN if key else INCOMPLETE)
                return pending(case, crm, holds=(*content.holds, hold), waits=content.waits)
            if not self._reserve((case.mapping.marketing_entity, key)):
                return _Defer(0.0)
        dedupe = crm_dedupe_key(case.mapping, crm.values)
        if dedupe is not None and not self._reserve(dedupe):
            return _Defer(0.0)
        return create_in_marketing(case, crm, content)

    def _make_anew(self, case: Case, link: Link) -> _Outcome:
        """Its marketing end is gone, and policy wants another one: the link starts over with its crm end."""
        assert case.subject.crm is not None, "the look reads both ends of a link"
        subject = replace(case.subject, link=severed(link, len(case.mapping.pairs)), marketing=None)
        outcome = self._plan_crm(open_case(subject, case.rules), case.subject.crm)
        if isinstance(outcome, LinkPlan):
            # What was written to the record that is gone proves nothing about the next one.
            return replace(outcome, confirmed=tuple(sent.journal for sent in case.subject.sent), changes_link=True)
        return outcome

    def _plan_marketing(self, case: Case) -> _Outcome:
        """A person known only to Marketo: created in Dynamics where policy says so (N16)."""
        marketing, link = case.subject.marketing, case.subject.link
        if marketing is None or not marketing.is_present:
            reason = "deleted in marketing before it was carried over"
            return _Ignore() if link is None else tombstone(case, link, reason)
        if case.subject.dedupe_taken or not _may_be_created(case, marketing):
            return _Ignore() if link is None else unchanged(case, link)
        dedupe = marketing_dedupe_key(case.mapping, marketing.values)
        if not self._reserve(marketing.key) or (dedupe is not None and not self._reserve(dedupe)):
            return _Defer(0.0)
        return create_in_crm(case, marketing)


def _may_be_created(case: Case, marketing: State) -> bool:
    """Where policy says so, or where somebody asks for this very person."""
    chosen, mapping = case.policy.create_in_crm_filter, case.mapping
    if case.subject.asked is not None:
        return True
    if case.policy.create_in_crm is None or case.stays_in_marketing:
        return False
    if chosen is None:
        return True
    return chosen.passes({name: mapping.marketing_value(marketing.values, name) for name in chosen.fields})


def _plan_live(case: Case, link: Link) -> LinkPlan:
    crm, marketing = case.subject.crm, case.subject.marketing
    assert crm is not None, "the look reads both ends of a link"
    assert marketing is not None, "the look reads both ends of a link"
    if not marketing.is_present:
        return removed(case, link) or deleted_in_marketing(case, link, crm, marketing)
    if not crm.is_present:
        return deleted_in_crm(case, link, marketing)
    if case.is_outside:
        return paused(case, link)
    if case.subject.asked is not None and case.subject.asked.force and not case.is_closed:
        return _carry_all(case, crm, marketing)
    return rekeyed(
        case, merge_record(case, crm, marketing, read_back(case, link, marketing), title="update"), marketing
    )


def _plan_created_in_crm(case: Case, link: Link, crm: State, marketing: State) -> LinkPlan:
    """Our own create, found by its GUID: its answer was lost, or a restored store had forgotten it."""
    if not marketing.is_present:
        plan = tombstone(case, link, "deleted in marketing while it was created in crm")
        return replace(plan, crm=crm.key)
    return _join(case, crm, marketing, "created in crm")


def _join(case: Case, crm: State, marketing: State, reason: str) -> LinkPlan:
    """Link two records that both exist: the first-link rule, since they share no base."""
    return rekeyed(case, merge_record(case, crm, marketing, _without_base(case), title=f"link: {reason}"), marketing)


def _carry_all(case: Case, crm: State, marketing: State) -> LinkPlan:
    """Somebody asks for the person's values whoever changed them last: as if the two met now, and marketing prevailed.
    What Dynamics held is in the conflict record."""
    policy = replace(case.policy, winner=Winner.MARKETING, first_link=Winner.MARKETING)
    return merge_record(replace(case, policy=policy), crm, marketing, _without_base(case), title="pushed")


def _without_base(case: Case) -> ReadBack:
    return ReadBack(Base.unknown(len(case.mapping.pairs)))


def _take_over(case: Case, origin: Link, crm: State) -> LinkPlan:
    """A contact takes over the link and the base of the lead it came from. A person that was deleted in Marketo does
    not come back with the contact."""
    marketing, base = case.subject.marketing, convert_base(origin.base, case.rules.mappings[LEAD], case.mapping)
    if origin.status is LinkStatus.TOMBSTONE or marketing is None or not marketing.is_present:
        edits = deletion_conflicts(case, replace(origin, base=base), Side.CRM, case.mapping.crm_values(crm.values))
        plan = tombstone(case, origin, "its lead's person was deleted in marketing", edits)
        plan = replace(plan, base=base, crm=crm.key, crm_version=None)
    else:
        plan = merge_record(case, crm, marketing, ReadBack(base), title="qualified: the contact takes over")
    return replace(plan, link=origin.number, aliases=(origin.crm,) if origin.crm else (), changes_link=True)
