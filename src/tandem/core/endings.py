"""What ends a link, or stops it for a while: a deletion makes it a tombstone, flags the person and records the edits
that met it; a record that leaves the filter pauses."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from tandem.core.mapping import Winner
from tandem.core.plan import Action, ActionKind, Conflict, ConflictKind, FieldWrite, Hold, LinkPlan
from tandem.core.policy import DeleteRule, LeaveRule
from tandem.core.record import UNKNOWN, Base, Link, LinkStatus, Side, State, Unknown, Value
from tandem.core.subject import Case
from tandem.core.values import same

DELETED: Final = "@deleted"
"""The virtual crm field that says whether the record is gone."""

PAUSED: Final = "@paused"
"""The virtual crm field that says whether the record is outside the filter; mapped only where people are marked."""


def is_made_anew(case: Case) -> bool:
    """Whether the record is gone in marketing, lives in crm, and policy makes it there again."""
    crm, marketing = case.subject.crm, case.subject.marketing
    is_wanted = case.policy.deleted_in_marketing is DeleteRule.RECREATE and case.policy.create_in_marketing
    is_gone = marketing is not None and not marketing.is_present and marketing.merged_into is None
    return is_wanted and is_gone and crm is not None and crm.is_present and not case.is_outside


def severed(link: Link, size: int) -> Link:
    """The link without its marketing end, as if nothing had been carried yet."""
    return replace(link, marketing=None, base=Base.unknown(size), status=LinkStatus.PENDING, crm_version=None)


def deleted_in_marketing(case: Case, link: Link, crm: State, marketing: State) -> LinkPlan:
    """Never a licence to create: the link stays as a tombstone, and what crm edited meanwhile is recorded. Where both
    are gone nobody has to be told of anything."""
    where = f"merged into person {marketing.merged_into}" if marketing.merged_into else "deleted"
    conflicts: tuple[Conflict, ...] = ()
    if crm.is_present:
        conflicts = deletion_conflicts(case, link, Side.CRM, case.mapping.crm_values(crm.values))
        is_gone = marketing.merged_into is None
        if case.policy.deleted_in_marketing is DeleteRule.PROPAGATE and is_gone and not conflicts:
            return _deletion(case, link, crm)
        if case.policy.deleted_in_marketing is DeleteRule.FLAG and is_gone and not _is_flagged(case, crm):
            return replace(_flagging_in_crm(case, link, crm), conflicts=conflicts)
    ended = tombstone(case, link, f"{where} in marketing; its record in crm is no longer carried over", conflicts)
    is_left = crm.is_present or marketing.merged_into is not None
    return ended if is_left else replace(ended, holds=())


def _is_flagged(case: Case, crm: State) -> bool:
    return case.policy.deleted_column is None or case.mapping.crm_value(crm.values, case.policy.deleted_column) is True


def _flagging_in_crm(case: Case, link: Link, crm: State) -> LinkPlan:
    """The record stays and its column is set; once the column is seen to be set the link is a tombstone."""
    column = case.policy.deleted_column
    assert column is not None
    name = f"{column}|{DELETED}"
    flagging = replace(
        unchanged(case, link), title="flag as deleted", crm_version=None, changes_link=True, is_deletion=True
    )
    if case.is_closed:
        return replace(flagging, holds=(Hold(None, "deleted in marketing; the lead is closed in crm and not flagged"),))
    if case.subject.rejected.get(name) is True:
        return replace(flagging, holds=(Hold(name, f"{column} in crm was rejected with this value"),))
    before = case.mapping.crm_value(crm.values, column)
    write = FieldWrite(name, column, before, True, True, "deleted in marketing")
    action = Action(Side.CRM, crm.key.entity, ActionKind.UPDATE, crm.key.id, (write,), version=crm.version)
    return replace(flagging, actions=(action,))


def deleted_in_crm(case: Case, link: Link, marketing: State) -> LinkPlan:
    """The person stays and is flagged (N61); once the flag is there the link is a tombstone."""
    values = case.mapping.marketing_values(marketing.values)
    conflicts = deletion_conflicts(case, link, Side.MARKETING, values)
    if case.policy.deleted_in_crm is DeleteRule.PROPAGATE and not conflicts:
        return _deletion(case, link, marketing)
    flag = next((place for place, pair in enumerate(case.mapping.pairs) if pair.crm == DELETED), None)
    if case.policy.deleted_in_crm is DeleteRule.IGNORE or flag is None or values[flag] is True:
        was_flagged = flag is not None and link.base.marketing[flag] is True
        return replace(tombstone(case, link, "deleted in crm", conflicts), is_deletion=not was_flagged)
    pair = case.mapping.pairs[flag]
    # Without a version the flag's echo reads crm again, so that nothing is carried to a record that is gone.
    flagging = replace(
        unchanged(case, link), title="flag as deleted", conflicts=conflicts, crm_version=None, changes_link=True
    )
    if case.was_rejected(pair, True):
        hold = Hold(pair.name, f"{pair.marketing} in marketing was rejected with this value")
        return replace(flagging, holds=(hold,))
    write = FieldWrite(pair.name, pair.marketing, values[flag], True, True, "deleted in crm")
    action = Action(Side.MARKETING, case.mapping.marketing_entity, ActionKind.UPDATE, marketing.key.id, (write,))
    return replace(flagging, actions=(action,), is_deletion=True)


def _deletion(case: Case, link: Link, survivor: State) -> LinkPlan:
    """Delete the other end too, all of it kept in the journal. The link is looked at again once that is done, and ends
    when both are gone; an edit that gets in between is a conflict then."""
    key = survivor.key
    delete = Action(key.side, key.entity, ActionKind.DELETE, key.id, contents(case, survivor), version=survivor.version)
    return replace(
        unchanged(case, link),
        title=f"deleted in {key.side.other}: delete in {key.side}",
        crm_version=None,
        actions=(delete,),
        changes_link=True,
        is_deletion=True,
    )


def contents(case: Case, state: State, reason: str = "deleted") -> tuple[FieldWrite, ...]:
    """What the record holds, field by field."""
    is_crm = state.key.side is Side.CRM
    values = case.mapping.crm_values(state.values) if is_crm else case.mapping.marketing_values(state.values)
    return tuple(
        FieldWrite(pair.name, pair.field_on(state.key.side), value, None, None, reason)
        for pair, value in zip(case.mapping.pairs, values, strict=True)
        if value is not None
    )


def deletion_conflicts(case: Case, link: Link, side: Side, values: Sequence[Value]) -> tuple[Conflict, ...]:
    """An edit on `side` that meets a deletion on the other: one conflict for each edited field. A value that the other
    side had refused and so never held is one too."""
    half = link.base.crm if side is Side.CRM else link.base.marketing
    found = []
    for place, pair in enumerate(case.mapping.pairs):
        before, value = half[place], values[place]
        is_edit = case.was_rejected(pair, value) if isinstance(before, Unknown) else not same(before, value)
        if not is_edit or not pair.direction.allows(side.other):
            continue
        crm, marketing = (value, None) if side is Side.CRM else (None, value)
        found.append(
            Conflict(
                ConflictKind.DELETED,
                pair.name,
                link.base.crm[place],
                link.base.marketing[place],
                crm,
                marketing,
                Winner.HOLD,
                f"edited in {side}, deleted in {side.other}",
            )
        )
    return tuple(found)


def tombstone(case: Case, link: Link, reason: str, conflicts: tuple[Conflict, ...] = ()) -> LinkPlan:
    return replace(
        unchanged(case, link),
        title="tombstone",
        status=LinkStatus.TOMBSTONE,
        holds=(Hold(None, reason),),
        conflicts=conflicts,
        changes_link=True,
        is_deletion=link.status is not LinkStatus.TOMBSTONE,
    )


def paused(case: Case, link: Link) -> LinkPlan:
    """The record has left the filter: nothing is carried, either way, until it enters again; then what changed since
    is found against the same base (N98, N99). The person stays, is marked, or goes (``on_leave``)."""
    plan = replace(
        unchanged(case, link), title="pause", crm_version=None, holds=(_why_paused(case, link),), changes_link=True
    )
    marketing = case.subject.marketing
    if marketing is None or not marketing.is_present:
        return plan
    match case.policy.on_leave:
        case LeaveRule.KEEP:
            return plan
        case LeaveRule.FLAG:
            return _flagged_as_paused(case, plan, marketing)
        case LeaveRule.REMOVE:
            return _removing(case, link, plan, marketing)


def removed(case: Case, link: Link) -> LinkPlan | None:
    """The person went with its record out of the filter: the link waits without a marketing end, and the record comes
    as a new one if it enters again. None where it was somebody else who deleted the person: that stays a deletion."""
    if case.policy.on_leave is not LeaveRule.REMOVE or not case.is_outside:
        return None
    if not isinstance(link.base.crm[_key_place(case)], Unknown):
        return None
    return replace(
        unchanged(case, link),
        title="pause",
        marketing=None,
        status=LinkStatus.PENDING,
        base=Base.unknown(len(case.mapping.pairs)),
        crm_version=None,
        holds=(_why_paused(case, link),),
        changes_link=True,
    )


def _why_paused(case: Case, link: Link) -> Hold:
    chosen = case.policy.filter_for(is_linked=link.marketing is not None)
    assert chosen is not None
    return Hold(None, f"paused: it does not pass the filter {chosen.text}")


def _flagged_as_paused(case: Case, plan: LinkPlan, marketing: State) -> LinkPlan:
    """Once the record enters again, its ``@paused`` is false as ever, and the merge carries that."""
    place = next((place for place, pair in enumerate(case.mapping.pairs) if pair.crm == PAUSED), None)
    if place is None or case.mapping.marketing_values(marketing.values)[place] is True:
        return plan
    pair = case.mapping.pairs[place]
    if case.was_rejected(pair, True):
        return replace(plan, holds=(*plan.holds, Hold(pair.name, f"{pair.marketing} in marketing was rejected")))
    write = FieldWrite(pair.name, pair.marketing, False, True, True, "left the filter")
    key = marketing.key
    return replace(plan, actions=(Action(key.side, key.entity, ActionKind.UPDATE, key.id, (write,)),))


def _removing(case: Case, link: Link, plan: LinkPlan, marketing: State) -> LinkPlan:
    """Delete the person, unless somebody has edited it since: that edit would be lost. A base that forgets the key
    tells later, once the person is gone, that it was us."""
    conflicts = deletion_conflicts(case, link, Side.MARKETING, case.mapping.marketing_values(marketing.values))
    if conflicts:
        return replace(plan, conflicts=conflicts)
    removal = _deletion(case, link, marketing)
    place = _key_place(case)
    halves = ((*half[:place], UNKNOWN, *half[place + 1 :]) for half in (link.base.crm, link.base.marketing))
    return replace(removal, title="left the filter: delete in marketing", base=Base(*halves), holds=plan.holds)


def _key_place(case: Case) -> int:
    key = case.mapping.key_field
    return next(place for place, pair in enumerate(case.mapping.pairs) if pair.marketing == key)


def unchanged(case: Case, link: Link) -> LinkPlan:
    """The link as it is; the inbox rows go."""
    return LinkPlan(
        title="nothing",
        crm_entity=case.subject.crm_entity,
        link=link.number,
        crm=link.crm,
        marketing=link.marketing,
        status=link.status,
        base=link.base,
        crm_version=link.crm_version,
        changes_link=False,
    )
