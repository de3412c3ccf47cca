"""Custom object types: what a person or the schema API has defined, and the records of those that are approved.

A type has a draft version, an approved one, or both. Records know the approved one alone; to them a type is one more
`ObjectType`, so that every call of the other objects works on it unchanged (4.3).
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from tandem_emulators.marketo.catalogue import LeadFields
from tandem_emulators.marketo.errors import ApiError
from tandem_emulators.marketo.objects import FieldData, Link, ObjectType, Records
from tandem_emulators.marketo.settings import Settings
from tandem_emulators.marketo.store import Store

DATA_TYPES = (
    "string", "boolean", "integer", "float", "link", "email", "currency", "date", "datetime", "phone", "text",
)  # fmt: skip
LENGTHS = {"string": 255, "email": 255, "phone": 255, "text": 2_000}
STANDARD = (
    FieldData("marketoGUID", "Marketo GUID", "string", updateable=False, length=36),
    FieldData("createdAt", "Created At", "datetime", updateable=False),
    FieldData("updatedAt", "Updated At", "datetime", updateable=False),
)
LINK_TARGETS = ("lead", "company")
_LINK_MISSES = {"lead": ("1004", "Lead not found"), "company": ("1013", "Object not found")}


class RelatedTo(msgspec.Struct, frozen=True):
    """What a link field points at: `lead`, `company` or another type, and the field there that holds the value."""

    name: str
    field: str


class CustomField(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    display_name: str
    data_type: str
    description: str | None = None
    is_dedupe_field: bool = False
    related_to: RelatedTo | None = None
    stored_type: str = ""  # of a link: the type of the field it points at

    @property
    def value_type(self) -> str:
        return self.stored_type or self.data_type


class Version(msgspec.Struct, frozen=True, rename="camel"):
    display_name: str
    plural_name: str | None = None
    description: str | None = None
    show_in_lead_detail: bool = False
    fields: list[CustomField] = []

    def links(self) -> list[CustomField]:
        return [field for field in self.fields if field.related_to is not None]

    def dedupe_names(self) -> list[str]:
        return [field.name for field in self.fields if field.is_dedupe_field]

    def find(self, name: str) -> CustomField | None:
        return next((field for field in self.fields if field.name.lower() == name.lower()), None)

    def searchable(self) -> list[list[str]]:
        """The key as a whole, the id, and each link: what a query may filter by (4.1)."""
        keys = [self.dedupe_names(), ["marketoGUID"], *([link.name] for link in self.links())]
        return [key for at, key in enumerate(keys) if key and key not in keys[:at]]


class CustomType(msgspec.Struct, frozen=True, rename="camel"):
    api_name: str
    draft: Version | None = None
    approved: Version | None = None
    created_s: int = 0
    updated_s: int = 0
    fields_at_approval: int | None = None  # at the first one: the limit on later fields counts from there
    is_crm_managed: bool = False

    @property
    def state(self) -> str:
        if self.approved is None:
            return "draft"
        return "approved" if self.draft is None else "approvedWithDraft"

    def latest(self) -> Version:
        version = self.draft or self.approved
        assert version is not None, self.api_name
        return version


class CustomObjects:
    """The subscription's types, by API name without regard to case."""

    def __init__(self, store: Store, settings: Settings, lead_fields: LeadFields) -> None:
        self._store = store
        self._settings = settings
        self._lead_fields = lead_fields
        rows = store.rows("SELECT doc FROM object_type ORDER BY rowid")
        loaded = (msgspec.json.decode(doc, type=CustomType) for (doc,) in rows)
        self._types: dict[str, CustomType] = {kind.api_name.lower(): kind for kind in loaded}

    def __iter__(self) -> Iterator[CustomType]:
        return iter(self._types.values())

    def find(self, api_name: str) -> CustomType | None:
        return self._types.get(api_name.lower())

    def get(self, api_name: str) -> CustomType:
        found = self.find(api_name)
        if found is None:
            raise ApiError("1013", "Object not found")
        return found

    def save(self, kind: CustomType) -> None:
        self._store.run(
            "INSERT INTO object_type VALUES (?, ?) ON CONFLICT (api_name) DO UPDATE SET doc = excluded.doc",
            (kind.api_name, msgspec.json.encode(kind).decode()),
        )
        self._types[kind.api_name.lower()] = kind

    def remove(self, kind: CustomType) -> None:
        """Forget a type, and its records with it."""
        self._store.run("DELETE FROM object_type WHERE api_name = ?", (kind.api_name,))
        self._store.run("DELETE FROM record WHERE object = ?", (kind.api_name,))
        del self._types[kind.api_name.lower()]

    def find_records(self, api_name: str) -> Records | None:
        """The records of an approved type."""
        kind = self.find(api_name)
        return Records(self._store, object_type(kind)) if kind is not None and kind.approved is not None else None

    def records(self, api_name: str) -> Records:
        """As the calls on records find them.

        Raises:
            ApiError: 1026, custom objects are not licensed; 1013, no approved type of that name.
        """
        if not self._settings.custom_objects:
            raise ApiError("1026", "Custom object not enabled")
        found = self.find_records(api_name)
        if found is None:
            raise ApiError("1013", "Object not found")
        return found

    def linkable(self) -> list[dict[str, Any]]:
        """What a link field may point at; lead fields go by their display names here (4.4)."""
        lead = [
            _linkable_field(field.display_name, field.display_name, field.data_type)
            for field in self._lead_fields
            if field.name == "id" or (field.searchable and not field.is_hidden)
        ]
        types = [kind for kind in self if kind.approved is not None and not kind.approved.links()]
        return [
            {"name": "lead", "displayName": "Lead", "fields": lead},
            {"name": "company", "displayName": "Company", "fields": [_linkable_field("Id", "Id", "integer")]},
            *(
                {"name": kind.api_name, "displayName": kind.approved.display_name, "fields": _keys_of(kind.approved)}
                for kind in types
                if kind.approved is not None
            ),
        ]

    def resolve_link(self, wanted: RelatedTo) -> tuple[RelatedTo, str] | None:
        """The target under its proper names, and the type of its values; None where nothing may link there."""
        name = wanted.name.lower()
        for target in self.linkable():
            if target["name"].lower() != name:
                continue
            for field in target["fields"]:
                if wanted.field.lower() in (field["name"].lower(), self._rest_name(name, field["name"]).lower()):
                    return RelatedTo(target["name"], self._rest_name(name, field["name"])), field["dataType"]
        return None

    def _rest_name(self, target: str, field: str) -> str:
        if target == "company":
            return "id"
        found = self._lead_fields.find_displayed(field) if target == "lead" else None
        return found.name if found is not None else field


def object_type(kind: CustomType) -> ObjectType:
    """An approved type as the calls on records know it."""
    version = kind.approved
    assert version is not None, kind.api_name
    return ObjectType(
        name=kind.api_name,
        operations="customobjects",
        display_name=version.display_name,
        description=version.description or "",
        id_field="marketoGUID",
        dedupe_fields=version.dedupe_names(),
        searchable_fields=version.searchable(),
        required=[],
        links=[_link(field) for field in version.links()],
        fields=field_data(version),
        created_s=kind.created_s,
        updated_s=kind.updated_s,
        crm_managed=kind.is_crm_managed,
    )


def field_data(version: Version) -> list[FieldData]:
    own = [
        FieldData(
            field.name,
            field.display_name,
            field.value_type,
            updateable=True,
            length=LENGTHS.get(field.value_type),
            description=field.description or "",
        )
        for field in version.fields
    ]
    return [*STANDARD, *own]


def _link(field: CustomField) -> Link:
    assert field.related_to is not None, field.name
    target = field.related_to.name
    code, message = _LINK_MISSES.get(target, ("1013", "Object not found"))
    return Link(field=field.name, object=target, code=code, message=message, target=field.related_to.field)


def _keys_of(version: Version) -> list[dict[str, str]]:
    keys = [field for field in version.fields if field.is_dedupe_field]
    return [
        _linkable_field("marketoGUID", "Marketo GUID", "string"),
        *(_linkable_field(field.name, field.display_name, field.value_type) for field in keys),
    ]


def _linkable_field(name: str, display_name: str, data_type: str) -> dict[str, str]:
    return {"name": name, "displayName": display_name, "dataType": data_type}
