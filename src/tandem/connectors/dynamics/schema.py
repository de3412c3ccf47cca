"""Table metadata: which columns there are, what they hold, and under which names they are read and written.

The rest of the connector speaks of columns by logical name. A lookup has two more names, both only known here: it is
read as ``_x_value`` and written by a navigation property, one for each table it may point to.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

import msgspec

from tandem.connectors.dynamics.batch import PartAnswer
from tandem.connectors.dynamics.client import DynamicsClient, decode, fault_of
from tandem.connectors.dynamics.column_rights import FULL_RIGHT, NO_RIGHT, ColumnRights, load_column_rights
from tandem.connectors.dynamics.errors import classify
from tandem.core.errors import RejectedError
from tandem.core.record import USER, Entity, Side
from tandem.core.schema import EntitySchema, FieldInfo, FieldKind

VIRTUAL_FIELDS: Final = ("@id", "@type", "@deleted", "@paused")

# What a lookup of several targets stands for in a mapping.
_PREFERRED_TARGETS: Final = ("systemuser", "account")

_PLAIN_ID: Final = "Uniqueidentifier"

KINDS: Final = {
    "String": FieldKind.TEXT,
    "Memo": FieldKind.TEXT,
    "Integer": FieldKind.INTEGER,
    "BigInt": FieldKind.INTEGER,
    "Decimal": FieldKind.NUMBER,
    "Double": FieldKind.NUMBER,
    "Money": FieldKind.NUMBER,
    "Boolean": FieldKind.BOOLEAN,
    "DateTime": FieldKind.DATETIME,
    "Picklist": FieldKind.CHOICE,
    "State": FieldKind.CHOICE,
    "Status": FieldKind.CHOICE,
    "Lookup": FieldKind.REFERENCE,
    "Customer": FieldKind.REFERENCE,
    "Owner": FieldKind.REFERENCE,
    "MultiSelectPicklist": FieldKind.CHOICES,
    "Uniqueidentifier": FieldKind.TEXT,
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``navigation`` maps each table a lookup may point to onto the property it is written by."""

    name: str
    label: str
    type: str
    kind: FieldKind
    is_readable: bool
    is_creatable: bool
    is_updatable: bool
    is_secured: bool = False
    max_length: int | None = None
    choices: Mapping[int, str] = field(default_factory=dict)
    languages: Mapping[int, Mapping[int, str]] = field(default_factory=dict)
    is_zoneless: bool = False
    is_computed: bool = False
    targets: tuple[str, ...] = ()
    navigation: Mapping[str, str] = field(default_factory=dict)

    @property
    def target(self) -> str:
        """The table a value of this lookup belongs to when the connector writes it."""
        return next((t for t in _PREFERRED_TARGETS if t in self.targets), self.targets[0] if self.targets else "")

    def info(self) -> FieldInfo:
        return FieldInfo(
            name=self.name,
            label=self.label,
            kind=self.kind,
            native_type=self.type,
            is_readable=self.is_readable,
            is_writable=self.is_updatable,
            max_length=self.max_length,
            choices=self.choices,
            languages=self.languages,
            is_zoneless=self.is_zoneless,
            is_computed=self.is_computed,
            targets=self.targets,
            is_searchable=self.is_readable,
            is_secured=self.is_secured,
        )


@dataclass(frozen=True, slots=True)
class Table:
    entity: Entity
    set_name: str
    primary_id: str
    is_tracked: bool
    columns: Mapping[str, Column]
    can_be_tracked: bool = False
    is_intersect: bool = False
    """The table of pairs behind a many-to-many relationship: its rows come and go, and never change."""
    primary_name: str = ""
    """The column that its rows are shown by."""

    @property
    def type_name(self) -> str:
        """The value of the virtual field ``@type``."""
        return "User" if self.entity == USER else self.entity.capitalize()

    def column(self, name: str) -> Column:
        """``lookup.@id`` is the lookup, and so is what begins like it.

        Raises: RejectedError, which names the column.
        """
        name = name.partition(".")[0]
        if name not in self.columns:
            text = f"The table {self.entity} has no column {name} that the Web API shows. Take it out of the mapping."
            raise RejectedError(text, side=Side.CRM, operation=f"{self.entity} columns", code="column")
        return self.columns[name]

    def read_name(self, name: str) -> str:
        """The JSON name of a column's value.

        A customer column may point to an account or a contact, and its value alone does not say to which. Its
        read-only shadow ``accountid`` holds the account and is empty for a contact, so that one is read instead, but
        where it is asked for as ``lookup.@id``.
        """
        column = self.column(name)
        has_shadow = column.type == "Customer" and "accountid" in self.columns and self.primary_id != "accountid"
        if has_shadow and "." not in name:
            return "_accountid_value"
        return self.filter_name(name)

    def filter_name(self, name: str) -> str:
        """A table of pairs holds plain ids, which are read by their own name."""
        column = self.column(name)
        is_lookup = column.kind is FieldKind.REFERENCE and column.type != _PLAIN_ID
        return f"_{column.name}_value" if is_lookup else column.name

    def schema(self) -> EntitySchema:
        """`is_tracked` is told of tables that could be."""
        fields = {name: column.info() for name, column in self.columns.items()}
        return EntitySchema(self.entity, fields, is_tracked=self.is_tracked or not self.can_be_tracked)


async def load_table(client: DynamicsClient, entity: Entity) -> Table:
    """One batch of metadata reads. An attribute list without a cast shows only what all types share, so lengths,
    targets and options are read by their own casts."""
    operation = f"read metadata of {entity}"
    root = f"EntityDefinitions(LogicalName='{entity}')"
    casts = {
        cast: f"{root}/Attributes/Microsoft.Dynamics.CRM.{cast}AttributeMetadata?{q}" for cast, q in _CASTS.items()
    }
    paths = [
        f"{root}?$select=LogicalName,EntitySetName,PrimaryIdAttribute,PrimaryNameAttribute,ChangeTrackingEnabled,"
        "CanChangeTrackingBeEnabled,IsIntersect",
        f"{root}/Attributes?$select=MetadataId,LogicalName,AttributeType,AttributeTypeName,SourceType,DisplayName,"
        "IsValidForCreate,IsValidForRead,"
        "IsValidForUpdate,IsValidODataAttribute,IsSecured",
        f"{root}/ManyToOneRelationships?$select=ReferencingAttribute,ReferencedEntity,"
        "ReferencingEntityNavigationPropertyName",
        *casts.values(),
    ]
    answers = await client.get_fresh(operation, paths)
    definition = parse_metadata(answers[0], _Definition, operation)
    attributes = parse_metadata(answers[1], _Attributes, operation).value
    relationships = parse_metadata(answers[2], _Relationships, operation).value
    rights = await load_column_rights(client) if any(attribute.is_secured for attribute in attributes) else None
    details: dict[str, _Detail] = {}
    for answer in answers[3:]:
        details.update({detail.name: detail for detail in parse_metadata(answer, _Details, operation).value})
    navigation: dict[str, dict[str, str]] = {}
    for relationship in relationships:
        navigation.setdefault(relationship.column, {})[relationship.target] = relationship.navigation
    if definition.is_intersect:
        details |= await _load_ends(client, operation, entity)
    return Table(
        entity=entity,
        set_name=definition.set_name,
        primary_id=definition.primary_id,
        is_tracked=definition.is_tracked,
        columns={
            attribute.name: _column(attribute, details.get(attribute.name, _Detail()), navigation, rights)
            for attribute in attributes
            if attribute.is_property
        },
        can_be_tracked=definition.can_be_tracked.is_allowed and not definition.is_intersect,
        is_intersect=definition.is_intersect,
        primary_name=definition.primary_name or "",
    )


async def _load_ends(client: DynamicsClient, operation: str, entity: Entity) -> dict[str, "_Detail"]:
    """What the two columns of a table of pairs lead to: they are plain ids, and only the relationship tells."""
    path = (
        "RelationshipDefinitions/Microsoft.Dynamics.CRM.ManyToManyRelationshipMetadata?$select=Entity1LogicalName,"
        "Entity1IntersectAttribute,Entity2LogicalName,Entity2IntersectAttribute"
        f"&$filter=IntersectEntityName%20eq%20'{entity}'"
    )
    (answer,) = await client.get_fresh(operation, [path])
    own = parse_metadata(answer, _Pairs, operation).value
    targets: dict[str, list[str]] = {}
    for pair in own:
        for column, table in ((pair.column_1, pair.table_1), (pair.column_2, pair.table_2)):
            targets.setdefault(column, []).extend([] if table in targets.get(column, ()) else [table])
    return {column: _Detail(name=column, targets=tables) for column, tables in targets.items()}


async def load_set_name(client: DynamicsClient, entity: str) -> str:
    """Where the rows of `entity` live; never computed from its name."""
    path = f"EntityDefinitions(LogicalName='{entity}')?$select=EntitySetName"
    return (await client.get_json(f"read metadata of {entity}", path, _SetName)).set_name


def _column(
    attribute: "_Attribute",
    detail: "_Detail",
    navigation: Mapping[str, Mapping[str, str]],
    rights: "ColumnRights | None",
) -> Column:
    kind = KINDS.get(attribute.kind, FieldKind.OTHER)
    if attribute.type == _PLAIN_ID and detail.targets:
        kind = FieldKind.REFERENCE
    behavior = detail.behavior.value if detail.behavior is not None else ""
    if kind is FieldKind.DATETIME and behavior == "DateOnly":
        kind = FieldKind.DATE
    own = navigation.get(attribute.name, {})
    if attribute.type == "Owner":
        # One property of the abstract type `principal` takes users and teams alike.
        own = dict.fromkeys(detail.targets or ("systemuser", "team"), attribute.name)
    right = rights.get(attribute.metadata_id, NO_RIGHT) if rights is not None and attribute.is_secured else FULL_RIGHT
    return Column(
        name=attribute.name,
        label=_label(attribute.label) or attribute.name,
        type=attribute.kind,
        kind=kind,
        is_readable=attribute.is_readable and right.may_read,
        is_creatable=attribute.is_creatable and right.may_create,
        is_updatable=attribute.is_updatable and right.may_update,
        is_secured=bool(attribute.is_secured),
        max_length=detail.max_length,
        choices=detail.choices(),
        languages=detail.languages(),
        is_zoneless=behavior == "TimeZoneIndependent",
        is_computed=bool(attribute.source),
        targets=tuple(detail.targets or own),
        navigation=own,
    )


# --- shapes of the metadata answers ------------------------------------------------------------------------------

_CHOICE_QUERY: Final = "$select=LogicalName&$expand=OptionSet($select=Options),GlobalOptionSet($select=Options)"
_CASTS: Final = {
    "String": "$select=LogicalName,MaxLength",
    "Memo": "$select=LogicalName,MaxLength",
    "Lookup": "$select=LogicalName,Targets",
    "DateTime": "$select=LogicalName,DateTimeBehavior",
    "Picklist": _CHOICE_QUERY,
    "State": _CHOICE_QUERY,
    "Status": _CHOICE_QUERY,
    "MultiSelectPicklist": _CHOICE_QUERY,
}

T = TypeVar("T")


def parse_metadata(answer: PartAnswer, kind: type[T], operation: str) -> T:
    fault = fault_of(answer)
    if fault is not None:
        raise classify(fault, operation)
    return decode(msgspec.json.Decoder(kind), answer.body, operation)


class _SetName(msgspec.Struct):
    set_name: str = msgspec.field(name="EntitySetName")


class _Managed(msgspec.Struct):
    is_allowed: bool = msgspec.field(name="Value", default=False)


class _Definition(msgspec.Struct):
    set_name: str = msgspec.field(name="EntitySetName")
    primary_id: str = msgspec.field(name="PrimaryIdAttribute")
    primary_name: str | None = msgspec.field(name="PrimaryNameAttribute", default=None)
    is_tracked: bool = msgspec.field(name="ChangeTrackingEnabled", default=True)
    can_be_tracked: _Managed = msgspec.field(name="CanChangeTrackingBeEnabled", default_factory=_Managed)
    is_intersect: bool = msgspec.field(name="IsIntersect", default=False)


class _Pair(msgspec.Struct):
    table_1: str = msgspec.field(name="Entity1LogicalName", default="")
    column_1: str = msgspec.field(name="Entity1IntersectAttribute", default="")
    table_2: str = msgspec.field(name="Entity2LogicalName", default="")
    column_2: str = msgspec.field(name="Entity2IntersectAttribute", default="")


class _Pairs(msgspec.Struct):
    value: list[_Pair]


class _LocalizedLabel(msgspec.Struct):
    text: str | None = msgspec.field(name="Label", default=None)
    language: int = msgspec.field(name="LanguageCode", default=0)


class _Label(msgspec.Struct):
    of_user: _LocalizedLabel | None = msgspec.field(name="UserLocalizedLabel", default=None)
    all: list[_LocalizedLabel] = msgspec.field(name="LocalizedLabels", default_factory=list)


def _label(label: _Label | None) -> str:
    return (label.of_user.text or "") if label is not None and label.of_user is not None else ""


class _TypeName(msgspec.Struct):
    value: str = msgspec.field(name="Value", default="")


class _Attribute(msgspec.Struct):
    """``source`` is 0 for a plain column; a formula, a calculation and a rollup are others."""

    name: str = msgspec.field(name="LogicalName")
    type: str = msgspec.field(name="AttributeType")
    metadata_id: str = msgspec.field(name="MetadataId", default="")
    type_name: _TypeName | None = msgspec.field(name="AttributeTypeName", default=None)
    source: int | None = msgspec.field(name="SourceType", default=None)
    label: _Label | None = msgspec.field(name="DisplayName", default=None)
    is_creatable: bool = msgspec.field(name="IsValidForCreate", default=False)
    is_readable: bool = msgspec.field(name="IsValidForRead", default=True)
    is_updatable: bool = msgspec.field(name="IsValidForUpdate", default=False)
    is_property: bool = msgspec.field(name="IsValidODataAttribute", default=True)
    is_secured: bool | None = msgspec.field(name="IsSecured", default=None)

    @property
    def kind(self) -> str:
        """Files, images and choices of several are ``Virtual`` by their type; only its name tells them apart."""
        named = self.type_name.value.removesuffix("Type") if self.type_name else ""
        return named if self.type == "Virtual" and named else self.type


class _Attributes(msgspec.Struct):
    value: list[_Attribute]


class _Relationship(msgspec.Struct):
    column: str = msgspec.field(name="ReferencingAttribute")
    target: str = msgspec.field(name="ReferencedEntity")
    navigation: str = msgspec.field(name="ReferencingEntityNavigationPropertyName")


class _Relationships(msgspec.Struct):
    value: list[_Relationship]


class _Option(msgspec.Struct):
    value: int = msgspec.field(name="Value")
    label: _Label | None = msgspec.field(name="Label", default=None)


class _OptionSet(msgspec.Struct):
    options: list[_Option] = msgspec.field(name="Options", default_factory=list)


class _Behavior(msgspec.Struct):
    value: str = msgspec.field(name="Value", default="")


class _Detail(msgspec.Struct):
    """What the casts add; each fills its own part."""

    name: str = msgspec.field(name="LogicalName", default="")
    max_length: int | None = msgspec.field(name="MaxLength", default=None)
    targets: list[str] | None = msgspec.field(name="Targets", default=None)
    behavior: _Behavior | None = msgspec.field(name="DateTimeBehavior", default=None)
    own_options: _OptionSet | None = msgspec.field(name="OptionSet", default=None)
    global_options: _OptionSet | None = msgspec.field(name="GlobalOptionSet", default=None)

    def choices(self) -> dict[int, str]:
        options = (self.own_options or self.global_options or _OptionSet()).options
        return {option.value: _label(option.label) for option in options}

    def languages(self) -> dict[int, dict[int, str]]:
        """The labels of each language that any of them is told in."""
        found: dict[int, dict[int, str]] = {}
        for option in (self.own_options or self.global_options or _OptionSet()).options:
            for label in option.label.all if option.label else ():
                if label.text and label.language:
                    found.setdefault(label.language, {})[option.value] = label.text
        return found


class _Details(msgspec.Struct):
    value: list[_Detail]
