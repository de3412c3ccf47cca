"""Both sides as they are, read through the emulators' control APIs, and what people typed into them.

Simulated people and the judge share this picture and the tables below. They share nothing with mapping, store or
verify: which field is which, and what a choice is called, is read here a second time, so that a mistake in the
product cannot excuse itself.
"""

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tandem.app.demo.services import Control

CRM: Final = "crm"
MARKETING: Final = "marketing"
PERSON_KEYS: Final = ("externalPersonId", "tandemCrmId")
COMPANY_KEY: Final = "externalCompanyId"
SALESPERSON_KEY: Final = "externalSalesPersonId"

_GUID: Final = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")

Record = Mapping[str, Any]
Records = Mapping[str, Record]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two fields that must say the same. `labels` are the words of a choice that Marketo holds as text; a flag that
    is empty is not set."""

    crm: str
    marketing: str
    labels: Mapping[int, str] | None = None
    is_flag: bool = False

    def crm_reading(self, record: Record) -> object:
        value = self._plain(record.get(self.crm))
        if self.labels is not None and isinstance(value, int):
            return self.labels.get(value, f"choice {value}")
        return value

    def marketing_reading(self, record: Record) -> object:
        return self._plain(record.get(self.marketing))

    def reading(self, side: str, record: Record) -> object:
        return self.crm_reading(record) if side == CRM else self.marketing_reading(record)

    def reading_of(self, side: str, value: object) -> object:
        """A single value as `side` would show it."""
        return self.reading(side, {self.crm if side == CRM else self.marketing: value})

    def _plain(self, value: object) -> object:
        if self.is_flag:
            return bool(value)
        if value == "":
            return None
        if isinstance(value, str) and is_guid(value):
            return value.lower()
        return value


LEAD_SOURCES: Final = {
    1: "Advertisement", 2: "Employee Referral", 3: "External Referral", 4: "Partner", 5: "Public Relations",
    6: "Seminar", 7: "Trade Show", 8: "Web", 9: "Word of Mouth", 10: "Other",
}  # fmt: skip
RATINGS: Final = {1: "Hot", 2: "Warm", 3: "Cold"}

_PEOPLE: Final = (
    Pair("salutation", "salutation"),
    Pair("firstname", "firstName"),
    Pair("lastname", "lastName"),
    Pair("emailaddress1", "email"),
    Pair("jobtitle", "title"),
    Pair("telephone1", "phone"),
    Pair("mobilephone", "mobilePhone"),
    Pair("address1_line1", "address"),
    Pair("address1_city", "city"),
    Pair("address1_stateorprovince", "state"),
    Pair("address1_postalcode", "postalCode"),
    Pair("address1_country", "country"),
    Pair("donotphone", "doNotCall", is_flag=True),
    Pair("donotbulkemail", "unsubscribed", is_flag=True),
)
PAIRS: Final[Mapping[str, tuple[Pair, ...]]] = {
    "lead": (
        *_PEOPLE,
        Pair("fax", "fax"),
        Pair("leadsourcecode", "leadSource", LEAD_SOURCES),
        Pair("leadqualitycode", "rating", RATINGS),
    ),
    "contact": (*_PEOPLE, Pair("accountid", COMPANY_KEY)),
    "account": (
        Pair("name", "company"),
        Pair("telephone1", "mainPhone"),
        Pair("address1_line1", "billingStreet"),
        Pair("address1_city", "billingCity"),
        Pair("address1_postalcode", "billingPostalCode"),
        Pair("address1_country", "billingCountry"),
        Pair("websiteurl", "website"),
        Pair("sic", "sicCode"),
        Pair("numberofemployees", "numberOfEmployees"),
    ),
}


def find_pair(entity: str, field: str) -> Pair:
    """The pair of a crm entity that has `field` on either side."""
    return next(pair for pair in PAIRS[entity] if field in (pair.crm, pair.marketing))


@dataclass(frozen=True, slots=True)
class Typed:
    """One value that somebody typed. `round` counts the passes before it; equal rounds mean no pass in between."""

    round: int
    side: str
    entity: str
    id: str
    field: str
    value: object


@dataclass(slots=True)
class Deeds:
    """Everything that people did: values typed in order, and (side, id) of records they made and removed."""

    typed: list[Typed] = field(default_factory=list)
    made: set[tuple[str, str]] = field(default_factory=set)
    removed: set[tuple[str, str]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class World:
    """All records of both sides at one moment, by entity and id (GUIDs in lower case)."""

    crm: Mapping[str, Records]
    marketing: Mapping[str, Records]

    def crm_persons(self) -> dict[str, tuple[str, Record]]:
        """Leads and contacts, each once: a qualified lead and its contact are one person, a merged record is none."""
        contacts = self.crm["contact"]
        qualified = {str(record.get("originatingleadid")).lower() for record in contacts.values()}
        persons = {key: ("contact", record) for key, record in contacts.items() if not record.get("merged")}
        for key, record in self.crm["lead"].items():
            if key not in qualified and not record.get("merged"):
                persons[key] = ("lead", record)
        return persons

    def persons_by_key(self) -> dict[str, list[str]]:
        """Ids of the Marketo persons that carry each CRM key."""
        found: dict[str, list[str]] = {}
        for record_id, record in self.marketing["person"].items():
            if key := crm_key(record):
                found.setdefault(key, []).append(record_id)
        return found

    def companies_by_key(self) -> dict[str, Record]:
        return _by_key(self.marketing["company"], COMPANY_KEY)

    def salespersons_by_key(self) -> dict[str, Record]:
        return _by_key(self.marketing["salesperson"], SALESPERSON_KEY)

    def iter_linked(self) -> Iterator[tuple[str, str, Record, Record]]:
        """(crm entity, crm id, crm record, marketing record) of everything that the keys in Marketo join."""
        people = self.marketing["person"]
        keyed = self.persons_by_key()
        for key, (entity, record) in self.crm_persons().items():
            for person in keyed.get(key, ()):
                yield entity, key, record, people[person]
        companies = self.companies_by_key()
        for key, record in self.crm["account"].items():
            if key in companies:
                yield "account", key, record, companies[key]


async def load_world(crm: Control, marketing: Control) -> World:
    crm_entities = ("lead", "contact", "account", "systemuser", "team")
    objects = ("person", "company", "salesperson")
    dumps = await asyncio.gather(
        *(crm.records(entity) for entity in crm_entities), *(marketing.records(name) for name in objects)
    )
    return World(
        crm={
            entity: {str(record[f"{entity}id"]).lower(): record for record in dump}
            for entity, dump in zip(crm_entities, dumps[: len(crm_entities)], strict=True)
        },
        marketing={
            name: {str(record["id"]): record for record in dump}
            for name, dump in zip(objects, dumps[len(crm_entities) :], strict=True)
        },
    )


def is_guid(text: str) -> bool:
    return _GUID.fullmatch(text) is not None


def crm_key(person: Record) -> str | None:
    found = next((person[name] for name in PERSON_KEYS if person.get(name)), None)
    return None if found is None else str(found).lower()


def _by_key(records: Records, name: str) -> dict[str, Record]:
    return {str(record[name]).lower(): record for record in records.values() if record.get(name)}
