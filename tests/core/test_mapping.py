"""Shapes and places: every pair finds its own values on both sides, whatever the shapes share."""

import pytest

from tandem.core.choices import Choice
from tandem.core.mapping import Direction, FieldPair, Winner, compile_mapping, share_shapes
from tandem.core.policy import EntityPolicy
from tandem.core.record import ACCOUNT, COMPANY, CONTACT, LEAD, PERSON, Side
from tandem.core.transforms import Identity

NAME = FieldPair("lastname", "lastName", Identity())
EMAIL = FieldPair("emailaddress1", "email", Identity())
PHONE = FieldPair("telephone1", "phone", Identity())
KEY = FieldPair("@id", "crmKey", Identity(), Direction.TO_MARKETING)


@pytest.mark.parametrize(
    ("direction", "to_crm", "to_marketing"),
    [(Direction.BOTH, True, True), (Direction.TO_CRM, True, False), (Direction.TO_MARKETING, False, True)],
)
def test_a_direction_allows_its_targets_only(direction: Direction, to_crm: bool, to_marketing: bool) -> None:
    assert direction.allows(Side.CRM) is to_crm
    assert direction.allows(Side.MARKETING) is to_marketing


def test_a_pair_carries_a_value_in_the_spelling_of_its_target() -> None:
    pair = FieldPair("leadsourcecode", "leadSource", Choice({1: "Fair"}))
    assert pair.name == "leadsourcecode|leadSource"
    assert (pair.field_on(Side.CRM), pair.field_on(Side.MARKETING)) == ("leadsourcecode", "leadSource")
    assert pair.carry(1, to=Side.MARKETING) == "Fair"
    assert pair.carry("fair", to=Side.CRM) == 1


def test_a_shape_asks_for_each_field_once_and_for_the_extras_behind_the_pairs() -> None:
    copy = FieldPair("lastname", "familyName", Identity())
    mapping = compile_mapping(
        CONTACT,
        PERSON,
        [NAME, copy, KEY],
        key_field="crmKey",
        dedupe_field="email",
        crm_extras=["originatingleadid", "lastname"],
        marketing_extras=["updatedAt"],
    )
    assert mapping.fields_on(Side.CRM) == ("lastname", "@id", "originatingleadid")
    assert mapping.fields_on(Side.MARKETING) == ("lastName", "familyName", "crmKey", "email", "updatedAt")
    assert mapping.names == ("lastname|lastName", "lastname|familyName", "@id|crmKey")
    assert mapping.crm_values(("Ada", "c1", "l1")) == ("Ada", "Ada", "c1")
    assert mapping.marketing_values(("Ada", "Bea", "c1", "a@x.org", None)) == ("Ada", "Bea", "c1")


def test_a_field_that_the_shape_lacks_reads_as_empty() -> None:
    mapping = compile_mapping(ACCOUNT, COMPANY, [NAME], key_field="externalCompanyId")
    assert mapping.dedupe_field is None
    assert mapping.crm_value(("Contoso",), "lastname") == "Contoso"
    assert mapping.crm_value(("Contoso",), "statecode") is None
    assert mapping.marketing_value(("Contoso", "a1"), "externalCompanyId") == "a1"
    assert mapping.marketing_value(("Contoso", "a1"), "email") is None


def test_mappings_onto_one_marketing_entity_share_its_shape_and_no_other() -> None:
    lead = compile_mapping(LEAD, PERSON, [NAME, EMAIL], key_field="crmKey")
    contact = compile_mapping(CONTACT, PERSON, [PHONE, NAME], key_field="crmKey")
    account = compile_mapping(ACCOUNT, COMPANY, [NAME], key_field="externalCompanyId")
    shared = share_shapes([lead, contact, account])
    shape = ("lastName", "email", "crmKey", "phone")
    assert shared[LEAD].marketing_fields == shared[CONTACT].marketing_fields == shape
    assert shared[LEAD].marketing_values(("Ada", "a@x.org", "c1", "123")) == ("Ada", "a@x.org")
    assert shared[CONTACT].marketing_values(("Ada", "a@x.org", "c1", "123")) == ("123", "Ada")
    assert shared[ACCOUNT] == account


@pytest.mark.parametrize(
    ("policy", "pair", "winner", "first_link"),
    [
        (EntityPolicy(Winner.CRM), NAME, Winner.CRM, Winner.CRM),
        (EntityPolicy(Winner.CRM, first_link=Winner.HOLD), NAME, Winner.CRM, Winner.HOLD),
        (
            EntityPolicy(Winner.CRM),
            FieldPair("a", "b", Identity(), winner=Winner.MARKETING),
            Winner.MARKETING,
            Winner.MARKETING,
        ),
        (
            EntityPolicy(Winner.CRM, first_link=Winner.HOLD),
            FieldPair("a", "b", Identity(), winner=Winner.HOLD, first_link=Winner.MARKETING),
            Winner.HOLD,
            Winner.MARKETING,
        ),
    ],
)
def test_the_nearest_word_on_who_wins_counts(
    policy: EntityPolicy, pair: FieldPair, winner: Winner, first_link: Winner
) -> None:
    assert policy.winner_of(pair) is winner
    assert policy.first_link_of(pair) is first_link
