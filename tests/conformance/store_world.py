"""Small readings, links and plans for the store's contract: a test shows only what matters to it."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from hypothesis import HealthCheck, settings

from tandem.core.mapping import Winner
from tandem.core.plan import Action, ActionKind, Conflict, ConflictKind, FieldWrite, InboxRef, LinkPlan, Plan
from tandem.core.record import (
    ACCOUNT,
    CONTACT,
    LEAD,
    PERSON,
    Base,
    ChangeRecord,
    Cursor,
    Entity,
    Lane,
    Link,
    LinkNumber,
    LinkStatus,
    Presence,
    ReadNumber,
    RecordId,
    RecordKey,
    Side,
    State,
    Values,
    Version,
)
from tandem.ports import Claim, JournalRow, JournalState, Outcome, Store

# Examples share a store, and the three stores share a test: both do no harm where no example meets another's records.
each_example_uses_records_of_its_own = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors]
)

OpenStore: TypeAlias = Callable[[], Store]

NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
NAME, EMAIL = "firstname|firstName", "emailaddress1|email"
PAIRS = {LEAD: (NAME, EMAIL), CONTACT: (NAME, EMAIL), ACCOUNT: ("name|company",)}
FIELDS: dict[tuple[Side, Entity], Sequence[str]] = {
    (Side.CRM, LEAD): ("firstname", "emailaddress1"),
    (Side.CRM, CONTACT): ("firstname", "emailaddress1"),
    (Side.CRM, ACCOUNT): ("name",),
    (Side.MARKETING, PERSON): ("firstName", "email", "crmKey"),
}
ANN: Values = ("Ann", "ann@example.com")


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def lead(id_: str) -> RecordKey:
    return RecordKey(Side.CRM, LEAD, RecordId(id_))


def contact(id_: str) -> RecordKey:
    return RecordKey(Side.CRM, CONTACT, RecordId(id_))


def account(id_: str) -> RecordKey:
    return RecordKey(Side.CRM, ACCOUNT, RecordId(id_))


def person(id_: str) -> RecordKey:
    return RecordKey(Side.MARKETING, PERSON, RecordId(id_))


def a_state(key: RecordKey, read_number: int, values: Values = ANN, **more: Any) -> State:
    return State(key, ReadNumber(read_number), values, **more)


def suspect(key: RecordKey, read_number: int) -> State:
    return State(key, ReadNumber(read_number), presence=Presence.SUSPECT)


def save(
    store: Store,
    *states: State,
    cursor: str | None = None,
    search: dict[str, tuple[str, str]] | None = None,
    lane: Lane = Lane.NORMAL,
) -> int:
    """One page of readings of one entity."""
    side, entity = states[0].key.side, states[0].key.entity
    found = {RecordId(id_): keys for id_, keys in (search or {}).items()}
    mark = Cursor(cursor) if cursor else None
    return store.save_page(side, entity, states, [], mark, complete_until=None, search=found, lane=lane)


def save_records(store: Store, *records: ChangeRecord) -> None:
    store.save_page(Side.MARKETING, PERSON, [], records, None, complete_until=None, search={})


def claim(store: Store, limit: int = 10, now: datetime = NOW) -> Sequence[Claim]:
    return store.claim(PERSON, [ACCOUNT, CONTACT, LEAD], limit, now)


def a_base(crm: Values = ANN, marketing: Values = ANN) -> Base:
    return Base(crm, marketing)


def a_write(pair: str = NAME, after: str | None = "Anna", source: str | None = "Anna") -> FieldWrite:
    return FieldWrite(pair, pair.split("|")[1], "Ann", after, source, "changed in crm")


def an_update(key: RecordKey, *writes: FieldWrite) -> Action:
    return Action(key.side, key.entity, ActionKind.UPDATE, key.id, writes or (a_write(),), Version("v1"))


def a_delete(key: RecordKey, *writes: FieldWrite) -> Action:
    return Action(key.side, key.entity, ActionKind.DELETE, key.id, writes or (a_write(),), Version("v1"))


def a_create(side: Side = Side.MARKETING, *writes: FieldWrite) -> Action:
    entity = PERSON if side is Side.MARKETING else LEAD
    return Action(side, entity, ActionKind.CREATE, None, writes or (a_write(),), lookup="email")


def a_conflict(winner: Winner = Winner.HOLD, field: str = NAME, crm: str = "Anna") -> Conflict:
    return Conflict(ConflictKind.BOTH_CHANGED, field, "Ann", "Ann", crm, "Anne", winner, "both changed")


def a_link_plan(crm: RecordKey | None = None, marketing: RecordKey | None = None, **more: Any) -> LinkPlan:
    entity = crm.entity if crm else LEAD
    size = len(PAIRS[entity])
    status = LinkStatus.LIVE if crm and marketing else LinkStatus.PENDING
    defaults = {"title": "Ann", "crm_entity": entity, "link": None, "status": status, "base": Base.unknown(size)}
    return LinkPlan(crm=crm, marketing=marketing, **(defaults | more))


def again(link: Link, **more: Any) -> LinkPlan:
    """A plan for a known link that leaves it as it is, but for what is given."""
    known: dict[str, Any] = {
        "link": link.number,
        "crm": link.crm,
        "marketing": link.marketing,
        "status": link.status,
        "base": link.base,
        "crm_version": link.crm_version,
    }
    return a_link_plan(**(known | more))


def commit(store: Store, *links: LinkPlan, now: datetime = NOW) -> Sequence[JournalRow]:
    return store.commit_plan(Plan(links=links), "run-1", now)


def a_link(store: Store, crm: RecordKey | None, marketing: RecordKey | None = None, **more: Any) -> Link:
    """A stored link."""
    commit(store, a_link_plan(crm, marketing, **more))
    key = crm or marketing
    assert key is not None
    return link_of(store, key)


def link_of(store: Store, key: RecordKey) -> Link:
    return store.find_links(key.side, key.entity, [key.id])[key.id]


def load_link(store: Store, number: LinkNumber) -> Link:
    return store.load_links([number])[number]


def an_open_row(store: Store, link: Link, *actions: Action) -> JournalRow:
    """A row of `link` that has been sent."""
    assert link.marketing is not None or actions
    rows = commit(store, again(link, actions=actions or (an_update(link.marketing or person("1")),)))
    store.mark_sent([row.number for row in rows], NOW)
    return rows[0]


def finish(store: Store, row: JournalRow, state: JournalState = JournalState.DONE, **more: Any) -> None:
    store.record_outcomes([Outcome(row.number, state, **more)], later(1))


def a_record(guid: str, key: RecordKey, at: datetime = NOW, **more: Any) -> ChangeRecord:
    return ChangeRecord(guid, key, at, **more)


def ref(state: State) -> InboxRef:
    return InboxRef(state.key, state.read_number)


def keys_of(claims: Sequence[Claim]) -> list[RecordKey | None]:
    """What each claim was met by: its crm row, else its marketing row."""
    return [state.key if (state := found.crm or found.marketing) else None for found in claims]


def refs_of(claims: Sequence[Claim]) -> list[InboxRef]:
    """All rows the claims took."""
    return [ref(state) for found in claims for state in (found.crm, found.marketing) if state]
