"""The default pairs: complete by the reference, spelled as both sides spell them, safe for opt-outs."""

import json
from importlib.resources import files

import pytest

from tandem.core.default_mapping import COMPANY_FIELDS, DEFAULT_MAPPINGS, DefaultPair
from tandem.core.mapping import Direction
from tandem.core.record import ACCOUNT, CONTACT, LEAD, OPPORTUNITY, TEAM, USER, Entity

# Rows N73: the columns of the native sync's three default tables, names corrected to the logical names.
LEAD_COLUMNS = """
createdon salutation firstname middlename lastname emailaddress1 jobtitle telephone1 mobilephone fax address1_line1
address1_city address1_stateorprovince address1_country address1_postalcode leadsourcecode statecode statuscode
description donotphone donotbulkemail leadqualitycode address1_line2 address1_line3 donotemail donotfax donotsendmm
telephone2 preferredcontactmethodcode subject mkt_lastinterestingmomentdate mkt_lastinterestingmomentdesc
mkt_leadinterestingmomentsource mkt_lastinterestingmomenttype companyname mkt_relativescore mkt_priority mkt_urgency
revenue
"""
CONTACT_COLUMNS = """
createdon salutation firstname middlename lastname emailaddress1 jobtitle telephone1 mobilephone address1_line1
address1_city address1_stateorprovince address1_country address1_postalcode statecode statuscode donotphone
donotbulkemail address1_line2 address1_line3 donotemail telephone2 preferredcontactmethodcode
mkt_lastinterestingmomentdate mkt_lastinterestingmomenttype mkt_leadinterestingmomentsource
mkt_lastinterestingmomentdesc donotsendmm donotfax mkt_priority mkt_urgency mkt_relativescore description
mkt_leadscore parentcustomerid
"""
ACCOUNT_COLUMNS = """
address1_line1 address1_city address1_country address1_postalcode address1_line2 address1_line3 telephone1
businesstypecode accountnumber statecode revenue description industrycode sic websiteurl numberofemployees name
"""
OPPORTUNITY_COLUMNS = "closeprobability statecode actualclosedate name description"
OPPORTUNITY_DERIVED = ("@amount", "@expected_revenue", "@is_closed", "@is_won", "@account")
"""The native sixth, the estimated value, is the amount while the opportunity is open (N132)."""


def _pairs(entity: Entity) -> dict[str, DefaultPair]:
    return {pair.crm: pair for pair in DEFAULT_MAPPINGS[entity].pairs}


@pytest.mark.parametrize(
    ("entity", "columns", "beyond"),
    [
        (LEAD, LEAD_COLUMNS, {"@id", "@type", "@deleted", "ownerid"}),
        (CONTACT, CONTACT_COLUMNS, {"@id", "@type", "@deleted", "ownerid"}),
        (ACCOUNT, ACCOUNT_COLUMNS, {"@id", "address1_stateorprovince", "parentaccountid", "ownerid"}),
        (OPPORTUNITY, OPPORTUNITY_COLUMNS, {"@id", "createdon", "ownerid", *OPPORTUNITY_DERIVED}),
    ],
)
def test_the_default_mapping_is_the_native_one_and_its_named_additions(
    entity: Entity, columns: str, beyond: set[str]
) -> None:
    assert _pairs(entity).keys() == {*columns.split(), *beyond}


@pytest.mark.parametrize("entity", [LEAD, CONTACT])
def test_a_person_field_without_a_label_is_one_of_marketos_own(entity: Entity) -> None:
    recorded = json.loads(
        files("tandem_emulators.marketo").joinpath("data", "lead-standard-fields.json").read_text(encoding="utf-8")
    )
    own = {field["restName"] for field in recorded["fields"]} | {"externalPersonId"}
    for pair in DEFAULT_MAPPINGS[entity].pairs:
        assert (pair.marketing in own) == (not pair.label), pair


@pytest.mark.parametrize("entity", [LEAD, CONTACT])
def test_no_person_pair_writes_a_field_of_the_company(entity: Entity) -> None:
    assert not COMPANY_FIELDS & {pair.marketing for pair in DEFAULT_MAPPINGS[entity].pairs}


@pytest.mark.parametrize("entity", DEFAULT_MAPPINGS)
def test_each_field_of_either_side_stands_in_one_pair(entity: Entity) -> None:
    pairs = DEFAULT_MAPPINGS[entity].pairs
    assert len({pair.crm for pair in pairs}) == len(pairs)
    assert len({pair.marketing.lower() for pair in pairs}) == len(pairs)


@pytest.mark.parametrize("entity", [LEAD, CONTACT])
def test_every_opt_out_is_marked_and_goes_both_ways(entity: Entity) -> None:
    opt_outs = {pair.crm for pair in DEFAULT_MAPPINGS[entity].pairs if pair.opt_out}
    assert opt_outs == {"donotbulkemail", "donotphone", "donotemail", "donotfax", "donotsendmm"}
    assert all(_pairs(entity)[name].direction is Direction.BOTH for name in opt_outs)


@pytest.mark.parametrize("entity", [ACCOUNT, USER])
def test_what_dynamics_owns_goes_one_way(entity: Entity) -> None:
    assert {pair.direction for pair in DEFAULT_MAPPINGS[entity].pairs} == {Direction.TO_MARKETING}


@pytest.mark.parametrize("entity", [LEAD, CONTACT])
def test_what_people_cannot_edit_in_marketo_goes_one_way(entity: Entity) -> None:
    for column in ("@id", "@type", "@deleted", "createdon", "statecode", "statuscode", "ownerid"):
        assert _pairs(entity)[column].direction is Direction.TO_MARKETING


def test_references_name_the_parent_they_wait_for() -> None:
    assert _pairs(CONTACT)["parentcustomerid"].parents == (ACCOUNT,)
    assert _pairs(CONTACT)["ownerid"].parents == _pairs(LEAD)["ownerid"].parents == (USER, TEAM)


@pytest.mark.parametrize("entity", DEFAULT_MAPPINGS)
def test_the_key_field_is_filled_from_the_id(entity: Entity) -> None:
    mapping = DEFAULT_MAPPINGS[entity]
    if mapping.key_parts:
        assert mapping.key_field in mapping.key_parts
        assert set(mapping.key_parts) <= {pair.marketing for pair in mapping.pairs}
    else:
        assert _pairs(entity)["@id"].marketing == mapping.key_field


def test_lead_and_contact_agree_on_the_person_they_share() -> None:
    """A lead that becomes a contact keeps its person: the same column must not move to another field."""
    lead, contact = _pairs(LEAD), _pairs(CONTACT)
    for column in lead.keys() & contact.keys():
        assert lead[column] == contact[column]
