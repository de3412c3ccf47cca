"""Page boundaries do not matter: whatever the size of pages, batches and claims, both sides end alike.

The same people are entered and edited in two worlds; one reads everything in one page, the other in small ones.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from tandem.core.policy import EntityPolicy
from tandem.core.record import ACCOUNT, CONTACT, LEAD, PERSON, Entity, RecordId, Side, Value
from tandem.runtime.sync_pass import run_pass
from tests.builders import World, small_policies

EMAILS = st.sampled_from([None, "ada@example.com", "Ada@example.com", "bea@example.com", "eve@example.org"])
NAMES = st.sampled_from([None, "x", "y", "z"])
FIELDS = {Side.CRM: ("firstname", "telephone1", "emailaddress1"), Side.MARKETING: ("firstName", "phone", "email")}


@dataclass(frozen=True, slots=True)
class Entered:
    """Somebody on one side. A contact may have an account; `from_lead` names the place of the lead it came from."""

    side: Side
    entity: Entity
    email: str | None
    name: str | None
    opted_out: bool
    has_account: bool
    from_lead: int | None


@dataclass(frozen=True, slots=True)
class Edited:
    side: Side
    place: int
    field: int
    value: str | None


@dataclass(frozen=True, slots=True)
class Deleted:
    side: Side
    place: int


PEOPLE = st.lists(
    st.builds(
        Entered,
        st.sampled_from(list(Side)),
        st.sampled_from([LEAD, CONTACT]),
        EMAILS,
        NAMES,
        st.booleans(),
        st.booleans(),
        st.none() | st.integers(0, 3),
    ),
    min_size=1,
    max_size=10,
)
DEEDS = st.lists(
    st.builds(Edited, st.sampled_from(list(Side)), st.integers(0, 9), st.integers(0, 2), NAMES)
    | st.builds(Deleted, st.sampled_from(list(Side)), st.integers(0, 9)),
    max_size=8,
)


def _enter(world: World, people: list[Entered]) -> None:
    world.crm.create(ACCOUNT, {"name": "Contoso"}, RecordId("a1"))
    for place, person in enumerate(people):
        if person.side is Side.MARKETING:
            values: dict[str, Value] = {"email": person.email, "firstName": person.name}
            world.marketing.create(PERSON, {**values, "unsubscribed": person.opted_out or None})
            continue
        values = {"emailaddress1": person.email, "firstname": person.name, "donotbulkemail": person.opted_out}
        if person.entity == CONTACT:
            values["parentcustomerid"] = "a1" if person.has_account else None
            values["originatingleadid"] = _id(person.from_lead) if person.from_lead is not None else None
        world.crm.create(person.entity, values, _id(place))


def _id(place: int) -> RecordId:
    return RecordId(f"00000000-0000-0000-0000-{place:012d}")


def _do(world: World, deeds: list[Edited | Deleted]) -> None:
    """Deeds are done to records that a person finds by what is in them, not by an id that the sync gave."""
    for number, deed in enumerate(deeds):
        found = _records(world, deed.side)
        if not found:
            continue
        entity, id_ = found[deed.place % len(found)]
        if isinstance(deed, Deleted):
            world.system(deed.side).delete(entity, id_)
        else:
            name = FIELDS[deed.side][deed.field]
            value = f"{deed.value}{number}@example.net" if name in ("email", "emailaddress1") else deed.value
            world.system(deed.side).edit(entity, id_, {name: value})


def _records(world: World, side: Side) -> list[tuple[Entity, RecordId]]:
    if side is Side.CRM:
        return [(entity, id_) for entity in (LEAD, CONTACT) for id_ in sorted(world.crm.records.get(entity, {}))]
    people = world.marketing.records.get(PERSON, {})
    known = [id_ for id_, values in people.items() if values.get("crmKey")]
    return [(PERSON, id_) for id_ in sorted(known, key=lambda id_: str(people[id_]["crmKey"]))]


def _settle(world: World) -> None:
    for _ in range(12):
        before = world.crm.writes + world.marketing.writes
        asyncio.run(run_pass(world.engine()))
        world.clock.advance(100)
        if world.crm.writes + world.marketing.writes == before and not world.store.load_open_rows():
            return
    raise AssertionError("R6: the passes come to no end")


def _end(world: World) -> tuple[object, ...]:
    """What both sides and the store hold, without the ids that Marketo gave."""

    def held(records: dict[RecordId, dict[str, Value]]) -> Counter[str]:
        shown = ({name: v for name, v in sorted(r.items()) if v is not None} for r in records.values())
        return Counter(map(str, shown))

    links = [link for entity in (LEAD, CONTACT, ACCOUNT) for link in world.store.iter_links(entity)]
    return (
        {entity: held(world.crm.records.get(entity, {})) for entity in (ACCOUNT, LEAD, CONTACT)},
        held(world.marketing.records.get(PERSON, {})),
        Counter((str(link.crm), link.status, link.marketing is None) for link in links),
        Counter((str(row.crm), row.field) for row in world.store.load_holds(1000)),
        Counter(
            (str(row.crm), row.conflict.kind, row.conflict.field, row.conflict.crm, row.conflict.marketing)
            for row in world.store.load_conflicts(1000)
        ),
    )


def _ran(people: list[Entered], deeds: list[Edited | Deleted], make: Callable[[], World]) -> tuple[object, ...]:
    world = make()
    _enter(world, people)
    _settle(world)
    _do(world, deeds)
    _settle(world)
    return _end(world)


@given(PEOPLE, DEEDS, st.integers(1, 7), st.integers(1, 7), st.booleans())
def test_page_boundaries_do_not_matter(
    people: list[Entered], deeds: list[Edited | Deleted], page_size: int, claim_size: int, creates_leads: bool
) -> None:
    def small() -> World:
        return World(policies=_policies(creates_leads), page_size=page_size, claim_size=claim_size)

    def large() -> World:
        return World(policies=_policies(creates_leads), page_size=1000, claim_size=1000)

    assert _ran(people, deeds, small) == _ran(people, deeds, large)


def _policies(creates_leads: bool) -> dict[Entity, EntityPolicy]:
    return small_policies(create_in_crm=LEAD) if creates_leads else small_policies()
