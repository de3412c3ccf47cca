"""Section 10 of the fact sheet: the columns, lengths, choices and relationships of the standard tables."""

from typing import Final

import pytest

from tests.contract.dataverse.client import InProcess

CRM: Final = "Microsoft.Dynamics.CRM."


def choices(org: InProcess, table: str, column: str, kind: str = "Picklist") -> dict[int, str]:
    path = f"EntityDefinitions(LogicalName='{table}')/Attributes(LogicalName='{column}')/{CRM}{kind}AttributeMetadata"
    options = org.get(f"{path}?$select=LogicalName&$expand=OptionSet").body["OptionSet"]["Options"]
    return {option["Value"]: option["Label"]["UserLocalizedLabel"]["Label"] for option in options}


LENGTHS: Final = {
    "lead": "firstname 50 lastname 50 subject 300 companyname 100 jobtitle 100 emailaddress1 100 emailaddress3 100 "
    "telephone1 50 mobilephone 20 fax 50 websiteurl 200 description 2000 sic 20 address1_line1 250 address1_city 80 "
    "address1_stateorprovince 50 address1_postalcode 20 address1_country 80",
    "contact": "mobilephone 50 employeeid 50 externaluseridentifier 50",
    "account": "name 160 accountnumber 20",
    "opportunity": "name 300",
    "team": "name 160",
    "connection": "name 500",
    "connectionrole": "name 100",
    "list": "listname 128",
    "campaign": "name 128",
}


@pytest.mark.parametrize("table", LENGTHS)
def test_10_lengths(org: InProcess, table: str) -> None:
    words = LENGTHS[table].split()
    expected = dict(zip(words[::2], map(int, words[1::2]), strict=True))
    found: dict[str, int] = {}
    for kind in ("String", "Memo"):
        path = f"EntityDefinitions(LogicalName='{table}')/Attributes/{CRM}{kind}AttributeMetadata"
        rows = org.get(f"{path}?$select=LogicalName,MaxLength").rows
        found |= {row["LogicalName"]: row["MaxLength"] for row in rows}
    assert {name: found[name] for name in expected} == expected


STATES: Final = {
    "account": ({0: ("Active", 1), 1: ("Inactive", 2)}, {1: "Active", 2: "Inactive"}),
    "contact": ({0: ("Active", 1), 1: ("Inactive", 2)}, {1: "Active", 2: "Inactive"}),
    "opportunity": (
        {0: ("Open", 1), 1: ("Won", 3), 2: ("Lost", 4)},
        {1: "In Progress", 2: "On Hold", 3: "Won", 4: "Canceled", 5: "Out-Sold"},
    ),
    "connection": ({0: ("Active", 1), 1: ("Inactive", 2)}, {1: "Active", 2: "Inactive"}),
    "list": ({0: ("Active", 0), 1: ("Inactive", 1)}, {0: "Active", 1: "Inactive"}),
    "campaign": (
        {0: ("Active", 0), 1: ("Inactive", 6)},
        {
            0: "Proposed",
            1: "Ready To Launch",
            2: "Launched",
            3: "Completed",
            4: "Canceled",
            5: "Suspended",
            6: "Inactive",
        },
    ),
    "transactioncurrency": ({0: ("Active", 1), 1: ("Inactive", 2)}, {1: "Active", 2: "Inactive"}),
    "connectionrole": ({0: ("Active", 1), 1: ("Inactive", 2)}, {1: "Active", 2: "Inactive"}),
}


@pytest.mark.parametrize("table", STATES)
def test_10_states_with_their_default_statuses(org: InProcess, table: str) -> None:
    states, statuses = STATES[table]
    path = f"EntityDefinitions(LogicalName='{table}')/Attributes(LogicalName='statecode')/{CRM}StateAttributeMetadata"
    options = org.get(f"{path}?$expand=OptionSet").body["OptionSet"]["Options"]
    assert {o["Value"]: (o["Label"]["UserLocalizedLabel"]["Label"], o["DefaultStatus"]) for o in options} == states
    assert choices(org, table, "statuscode", "Status") == statuses


def numbered(text: str) -> dict[int, str]:
    return {int(number): label for number, _, label in (part.partition(" ") for part in text.split(", "))}


@pytest.mark.parametrize(
    ("table", "column", "expected"),
    [
        (
            "lead",
            "leadsourcecode",
            "1 Advertisement, 2 Employee Referral, 3 External Referral, 4 Partner, 5 Public Relations, 6 Seminar, "
            "7 Trade Show, 8 Web, 9 Word of Mouth, 10 Other",
        ),
        ("lead", "leadqualitycode", "1 Hot, 2 Warm, 3 Cold"),
        ("contact", "leadsourcecode", "1 Default Value"),
        (
            "systemuser",
            "accessmode",
            "0 Read-Write, 1 Administrative, 2 Read, 3 Support User, 4 Non-interactive, 5 Delegated Admin",
        ),
        ("customeraddress", "addresstypecode", "1 Bill To, 2 Ship To, 3 Primary, 4 Other"),
        (
            "connectionrole",
            "category",
            "1 Business, 2 Family, 3 Social, 4 Sales, 5 Other, 1000 Stakeholder, 1001 Sales Team, 1002 Service",
        ),
    ],
)
def test_10_options(org: InProcess, table: str, column: str, expected: str) -> None:
    assert choices(org, table, column) == numbered(expected)


@pytest.mark.parametrize(
    ("table", "column", "numbers"),
    [
        ("lead", "budgetstatus", range(4)),
        ("lead", "need", range(4)),
        ("lead", "purchasetimeframe", range(5)),
        ("lead", "purchaseprocess", range(3)),
        ("lead", "salesstage", range(1)),
        ("lead", "preferredcontactmethodcode", range(1, 6)),
        ("account", "customertypecode", range(1, 13)),
        ("account", "industrycode", range(1, 34)),
        ("account", "accountcategorycode", range(1, 3)),
        ("opportunity", "salesstage", range(4)),
        ("campaign", "typecode", range(1, 6)),
        ("team", "teamtype", range(4)),
        ("list", "createdfromcode", (1, 2, 4)),
    ],
)
def test_10_numbers_of_options(org: InProcess, table: str, column: str, numbers: range | tuple[int, ...]) -> None:
    assert sorted(choices(org, table, column)) == list(numbers)


COLUMNS: Final = {
    "lead": "estimatedvalue:Double estimatedamount:Money estimatedclosedate:DateTime donotsendmm:Boolean",
    "contact": "birthdate:DateTime anniversary:DateTime parentcustomerid:Customer originatingleadid:Lookup "
    "gendercode:Picklist familystatuscode:Picklist",
    "account": "revenue:Money revenue_base:Money numberofemployees:Integer opendeals:Integer openrevenue:Money "
    "originatingleadid:Lookup territoryid:Lookup primarycontactid:Lookup parentaccountid:Lookup",
    "opportunity": "customerid:Customer actualclosedate:DateTime estimatedvalue:Money actualvalue:Money "
    "budgetamount:Money isrevenuesystemcalculated:Boolean pricelevelid:Lookup campaignid:Lookup",
    "systemuser": "domainname:String internalemailaddress:String azureactivedirectoryobjectid:Uniqueidentifier "
    "applicationid:Uniqueidentifier isdisabled:Boolean accessmode:Picklist islicensed:Boolean "
    "isintegrationuser:Boolean parentsystemuserid:Lookup fullname:String",
    "connection": "record1id:Lookup record2id:Lookup record1roleid:Lookup relatedconnectionid:Lookup ismaster:Boolean",
}


@pytest.mark.parametrize("table", COLUMNS)
def test_10_columns_and_their_types(org: InProcess, table: str) -> None:
    expected = dict(pair.split(":") for pair in COLUMNS[table].split())
    rows = org.get(f"EntityDefinitions(LogicalName='{table}')/Attributes?$select=LogicalName,AttributeType").rows
    found = {row["LogicalName"]: row["AttributeType"] for row in rows}
    assert {name: found.get(name) for name in expected} == expected


COMMON: Final = [
    "createdon",
    "createdby",
    "createdonbehalfby",
    "modifiedon",
    "modifiedby",
    "modifiedonbehalfby",
    "versionnumber",
    "importsequencenumber",
    "overriddencreatedon",
]
TIME_ZONES: Final = ["timezoneruleversionnumber", "utcconversiontimezonecode"]
OWNED: Final = ["ownerid", "owninguser", "owningteam", "owningbusinessunit"]


@pytest.mark.parametrize(
    ("table", "more"),
    [(name, OWNED + TIME_ZONES) for name in ("account", "contact", "opportunity", "lead", "list", "campaign")]
    + [("connection", OWNED), ("systemuser", TIME_ZONES)]
    + [(name, []) for name in ("team", "connectionrole", "transactioncurrency")],
)
def test_10_columns_of_every_table(org: InProcess, table: str, more: list[str]) -> None:
    """The real definitions of teams, connections and their like have no columns of time zones."""
    rows = org.get(f"EntityDefinitions(LogicalName='{table}')/Attributes?$select=LogicalName").rows
    found = {row["LogicalName"] for row in rows}
    assert {*COMMON, *more} - found == set()


@pytest.mark.parametrize(
    ("table", "column", "expected"),
    [
        ("lead", "customerid", {"customerid_account", "customerid_contact"}),
        ("lead", "parentaccountid", {"parentaccountid"}),
        ("lead", "parentcontactid", {"parentcontactid"}),
        ("lead", "campaignid", {"campaignid"}),
        ("lead", "qualifyingopportunityid", {"qualifyingopportunityid"}),
        ("lead", "masterid", {"masterid"}),
        ("contact", "parentcustomerid", {"parentcustomerid_account", "parentcustomerid_contact"}),
        ("opportunity", "customerid", {"customerid_account", "customerid_contact"}),
        ("opportunity", "originatingleadid", {"originatingleadid"}),
        ("customeraddress", "parentid", {"parentid_account", "parentid_contact"}),
    ],
)
def test_10_lookups_and_their_navigation(org: InProcess, table: str, column: str, expected: set[str]) -> None:
    select = "$select=ReferencingEntityNavigationPropertyName"
    path = f"EntityDefinitions(LogicalName='{table}')/ManyToOneRelationships"
    rows = org.get(f"{path}?{select}&$filter=ReferencingAttribute eq '{column}'").rows
    assert {row["ReferencingEntityNavigationPropertyName"] for row in rows} >= expected


def test_10_read_only_columns_of_the_sheet(org: InProcess) -> None:
    read_only = {"lead": "fullname masterid merged", "contact": "fullname accountid parentcontactid masterid merged"}
    read_only |= {"systemuser": "fullname", "connection": "name"}
    for table, names in read_only.items():
        select = "$select=LogicalName,IsValidForUpdate"
        rows = org.get(f"EntityDefinitions(LogicalName='{table}')/Attributes?{select}").rows
        found = {row["LogicalName"]: row["IsValidForUpdate"] for row in rows}
        assert {name: found[name] for name in names.split()} == dict.fromkeys(names.split(), False), table


@pytest.mark.parametrize(
    ("relation", "cascade"),
    [
        ("opportunity_customer_accounts", {"Assign": "Cascade", "Delete": "Cascade", "Merge": "Cascade"}),
        ("opportunity_customer_contacts", {"Assign": "Cascade", "Delete": "Cascade", "Merge": "Cascade"}),
        ("contact_customer_accounts", {"Assign": "Cascade", "Delete": "Cascade"}),
        ("lead_customer_accounts", {"Delete": "Cascade"}),
        ("contact_customer_contacts", {"Delete": "RemoveLink"}),
        ("opportunity_parent_account", {"Delete": "RemoveLink", "Merge": "Cascade"}),
        ("opportunity_parent_contact", {"Delete": "RemoveLink", "Merge": "Cascade"}),
        ("transactioncurrency_opportunity", {"Delete": "Restrict"}),
    ],
)
def test_10_cascades(org: InProcess, relation: str, cascade: dict[str, str]) -> None:
    path = f"RelationshipDefinitions(SchemaName='{relation}')/{CRM}OneToManyRelationshipMetadata"
    found = org.get(f"{path}?$select=CascadeConfiguration").body["CascadeConfiguration"]
    assert {name: found[name] for name in cascade} == cascade
