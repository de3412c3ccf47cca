"""Sheet section 6.1 and 10: tables, columns, lengths and choices."""

from typing import Any

import pytest

from tests.contract.dataverse.client import Running

CRM = "Microsoft.Dynamics.CRM."


def columns(crm: Running, table: str, query: str = "", cast: str = "") -> list[dict[str, Any]]:
    return crm.get(f"EntityDefinitions(LogicalName='{table}')/Attributes{cast}{query}").rows


def test_an_uncast_list_has_common_properties_and_types(crm: Running) -> None:
    found = {c["LogicalName"]: c for c in columns(crm, "contact", "?$select=LogicalName,AttributeType,SchemaName")}
    expected = {"@odata.type", "MetadataId", "LogicalName", "AttributeType", "SchemaName"}
    assert set(found["emailaddress1"]) == expected
    assert found["emailaddress1"]["@odata.type"] == f"#{CRM}StringAttributeMetadata"
    assert found["originatingleadid"]["AttributeType"] == "Lookup"
    assert "@odata.type" not in found["contactid"]
    assert not [name for name in found if name.startswith("mkt_")]


@pytest.mark.parametrize(
    ("table", "column", "length"),
    [("lead", "mobilephone", 20), ("contact", "mobilephone", 50), ("account", "name", 160), ("lead", "subject", 300)],
)
def test_10_lengths_need_the_cast(crm: Running, table: str, column: str, length: int) -> None:
    query = f"?$select=LogicalName,MaxLength&$filter=LogicalName eq '{column}'"
    [plain] = columns(crm, table, query)
    assert "MaxLength" not in plain
    [cast] = columns(crm, table, query, f"/{CRM}StringAttributeMetadata")
    assert cast["MaxLength"] == length


def options(crm: Running, table: str, cast: str) -> dict[str, dict[int, str]]:
    rows = columns(crm, table, "?$select=LogicalName&$expand=OptionSet,GlobalOptionSet", f"/{CRM}{cast}")
    return {
        row["LogicalName"]: {o["Value"]: o["Label"]["UserLocalizedLabel"]["Label"] for o in row["OptionSet"]["Options"]}
        for row in rows
    }


def test_10_choices_have_the_labels_of_the_sheet(crm: Running) -> None:
    picklists = options(crm, "lead", "PicklistAttributeMetadata")
    assert picklists["leadqualitycode"] == {1: "Hot", 2: "Warm", 3: "Cold"}
    assert picklists["leadsourcecode"][8] == "Web"
    assert options(crm, "lead", "StateAttributeMetadata")["statecode"] == {0: "Open", 1: "Qualified", 2: "Disqualified"}
    statuses = options(crm, "lead", "StatusAttributeMetadata")["statuscode"]
    assert statuses == {
        1: "New",
        2: "Contacted",
        3: "Qualified",
        4: "Lost",
        5: "Cannot Contact",
        6: "No Longer Interested",
        7: "Canceled",
    }


def test_a_state_option_names_its_default_status_and_a_status_its_state(crm: Running) -> None:
    [state] = columns(crm, "contact", "?$expand=OptionSet", f"/{CRM}StateAttributeMetadata")
    assert [option["DefaultStatus"] for option in state["OptionSet"]["Options"]] == [1, 2]
    [status] = columns(crm, "contact", "?$expand=OptionSet", f"/{CRM}StatusAttributeMetadata")
    assert [option["State"] for option in status["OptionSet"]["Options"]] == [0, 1]


def test_a_yes_no_column_has_its_two_options(crm: Running) -> None:
    query = "?$select=LogicalName&$filter=LogicalName eq 'donotemail'&$expand=OptionSet"
    [column] = columns(crm, "contact", query, f"/{CRM}BooleanAttributeMetadata")
    labels = {
        name: column["OptionSet"][name]["Label"]["UserLocalizedLabel"]["Label"]
        for name in ("TrueOption", "FalseOption")
    }
    assert labels == {"TrueOption": "Do Not Allow", "FalseOption": "Allow"}


def test_the_account_column_is_websiteurl(crm: Running) -> None:
    found = {column["LogicalName"] for column in columns(crm, "account", "?$select=LogicalName")}
    assert "websiteurl" in found
    assert "website" not in found


def test_a_table_is_found_by_name_and_lists_are_filtered(crm: Running) -> None:
    row = crm.get("EntityDefinitions(LogicalName='lead')?$select=EntitySetName,ObjectTypeCode").body
    assert row["@odata.context"].endswith("$metadata#EntityDefinitions(EntitySetName,ObjectTypeCode)/$entity")
    assert (row["EntitySetName"], row["ObjectTypeCode"]) == ("leads", 4)
    assert set(row) == {"@odata.context", "MetadataId", "EntitySetName", "ObjectTypeCode"}
    query = "EntityDefinitions?$select=LogicalName,EntitySetName,PrimaryIdAttribute&$filter=LogicalName eq 'account'"
    [account] = crm.get(query).rows
    assert account["PrimaryIdAttribute"] == "accountid"
    tracked = crm.get("EntityDefinitions?$select=LogicalName&$filter=ChangeTrackingEnabled eq true").rows
    assert {"lead", "contact", "account"} <= {row["LogicalName"] for row in tracked}


def test_6_1_filters_in_use_are_understood(crm: Running) -> None:
    lookups = columns(crm, "lead", f"?$filter=AttributeType eq {CRM}AttributeTypeCode'Lookup'&$select=LogicalName")
    assert "parentaccountid" in {column["LogicalName"] for column in lookups}
    own = columns(crm, "lead", "?$filter=AttributeOf eq null and IsValidForRead eq true&$select=LogicalName")
    assert "owneridname" not in {column["LogicalName"] for column in own}


def test_attributes_are_expanded_in_one_call(crm: Running) -> None:
    rows = crm.get("EntityDefinitions?$select=LogicalName&$expand=Attributes($select=LogicalName)").rows
    lead = next(row for row in rows if row["LogicalName"] == "lead")
    assert "leadid" in {column["LogicalName"] for column in lead["Attributes"]}


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("EntityDefinitions(LogicalName='nothing')", 404),
        ("EntityDefinitions(LogicalName='lead')/Attributes(LogicalName='nothing')", 404),
        ("EntityDefinitions(nothing)", 400),
        ("EntityDefinitions?$top=5", 400),
        ("EntityDefinitions?$filter=nonsense((", 400),
        (f"EntityDefinitions(LogicalName='lead')/Attributes/{CRM}EnumAttributeMetadata", 404),
        ("EntityDefinitions(LogicalName='lead')/Nothing", 404),
    ],
)
def test_what_is_not_there_is_refused(crm: Running, target: str, status: int) -> None:
    assert crm.get(target).status == status
