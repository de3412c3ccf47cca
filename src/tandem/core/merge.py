"""Three-way merge of one field pair.

A field moves only if a side changed it since the base, and a side has changed when it differs from its own half. If
both sides changed it to different values, or there is no base yet, the policy names the winner and both values go into
a conflict; where the policy says hold, or the other side cannot express the value, the field is left alone.
"""

from dataclasses import dataclass
from typing import TypeAlias

from tandem.core.mapping import Direction, FieldPair, NotExpressibleError, Winner
from tandem.core.narrowing import narrowed, would_lose_the_rest
from tandem.core.plan import Conflict, ConflictKind
from tandem.core.policy import EditRule, EntityPolicy
from tandem.core.record import UNKNOWN, Side, Unknown, Value
from tandem.core.values import is_empty, same


@dataclass(frozen=True, slots=True)
class Quiet:
    """Neither side changed, or what changed calls for nothing."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """Both sides hold the same thing now: the base moves, nothing is written."""


@dataclass(frozen=True, slots=True)
class Carry:
    """Write `after` to side `to`; it stands for the other side's present value."""

    to: Side
    after: Value
    reason: str
    conflict: Conflict | None = None


@dataclass(frozen=True, slots=True)
class Held:
    reason: str
    conflict: Conflict | None = None


Verdict: TypeAlias = Quiet | Agreed | Carry | Held

QUIET = Quiet()
AGREED = Agreed()


@dataclass(frozen=True, slots=True)
class Sighting:
    """One pair with everything its merge may look at."""

    pair: FieldPair
    base_crm: Value | Unknown
    base_marketing: Value | Unknown
    crm: Value
    marketing: Value
    newer: Side | None = None
    """Whose edit is provably the newer one."""

    def value(self, side: Side) -> Value:
        return self.crm if side is Side.CRM else self.marketing

    def has_changed(self, side: Side) -> bool:
        half = self.base_crm if side is Side.CRM else self.base_marketing
        return not same(self.value(side), half)

    def is_blank(self, side: Side) -> bool:
        """Unset, but for what Tandem itself says of a crm record, which is a fact."""
        is_fact = side is Side.CRM and self.pair.crm.startswith("@")
        return is_empty(self.value(side)) if is_fact else _is_unset(self.value(side))

    @property
    def is_opted_out(self) -> bool:
        return self.pair.opt_out and (self.crm is True or self.marketing is True)

    def conflict(self, kind: ConflictKind, winner: Winner, reason: str) -> Conflict:
        return Conflict(
            kind, self.pair.name, self.base_crm, self.base_marketing, self.crm, self.marketing, winner, reason
        )


def merge_pair(seen: Sighting, policy: EntityPolicy, giver: Side | None = None) -> Verdict:
    """What to do about one pair. Swapping the sides (and the policy's winner) mirrors the answer.

    `giver`: a person has asked for this pair to be filled again from that side, so a difference that neither side
    made since the base is carried too, an empty value included.
    """
    if seen.base_crm is UNKNOWN:
        return _merge_without_base(seen, policy)
    crm_changed, marketing_changed = seen.has_changed(Side.CRM), seen.has_changed(Side.MARKETING)
    if not crm_changed and not marketing_changed:
        return QUIET if giver is None else _fill_again(seen, giver)
    if agree(seen.pair, seen.crm, seen.marketing):
        return AGREED
    if seen.is_opted_out:
        return _merge_opt_out(seen)
    if seen.pair.direction is not Direction.BOTH:
        return _merge_one_way(seen, policy)
    if crm_changed and marketing_changed:
        return _settle(seen, ConflictKind.BOTH_CHANGED, policy.winner_of(seen.pair))
    changed = Side.CRM if crm_changed else Side.MARKETING
    return _carry(seen, to=changed.other, reason=f"changed in {changed}")


def _fill_again(seen: Sighting, giver: Side) -> Verdict:
    """Compared by spelling: a label that was renamed stands for the same value, and is written anew."""
    if not seen.pair.direction.allows(giver.other):
        return QUIET
    if _spells(seen.pair, seen.value(giver), giver.other, seen.value(giver.other)):
        return QUIET
    if seen.is_opted_out:
        return QUIET if agree(seen.pair, seen.crm, seen.marketing) else _merge_opt_out(seen)
    return _carry(seen, to=giver.other, reason=f"filled again from {giver}")


def agree(pair: FieldPair, crm: Value, marketing: Value) -> bool:
    """Whether the two values are one value in two spellings, in a direction that the pair may go."""
    if is_empty(crm) and is_empty(marketing):
        return True
    if pair.direction.allows(Side.MARKETING) and _spells(pair, crm, Side.MARKETING, marketing):
        return True
    return pair.direction.allows(Side.CRM) and _spells(pair, marketing, Side.CRM, crm)


def is_drift(pair: FieldPair, crm: Value, marketing: Value) -> bool:
    """Whether the two values ought to agree and do not. What Marketo cannot express is no drift, nor are two values of
    a pair that only fills what is empty."""
    if pair.only_if_empty and not _is_unset(crm) and not _is_unset(marketing):
        return False
    return not agree(pair, crm, marketing) and (pair.can_be_emptied or not is_empty(crm))


def _is_unset(value: Value) -> bool:
    """Empty, or a yes-or-no that nobody set: Marketo shows an unset boolean as false (marketo-rest 3.2)."""
    return is_empty(value) or value is False


def _spells(pair: FieldPair, value: Value, to: Side, present: Value) -> bool:
    try:
        return same(pair.carry(value, to=to), present)
    except NotExpressibleError:
        return False


def _merge_without_base(seen: Sighting, policy: EntityPolicy) -> Verdict:
    """The first link of a pair: equal values become the base, an empty side is filled, an empty value never wins."""
    if agree(seen.pair, seen.crm, seen.marketing):
        return AGREED
    if seen.is_opted_out:
        return _merge_opt_out(seen)
    for empty in (Side.MARKETING, Side.CRM):
        if seen.is_blank(empty) and not seen.is_blank(empty.other):
            if seen.pair.direction.allows(empty):
                return _carry(seen, to=empty, reason=f"empty in {empty} at the first link")
            return Held(f"empty in {empty} at the first link, and the field does not go there")
    if seen.pair.direction is not Direction.BOTH:
        winner = Winner.CRM if seen.pair.direction is Direction.TO_MARKETING else Winner.MARKETING
        return _settle(seen, ConflictKind.FIRST_LINK, winner)
    return _settle(seen, ConflictKind.FIRST_LINK, policy.first_link_of(seen.pair))


def _merge_opt_out(seen: Sighting) -> Verdict:
    """An opt-out moves only from false to true (R8): the side that lacks it gets it, and weakening it is recorded."""
    weak = Side.MARKETING if seen.crm is True else Side.CRM
    half = seen.base_marketing if weak is Side.MARKETING else seen.base_crm
    conflict = None
    if half is True:
        reason = f"taken back in {weak}; an opt-out is never weakened by default"
        conflict = seen.conflict(ConflictKind.OPT_OUT, Winner(weak.other.value), reason)
    if not seen.pair.direction.allows(weak):
        return Held(f"opted out in {weak.other}, and the field does not go to {weak}", conflict)
    return _carry(seen, to=weak, reason=f"opted out in {weak.other}", conflict=conflict)


def _merge_one_way(seen: Sighting, policy: EntityPolicy) -> Verdict:
    """The giving side always wins; an edit on the receiving side is recorded and overwritten (N15, N24), or stays until
    the giving side changes the same value."""
    giver = Side.CRM if seen.pair.direction is Direction.TO_MARKETING else Side.MARKETING
    if not seen.has_changed(giver.other):
        return _carry(seen, to=giver.other, reason=f"changed in {giver}")
    if policy.edited_in_marketing is EditRule.KEEP and not seen.has_changed(giver):
        return QUIET
    return _settle(seen, ConflictKind.ONE_WAY, Winner(giver.value))


def _settle(seen: Sighting, kind: ConflictKind, winner: Winner) -> Verdict:
    """Both sides differ: the winner's value goes over, or both stay; either way both values are recorded."""
    if winner is Winner.NEWEST:
        winner, reason = _newest(seen, kind)
    else:
        reason = f"{kind.value}: held by policy" if winner is Winner.HOLD else f"{kind.value}: {winner} wins"
    if winner is Winner.HOLD:
        return Held(reason, seen.conflict(kind, winner, reason))
    side = Side(winner.value)
    return _carry(seen, to=side.other, reason=reason, conflict=seen.conflict(kind, winner, reason))


def _newest(seen: Sighting, kind: ConflictKind) -> tuple[Winner, str]:
    if seen.newer is None:
        return Winner.HOLD, f"{kind.value}: it cannot be told which edit is newer"
    return Winner(seen.newer.value), f"{kind.value}: the edit in {seen.newer} is newer"


def _carry(seen: Sighting, *, to: Side, reason: str, conflict: Conflict | None = None) -> Verdict:
    if seen.pair.only_if_empty and not seen.is_blank(to):
        return AGREED
    try:
        after = seen.pair.carry(seen.value(to.other), to=to)
    except NotExpressibleError as error:
        return Held(f"{seen.pair.field_on(to)} in {to} cannot hold the value: {error}", conflict)
    known = seen.base_crm if to is Side.CRM else seen.base_marketing
    if reason_to_hold := would_lose_the_rest(seen.pair, to=to, known=known):
        return Held(reason_to_hold, conflict)
    if conflict is None:
        conflict = narrowed(seen.pair, to=to, source=seen.value(to.other), before=seen.value(to), after=after)
    if is_empty(after) and to is Side.MARKETING and not seen.pair.can_be_emptied:
        return Held(f"{seen.pair.marketing} cannot be emptied in marketing", conflict)
    return Carry(to, after, reason, conflict)
