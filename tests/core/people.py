"""Readings, links and subjects of small people, for the planner's tables: a test names only what matters to it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tandem.core.mapping import EntityMapping
from tandem.core.plan import Action, FieldWrite, InboxRef, LinkPlan, Plan
from tandem.core.planner import plan_pass
from tandem.core.policy import EntityPolicy
from tandem.core.record import (
    ACCOUNT,
    CONTACT,
    LEAD,
    PERSON,
    UNKNOWN,
    Base,
    Entity,
    Half,
    Link,
    LinkNumber,
    LinkStatus,
    Presence,
    ReadNumber,
    RecordId,
    RecordKey,
    Side,
    State,
    Value,
    Version,
)
from tandem.core.subject import Rules, Subject
from tests.builders import small_mappings, small_policies

MAPPINGS = small_mappings()
TYPES = {LEAD: "Lead", CONTACT: "Contact", ACCOUNT: "Account"}
ADA: Mapping[str, Value] = {"firstname": "Ada", "lastname": "Lovelace", "emailaddress1": "ada@example.com"}
"""What both sides hold of the person of these tables, by crm field."""


def crm_key(id_: str = "c1", entity: Entity = CONTACT) -> RecordKey:
    return RecordKey(Side.CRM, entity, RecordId(id_))


def person_key(id_: str = "1") -> RecordKey:
    return RecordKey(Side.MARKETING, PERSON, RecordId(id_))


def in_crm(id_: str = "c1", entity: Entity = CONTACT, version: str = "v1", **values: Value) -> State:
    """Ada in crm; `values` by crm field are hers instead."""
    held: dict[str, Value] = {"@id": id_, "@type": TYPES[entity], "@deleted": False, **ADA, **values}
    shape = MAPPINGS[entity].crm_fields
    return State(crm_key(id_, entity), ReadNumber(5), tuple(held.get(name) for name in shape), Version(version))


def in_marketing(id_: str = "1", key: str | None = "c1", entity: Entity = CONTACT, **values: Value) -> State:
    """Ada in marketing, in step with ``in_crm``; `values` by marketing field are hers instead."""
    pairs = MAPPINGS[entity].pairs
    known = {"@id": key, "@type": TYPES[entity] if key else None, "@deleted": False, **ADA}
    held: dict[str, Value] = {pair.marketing: known.get(pair.crm) for pair in pairs}
    held["unsubscribed"] = False
    shape = MAPPINGS[entity].marketing_fields
    return State(person_key(id_), ReadNumber(5), tuple({**held, **values}.get(name) for name in shape))


def gone(key: RecordKey, merged_into: str | None = None) -> State:
    survivor = RecordId(merged_into) if merged_into else None
    return State(key, ReadNumber(5), presence=Presence.GONE, merged_into=survivor)


def base_of(crm: State, marketing: State, mapping: EntityMapping | None = None) -> Base:
    """The base of two records that agree."""
    used = mapping or MAPPINGS[crm.key.entity]
    return Base(used.crm_values(crm.values), used.marketing_values(marketing.values))


def a_link(
    crm: State | None = None,
    marketing: State | None = None,
    status: LinkStatus = LinkStatus.LIVE,
    number: int = 1,
    entity: Entity = CONTACT,
) -> Link:
    """A link of two records that agreed as they are here; one end alone makes a pending one without a base."""
    if crm is None or marketing is None:
        base = Base.unknown(len(MAPPINGS[entity].pairs))
        ends = crm.key if crm else None, marketing.key if marketing else None
        return Link(LinkNumber(number), *ends, base, LinkStatus.PENDING)
    return Link(LinkNumber(number), crm.key, marketing.key, base_of(crm, marketing), status, crm_version=crm.version)


def ada_linked(entity: Entity = CONTACT) -> Link:
    return a_link(in_crm(entity=entity), in_marketing(entity=entity), entity=entity)


def rules(policies: Mapping[Entity, EntityPolicy] | None = None, parents: Sequence[RecordKey] = ()) -> Rules:
    return Rules("test", MAPPINGS, policies or small_policies(), frozenset(parents), retry_s=5.0)


def subject(link: Link | None = None, crm: State | None = None, marketing: State | None = None, **more: Any) -> Subject:
    """A subject whose two readings are inbox rows that it uses up."""
    key = crm.key if crm else link.crm if link else None
    refs = tuple(InboxRef(state.key, state.read_number) for state in (crm, marketing) if state)
    entity = key.entity if key else LEAD
    return replace(Subject(entity, link, crm, marketing, refs=refs), **more)


def plan(
    *subjects: Subject, policies: Mapping[Entity, EntityPolicy] | None = None, parents: Sequence[RecordKey] = ()
) -> Plan:
    return plan_pass(subjects, rules(policies, parents))


def planned(given: Subject, **more: Any) -> LinkPlan:
    """The one link plan that `given` comes to."""
    made = plan(given, **more)
    assert not made.ignored
    assert not made.deferred
    (link,) = made.links
    assert link.consumed == given.refs
    return link


def ignored(given: Subject, **more: Any) -> bool:
    return plan(given, **more) == Plan(ignored=given.refs)


def deferred(given: Subject, **more: Any) -> float | None:
    """For how long `given` is put off; None if it is not."""
    made = plan(given, **more)
    if made.links or made.ignored:
        return None
    assert [ref for ref, _ in made.deferred] == list(given.refs)
    return made.deferred[0][1]


def written(link: LinkPlan, side: Side) -> dict[str, Value]:
    """What `link` would write to `side`, by field."""
    return {write.field: write.after for action in link.actions if action.side is side for write in action.writes}


def the_action(link: LinkPlan) -> Action:
    (action,) = link.actions
    return action


def half_of(link: LinkPlan, side: Side, name: str) -> Half:
    """The base's value of the pair whose crm field is `name`, as a tuple of one."""
    place = [pair.crm for pair in MAPPINGS[link.crm_entity].pairs].index(name)
    half = link.base.crm if side is Side.CRM else link.base.marketing
    return (half[place],)


def is_unknown(base: Base) -> bool:
    return all(value is UNKNOWN for value in (*base.crm, *base.marketing))


def a_write(crm: str, before: Value, after: Value, entity: Entity = CONTACT) -> FieldWrite:
    """A finished write of crm's value `after` to marketing, of the pair whose crm field is `crm`."""
    pair = next(pair for pair in MAPPINGS[entity].pairs if pair.crm == crm)
    return FieldWrite(pair.name, pair.marketing, before, after, after, "changed in crm")
