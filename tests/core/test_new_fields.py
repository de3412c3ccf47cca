"""What a mapping needs and a side lacks: custom objects with their links, columns with their keys."""

from dataclasses import replace

from tandem.core.default_mapping import DefaultMapping, DefaultPair
from tandem.core.mapping import Direction
from tandem.core.mapping_resolver import ResolvedMapping, resolve_mapping
from tandem.core.record import COMPANY, CONTACT, LEAD, PERSON, Entity, Side
from tandem.core.schema import EntitySchema, FieldInfo, FieldKind, FieldLink, NewField, NewObject
from tandem.core.wanted_pairs import FieldOverride

EVENT = Entity("event")
TABLE = Entity("new_event")


def column(name: str, kind: FieldKind, *targets: str, length: int | None = None) -> FieldInfo:
    return FieldInfo(name, name, kind, kind.value, targets=targets, max_length=length)


COLUMNS = (
    column("new_name", FieldKind.TEXT, length=100),
    column("new_notes", FieldKind.TEXT, length=2000),
    column("new_when", FieldKind.DATETIME),
    column("new_contactid", FieldKind.REFERENCE, "contact"),
    column("new_accountid", FieldKind.REFERENCE, "account"),
    column("new_personid", FieldKind.REFERENCE, "contact", "lead"),
    column("new_regarding", FieldKind.REFERENCE, "contact", "account"),
    column("ownerid", FieldKind.REFERENCE, "systemuser"),
)
SCHEMA = EntitySchema(TABLE, {info.name: info for info in COLUMNS})


def resolve(*names: str, marketing: EntitySchema | None = None, create_as: str = "") -> ResolvedMapping:
    pairs = [DefaultPair("@id", "crmId", "CRM Id", "string", Direction.TO_MARKETING)]
    pairs += [DefaultPair(name, f"{name}X", native_type=create_as, direction=Direction.TO_MARKETING) for name in names]
    default = DefaultMapping(TABLE, EVENT, "crmId", tuple(pairs), is_custom=True, labels=("Event", "Events"))
    return resolve_mapping(default, SCHEMA, marketing, direction=Direction.TO_MARKETING)


KEY = NewField("crmId", "CRM Id", "string", is_key=True)


def test_a_missing_object_is_made_with_its_key_and_its_fields_by_type() -> None:
    resolved = resolve("new_name", "new_notes", "new_when")
    name = NewField("new_nameX", "New Name X", "string")
    notes = NewField("new_notesX", "New Notes X", "text")
    when = NewField("new_whenX", "New When X", "datetime")
    assert resolved.new_object == NewObject(EVENT, "Event", "Events", (KEY, name, notes, when))


def test_a_lookup_becomes_a_link_by_the_id_that_marketo_gives() -> None:
    for lookup, link in (("new_accountid", FieldLink(COMPANY, "id")), ("new_contactid", FieldLink(PERSON, "id"))):
        resolved = resolve(lookup)
        assert resolved.new_object is not None
        (field,) = resolved.new_object.fields[1:]
        assert (field.native_type, field.link) == ("link", link)
    pair = resolved.mapping.pairs[1]
    assert (pair.parents, pair.parent_by) == ((CONTACT,), Side.MARKETING)


def test_leads_and_contacts_are_one_thing_to_link_to() -> None:
    pair = resolve("new_personid").mapping.pairs[1]
    assert (pair.parents, pair.parent_by) == ((CONTACT, LEAD), Side.MARKETING)


def test_a_lookup_of_several_things_or_of_users_is_shown_as_text() -> None:
    resolved = resolve("new_regarding", "ownerid")
    assert [field.native_type for field in resolved.new_fields] == ["string", "string", "string"]
    assert [pair.parents for pair in resolved.mapping.pairs] == [(), (), ()]


def test_a_type_that_is_asked_for_is_kept() -> None:
    resolved = resolve("new_contactid", create_as="string")
    assert [field.native_type for field in resolved.new_fields] == ["string", "string"]
    assert resolved.mapping.pairs[1].parents == ()


def test_an_object_that_is_there_gets_only_what_it_lacks() -> None:
    there = EntitySchema(EVENT, {"crmId": FieldInfo("crmId", "CRM Id", FieldKind.TEXT, "string", max_length=255)})
    resolved = resolve("new_name", marketing=there)
    assert resolved.new_object is None
    assert [field.name for field in resolved.new_fields] == ["new_nameX"]


LEAD_DEFAULT = DefaultMapping(
    Entity("lead"), PERSON, "crmId", (DefaultPair("@id", "crmId", "Key", "string", Direction.TO_MARKETING),)
)
ID = FieldInfo("id", "Id", FieldKind.INTEGER, "integer", is_writable=False)


def resolve_lead(said: FieldOverride, *columns: FieldInfo) -> ResolvedMapping:
    crm = EntitySchema(Entity("lead"), {info.name: info for info in columns})
    return resolve_mapping(LEAD_DEFAULT, crm, EntitySchema(PERSON, {"id": ID}), overrides=[said])


WANTED = FieldOverride(
    "new_marketoid",
    "id",
    direction=Direction.TO_CRM,
    create_column_as="Integer",
    is_key=True,
    is_own=True,
)


def test_a_column_that_is_missing_is_planned_and_left_out_until_it_is_there() -> None:
    resolved = resolve_lead(WANTED)
    assert resolved.new_columns == (NewField("new_marketoid", "Marketoid", "Integer", is_key=True),)
    assert [(line.crm_field, line.remedy) for line in resolved.left_out] == [
        ("new_marketoid", "Make it with: tandem schema apply")
    ]
    assert resolved.own_columns == frozenset()


def test_a_column_that_is_there_is_mapped_and_known_as_ours() -> None:
    resolved = resolve_lead(WANTED, column("new_marketoid", FieldKind.INTEGER))
    assert (resolved.new_columns, resolved.own_columns) == ((), frozenset({"new_marketoid"}))
    assert resolved.mapping.pairs[1].direction is Direction.TO_CRM


def test_a_missing_column_that_nobody_asked_to_make_is_left_to_an_admin() -> None:
    resolved = resolve_lead(replace(WANTED, create_column_as=None))
    assert resolved.new_columns == ()
    assert resolved.left_out[0].remedy == "Create the column in Dynamics, or remove the pair."
