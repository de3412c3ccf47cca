"""From what both sides hold to a plan: links first, then fields. Pure, and the same for the first copy and for a pass.

``plan_pass`` takes *subjects*: one for each claimed link or unlinked record, with everything the look found. It never
assumes what a side holds: whatever is not in the subject was read and is not there.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tandem.core.mapping import Direction, EntityMapping, FieldPair, NotExpressibleError, Winner
from tandem.core.match import Ambiguous, Matched, derived_crm_id, fold, match_record
from tandem.core.merge import Agreed, Carry, Held, Quiet, Sighting, agree, merge_pair
from tandem.core.plan import (
    Action,
    ActionKind,
    Conflict,
    ConflictKind,
    FieldWrite,
    Hold,
    InboxRef,
    LinkPlan,
    Plan,
)
from tandem.core.policy import DeleteRule, EntityPolicy
from tandem.core.read_back import Arrived, Narrowed, Overtaken, Refused, TooEarly, Verdict, judge
from tandem.core.record import (
    CONTACT,
    LEAD,
    Base,
    ChangeRecord,
    Entity,
    Link,
    LinkStatus,
    RecordId,
    RecordKey,
    Side,
    State,
    Unknown,
    Value,
)
from tandem.core.values import same


@dataclass(frozen=True, slots=True)
class SentWrite:
    """A finished marketing write that no reading has confirmed yet."""

    journal: int
    is_create: bool
    writes: tuple[FieldWrite, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """One claim after the look.

    ``crm`` and ``marketing`` are present or ``GONE`` readings, None where the link has no such end. ``candidates`` are
    marketing persons that the unlinked crm record may already be, none of them linked. ``dedupe_taken``: a person with
    this e-mail exists and belongs to another record. ``origin`` is the link of the lead that this contact came from.
    ``superseded``: the record lives on under another one's link; ``is_blocked``: its origin's link has an open action.
    ``is_complete``: the marketing feed has been read past the moment of the marketing reading. ``refs`` are the inbox
    rows this subject uses up.
    """

    crm_entity: Entity
    link: Link | None = None
    crm: State | None = None
    marketing: State | None = None
    candidates: tuple[State, ...] = ()
    dedupe_taken: bool = False
    origin: Link | None = None
    superseded: bool = False
    is_blocked: bool = False
    sent: tuple[SentWrite, ...] = ()
    records: tuple[ChangeRecord, ...] = ()
    rejected: Mapping[str, Value] = field(default_factory=dict)
    is_complete: bool = True
    refs: tuple[InboxRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for every subject of a pass. ``parents`` are the crm records (accounts, users) that are linked;
    ``retry_s`` is when a subject that cannot be judged yet is looked at again."""

    sync_id: str
    mappings: Mapping[Entity, EntityMapping]
    policies: Mapping[Entity, EntityPolicy]
    parents: frozenset[RecordKey] = frozenset()
    retry_s: float = 5.0


def plan_pass(subjects: Iterable[Subject], rules: Rules) -> Plan:
    """The plan for `subjects`. Within it a dedupe key is created once and a person is matched once; the rest wait."""
    links: list[LinkPlan] = []
    ignored: list[InboxRef] = []
    deferred: list[tuple[InboxRef, float]] = []
    taken: set[object] = set()
    for subject in subjects:
        outcome = _Planner(subject, rules, taken).plan()
        match outcome:
            case LinkPlan(revisit_s=float(seconds)):
                links.append(outcome)
                deferred.extend((ref, seconds) for ref in subject.refs)
            case LinkPlan():
                links.append(replace(outcome, consumed=subject.refs))
            case _Ignore():
                ignored.extend(subject.refs)
            case _Defer(seconds):
                deferred.extend((ref, seconds) for ref in subject.refs)
    return Plan(tuple(links), tuple(ignored), tuple(deferred))


@dataclass(frozen=True, slots=True)
class _Ignore:
    pass


@dataclass(frozen=True, slots=True)
class _Defer:
    seconds: float


class _Planner:
    """Plans one subject. `taken` is shared by the subjects of a plan: dedupe keys and persons already spoken for."""

    def __init__(self, subject: Subject, rules: Rules, taken: set[object]) -> None:
        self.subject = subject
        self.rules = rules
        self.taken = taken
        self.mapping = rules.mappings[subject.crm_entity]
        self.policy = rules.policies[subject.crm_entity]
        self.is_closed = is_closed(self.mapping, subject.crm)
        if self.is_closed:
            self.policy = replace(self.policy, winner=Winner.CRM, first_link=Winner.CRM)

    def plan(self) -> LinkPlan | _Ignore | _Defer:
        subject = self.subject
        link = subject.link
        if subject.superseded:
            return _Ignore()
        if link is not None and link.status is LinkStatus.TOMBSTONE:
            return _Ignore() if subject.refs else self._tombstone(link, "deleted on one side")
        if link is not None and link.crm and link.marketing:
            return self._plan_live(link)
        if subject.crm is not None:
            return self._plan_unlinked_crm(subject.crm)
        return self._plan_unlinked_marketing()

    # --- unlinked records

    def _plan_unlinked_crm(self, crm: State) -> LinkPlan | _Ignore | _Defer:
        link = self.subject.link
        if not crm.is_present:
            return _Ignore() if link is None else self._tombstone(link, "deleted in crm before it was carried over")
        marketing = self.subject.marketing
        if link is not None and link.marketing is not None and marketing is not None:
            if not marketing.is_present:
                return replace(self._tombstone(link, "deleted in marketing while it was created in crm"), crm=crm.key)
            return self._join(crm, marketing, "created in crm")
        if self.subject.is_blocked:
            return _Defer(self.rules.retry_s)
        if self.subject.origin is not None and self.subject.origin.marketing is not None:
            return self._take_over(self.subject.origin, crm)
        if self.subject.origin is not None:
            if not self._reserve(self.subject.origin.number):
                return _Defer(self.rules.retry_s)
            self.subject = replace(self.subject, link=self.subject.origin)
        found = match_record(self.mapping, crm, self.subject.candidates, self.policy.prefer)
        match found:
            case Ambiguous(reason):
                return self._pending(crm, holds=(Hold(None, reason),))
            case Matched(state, reason):
                return self._join(crm, state, reason) if self._reserve(state.key) else _Defer(0.0)
        if not self.policy.create_in_marketing:
            return _Ignore() if link is None else self._unchanged(link)
        return self._create_in_marketing(crm)

    def _plan_unlinked_marketing(self) -> LinkPlan | _Ignore | _Defer:
        marketing, link = self.subject.marketing, self.subject.link
        if marketing is None or not marketing.is_present:
            return (
                _Ignore() if link is None else self._tombstone(link, "deleted in marketing before it was carried over")
            )
        if self.policy.create_in_crm is None or self.subject.dedupe_taken:
            return _Ignore() if link is None else self._unchanged(link)
        return self._create_in_crm(marketing)

    def _reserve(self, key: object) -> bool:
        """Speak for `key` in this plan; False when an earlier subject has."""
        if key in self.taken:
            return False
        self.taken.add(key)
        return True

    def _join(self, crm: State, marketing: State, reason: str) -> LinkPlan:
        """Link two records that both exist: the first-link rule, since they share no base."""
        base = Base.unknown(len(self.mapping.pairs))
        return self._merge(crm, marketing, base, status=LinkStatus.LIVE, title=f"link: {reason}")

    def _take_over(self, origin: Link, crm: State) -> LinkPlan | _Ignore | _Defer:
        """A contact takes over the link and the base of the lead it came from: one person in Marketo. A person that
        was deleted there does not come back with the contact."""
        if not self._reserve(origin.number):
            return _Defer(self.rules.retry_s)
        marketing, base = self.subject.marketing, convert_base(origin.base, self.rules.mappings[LEAD], self.mapping)
        if origin.status is LinkStatus.TOMBSTONE or marketing is None or not marketing.is_present:
            edits = self._deletion_conflicts(replace(origin, base=base), Side.CRM, self.mapping.crm_values(crm.values))
            plan = self._tombstone(origin, "its lead's person was deleted in marketing", edits)
            plan = replace(plan, base=base, crm=crm.key, crm_version=None)
        else:
            title = "qualified: the contact takes over"
            plan = self._merge(crm, marketing, base, status=LinkStatus.LIVE, title=title)
        aliases = (origin.crm,) if origin.crm else ()
        return replace(plan, link=origin.number, aliases=aliases, changes_link=True)

    def _pending(
        self,
        crm: State,
        *,
        actions: tuple[Action, ...] = (),
        holds: tuple[Hold, ...] = (),
        waits: Sequence[RecordKey] = (),
    ) -> LinkPlan:
        return LinkPlan(
            title="create" if actions else "hold",
            crm_entity=self.subject.crm_entity,
            link=self.subject.link.number if self.subject.link else None,
            crm=crm.key,
            marketing=None,
            status=LinkStatus.PENDING,
            base=self._base_of_empties(crm),
            crm_version=None if holds or waits else crm.version,
            actions=actions,
            holds=holds,
            waits_for=tuple(waits),
            aliases=self._origin_aliases(crm),
        )

    def _base_of_empties(self, crm: State) -> Base:
        """A create writes every value there is; what is empty in crm will be empty in marketing, and that is agreed."""
        empties: dict[int, tuple[Value, Value]] = {}
        for place, (pair, value) in enumerate(
            zip(self.mapping.pairs, self.mapping.crm_values(crm.values), strict=True)
        ):
            if value is None and pair.direction.allows(Side.MARKETING):
                empties[place] = (None, pair.carry(None, to=Side.MARKETING))
        return Base.unknown(len(self.mapping.pairs)).replaced(empties)

    def _origin_aliases(self, crm: State) -> tuple[RecordKey, ...]:
        """The lead a new contact came from belongs to the contact's link even if it was never linked itself."""
        if crm.key.entity != CONTACT:
            return ()
        lead_id = fold(self.mapping.crm_value(crm.values, "originatingleadid"))
        return (RecordKey(Side.CRM, LEAD, RecordId(lead_id)),) if lead_id else ()

    # --- creates

    def _create_in_marketing(self, crm: State) -> LinkPlan | _Defer:
        writes, holds, waits = self._initial_writes(self.mapping.crm_values(crm.values), Side.MARKETING)
        dedupe = self._dedupe_value(writes)
        if dedupe is not None and not self._reserve(dedupe):
            return _Defer(0.0)
        by_dedupe = dedupe is not None and not self.subject.dedupe_taken
        action = Action(
            side=Side.MARKETING,
            entity=self.mapping.marketing_entity,
            kind=ActionKind.CREATE,
            id=None,
            writes=writes,
            lookup=self.mapping.dedupe_field if by_dedupe else self.mapping.key_field,
        )
        return self._pending(crm, actions=(action,), holds=holds, waits=waits)

    def _create_in_crm(self, marketing: State) -> LinkPlan | _Defer:
        dedupe = fold(self.mapping.marketing_value(marketing.values, self.mapping.dedupe_field or ""))
        if not self._reserve(marketing.key) or (dedupe is not None and not self._reserve(dedupe)):
            return _Defer(0.0)
        writes, holds, _ = self._initial_writes(self.mapping.marketing_values(marketing.values), Side.CRM)
        link = self.subject.link
        crm_id = derived_crm_id(self.rules.sync_id, marketing.key.id)
        action = Action(Side.CRM, self.subject.crm_entity, ActionKind.CREATE, crm_id, writes)
        return LinkPlan(
            title="create",
            crm_entity=self.subject.crm_entity,
            link=link.number if link else None,
            crm=None,
            marketing=marketing.key,
            status=LinkStatus.PENDING,
            base=Base.unknown(len(self.mapping.pairs)),
            actions=(action,),
            holds=holds,
        )

    def _initial_writes(
        self, values: Sequence[Value], to: Side
    ) -> tuple[tuple[FieldWrite, ...], tuple[Hold, ...], tuple[RecordKey, ...]]:
        """Every non-empty value that may go to side `to`, once per field; the holds; the parents still missing."""
        writes: dict[str, FieldWrite] = {}
        holds: list[Hold] = []
        waits: list[RecordKey] = []
        for pair, value in zip(self.mapping.pairs, values, strict=True):
            name = pair.field_on(to)
            if value is None or not pair.direction.allows(to) or name in writes:
                continue
            if to is Side.MARKETING and (parent := self._missing_parent(pair, value)):
                waits.append(parent)
                continue
            if self._was_rejected(pair, value):
                holds.append(Hold(pair.name, f"{name} in {to} was rejected with this value"))
                continue
            try:
                after = pair.carry(value, to=to)
            except NotExpressibleError as error:
                holds.append(Hold(pair.name, f"{name} in {to} cannot hold the value: {error}"))
                continue
            if after is not None:
                writes[name] = FieldWrite(pair.name, name, None, after, value, "new")
        return tuple(writes.values()), tuple(holds), tuple(waits)

    def _dedupe_value(self, writes: Iterable[FieldWrite]) -> str | None:
        wanted = self.mapping.dedupe_field
        return next((fold(write.after) for write in writes if wanted and write.field == wanted), None)

    def _missing_parent(self, pair: FieldPair, value: Value) -> RecordKey | None:
        if pair.parent is None or value is None:
            return None
        key = RecordKey(Side.CRM, pair.parent, RecordId(str(value)))
        return None if key in self.rules.parents else key

    def _was_rejected(self, pair: FieldPair, source: Value) -> bool:
        rejected = self.subject.rejected
        return pair.name in rejected and same(rejected[pair.name], source)

    # --- linked records

    def _plan_live(self, link: Link) -> LinkPlan | _Ignore | _Defer:
        crm, marketing = self.subject.crm, self.subject.marketing
        assert crm is not None, "the look reads both ends of a link"
        assert marketing is not None, "the look reads both ends of a link"
        if not marketing.is_present:
            return self._deleted_in_marketing(link, crm, marketing)
        if not crm.is_present:
            return self._deleted_in_crm(link, marketing)
        read_back = self._read_back(link, marketing)
        plan = self._merge(crm, marketing, read_back.base, status=link.status, title="update", read_back=read_back)
        return replace(
            plan,
            conflicts=(*read_back.conflicts, *plan.conflicts),
            holds=(*read_back.holds, *plan.holds),
            confirmed=read_back.confirmed,
            revisit_s=self.rules.retry_s if read_back.is_early else None,
            changes_link=plan.changes_link
            or read_back.base != link.base
            or plan.crm_version != link.crm_version
            or bool(read_back.conflicts or read_back.holds),
        )

    def _deleted_in_marketing(self, link: Link, crm: State, marketing: State) -> LinkPlan:
        """Never a licence to create: the link stays as a tombstone, and what crm edited meanwhile is recorded."""
        where = f"merged into person {marketing.merged_into}" if marketing.merged_into else "deleted"
        conflicts: tuple[Conflict, ...] = ()
        if crm.is_present:
            conflicts = self._deletion_conflicts(link, Side.CRM, self.mapping.crm_values(crm.values))
        return self._tombstone(link, f"{where} in marketing; its record in crm is no longer carried over", conflicts)

    def _deleted_in_crm(self, link: Link, marketing: State) -> LinkPlan:
        """The person stays and is flagged (N61); once the flag is there the link is a tombstone."""
        values = self.mapping.marketing_values(marketing.values)
        conflicts = self._deletion_conflicts(link, Side.MARKETING, values)
        flag = next((place for place, pair in enumerate(self.mapping.pairs) if pair.crm == "@deleted"), None)
        if self.policy.deleted_in_crm is DeleteRule.IGNORE or flag is None or values[flag] is True:
            return self._tombstone(link, "deleted in crm", conflicts)
        pair = self.mapping.pairs[flag]
        write = FieldWrite(pair.name, pair.marketing, values[flag], True, True, "deleted in crm")
        action = Action(Side.MARKETING, self.mapping.marketing_entity, ActionKind.UPDATE, marketing.key.id, (write,))
        return replace(self._unchanged(link), title="flag as deleted", actions=(action,), conflicts=conflicts)

    def _deletion_conflicts(self, link: Link, side: Side, values: Sequence[Value]) -> tuple[Conflict, ...]:
        """An edit on `side` that meets a deletion on the other: one conflict for each edited field."""
        half = link.base.crm if side is Side.CRM else link.base.marketing
        found = []
        for place, pair in enumerate(self.mapping.pairs):
            before, value = half[place], values[place]
            if isinstance(before, Unknown) or same(before, value) or not pair.direction.allows(side.other):
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

    def _tombstone(self, link: Link, reason: str, conflicts: tuple[Conflict, ...] = ()) -> LinkPlan:
        return replace(
            self._unchanged(link),
            title="tombstone",
            status=LinkStatus.TOMBSTONE,
            holds=(Hold(None, reason),),
            conflicts=conflicts,
            changes_link=True,
        )

    def _unchanged(self, link: Link) -> LinkPlan:
        """The link as it is; the inbox rows go."""
        return LinkPlan(
            title="nothing",
            crm_entity=self.subject.crm_entity,
            link=link.number,
            crm=link.crm,
            marketing=link.marketing,
            status=link.status,
            base=link.base,
            crm_version=link.crm_version,
            changes_link=False,
        )

    def _merge(
        self,
        crm: State,
        marketing: State,
        base: Base,
        *,
        status: LinkStatus,
        title: str,
        read_back: "_ReadBack | None" = None,
    ) -> LinkPlan:
        """Merge every pair; the base moves where both sides agree, and an action per side carries the rest."""
        merged = _Merged()
        skip = read_back.skip if read_back else frozenset()
        for place, seen in enumerate(self._sightings(crm, marketing, base, read_back)):
            quiet = same(seen.crm, seen.base_crm) and same(seen.marketing, seen.base_marketing)
            if not quiet and place not in skip:
                self._merge_place(place, seen, merged)
        if read_back:
            merged.writes[Side.MARKETING].update(read_back.restored)
        actions = self._actions(merged, crm, marketing)
        link, agreed = self.subject.link, base.replaced(merged.agreed)
        return LinkPlan(
            title=title,
            crm_entity=self.subject.crm_entity,
            link=link.number if link else None,
            crm=crm.key,
            marketing=marketing.key,
            status=status,
            base=agreed,
            crm_version=crm.version if self._stands_for(agreed, crm) else None,
            actions=actions,
            conflicts=tuple(merged.conflicts),
            holds=tuple(merged.holds),
            waits_for=tuple(merged.waits),
            aliases=self._origin_aliases(crm) if link is None or link.crm != crm.key else (),
            changes_link=merged.has_news or bool(actions) or link is None or link.status is not status,
        )

    def _stands_for(self, base: Base, crm: State) -> bool:
        return all(map(same, base.crm, self.mapping.crm_values(crm.values)))

    def _sightings(self, crm: State, marketing: State, base: Base, read_back: "_ReadBack | None") -> Iterator[Sighting]:
        crm_values = self.mapping.crm_values(crm.values)
        marketing_values = self.mapping.marketing_values(marketing.values)
        typed = read_back.typed if read_back else {}
        for place, pair in enumerate(self.mapping.pairs):
            value = typed.get(place, marketing_values[place])
            yield Sighting(pair, base.crm[place], base.marketing[place], crm_values[place], value)

    def _merge_place(self, place: int, seen: Sighting, merged: "_Merged") -> None:
        match merge_pair(seen, self.policy):
            case Quiet():
                return
            case Agreed():
                merged.agreed[place] = (seen.crm, seen.marketing)
            case Held(reason, conflict):
                merged.holds.append(Hold(seen.pair.name, reason))
                merged.conflicts.extend([conflict] if conflict else [])
            case Carry() as carry:
                self._carry(seen, carry, merged)

    def _carry(self, seen: Sighting, carry: Carry, merged: "_Merged") -> None:
        source = seen.value(carry.to.other)
        name = seen.pair.field_on(carry.to)
        if carry.to is Side.MARKETING and (parent := self._missing_parent(seen.pair, source)):
            merged.waits.append(parent)
        elif carry.to is Side.CRM and self.is_closed:
            merged.holds.append(Hold(seen.pair.name, "the lead is closed in crm and takes no changes until it is open"))
            merged.conflicts.extend([carry.conflict] if carry.conflict else [])
        elif self._was_rejected(seen.pair, source):
            merged.holds.append(Hold(seen.pair.name, f"{name} in {carry.to} was rejected with this value"))
        elif name not in merged.writes[carry.to]:
            before = seen.value(carry.to)
            merged.writes[carry.to][name] = FieldWrite(seen.pair.name, name, before, carry.after, source, carry.reason)
            merged.conflicts.extend([carry.conflict] if carry.conflict else [])

    def _actions(self, merged: "_Merged", crm: State, marketing: State) -> tuple[Action, ...]:
        actions = []
        for state in (crm, marketing):
            writes = tuple(merged.writes[state.key.side].values())
            if writes:
                actions.append(
                    Action(state.key.side, state.key.entity, ActionKind.UPDATE, state.key.id, writes, state.version)
                )
        return tuple(actions)

    # --- what came of our own writes

    def _read_back(self, link: Link, marketing: State) -> "_ReadBack":
        """Judge our unconfirmed writes, as far as they still are the base: a newer agreement leaves nothing to tell."""
        result = _ReadBack(link.base)
        values = self.mapping.marketing_values(marketing.values)
        for sent in self.subject.sent:
            is_final = True
            for write in sent.writes:
                place = self.mapping.names.index(write.pair) if write.pair in self.mapping.names else None
                if place is None or not same(link.base.marketing[place], write.after):
                    continue
                records = [record for record in self.subject.records if record.field == write.field]
                verdict = judge(
                    write, values[place], records, is_create=sent.is_create, is_complete=self.subject.is_complete
                )
                is_final &= verdict.is_final if isinstance(verdict, Arrived) else not isinstance(verdict, TooEarly)
                self._note(place, write, verdict, values[place], result)
            if is_final:
                result.confirmed = (*result.confirmed, sent.journal)
        return result

    def _note(
        self,
        place: int,
        write: FieldWrite,
        verdict: Verdict,
        present: Value,
        result: "_ReadBack",
    ) -> None:
        pair = self.mapping.pairs[place]
        match verdict:
            case Arrived():
                return
            case TooEarly():
                result.is_early = True
                result.skip |= {place}
            case Narrowed():
                reason = f"{pair.marketing} came back changed by marketing; that reading is its base now"
                result.conflicts.append(self._own_conflict(ConflictKind.NARROWED, pair, write, present, reason))
                result.base = result.base.replaced({place: (write.source, present)})
            case Refused():
                reason = f"{pair.marketing} kept its old value although marketing accepted the write"
                result.holds.append(Hold(pair.name, reason))
                result.skip |= {place}
            case Overtaken(text):
                self._note_overtaken(place, pair, write, text, present, result)

    def _note_overtaken(
        self, place: int, pair: FieldPair, write: FieldWrite, text: str | None, present: Value, result: "_ReadBack"
    ) -> None:
        """Restore what a person had typed where marketing wins and the text converts back exactly; record it always."""
        reason = f"{pair.marketing} was edited in marketing just before our write"
        conflict = self._own_conflict(ConflictKind.OVERTAKEN, pair, write, text, reason)
        winner = self.policy.winner_of(pair)
        if winner is Winner.CRM or not same(present, write.after) or pair.direction is Direction.TO_MARKETING:
            result.conflicts.append(conflict)
        elif winner is Winner.MARKETING and isinstance(write.after, str) and text is not None:
            result.conflicts.append(replace(conflict, winner=Winner.MARKETING))
            result.restore(place, pair, present, text)
        else:
            result.conflicts.append(replace(conflict, winner=Winner.HOLD))
            result.holds.append(Hold(pair.name, reason))
            result.skip |= {place}

    def _own_conflict(
        self, kind: ConflictKind, pair: FieldPair, write: FieldWrite, marketing: Value, reason: str
    ) -> Conflict:
        return Conflict(kind, pair.name, write.source, write.before, write.source, marketing, Winner.CRM, reason)


@dataclass(slots=True)
class _Merged:
    """What the pairs of one record came to."""

    agreed: dict[int, tuple[Value, Value]] = field(default_factory=dict)
    writes: dict[Side, dict[str, FieldWrite]] = field(default_factory=lambda: {Side.CRM: {}, Side.MARKETING: {}})
    conflicts: list[Conflict] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    waits: list[RecordKey] = field(default_factory=list)

    @property
    def has_news(self) -> bool:
        return bool(self.agreed or self.conflicts or self.holds or self.waits)


@dataclass(slots=True)
class _ReadBack:
    """What came of our earlier writes: a corrected base, and the places that the merge must leave or see otherwise.

    ``typed`` are values a person had entered and we wrote over: the merge sees them as marketing's present values, and
    ``restored`` puts them back.
    """

    base: Base
    skip: frozenset[int] = frozenset()
    typed: dict[int, Value] = field(default_factory=dict)
    restored: dict[str, FieldWrite] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    confirmed: tuple[int, ...] = ()
    is_early: bool = False

    def restore(self, place: int, pair: FieldPair, present: Value, text: str) -> None:
        try:
            source = pair.carry(text, to=Side.CRM)
        except NotExpressibleError as error:
            self.holds.append(Hold(pair.name, f"{pair.crm} in crm cannot hold the value: {error}"))
            self.skip |= {place}
            return
        self.typed[place] = text
        reason = "restored: edited in marketing just before our write"
        self.restored[pair.marketing] = FieldWrite(pair.name, pair.marketing, present, text, source, reason)


def is_closed(mapping: EntityMapping, crm: State | None) -> bool:
    """Whether Dynamics keeps this record as it is: a lead that is qualified or disqualified is read-only until it is
    reactivated (dataverse-web-api 5.9). Its own values prevail meanwhile."""
    if crm is None or not crm.is_present or mapping.crm_entity != LEAD:
        return False
    return mapping.crm_value(crm.values, "statecode") not in (None, 0)


def convert_base(base: Base, old: EntityMapping, new: EntityMapping) -> Base:
    """The base of a lead's link as the contact takes it over: a place goes on where both mappings pair the same crm
    column with the same Marketo field; every other pair starts without a base.

    One column may spell differently in the two tables (a lead's status 0 is Open, a contact's is Active). The crm half
    is then what the contact would hold if it were still in step with Marketo, or empty where it cannot be.
    """
    places = {name: place for place, name in enumerate(old.names)}
    kept: dict[int, tuple[Value, Value]] = {}
    for place, pair in enumerate(new.pairs):
        if pair.name not in places:
            continue
        crm, marketing = base.crm[places[pair.name]], base.marketing[places[pair.name]]
        if not isinstance(crm, Unknown) and not isinstance(marketing, Unknown):
            kept[place] = (crm if agree(pair, crm, marketing) else _in_step(pair, marketing), marketing)
    return Base.unknown(len(new.pairs)).replaced(kept)


def _in_step(pair: FieldPair, marketing: Value) -> Value:
    try:
        return pair.carry(marketing, to=Side.CRM)
    except NotExpressibleError:
        return None
