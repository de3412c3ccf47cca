"""Reading a page and planning its records: the compiled path against the obvious one, on the same rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks.naive import changed_fields, read_page
from benchmarks.table import Line, best_us
from tandem.connectors.dynamics.connector import DynamicsConnector
from tandem.connectors.dynamics.wire import RowShape
from tandem.core.planner import plan_pass
from tandem.core.record import CONTACT, PERSON, Link, RecordId, Side, State
from tandem.core.subject import Rules, Subject
from tandem.runtime.engine import Engine
from tandem.runtime.extract import read_by_id

_ROWS = 5000
_CHANGED_EVERY = 10


@dataclass(frozen=True, slots=True)
class Linked:
    """A link with what both sides hold of it now."""

    link: Link
    crm: State
    marketing: State


async def load_linked(engine: Engine) -> list[Linked]:
    """Every linked contact with both its records."""
    links = {link.crm.id: link for link in engine.store.iter_links(CONTACT) if link.crm and link.marketing}
    crm = {state.key.id: state for state in await read_by_id(engine, Side.CRM, CONTACT, list(links))}
    people = [link.marketing.id for link in links.values() if link.marketing]
    marketing = {state.key.id: state for state in await read_by_id(engine, Side.MARKETING, PERSON, people)}
    found = [
        Linked(link, crm[id_], marketing[link.marketing.id])
        for id_, link in links.items()
        if link.marketing and crm[id_].is_present and marketing[link.marketing.id].is_present
    ]
    return [linked for linked in found if linked.link.base.crm]


def measure_planning(engine: Engine, linked: Sequence[Linked]) -> list[Line]:
    """The plan of a page in which every tenth contact got another job title."""
    mapping = engine.mappings[CONTACT]
    title = mapping.crm_fields.index("jobtitle")
    page = [_retitled(one, title, f"Title {n}") if n % _CHANGED_EVERY == 0 else one for n, one in _repeated(linked)]
    subjects = [Subject(CONTACT, one.link, one.crm, one.marketing) for one in page]
    rules = Rules(engine.settings.sync_id, engine.mappings, engine.policies)
    records = [
        (
            dict(zip(mapping.names, zip(one.link.base.crm, one.link.base.marketing, strict=True), strict=True)),
            dict(zip(mapping.crm_fields, one.crm.values, strict=True)),
            dict(zip(mapping.marketing_fields, one.marketing.values, strict=True)),
        )
        for one in page
    ]

    def naive() -> int:
        return sum(bool(changed_fields(mapping.pairs, *record)) for record in records)

    def compiled() -> int:
        return sum(bool(link.actions) for link in plan_pass(subjects, rules).links)

    assert compiled() == naive(), "the two ways disagree about what changed"
    what = f"plan a linked contact of {len(mapping.pairs)} pairs, one in {_CHANGED_EVERY} changed"
    return [Line(what, best_us(compiled, _ROWS), "µs a record", "dictionaries, no reasons kept", best_us(naive, _ROWS))]


async def measure_reading(crm: DynamicsConnector, fields: Sequence[str]) -> list[Line]:
    """A page of contacts from JSON to values."""
    table = await crm._table(CONTACT)
    shape = RowShape(table, fields)
    answer = await crm._client.get("read contacts", f"contacts?$select={shape.select}&$top=500")
    rows = answer.body.count(b"@odata.etag")
    names = {name: table.read_name(name) for name in fields if not name.startswith("@")}

    def compiled() -> int:
        return len(shape.parse_page(answer.body, "read contacts").readings)

    def naive() -> int:
        return len(read_page(answer.body, names))

    assert compiled() == naive() == rows
    what = f"read a contact of {len(fields)} columns from a page"
    return [Line(what, best_us(compiled, rows), "µs a row", "json and dictionaries", best_us(naive, rows))]


def _repeated(linked: Sequence[Linked]) -> list[tuple[int, Linked]]:
    return [(number, linked[number % len(linked)]) for number in range(_ROWS)]


def _retitled(one: Linked, place: int, title: str) -> Linked:
    values = (*one.crm.values[:place], title, *one.crm.values[place + 1 :])
    return replace(one, crm=replace(one.crm, values=values))


def people_of_their_own(engine: Engine, linked: Sequence[Linked]) -> list[State]:
    """As many contacts as the table is made of, each with an id and an address of its own."""
    fields = engine.mappings[CONTACT].crm_fields
    people = []
    for number, one in _repeated(linked):
        id_ = f"00000000-0000-4000-8000-{number:012d}"
        own = {"@id": id_, "emailaddress1": f"person{number}@bench.example"}
        values = tuple(own.get(name, value) for name, value in zip(fields, one.crm.values, strict=True))
        people.append(replace(one.crm, key=replace(one.crm.key, id=RecordId(id_)), values=values))
    return people
