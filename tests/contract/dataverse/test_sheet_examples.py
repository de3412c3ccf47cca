"""Examples and rules of the fact sheet that no other test holds, section by section, with the documented answer."""

from typing import Any, Final

import pytest

from tests.contract.dataverse.client import InProcess

CRM: Final = "Microsoft.Dynamics.CRM."
NOBODY: Final = "11111111-1111-1111-1111-111111111111"


def choices(org: InProcess, table: str, column: str, kind: str = "Picklist") -> dict[int, str]:
    path = f"EntityDefinitions(LogicalName='{table}')/Attributes(LogicalName='{column}')/{CRM}{kind}AttributeMetadata"
    options = org.get(f"{path}?$select=LogicalName&$expand=OptionSet").body["OptionSet"]["Options"]
    return {option["Value"]: option["Label"]["UserLocalizedLabel"]["Label"] for option in options}


# 2. URLs, headers, errors.


@pytest.mark.parametrize(
    ("method", "target", "headers", "expected"),
    [
        ("GET", f"accounts({NOBODY})", {}, (404, "0x80040217", f"account With Id = {NOBODY} Does Not Exist")),
        ("GET", "nothings", {}, (404, "0x8006088a", "Resource not found for the segment 'nothings'.")),
        (
            "GET",
            "accounts?$select=x",
            {},
            (400, "0x80060888", "Could not find a property named 'x' on type 'Microsoft.Dynamics.CRM.account'."),
        ),
        (
            "GET",
            "contacts?$filter=lastname eq 'O'Bryan'",
            {},
            (400, "0x80060888", "There is an unterminated literal at position 21 in 'lastname eq 'O'Bryan''."),
        ),
        (
            "GET",
            "accounts?$filter=name eq 'x'",
            {"Prefer": "odata.track-changes"},
            (400, "0x80060888", 'The "$filter" query parameter isn\'t supported when Change Tracking is enabled.'),
        ),
        (
            "GET",
            "accounts?$expand=contact_customer_accounts/$ref",
            {},
            (400, "0x80060888", "Expand with $ref is only supported on lookup type navigation property."),
        ),
        (
            "GET",
            "accounts?$expand=primarycontactid($top=1)",
            {},
            (
                400,
                "0x80060888",
                "Only $select and $filter clause can be provided while doing $expand on many-to-one relationship or "
                "nested one-to-many relationship.",
            ),
        ),
        (
            "POST",
            f"contacts/{CRM}DeleteMultiple",
            {},
            (501, "0x80060888", "DeleteMultiple has not yet been implemented."),
        ),
    ],
)
def test_2_the_literal_texts_of_refusals(
    org: InProcess, method: str, target: str, headers: dict[str, str], expected: tuple[int, str, str]
) -> None:
    body = {"Targets": [{"contactid": NOBODY}]} if method == "POST" else None
    assert org.api(method, target, body, **headers).error == expected


def test_2_6_a_table_without_versions_takes_no_condition(org: InProcess) -> None:
    """0x8006088d, where the definition says that optimistic concurrency is not enabled."""
    org.set("/privileges", user=org.get("WhoAmI").body["UserId"], administrator=True)
    currency = org.get("transactioncurrencies").rows[0]["transactioncurrencyid"]
    definition = org.get("EntityDefinitions(LogicalName='transactioncurrency')?$select=IsOptimisticConcurrencyEnabled")
    assert definition.body["IsOptimisticConcurrencyEnabled"] is False
    target = f"transactioncurrencies({currency})"
    for method, body in (("PATCH", {"currencyname": "Florin"}), ("DELETE", None)):
        status, code, _ = org.api(method, target, body, If_Match='W/"1"').error
        assert (status, code) == (400, "0x8006088d")
    assert org.api("PATCH", target, {"currencyname": "Florin"}, If_Match="*").status == 204


# 5. Writing.


def test_5_7_the_bulk_messages_of_a_table_are_looked_up_as_filters(org: InProcess) -> None:
    for message in ("CreateMultiple", "UpdateMultiple", "UpsertMultiple"):
        for table in ("contact", "opportunity"):
            condition = f"sdkmessageid/name eq '{message}' and primaryobjecttypecode eq '{table}'"
            [found] = org.get(f"sdkmessagefilters?$filter={condition}").rows
            assert found["iscustomprocessingstepallowed"] is False


def test_8_a_step_on_a_bulk_message_is_refused_and_not_silent(org: InProcess) -> None:
    org.set("/privileges", user=org.get("WhoAmI").body["UserId"], administrator=True)
    condition = "sdkmessageid/name eq 'CreateMultiple' and primaryobjecttypecode eq 'contact'"
    [found] = org.get(f"sdkmessagefilters?$filter={condition}").rows
    hook = {"name": "h", "contract": 8, "url": "http://127.0.0.1:9/", "authtype": 4, "authvalue": "k"}
    endpoint = org.create("serviceendpoints", **hook)
    step = {
        "name": "s",
        "stage": 40,
        "mode": 1,
        "rank": 1,
        "eventhandler_serviceendpoint@odata.bind": f"/serviceendpoints({endpoint})",
        "sdkmessageid@odata.bind": f"/sdkmessages({found['_sdkmessageid_value']})",
        "sdkmessagefilterid@odata.bind": f"/sdkmessagefilters({found['sdkmessagefilterid']})",
    }
    text = "Custom SdkMessageProcessingStep is not allowed on the specified message and entity."
    assert org.api("POST", "sdkmessageprocessingsteps", step).error == (400, "0x80044187", text)


def test_5_9_column_maps_are_read_with_their_table_map(org: InProcess) -> None:
    condition = "sourceentityname eq 'lead' and targetentityname eq 'contact'"
    [found] = org.get(f"entitymaps?$filter={condition}&$expand=entity_map_attribute_maps").rows
    columns = {row["sourceattributename"]: row["targetattributename"] for row in found["entity_map_attribute_maps"]}
    usual = "firstname lastname jobtitle emailaddress1 mobilephone telephone2 pager fax websiteurl description"
    assert {name: columns.get(name) for name in usual.split()} == {name: name for name in usual.split()}


# 6. Metadata.


def test_6_5_the_organisation_tells_its_kind_and_solutions(org: InProcess) -> None:
    answer = org.get("RetrieveOrganizationInfo()")
    context = f"{org.url}/api/data/v9.2/$metadata#Microsoft.Dynamics.CRM.RetrieveOrganizationInfoResponse"
    assert set(answer.body) == {"@odata.context", "organizationInfo"}
    assert answer.body["@odata.context"] == context
    info: dict[str, Any] = answer.body["organizationInfo"]
    assert set(info) == {"InstanceType", "Solutions"}
    assert "Default" in {solution["SolutionUniqueName"] for solution in info["Solutions"]}


@pytest.mark.parametrize(
    ("table", "on", "locked"),
    [
        ("account", True, False),
        ("contact", True, False),
        ("lead", True, False),
        ("connection", True, False),
        ("team", True, True),
        ("asyncoperation", False, True),
    ],
)
def test_4_1_which_tables_are_tracked_and_whether_that_can_change(
    org: InProcess, table: str, on: bool, locked: bool
) -> None:
    select = "ChangeTrackingEnabled,CanChangeTrackingBeEnabled"
    found = org.get(f"EntityDefinitions(LogicalName='{table}')?$select={select}").body
    assert found["ChangeTrackingEnabled"] is on
    assert locked is not found["CanChangeTrackingBeEnabled"]["Value"]


# 10. Standard tables.

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


# What the documentation is silent about: each a switch.


def test_13_a_published_column_ends_delta_tokens_or_not(fresh: InProcess) -> None:
    tracked = fresh.get("leads?$select=subject", Prefer="odata.track-changes").body["@odata.deltaLink"]
    fresh.set("/schema/changed", entity="lead")
    assert fresh.get(tracked).error[:2] == (400, "0x80044352")
    fresh.set("/settings", expired_token_status=410)
    assert fresh.get(tracked).error[:2] == (410, "0x80044352")
    fresh.set("/settings", schema_ends_delta_tokens=False)
    assert fresh.get(tracked).rows == []


def test_13_the_status_of_a_closed_environment_is_unknown(fresh: InProcess) -> None:
    fresh.set("/settings", admin_mode=True)
    assert fresh.get("WhoAmI").error[:2] == (403, "0x8004a113")
    fresh.set("/settings", closed_environment_status=503)
    assert fresh.get("WhoAmI").error[:2] == (503, "0x8004a113")
    fresh.set("/settings", organization_enabled=False)
    assert fresh.get("WhoAmI").error[:2] == (503, "0x8004a104")
    assert fresh.control("POST", "/settings", {"closed_environment_status": 7}).status == 400


def test_13_the_body_of_a_401_is_unknown(fresh: InProcess) -> None:
    fresh.token = "ended"
    fresh.set("/settings", challenge_body="Unauthorized")
    answer = fresh.get("WhoAmI")
    assert (answer.status, answer.raw) == (401, b"Unauthorized")
    assert answer.headers["www-authenticate"].startswith(f"Bearer authorization_uri={fresh.url}/")


@pytest.mark.parametrize("part", ["Keys", "Keys(LogicalName='aadobjectid_membershiptype')", "ManyToOneRelationships"])
def test_6_what_is_not_served_below_a_part_is_refused_and_not_left_out(org: InProcess, part: str) -> None:
    answer = org.get(f"EntityDefinitions(LogicalName='team')/{part}?$expand=AsyncJob")
    assert answer.error[:2] == (400, "0x80060888")
    assert "'AsyncJob'" in answer.error[2]


PICKLISTS: Final = f"EntityDefinitions(LogicalName='account')/Attributes/{CRM}PicklistAttributeMetadata"
CHOICES: Final = "$select=LogicalName&$expand=OptionSet($select=Options),GlobalOptionSet($select=Options)"


@pytest.mark.parametrize("of_one", [False, True])
def test_6_1_the_contexts_of_expanded_choices(org: InProcess, of_one: bool) -> None:
    """`…/Attributes(<guid>)/….PicklistAttributeMetadata/OptionSet(Options)/$entity`, in a list and for one column."""
    name, cast = "accountcategorycode", f"{CRM}PicklistAttributeMetadata"
    if of_one:
        one = f"EntityDefinitions(LogicalName='account')/Attributes(LogicalName='{name}')/{cast}"
        row = org.get(f"{one}?{CHOICES}").body
    else:
        answer = org.get(f"{PICKLISTS}?{CHOICES}&$filter=LogicalName eq '{name}'")
        assert answer.body["@odata.context"].endswith(
            f"#EntityDefinitions('account')/Attributes/{cast}(LogicalName,OptionSet(Options),GlobalOptionSet(Options))"
        )
        [row] = answer.rows
    place = f"EntityDefinitions('account')/Attributes({row['MetadataId']})/{cast}/OptionSet(Options)/$entity"
    assert row["OptionSet@odata.context"] == f"{org.url}/api/data/v9.2/$metadata#{place}"


def test_6_1_a_global_choice_stands_in_both_properties_or_in_its_own(fresh: InProcess) -> None:
    one = "EntityDefinitions(LogicalName='lead')/Attributes(LogicalName='budgetstatus')"
    path = f"{one}/{CRM}PicklistAttributeMetadata?{CHOICES}"
    both = fresh.get(path).body
    assert both["OptionSet"]["Options"] == both["GlobalOptionSet"]["Options"] != []
    fresh.set("/settings", global_choices_apart=True)
    apart = fresh.get(path).body
    assert apart["OptionSet"] is None
    assert apart["GlobalOptionSet"] == both["GlobalOptionSet"]
    assert fresh.get(path.replace("budgetstatus", "leadqualitycode")).body["OptionSet"] is not None


def test_6_5_newer_builds_tell_the_type_and_endpoints_as_pairs(fresh: InProcess) -> None:
    path = "RetrieveCurrentOrganization(AccessType=Microsoft.Dynamics.CRM.EndpointAccessType'Default')"
    names = ["WebApplication", "OrganizationService", "OrganizationDataService"]
    older = fresh.get(path).body["Detail"]
    assert older["Endpoints"]["Keys"] == names
    assert "OrganizationType" not in older
    fresh.set("/settings", newer_organization_detail=True)
    newer = fresh.get(path).body["Detail"]
    assert [pair["key"] for pair in newer["Endpoints"]] == names
    assert newer["OrganizationType"] == "Customer"
