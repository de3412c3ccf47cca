"""The judge of a story: it knows what both sides hold and which records people made, not how we sync.

Every record in Dynamics has exactly one counterpart that says the same, nothing in Marketo speaks of a record that is
not there, and nobody was made beside the one that should have been used. What a story's rules ask to be different the
story has told, and it must then be different.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tandem.app.demo.stories.scene import Apart
from tandem.app.demo.stories.watch import Watch
from tandem.app.demo.world import CRM, MARKETING, PAIRS, SALESPERSON_KEY, Pair, World, crm_key

Record = Mapping[str, Any]

SALES_PERSONS = (
    Watch(
        "systemuser",
        "salesperson",
        SALESPERSON_KEY,
        (Pair("internalemailaddress", "email"), Pair("firstname", "firstName"), Pair("lastname", "lastName")),
    ),
    Watch("team", "salesperson", SALESPERSON_KEY, (Pair("name", "lastName"),)),
)


@dataclass(frozen=True, slots=True)
class _Finding:
    """Something wrong: about one column of a record, or about the record as a whole."""

    crm_id: str
    field: str | None
    what: str

    def __str__(self) -> str:
        return f"{self.what}: {self.crm_id}" + (f" {self.field}" if self.field else "")


def differences(
    world: World,
    watched: Sequence[tuple[Watch, Sequence[Record], Sequence[Record]]],
    apart: Iterable[Apart],
    made: set[tuple[str, str]],
) -> list[str]:
    """Sentences with ids and names of fields. `watched` are the further kinds with the records of both sides."""
    found = [*_people(world), *_companies(world), *_sales_persons(world), *_made_in_vain(world, made)]
    for watch, crm, marketing in watched:
        found += _of_watch(watch, crm, marketing)
    told = {(each.crm_id, each.field) for each in apart}
    there = {(finding.crm_id, finding.field) for finding in found}
    lines = [str(finding) for finding in found if (finding.crm_id, finding.field) not in told]
    lines += [
        f"not apart, although {each.why}: {each.crm_id}" for each in apart if (each.crm_id, each.field) not in there
    ]
    return sorted(lines)


def _people(world: World) -> Iterator[_Finding]:
    keyed = world.persons_by_key()
    persons = world.crm_persons()
    for key, (entity, record) in persons.items():
        carriers = keyed.get(key, [])
        if not carriers:
            yield _Finding(key, None, f"{entity} without a person")
        if len(carriers) > 1:
            yield _Finding(key, None, f"{entity} with {len(carriers)} people")
        for carrier in carriers:
            yield from _unequal(key, PAIRS[entity], record, world.marketing["person"][carrier])
    for key in keyed.keys() - persons.keys():
        for person in keyed[key]:
            record = world.marketing["person"][person]
            if not record.get("microsoftIsDeleted") and not _is_merged(world, key):
                yield _Finding(key, None, "person of a record that is gone")


def _is_merged(world: World, key: str) -> bool:
    """The loser of a merge in Dynamics stays there, inactive, and so does its person."""
    return any(key in world.crm[entity] and world.crm[entity][key].get("merged") for entity in ("lead", "contact"))


def _companies(world: World) -> Iterator[_Finding]:
    watch = Watch("account", "company", "externalCompanyId", PAIRS["account"], lambda record: not record.get("merged"))
    yield from _of_watch(watch, world.crm["account"].values(), world.marketing["company"].values())


def _sales_persons(world: World) -> Iterator[_Finding]:
    """Users and teams share one object, so that the keys of both are known before one is found too much."""
    keys = {**world.crm["systemuser"], **world.crm["team"]}.keys()
    by_key = world.salespersons_by_key()
    for watch in SALES_PERSONS:
        for key, record in world.crm[watch.entity].items():
            if key in by_key:
                yield from _unequal(key, watch.pairs, record, by_key[key])
            elif watch.entity == "systemuser" and record.get("accessmode") == 0 and not record.get("isdisabled"):
                yield _Finding(key, None, "user without a sales person")
    for key in by_key.keys() - keys:
        yield _Finding(key, None, "sales person of nobody")


def _of_watch(watch: Watch, crm: Iterable[Record], marketing: Iterable[Record]) -> Iterator[_Finding]:
    carriers: dict[str, list[Record]] = {}
    for record in marketing:
        if record.get(watch.key):
            carriers.setdefault(str(record[watch.key]).lower(), []).append(record)
    records = {str(record[f"{watch.entity}id"]).lower(): record for record in crm}
    for key, record in records.items():
        found = carriers.get(key, [])
        if len(found) != 1 and (found or watch.is_wanted(record)):
            yield _Finding(key, None, f"{watch.entity} with {len(found)} of {watch.object}")
        for carrier in found:
            yield from _unequal(key, watch.pairs, record, carrier)
    for key in carriers.keys() - records.keys():
        yield _Finding(key, None, f"{watch.object} of a record that is gone")


def _unequal(key: str, pairs: Iterable[Pair], record: Record, counterpart: Record) -> Iterator[_Finding]:
    for pair in pairs:
        if pair.crm_reading(record) != pair.marketing_reading(counterpart):
            yield _Finding(key, pair.crm, "differs")


def _made_in_vain(world: World, made: set[tuple[str, str]]) -> Iterator[_Finding]:
    """Records that no person made and that stand for nobody a person made."""
    carried = world.persons_by_key()
    for person, record in world.marketing["person"].items():
        if (MARKETING, person) not in made and crm_key(record) is None:
            yield _Finding(person, None, "person that nobody made")
    for entity in ("lead", "contact"):
        for key in world.crm[entity]:
            if (CRM, key) not in made and not any((MARKETING, person) in made for person in carried.get(key, ())):
                yield _Finding(key, None, f"{entity} that nobody made")
