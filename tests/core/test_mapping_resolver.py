"""What becomes of the wanted pairs when both sides' schemas are known: mapped, narrowed, made, or left out by name."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from tandem.core.choices import Choice
from tandem.core.default_mapping import DEFAULT_MAPPINGS, DefaultMapping, DefaultPair
from tandem.core.errors import ConfigError
from tandem.core.left_out import LeftOut
from tandem.core.mapping import Direction, FieldPair, Watch, Winner
from tandem.core.mapping_resolver import NEW_FIELDS_MAX, ResolvedMapping, distinct_new_fields, resolve_mapping
from tandem.core.record import ACCOUNT, COMPANY, CONTACT, LEAD, PERSON, SALESPERSON, TEAM, USER, Entity, Side
from tandem.core.schema import EntitySchema, FieldInfo, FieldKind, NewField
from tandem.core.transforms import Opposite, Text, YesNo
from tandem.core.wanted_pairs import FieldOverride


def a_field(
    name: str, kind: FieldKind = FieldKind.TEXT, native_type: str = "string", *, label: str = "", **more: object
) -> FieldInfo:
    plain = FieldInfo(name, label or name, kind, native_type, max_length=100 if kind is FieldKind.TEXT else None)
    return replace(plain, **more)  # type: ignore[arg-type]


def a_schema(entity: Entity, fields: Iterable[FieldInfo]) -> EntitySchema:
    return EntitySchema(entity, {field.name: field for field in fields})


LEAD_SCHEMA = a_schema(
    LEAD,
    [
        a_field("firstname"),
        a_field("emailaddress1"),
        a_field("donotphone", FieldKind.BOOLEAN),
        a_field("donotemail", FieldKind.BOOLEAN),
        a_field("leadqualitycode", FieldKind.CHOICE, choices={1: "Hot", 2: "Warm"}),
        a_field("description", native_type="Memo", max_length=2000),
        a_field("companyname"),
        a_field("statecode", FieldKind.CHOICE, choices={0: "Open"}),
        a_field("ownerid", FieldKind.REFERENCE, is_writable=False),
    ],
)
PERSON_SCHEMA = a_schema(
    PERSON,
    [
        a_field("id", FieldKind.INTEGER, "integer"),
        a_field("firstName", max_length=255),
        a_field("email", native_type="email", max_length=255),
        a_field("doNotCall", FieldKind.BOOLEAN, "boolean"),
        a_field("rating", max_length=255),
        a_field("mktoPersonNotes", native_type="text", max_length=None),
        a_field("leadStatus", max_length=255),
        a_field("externalSalesPersonId", max_length=50),
        a_field("company", max_length=255),
    ],
)


def resolve(
    *overrides: FieldOverride,
    crm: EntitySchema = LEAD_SCHEMA,
    marketing: EntitySchema = PERSON_SCHEMA,
    direction: Direction = Direction.BOTH,
) -> ResolvedMapping:
    return resolve_mapping(DEFAULT_MAPPINGS[crm.entity], crm, marketing, overrides=overrides, direction=direction)


def with_fields(schema: EntitySchema, *fields: FieldInfo) -> EntitySchema:
    return EntitySchema(schema.entity, {**schema.fields, **{field.name: field for field in fields}})


def pair_of(resolved: ResolvedMapping, crm: str) -> FieldPair:
    return next(pair for pair in resolved.mapping.pairs if pair.crm == crm)


def is_mapped(resolved: ResolvedMapping, crm: str) -> bool:
    return any(pair.crm == crm for pair in resolved.mapping.pairs)


def left_out(resolved: ResolvedMapping, crm: str) -> LeftOut:
    return next(line for line in resolved.left_out if line.crm_field == crm)


def test_pairs_get_the_transform_of_their_types() -> None:
    resolved = resolve()
    assert pair_of(resolved, "firstname").transform == Text(100, 255, cuts=True)
    assert pair_of(resolved, "leadqualitycode").transform == Choice({1: "Hot", 2: "Warm"}, 255)
    assert pair_of(resolved, "donotphone").transform == YesNo()


def test_opt_outs_and_parents_survive() -> None:
    resolved = resolve()
    assert pair_of(resolved, "donotphone").opt_out
    assert pair_of(resolved, "ownerid").parents == (USER, TEAM)


def test_a_person_field_that_is_missing_is_made() -> None:
    resolved = resolve()
    assert NewField("microsoftDoNotEmail", "Microsoft Do Not Email", "boolean") in resolved.new_fields
    assert NewField("microsoftType", "Microsoft Type", "string") in resolved.new_fields
    assert pair_of(resolved, "donotemail").marketing == "microsoftDoNotEmail"


def test_a_pair_whose_field_is_made_remembers_what_its_column_was() -> None:
    """So that a change of the column is found before the mapping is next made."""
    pair = pair_of(resolve(), "donotemail")
    column = pair.info_on(Side.CRM)
    assert column is not None
    assert column.kind is FieldKind.BOOLEAN
    assert pair.info_on(Side.MARKETING) is None


def test_a_new_field_is_not_made_for_a_column_that_does_not_exist() -> None:
    assert not any(field.name == "microsoftTopic" for field in resolve().new_fields)


def test_the_key_is_the_standard_field_where_it_is_described() -> None:
    resolved = resolve(marketing=with_fields(PERSON_SCHEMA, a_field("externalPersonId")))
    assert resolved.mapping.key_field == pair_of(resolved, "@id").marketing == "externalPersonId"


def test_the_key_is_a_field_of_our_own_where_it_is_not() -> None:
    resolved = resolve()
    assert resolved.mapping.key_field == pair_of(resolved, "@id").marketing == "tandemCrmId"
    assert NewField("tandemCrmId", "Tandem CRM Id", "string") in resolved.new_fields


def test_our_own_key_is_not_made_twice() -> None:
    resolved = resolve(marketing=with_fields(PERSON_SCHEMA, a_field("tandemCrmId")))
    assert resolved.mapping.key_field == "tandemCrmId"
    assert not any(field.name == "tandemCrmId" for field in resolved.new_fields)


def test_a_field_with_our_label_is_used_under_the_name_it_has() -> None:
    """Marketo refuses a second field with one display name."""
    there = a_field("MSDoNotEmail__c", FieldKind.BOOLEAN, "boolean", label="Microsoft Do Not Email")
    resolved = resolve(marketing=with_fields(PERSON_SCHEMA, there))
    assert pair_of(resolved, "donotemail").marketing == "MSDoNotEmail__c"
    assert not any(field.label == "Microsoft Do Not Email" for field in resolved.new_fields)


def test_a_missing_column_is_left_out_and_named() -> None:
    line = left_out(resolve(), "subject")
    assert (line.crm_entity, line.marketing_field) == (LEAD, "microsoftTopic")
    assert "no column 'subject' on lead" in line.reason


def test_an_unreadable_column_is_left_out_with_the_right_to_grant() -> None:
    closed = a_field("firstname", is_readable=False, is_secured=True)
    resolved = resolve(crm=with_fields(LEAD_SCHEMA, closed))
    assert not is_mapped(resolved, "firstname")
    note = left_out(resolved, "firstname")
    assert note.is_permission
    assert "column security profile that may read lead.firstname" in note.remedy


def test_a_column_that_nobody_may_read_is_no_matter_of_rights() -> None:
    resolved = resolve(crm=with_fields(LEAD_SCHEMA, a_field("firstname", is_readable=False)))
    assert not left_out(resolved, "firstname").is_permission


def test_a_secured_column_that_may_only_be_read_goes_one_way_and_says_so() -> None:
    half_open = a_field("firstname", is_writable=False, is_secured=True)
    resolved = resolve(crm=with_fields(LEAD_SCHEMA, half_open))
    assert is_mapped(resolved, "firstname")
    (note,) = [note for note in resolved.narrowed if note.crm_field == "firstname"]
    assert note.is_permission
    assert "may update lead.firstname" in note.remedy


def test_an_unwritable_column_goes_to_marketo_only_and_is_named() -> None:
    resolved = resolve(crm=with_fields(LEAD_SCHEMA, a_field("firstname", is_writable=False)))
    assert pair_of(resolved, "firstname").direction is Direction.TO_MARKETING
    assert [line.crm_field for line in resolved.narrowed] == ["firstname"]
    assert not any(line.crm_field == "firstname" for line in resolved.left_out)


def test_an_unwritable_marketing_field_goes_to_dynamics_only() -> None:
    resolved = resolve(marketing=with_fields(PERSON_SCHEMA, a_field("firstName", is_writable=False)))
    assert pair_of(resolved, "firstname").direction is Direction.TO_CRM


def test_a_pair_with_no_way_left_is_left_out() -> None:
    resolved = resolve(
        crm=with_fields(LEAD_SCHEMA, a_field("firstname", is_writable=False)),
        marketing=with_fields(PERSON_SCHEMA, a_field("firstName", is_writable=False)),
    )
    assert not is_mapped(resolved, "firstname")
    assert left_out(resolved, "firstname").remedy


def test_types_that_do_not_fit_are_left_out_with_the_reason() -> None:
    resolved = resolve(marketing=with_fields(PERSON_SCHEMA, a_field("firstName", FieldKind.BOOLEAN, "boolean")))
    assert "a text" in left_out(resolved, "firstname").reason


def test_a_text_area_is_for_an_admin_to_make() -> None:
    fields = {name: info for name, info in PERSON_SCHEMA.fields.items() if name != "mktoPersonNotes"}
    line = left_out(resolve(marketing=EntitySchema(PERSON, fields)), "description")
    assert "Field Management" in line.remedy
    assert "'mktoPersonNotes'" in line.remedy
    assert "Text Area" in line.remedy


def test_a_company_field_is_for_an_admin_to_make() -> None:
    resolved = resolve(
        crm=a_schema(ACCOUNT, [a_field("name"), a_field("accountnumber")]),
        marketing=a_schema(COMPANY, [a_field("externalCompanyId"), a_field("company")]),
    )
    assert resolved.new_fields == ()
    line = left_out(resolved, "accountnumber")
    assert "object Company, type String, name 'Microsoft Account Number'" in line.remedy


def test_a_company_field_that_an_admin_made_is_mapped() -> None:
    made = a_field("microsoftAccountNumber")
    resolved = resolve(
        crm=a_schema(ACCOUNT, [a_field("accountnumber")]),
        marketing=a_schema(COMPANY, [a_field("externalCompanyId"), made]),
    )
    assert is_mapped(resolved, "accountnumber")


def test_a_sales_person_takes_no_new_fields() -> None:
    resolved = resolve(
        crm=a_schema(USER, [a_field("title")]), marketing=a_schema(SALESPERSON, [a_field("externalSalesPersonId")])
    )
    assert resolved.new_fields == ()
    assert "takes no new fields" in left_out(resolved, "title").remedy


def test_a_person_does_not_write_its_companys_fields() -> None:
    resolved = resolve(FieldOverride("companyname", marketing="company"))
    assert pair_of(resolved, "companyname").direction is Direction.TO_CRM
    assert "company" in resolved.narrowed[0].reason


def test_a_key_that_cannot_be_held_stops_the_start() -> None:
    with pytest.raises(ConfigError, match="'externalCompanyId'"):
        resolve(crm=a_schema(ACCOUNT, [a_field("name")]), marketing=a_schema(COMPANY, [a_field("company")]))


def test_the_planner_gets_the_columns_it_reads_beside_the_mapped_ones() -> None:
    contact = a_schema(
        CONTACT, [a_field("originatingleadid", FieldKind.REFERENCE), a_field("masterid", is_readable=False)]
    )
    resolved = resolve(crm=contact)
    assert "originatingleadid" in resolved.mapping.crm_fields
    assert "masterid" not in resolved.mapping.crm_fields
    assert not is_mapped(resolved, "originatingleadid")


def test_people_are_unique_by_email_and_the_rest_by_key_alone() -> None:
    account = resolve(
        crm=a_schema(ACCOUNT, [a_field("name")]),
        marketing=a_schema(COMPANY, [a_field("externalCompanyId"), a_field("company")]),
    )
    assert resolve().mapping.dedupe_field == "email"
    assert account.mapping.dedupe_field is None


# --- what the operator says ----------------------------------------------------------------------------------------


def test_a_setting_changes_direction_winner_and_first_link() -> None:
    said = FieldOverride(
        "firstname", direction=Direction.TO_CRM, winner=Winner.HOLD, first_link=Winner.CRM, only_if_empty=True
    )
    pair = pair_of(resolve(said), "firstname")
    assert pair.marketing == "firstName"
    assert (pair.direction, pair.winner, pair.first_link) == (Direction.TO_CRM, Winner.HOLD, Winner.CRM)
    assert pair.only_if_empty


def test_a_setting_adds_a_pair_and_the_field_it_needs() -> None:
    crm = with_fields(LEAD_SCHEMA, a_field("new_favourite", FieldKind.INTEGER))
    resolved = resolve(FieldOverride("new_favourite", marketing="favouriteColour"), crm=crm)
    assert is_mapped(resolved, "new_favourite")
    assert NewField("favouriteColour", "Favourite Colour", "integer") in resolved.new_fields


def test_a_setting_removes_a_pair() -> None:
    resolved = resolve(FieldOverride("firstname", remove=True))
    assert not is_mapped(resolved, "firstname")
    assert "firstName" not in resolved.mapping.marketing_fields


def test_a_setting_names_a_transform() -> None:
    said = FieldOverride("donotemail", marketing="mailAllowed", transform="opposite", opt_out=False)
    assert pair_of(resolve(said), "donotemail").transform == Opposite()


def test_the_entitys_direction_narrows_its_pairs_without_a_word() -> None:
    resolved = resolve(direction=Direction.TO_MARKETING)
    assert {pair.direction for pair in resolved.mapping.pairs} == {Direction.TO_MARKETING}
    assert resolved.narrowed == ()


def test_a_pair_against_the_entitys_direction_is_left_out() -> None:
    resolved = resolve(FieldOverride("firstname", direction=Direction.TO_CRM), direction=Direction.TO_MARKETING)
    assert "entities.lead.direction" in left_out(resolved, "firstname").remedy


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([FieldOverride("new_x")], "say the Marketo field"),
        ([FieldOverride("new_x", remove=True)], "delete the line"),
        ([FieldOverride("@id", remove=True)], "cannot be changed"),
        ([FieldOverride("@id", marketing="other")], "cannot be changed"),
        ([FieldOverride("firstname"), FieldOverride("firstname")], "set twice"),
        ([FieldOverride("middlename", marketing="firstName")], "both 'firstname' and 'middlename'"),
        ([FieldOverride("firstname", transform="shout")], "known: as_is, number, opposite"),
        ([FieldOverride("donotphone", transform="opposite")], "an opt-out is true on both sides"),
        ([FieldOverride("firstname", opt_out=True)], "which is for yes/no fields"),
        ([FieldOverride("ownerid", direction=Direction.BOTH)], "can only go to_marketing"),
        ([FieldOverride("@type", direction=Direction.TO_CRM)], "can only go to_marketing"),
    ],
)
def test_settings_that_contradict_are_refused_by_name(overrides: list[FieldOverride], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as refusal:
        resolve(*overrides)
    assert "entities.lead.fields" in str(refusal.value)


# --- fields to make ------------------------------------------------------------------------------------------------


def test_fields_that_leads_and_contacts_share_are_made_once() -> None:
    contact = EntitySchema(CONTACT, LEAD_SCHEMA.fields)
    fields = distinct_new_fields([resolve(), resolve(crm=contact)])
    assert len({field.name for field in fields}) == len(fields)
    assert "microsoftType" in {field.name for field in fields}


def test_more_fields_than_the_api_makes_stop_the_start() -> None:
    pairs = [DefaultPair(f"new_{n}", f"field{n}", f"Field {n}", "string") for n in range(NEW_FIELDS_MAX)]
    default = DefaultMapping(LEAD, PERSON, "externalPersonId", (*DEFAULT_MAPPINGS[LEAD].pairs[:1], *pairs), "email")
    crm = a_schema(LEAD, [a_field(pair.crm) for pair in pairs])
    with pytest.raises(ConfigError, match=f"{NEW_FIELDS_MAX + 1} new Marketo person fields"):
        distinct_new_fields([resolve_mapping(default, crm, PERSON_SCHEMA)])


# --- columns of what a lookup leads to


OWNER_NAME = a_field("ownerid.@name", is_writable=False, max_length=200, shows=((USER, "fullname"), (TEAM, "name")))
OWNERS = with_fields(
    LEAD_SCHEMA, a_field("ownerid", FieldKind.REFERENCE, is_writable=False, targets=("systemuser", "team")), OWNER_NAME
)


def test_a_person_shows_what_a_lookup_leads_to_and_watches_it() -> None:
    said = FieldOverride("ownerid.@name", marketing="ownerName", create_as="string")
    resolved = resolve(said, crm=OWNERS)
    pair = pair_of(resolved, "ownerid.@name")
    assert pair.transform == Text(200, 255, cuts=True)
    assert pair.direction is Direction.TO_MARKETING
    assert pair.watches == (Watch("ownerid.@id", USER, "fullname"), Watch("ownerid.@id", TEAM, "name"))
    assert "ownerid.@id" in resolved.mapping.crm_fields, "by which the one that is shown is known"
    assert resolved.mapping.paths == ("ownerid.@name",)
    assert not resolved.mapping.has_paths, "the base of a person that has not moved stands for it"
    assert not [line for line in resolved.narrowed if line.crm_field == "ownerid.@name"], "one way by nature"


def test_a_path_that_goes_to_a_field_that_exists_is_known_by_what_it_was_made_of() -> None:
    marketing = with_fields(PERSON_SCHEMA, a_field("ownerName"))
    said = FieldOverride("ownerid.@name", marketing="ownerName")
    pair = pair_of(resolve(said, crm=OWNERS, marketing=marketing), "ownerid.@name")
    assert pair.info_on(Side.CRM) == OWNER_NAME, "so that it is noticed when the column at its end changes"


def test_a_path_of_people_that_leads_to_nothing_is_left_out_by_name() -> None:
    resolved = resolve(
        FieldOverride("ownerid.nickname", marketing="a", create_as="string"),
        FieldOverride("firstname.name", marketing="b", create_as="string"),
        crm=OWNERS,
    )
    assert "nickname is no column of systemuser or team" in left_out(resolved, "ownerid.nickname").reason
    assert "firstname is no lookup" in left_out(resolved, "firstname.name").reason
    assert not any(field.name in ("a", "b") for field in resolved.new_fields)


@pytest.mark.parametrize("direction", [Direction.BOTH, Direction.TO_CRM])
def test_a_path_goes_to_marketing_only(direction: Direction) -> None:
    said = FieldOverride("ownerid.@name", marketing="ownerName", create_as="string", direction=direction)
    with pytest.raises(ConfigError, match=r"ownerid\.@name.*can only go to_marketing"):
        resolve(said, crm=OWNERS)


@pytest.mark.parametrize(
    "said", [{"create_column_as": "String"}, {"is_own": True}, {"is_key": True}, {"opt_out": True}], ids=str
)
def test_nothing_makes_or_writes_a_column_of_another_record(said: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="Tandem only reads"):
        resolve(FieldOverride("ownerid.@name", marketing="ownerName", **said), crm=OWNERS)
