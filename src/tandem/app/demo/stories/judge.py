"""The judge of a story: it knows what both sides hold and which records people made, not how we sync.

Every record in Dynamics has exactly one counterpart that says the same, nothing in Marketo speaks of a record that is
not there, and nobody was made beside the one that should have been used. What a story's rules ask to be different the
story has told, and it must then be different.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from tandem.app.demo.services import Control
from tandem.app.demo.stories.finding import Finding
from tandem.app.demo.stories.sales_judge import OPPORTUNITIES, find_wrong_roles
from tandem.app.demo.stories.scene import Apart
from tandem.app.demo.stories.watch import Watch
from tandem.app.demo.world import CRM, MARKETING, PAIRS, SALESPERSON_KEY, Pair, World, crm_key, is_guid, load_world

Record = Mapping[str, Any]

OWNER: Final = Pair("ownerid", SALESPERSON_KEY)
SALES_PERSONS: Final = (
    Watch(
        "systemuser",
        "salesperson",
        SALESPERSON_KEY,
        (Pair("internalemailaddress", "email"), Pair("firstname", "firstName"), Pair("lastname", "lastName")),
    ),
    Watch("team", "salesperson", SALESPERSON_KEY, (Pair("name", "lastName"),)),
)


async def differences(
    crm: Control, marketing: Control, watches: Iterable[Watch], apart: Iterable[Apart], made: set[tuple[str, str]]
) -> list[str]:
    """Sentences with ids and names of fields. `watches` are the further kinds of records that the story is about."""
    world = await load_world(crm, marketing)
    found = [*_people(world), *_companies(world), *_sales_persons(world), *_made_in_vain(world, made)]
    found += await find_differences(crm, marketing, watches)
    told = {(each.crm_id, each.field): each.why for each in apart}
    there = {(finding.crm_id, finding.field) for finding in found}
    lines = [str(finding) for finding in found if (finding.crm_id, finding.field) not in told]
    lines += [f"not apart, although {why}: {place[0]}" for place, why in told.items() if place not in there]
    return sorted(lines)


async def find_differences(crm: Control, marketing: Control, watches: Iterable[Watch]) -> list[Finding]:
    """Of the further kinds of records alone."""
    found: list[Finding] = []
    for watch in watches:
        found += _of_watch(watch, await crm.records(watch.entity), await marketing.records(watch.object))
        if watch is OPPORTUNITIES:
            found += await find_wrong_roles(crm, marketing, await load_world(crm, marketing))
    return found


def _people(world: World) -> Iterator[Finding]:
    keyed = world.persons_by_key()
    persons = world.crm_persons()
    for key, (entity, record) in persons.items():
        carriers = keyed.get(key, [])
        if not carriers:
            yield Finding(key, None, f"{entity} without a person")
        if len(carriers) > 1:
            yield Finding(key, None, f"{entity} with {len(carriers)} people")
        for carrier in carriers:
            yield from _unequal(key, (*PAIRS[entity], OWNER), record, world.marketing["person"][carrier])
    for key in keyed.keys() - persons.keys():
        for person in keyed[key]:
            record = world.marketing["person"][person]
            if not record.get("microsoftIsDeleted") and not _is_merged(world, key):
                yield Finding(key, None, "person of a record that is gone")


def _is_merged(world: World, key: str) -> bool:
    """The loser of a merge in Dynamics stays there, inactive, and so does its person."""
    return any(key in world.crm[entity] and world.crm[entity][key].get("merged") for entity in ("lead", "contact"))


def _companies(world: World) -> Iterator[Finding]:
    pairs = (*PAIRS["account"], OWNER)
    watch = Watch("account", "company", "externalCompanyId", pairs, lambda record: not record.get("merged"))
    yield from _of_watch(watch, world.crm["account"].values(), world.marketing["company"].values())


def _sales_persons(world: World) -> Iterator[Finding]:
    """Users and teams share one object, so that the keys of both are known before one is found too much."""
    keys = {**world.crm["systemuser"], **world.crm["team"]}.keys()
    by_key = world.salespersons_by_key()
    for watch in SALES_PERSONS:
        for key, record in world.crm[watch.entity].items():
            if key in by_key:
                yield from _unequal(key, watch.pairs, record, by_key[key])
            elif watch.entity == "systemuser" and record.get("accessmode") == 0 and not record.get("isdisabled"):
                yield Finding(key, None, "user without a sales person")
    for key in filter(is_guid, by_key.keys() - keys):
        yield Finding(key, None, "sales person of nobody")


def _of_watch(watch: Watch, crm: Iterable[Record], marketing: Iterable[Record]) -> Iterator[Finding]:
    carriers: dict[str, list[Record]] = {}
    for record in marketing:
        if record.get(watch.key):
            carriers.setdefault(str(record[watch.key]).lower(), []).append(record)
    records = {str(record[f"{watch.entity}id"]).lower(): record for record in crm}
    for key, record in records.items():
        found = carriers.get(key, [])
        if len(found) != 1 and (found or watch.is_wanted(record)):
            yield Finding(key, None, f"{watch.entity} with {len(found)} of {watch.object}")
        for carrier in found:
            yield from _unequal(key, watch.pairs, record, carrier)
    for key in filter(is_guid, carriers.keys() - records.keys()):  # any other key is a person's own
        yield Finding(key, None, f"{watch.object} of a record that is gone")


def _unequal(key: str, pairs: Iterable[Pair], record: Record, counterpart: Record) -> Iterator[Finding]:
    for pair in pairs:
        if pair.crm_reading(record) != pair.marketing_reading(counterpart):
            yield Finding(key, pair.crm, "differs")


def _made_in_vain(world: World, made: set[tuple[str, str]]) -> Iterator[Finding]:
    """Records that no person made and that stand for nobody a person made."""
    carried = world.persons_by_key()
    for person, record in world.marketing["person"].items():
        if (MARKETING, person) not in made and crm_key(record) is None:
            yield Finding(person, None, "person that nobody made")
    for entity in ("lead", "contact"):
        for key in world.crm[entity]:
            if (CRM, key) not in made and not any((MARKETING, person) in made for person in carried.get(key, ())):
                yield Finding(key, None, f"{entity} that nobody made")
