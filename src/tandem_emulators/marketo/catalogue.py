"""The fields of leads and of program members: the recorded standard ones, and the custom ones made since.

Field ids and names are what describe says; names are found without regard to case, as two fields may not differ in
case alone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from importlib.resources import files

import msgspec

from tandem_emulators.marketo.fields import Field
from tandem_emulators.marketo.store import Store, encode

# Fields that may be looked up by besides the custom ones, with or without a column of that name here (3.2).
STANDARD_SEARCHABLE = (
    "cookies", "email", "facebookId", "id", "leadPartitionId", "linkedInId", "sfdcAccountId", "sfdcContactId",
    "sfdcLeadId", "sfdcLeadOwnerId", "sfdcOpptyId", "twitterId",
)  # fmt: skip
SEARCHABLE_TYPES = frozenset({"string", "email", "integer"})
EXTERNAL_PERSON_ID = "externalPersonId"
FIRST_CUSTOM_ID = 1001
_COMPANY_IDS = range(4, 21)
_SCORES = frozenset({"leadScore", "relativeScore"})


def load_json(name: str) -> bytes:
    return files("tandem_emulators.marketo").joinpath("data", name).read_bytes()


class FieldSet:
    """The fields of one object, kept in a table of their own."""

    def __init__(self, store: Store, table: str, standard: Iterable[Field]) -> None:
        self._store = store
        self._table = table
        self._by_name: dict[str, Field] = {}
        if store.one(f"SELECT 1 FROM {table}") is None:
            for field in standard:
                self._save(field)
        for (doc,) in store.rows(f"SELECT doc FROM {table} ORDER BY id"):
            field = msgspec.json.decode(doc, type=Field)
            self._by_name[field.name.lower()] = field

    def __iter__(self) -> Iterator[Field]:
        return iter(self._by_name.values())

    def find(self, name: str) -> Field | None:
        return self._by_name.get(name.lower())

    def find_exact(self, name: str) -> Field | None:
        field = self._by_name.get(name.lower())
        return field if field is not None and field.name == name else None

    def find_displayed(self, display_name: str) -> Field | None:
        wanted = display_name.lower()
        return next((field for field in self if field.display_name.lower() == wanted), None)

    def add_custom(self, field: Field) -> Field:
        """Take a new custom field in; it gets its id here."""
        top = self._store.number(f"SELECT max(id) FROM {self._table}")
        added = replace(
            field,
            id=max(FIRST_CUSTOM_ID, top + 1),
            soap_name=field.name,
            is_custom=True,
            searchable=field.data_type in SEARCHABLE_TYPES,
        )
        self.save(added)
        return added

    def save(self, field: Field) -> None:
        self._save(field)
        self._by_name[field.name.lower()] = field

    def _save(self, field: Field) -> None:
        self._store.run(
            f"INSERT INTO {self._table} VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET doc = excluded.doc",
            (field.id, field.name, encode(asdict(field)).decode()),
        )


class LeadFields(FieldSet):
    def __init__(self, store: Store) -> None:
        super().__init__(store, "lead_field", _standard_fields())

    def searchable_names(self) -> list[str]:
        custom = [field.name for field in self if field.searchable and field.name not in STANDARD_SEARCHABLE]
        return sorted([*STANDARD_SEARCHABLE, *custom])

    def is_searchable(self, name: str) -> bool:
        field = self.find_exact(name)
        return name in STANDARD_SEARCHABLE or (field is not None and field.searchable)

    def company_fields(self) -> list[Field]:
        """Values a lead only inherits."""
        return [field for field in self if field.company]

    def describe_external_person_id(self, listed: bool) -> None:
        """Whether the standard field of that name is part of this subscription."""
        found = self.find(EXTERNAL_PERSON_ID)
        if listed and found is None:
            self.save(_EXTERNAL_PERSON_ID)
        elif not listed and found is not None:
            self._store.run("DELETE FROM lead_field WHERE id = ?", (found.id,))
            del self._by_name[EXTERNAL_PERSON_ID.lower()]


_EXTERNAL_PERSON_ID = Field(
    id=138, name=EXTERNAL_PERSON_ID, display_name="External Person Id", data_type="string", length=50, searchable=True
)


def _standard_fields() -> Iterator[Field]:
    for raw in msgspec.json.decode(load_json("lead-standard-fields.json"))["fields"]:
        name = raw["restName"]
        yield Field(
            id=raw["id"],
            name=name,
            display_name=raw["displayName"],
            data_type="score" if name in _SCORES else raw["dataType"],
            length=raw.get("length"),
            read_only=raw["readOnly"],
            soap_name=raw.get("soapName"),
            searchable=name in STANDARD_SEARCHABLE,
            company=raw["id"] in _COMPANY_IDS,
        )
