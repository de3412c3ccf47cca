"""Merges: the ids that a merge joins are one group, and one survivor a side stays linked.

Where only one of the merged records has a counterpart, nothing needs to be merged on the other side: its link follows
to the survivor. Where both have one, there are two records too many of one thing on the other side; they are merged
there where policy allows it, since neither side can take a merge back, and held where it does not.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from tandem.core.ceiling import UNTIL_DECIDED_S
from tandem.core.endings import contents, deleted_in_crm, deleted_in_marketing, paused, tombstone, unchanged
from tandem.core.mapping import Winner
from tandem.core.match import TWO_PEOPLE_OF_A_MERGE
from tandem.core.matching import candidate_of
from tandem.core.plan import MERGED, Action, ActionKind, Conflict, ConflictKind, FieldWrite, Hold, LinkPlan, Question
from tandem.core.policy import MergeRule
from tandem.core.read_back import ReadBack
from tandem.core.record import Link, Presence, Side, State, Unknown, Value
from tandem.core.record_merge import merge_record
from tandem.core.subject import Case, Merge, open_case
from tandem.core.values import same

HELD: Final = (
    "merged into {entity} {id} in crm; both have a person in marketing, who stay two until somebody merges them"
)


def ended_by_merge(case: Case, link: Link, merge: Merge) -> LinkPlan:
    """The loser's counterpart is gone as well, or there never was one: the survivor's link speaks for all of them."""
    reason = f"merged into {merge.survivor.key.entity} {merge.survivor.key.id} in {merge.survivor.key.side}"
    return replace(tombstone(case, link, reason), is_deletion=False, holds=())


def survivor_is_gone(case: Case, link: Link, marketing: State) -> LinkPlan:
    """Whoever took the record over was deleted since: so is what it took over."""
    assert case.subject.crm is not None, "a merge in crm has the loser's record"
    crm = replace(case.subject.crm, presence=Presence.GONE, values=(), version=None)
    return deleted_in_crm(open_case(replace(case.subject, crm=crm), case.rules), link, marketing)


def follow_in_crm(case: Case, link: Link, merge: Merge) -> tuple[LinkPlan, ...]:
    """The survivor had no counterpart: it takes over the loser's link, with its base. A link of its own that never
    came to an end in marketing is over."""
    crm, marketing = merge.survivor, case.subject.marketing
    assert marketing is not None, "only a link with a present person follows"
    taking = open_case(replace(case.subject, crm=crm, merge=None), case.rules)
    if taking.is_outside:
        plan = paused(taking, link)
    else:
        title = "merged in crm: the surviving record takes over"
        plan = merge_record(taking, crm, marketing, ReadBack(link.base), title=title)
    aliases = (link.crm,) if link.crm else ()
    plan = replace(
        plan,
        crm=crm.key,
        marketing=marketing.key,
        crm_version=None,
        aliases=(*aliases, *plan.aliases),
        changes_link=True,
    )
    if merge.link is None:
        return (plan,)
    over = tombstone(taking, merge.link, f"goes on under the link of {link.crm.id if link.crm else 'its loser'}")
    return replace(over, is_deletion=False, holds=()), plan


def hold_apart(case: Case, link: Link, merge: Merge) -> LinkPlan:
    """They stay two until somebody merges them: here by decision, or by hand."""
    assert merge.counterpart is not None, "both have a person"
    plan = goes_on_apart(case, link)
    reason = HELD.format(entity=merge.survivor.key.entity, id=merge.survivor.key.id)
    question = Question(TWO_PEOPLE_OF_A_MERGE, (candidate_of(case.mapping, merge.counterpart),))
    return replace(plan, holds=(*plan.holds, Hold(None, reason)), question=question, changes_link=True)


def merge_counterparts(case: Case, link: Link, merge: Merge) -> LinkPlan:
    """Both records have a counterpart on the other side: the loser's goes into the survivor's, all of it kept in the
    journal. The link is looked at again once that is done, and ends then."""
    side = merge.survivor.key.side
    loser = case.subject.marketing if side is Side.CRM else case.subject.crm
    survivor = merge.counterpart
    assert loser is not None, "a merge has the loser's counterpart"
    assert survivor is not None, "a merge has the survivor's counterpart"
    given = _opt_outs(case, survivor)
    why = f"merged into {survivor.key.entity} {survivor.key.id}"
    action = Action(
        loser.key.side,
        loser.key.entity,
        ActionKind.MERGE,
        loser.key.id,
        (*contents(case, loser, why), *given),
        survivor=survivor.key.id,
    )
    return replace(
        unchanged(case, link),
        title=f"merged in {side}: merge in {side.other}",
        crm_version=None,
        actions=(action,),
        conflicts=_lost_edits(case, link, loser, survivor),
        # Marketo tells only once who was merged into whom: that reading stays until the merge is done here too.
        revisit_s=case.rules.retry_s if side is Side.MARKETING else None,
        changes_link=True,
    )


def goes_on_apart(case: Case, link: Link) -> LinkPlan:
    """The loser's person goes on showing the loser, which is inactive in crm and takes no changes there."""
    crm, marketing = case.subject.crm, case.subject.marketing
    assert crm is not None, "a merge in crm has the loser's record"
    assert marketing is not None, "only a present person goes on"
    plan = merge_record(case, crm, marketing, ReadBack(link.base), title="update")
    return replace(plan, crm_version=None)


def merged_away_in_marketing(case: Case, link: Link, merge: Merge) -> LinkPlan:
    """The person lives on in one that belongs to another record: the two records are merged too where policy and
    Dynamics allow it (they must be of one table and active), else they stay apart."""
    crm, marketing, survivor = case.subject.crm, case.subject.marketing, merge.counterpart
    assert crm is not None, "the look reads both ends of a link"
    assert marketing is not None, "the look reads both ends of a link"
    can_merge = crm.is_present and survivor is not None and _are_mergeable(case, crm, survivor)
    if case.policy.merged_in_marketing is not MergeRule.CARRY or not can_merge or survivor is None:
        return deleted_in_marketing(case, link, crm, marketing)
    if case.subject.rejected.get(MERGED) == survivor.key.id:
        return _refused_merge(case, link, survivor)
    return merge_counterparts(case, link, merge)


def _refused_merge(case: Case, link: Link, survivor: State) -> LinkPlan:
    """Dynamics takes no second try any better: it waits for a person, and Marketo's word of it with it."""
    reason = f"the merge into {survivor.key.entity} {survivor.key.id} was rejected in {survivor.key.side}"
    plan = replace(unchanged(case, link), title="hold", crm_version=None, holds=(Hold(None, reason),))
    return replace(plan, revisit_s=UNTIL_DECIDED_S, changes_link=True)


def _are_mergeable(case: Case, loser: State, survivor: State) -> bool:
    if loser.key.entity != survivor.key.entity or not survivor.is_present:
        return False
    return all(case.mapping.crm_value(state.values, "statecode") in (None, 0) for state in (loser, survivor))


def _values(case: Case, state: State) -> Sequence[Value]:
    is_crm = state.key.side is Side.CRM
    return case.mapping.crm_values(state.values) if is_crm else case.mapping.marketing_values(state.values)


def _opt_outs(case: Case, survivor: State) -> tuple[FieldWrite, ...]:
    """R8: what either record of the loser says no to, the survivor says no to as well."""
    side, ends = survivor.key.side, (case.subject.crm, case.subject.marketing)
    there = _values(case, survivor)
    given = []
    for place, pair in enumerate(case.mapping.pairs):
        said = [_values(case, end)[place] for end in ends if end is not None and end.is_present]
        if pair.opt_out and pair.direction.allows(side) and True in said and there[place] is not True:
            name = pair.field_on(side)
            given.append(FieldWrite(pair.name, name, there[place], True, True, "opt-out of the merged record"))
    return tuple(given)


def _lost_edits(case: Case, link: Link, loser: State, survivor: State) -> tuple[Conflict, ...]:
    """Edits of the loser that nobody has carried yet, and that give way to what the survivor holds."""
    side = loser.key.side
    half = link.base.crm if side is Side.CRM else link.base.marketing
    mine, theirs = _values(case, loser), _values(case, survivor)
    found = []
    for place, pair in enumerate(case.mapping.pairs):
        before, value = half[place], mine[place]
        is_edit = not isinstance(before, Unknown) and not same(before, value) and not pair.opt_out
        is_kept = same(value, theirs[place]) or (theirs[place] is None and side is Side.MARKETING)
        if not is_edit or is_kept or not pair.direction.allows(side.other):
            continue
        crm, marketing = (value, theirs[place]) if side is Side.CRM else (theirs[place], value)
        reason = f"edited in {side}, where the record was merged into {survivor.key.id}"
        base = (link.base.crm[place], link.base.marketing[place])
        found.append(Conflict(ConflictKind.MERGED, pair.name, *base, crm, marketing, Winner.HOLD, reason))
    return tuple(found)
