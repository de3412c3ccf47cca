"""What a plan is made from: a claim after the look, the rules of the pass, and both together as a *case*."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tandem.core.decisions import Decision
from tandem.core.mapping import EntityMapping, FieldPair, Winner
from tandem.core.match import Contender
from tandem.core.newest import EditTimes
from tandem.core.plan import FieldWrite, Follow, InboxRef
from tandem.core.policy import EntityPolicy
from tandem.core.record import LEAD, ChangeRecord, Entity, Link, LinkNumber, RecordId, RecordKey, Side, State, Value
from tandem.core.requests import Asked
from tandem.core.settled import Settled
from tandem.core.values import same


@dataclass(frozen=True, slots=True)
class SentWrite:
    """A finished marketing write that no reading has confirmed yet."""

    journal: int
    is_create: bool
    writes: tuple[FieldWrite, ...]


@dataclass(frozen=True, slots=True)
class Merge:
    """The record that a linked record of this subject was merged into, at the end of the chain where that one was
    merged too.

    ``survivor`` is its reading (``GONE`` where it was deleted since), ``link`` its own link if it has one that is not a
    tombstone, ``counterpart`` what that link has on the other side. ``is_busy``: that link has an open action.
    """

    survivor: State
    link: Link | None = None
    counterpart: State | None = None
    is_busy: bool = False


@dataclass(frozen=True, slots=True)
class Subject:
    """One claim after the look.

    ``crm`` and ``marketing`` are present or ``GONE`` readings, None where the link has no such end. ``candidates`` are
    marketing persons that the unlinked crm record may already be, none of them linked. ``dedupe_taken``: a person with
    this e-mail exists and belongs to another record. ``key_owner``: the crm record that has the one under this
    record's key of several parts (``core.keys``). ``origin`` is the link of the lead that this contact came from.
    ``superseded``: the record lives on under another one's link; ``is_blocked``: its origin's link has an open action.
    ``merge``: one of the link's ends was merged into another record. ``rivals`` are other unlinked crm records under
    the same dedupe key; ``decision`` is what a person decided about the record's match.
    ``is_complete``: the marketing feed has been read past the moment of the marketing reading. ``refs`` are the inbox
    rows this subject uses up. ``asked``: somebody wants this person in Dynamics now.
    ``times`` tells when either side was edited, for a policy that asks;
    ``settled`` are decisions of people about its conflicts.
    """

    crm_entity: Entity
    link: Link | None = None
    crm: State | None = None
    marketing: State | None = None
    candidates: tuple[State, ...] = ()
    dedupe_taken: bool = False
    key_owner: RecordKey | None = None
    origin: Link | None = None
    superseded: bool = False
    is_blocked: bool = False
    merge: Merge | None = None
    rivals: tuple[Contender, ...] = ()
    decision: Decision | None = None
    sent: tuple[SentWrite, ...] = ()
    records: tuple[ChangeRecord, ...] = ()
    rejected: Mapping[str, Value] = field(default_factory=dict)
    is_complete: bool = True
    times: EditTimes | None = None
    settled: tuple[Settled, ...] = ()
    refs: tuple[InboxRef, ...] = ()
    follows: tuple[Follow, ...] | None = None
    crm_is_base: bool = False
    """The crm end was not read, as its version still stands for the base: what is no pair of it is not known."""
    unresolved: frozenset[str] = frozenset()
    """Pairs that show a field of another record which is not known yet; their crm value is that record's id."""
    asked: Asked | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for every subject of a pass. ``parents`` are the crm records named by others that are linked;
    ``retry_s`` is when a subject that cannot be judged yet is looked at again. ``givers``: pairs by name that a person
    has asked to be filled again, each with the side whose value goes over where the two differ."""

    sync_id: str
    mappings: Mapping[Entity, EntityMapping]
    policies: Mapping[Entity, EntityPolicy]
    parents: frozenset[RecordKey] = frozenset()
    retry_s: float = 5.0
    givers: Mapping[Entity, Mapping[str, Side]] = field(default_factory=dict)
    shown: Mapping[Entity, frozenset[str]] = field(default_factory=dict)
    """Of each crm entity the pairs that records of others show (an empty name: its place in marketing)."""


@dataclass(frozen=True, slots=True)
class Case:
    """One subject under the rules that hold for it."""

    subject: Subject
    rules: Rules
    mapping: EntityMapping
    policy: EntityPolicy
    is_closed: bool

    @property
    def link_number(self) -> LinkNumber | None:
        return self.subject.link.number if self.subject.link else None

    @property
    def is_outside(self) -> bool:
        link = self.subject.link
        is_linked = link is not None and link.marketing is not None
        return is_outside(self.mapping, self.policy, self.subject.crm, is_linked=is_linked)

    @property
    def stays_in_marketing(self) -> bool:
        """Whether nothing of this person goes to Dynamics."""
        return stays_in_marketing(self.mapping, self.policy, self.subject.marketing)

    def missing_parents(self, pair: FieldPair, value: Value) -> tuple[RecordKey, ...]:
        """The records that `value` may name, if none of them is linked yet. A number is what Marketo calls one that
        is."""
        if value is None or isinstance(value, int) or (pair.through and not self.is_unresolved(pair)):
            return ()
        keys = tuple(RecordKey(Side.CRM, parent, RecordId(str(value))) for parent in pair.parents)
        return () if any(key in self.rules.parents for key in keys) else keys

    def is_unresolved(self, pair: FieldPair) -> bool:
        return pair.name in self.subject.unresolved

    @property
    def givers(self) -> Mapping[str, Side]:
        return self.rules.givers.get(self.subject.crm_entity, {})

    def was_rejected(self, pair: FieldPair, source: Value) -> bool:
        """Whether the target refused what `source` stands for, and nothing has changed since."""
        rejected = self.subject.rejected
        return pair.name in rejected and same(rejected[pair.name], source)


def open_case(subject: Subject, rules: Rules) -> Case:
    mapping, policy = rules.mappings[subject.crm_entity], rules.policies[subject.crm_entity]
    closed = is_closed(mapping, subject.crm)
    if closed:
        policy = replace(policy, winner=Winner.CRM, first_link=Winner.CRM)
    return Case(subject, rules, mapping, policy, closed)


def is_outside(mapping: EntityMapping, policy: EntityPolicy, crm: State | None, *, is_linked: bool = False) -> bool:
    """Whether the filter keeps this crm record out of the sync."""
    chosen = policy.filter_for(is_linked=is_linked)
    if chosen is None or crm is None or not crm.is_present:
        return False
    return not chosen.passes({name: mapping.crm_value(crm.values, name) for name in chosen.fields})


def stays_in_marketing(mapping: EntityMapping, policy: EntityPolicy, marketing: State | None) -> bool:
    chosen = policy.filter_to_crm
    if chosen is None or marketing is None or not marketing.is_present:
        return False
    return not chosen.passes({name: mapping.marketing_value(marketing.values, name) for name in chosen.fields})


def is_closed(mapping: EntityMapping, crm: State | None) -> bool:
    """Whether Dynamics keeps this record as it is: a lead that is qualified or disqualified is read-only until it is
    reactivated (dataverse-web-api 5.9), and so is the loser of a merge for ever. Its own values prevail meanwhile."""
    if crm is None or not crm.is_present:
        return False
    if crm.merged_into is not None:
        return True
    if mapping.crm_entity != LEAD:
        return False
    return mapping.crm_value(crm.values, "statecode") not in (None, 0)
