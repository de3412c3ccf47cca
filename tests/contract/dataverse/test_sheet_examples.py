"""Examples and rules of the fact sheet that no other test holds, section by section, with the documented answer."""

from typing import Any, Final

import pytest

from tests.contract.dataverse.client import InProcess
from tests.contract.dataverse.definitions import label, make_table

CRM: Final = "Microsoft.Dynamics.CRM."
NOBODY: Final = "11111111-1111-1111-1111-111111111111"


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


def test_6_3_a_state_is_renamed(org: InProcess) -> None:
    table = make_table(org)
    state = {"EntityLogicalName": table, "AttributeLogicalName": "statecode", "Value": 1, "MergeLabels": False}
    assert org.api("POST", "UpdateStateValue", {**state, "Label": label("Archived")}).status == 204
    path = f"EntityDefinitions(LogicalName='{table}')/Attributes(LogicalName='statecode')/{CRM}StateAttributeMetadata"
    options = org.get(f"{path}?$expand=OptionSet").body["OptionSet"]["Options"]
    named = {option["Value"]: option["Label"]["UserLocalizedLabel"]["Label"] for option in options}
    assert named == {0: "Active", 1: "Archived"}


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


def test_5_1_bringing_the_time_of_creation_along_takes_a_privilege(fresh: InProcess) -> None:
    old = {"name": "Old", "overriddencreatedon": "2019-05-01T08:00:00Z"}
    assert fresh.api("POST", "accounts", old).status == 204
    fresh.set("/privileges", revoke=["prvOverrideCreatedOnCreatedBy"])
    status, code, text = fresh.api("POST", "accounts", old).error
    assert (status, code) == (403, "0x80040220")
    assert "prvOverrideCreatedOnCreatedBy" in text
    assert fresh.api("POST", "accounts", {"name": "New", "overriddencreatedon": None}).status == 204


def test_2_2_preferences_may_come_in_several_headers(org: InProcess) -> None:
    first, second = "odata.maxpagesize=2", 'odata.include-annotations="*"'
    answer = org.get("contacts?$select=lastname", Prefer=first, prefer=second)
    assert answer.headers["preference-applied"] == f"{first},{second}"
    joined = org.get("contacts?$select=lastname", Prefer=f"{second}, {first}")
    assert set(joined.headers["preference-applied"].split(",")) == {first, second}


@pytest.mark.parametrize("option", ["$skip=1", "$search=x", "$format=json", "$levels=1", "$compute=1"])
def test_3_2_options_that_are_not_supported(org: InProcess, option: str) -> None:
    status, code, _ = org.get(f"contacts?{option}").error
    assert (status, code) == (400, "0x80060888")


@pytest.mark.parametrize(
    ("condition", "table", "other"),
    [
        (f"OwnershipType eq {CRM}OwnershipTypes'UserOwned'", "contact", "connectionrole"),
        ("ObjectTypeCode eq 1", "account", "contact"),
        ("CanChangeTrackingBeEnabled/Value eq true", "contact", "team"),
        ("ChangeTrackingEnabled eq true", "lead", "asyncoperation"),
        ("LogicalName eq 'lead'", "lead", "account"),
    ],
)
def test_6_1_conditions_on_definitions(org: InProcess, condition: str, table: str, other: str) -> None:
    found = {row["LogicalName"] for row in org.get(f"EntityDefinitions?$select=LogicalName&$filter={condition}").rows}
    assert table in found
    assert other not in found


OPTION: Final = "Value Label Description Color IsManaged ExternalValue ParentValues Tag MetadataId HasChanged"


@pytest.mark.parametrize(
    ("column", "kind", "more"),
    [
        ("gendercode", "Picklist", set()),
        ("statecode", "State", {"DefaultStatus", "InvariantName"}),
        ("statuscode", "Status", {"State", "TransitionData"}),
    ],
)
def test_6_1_the_shape_of_an_option(org: InProcess, column: str, kind: str, more: set[str]) -> None:
    path = f"EntityDefinitions(LogicalName='contact')/Attributes(LogicalName='{column}')/{CRM}{kind}AttributeMetadata"
    for option in org.get(f"{path}?$expand=OptionSet").body["OptionSet"]["Options"]:
        names = {name for name in option if "@" not in name}
        assert names == {*OPTION.split()} | more
        assert (option["ExternalValue"], option["ParentValues"], option["Tag"]) == ("", [], None)


@pytest.mark.parametrize(
    ("table", "column", "expected"),
    [
        ("contact", "owneridname", {"IsValidODataAttribute": False, "AttributeOf": "ownerid"}),
        ("contact", "statecodename", {"IsValidODataAttribute": False, "AttributeOf": "statecode"}),
        ("account", "address1_addressid", {"IsLogical": True}),
        ("account", "name", {"AttributeTypeName": {"Value": "StringType"}, "IsPrimaryName": True}),
    ],
)
def test_6_1_properties_of_columns(org: InProcess, table: str, column: str, expected: dict[str, Any]) -> None:
    found = org.get(f"EntityDefinitions(LogicalName='{table}')/Attributes(LogicalName='{column}')").body
    assert {name: found[name] for name in expected} == expected


def test_6_1_a_column_without_a_type_of_its_own_says_none(org: InProcess) -> None:
    """Plain AttributeMetadata (uniqueidentifier, virtual) has no `@odata.type` in an uncast list."""
    rows = org.get("EntityDefinitions(LogicalName='contact')/Attributes?$select=LogicalName,AttributeType").rows
    plain = {row["AttributeType"] for row in rows if "@odata.type" not in row}
    assert "Uniqueidentifier" in plain
    assert plain <= {"Uniqueidentifier", "Virtual", "EntityName"}


def test_3_1_a_local_date_alone_is_still_a_time_on_the_wire(org: InProcess) -> None:
    """`lastusedincampaign` and `overriddencreatedon` are shown as days, and are Edm.DateTimeOffset."""
    contact = org.create("contacts", lastname="Day", birthdate="2019-05-01")
    patch = org.api("PATCH", f"contacts({contact})", {"lastusedincampaign": "2023-04-07T23:59:01+02:00"})
    assert patch.status == 204
    row = org.row("contacts", contact)
    assert (row["birthdate"], row["lastusedincampaign"]) == ("2019-05-01", "2023-04-07T21:59:01Z")
    for written, status in (("1752-12-31T23:59:59Z", 400), ("1753-01-01T00:00:00Z", 204)):
        assert org.api("PATCH", f"contacts({contact})", {"lastusedincampaign": written}).status == status


def test_6_5_the_organisation_row(org: InProcess) -> None:
    names = "name,organizationid,expirechangetrackingindays,expiresubscriptionsindays,languagecode"
    [row] = org.get(f"organizations?$select={names},_basecurrencyid_value").rows
    assert (row["expirechangetrackingindays"], row["expiresubscriptionsindays"], row["languagecode"]) == (30, 90, 1033)
    assert row["organizationid"] == org.get("WhoAmI").body["OrganizationId"]
    assert org.get(f"transactioncurrencies({row['_basecurrencyid_value']})").status == 200


def test_2_2_headers_that_ask_for_nothing_here_are_taken(org: InProcess) -> None:
    ids = {"x_ms_client_request_id": NOBODY, "x_ms_correlation_id": NOBODY, "If_None_Match": "null"}
    assert org.get("accounts?$top=1", OData_Version="4.0", OData_MaxVersion="4.0", **ids).status == 200


@pytest.mark.parametrize(
    ("method", "part", "body"),
    [("PUT", "/fax", {"value": None}), ("PATCH", "", {"fax": None}), ("DELETE", "/fax", None)],
)
def test_5_2_a_column_is_cleared_in_each_way(
    org: InProcess, method: str, part: str, body: dict[str, None] | None
) -> None:
    account = org.create("accounts", name="A", fax="1")
    assert org.get(f"accounts({account})/fax").body["value"] == "1"
    assert org.api(method, f"accounts({account}){part}", body).status == 204
    assert org.get(f"accounts({account})/fax").status == 204


def test_5_6_a_part_of_a_batch_says_that_it_streams(org: InProcess) -> None:
    part = ("--batch_1", "Content-Type: application/http", "Content-Transfer-Encoding: binary", "")
    answer = org.batch(*part, "GET /api/data/v9.2/accounts?$top=1 HTTP/1.1", "", "", "--batch_1--")
    assert b"Content-Type: application/json; odata.metadata=minimal; odata.streaming=true\r\n" in answer.raw


def test_5_8_the_example_of_a_merge(org: InProcess) -> None:
    master, loser = org.create("accounts", name="M"), org.create("accounts", name="L")
    kind = {"@odata.type": f"{CRM}account"}
    body = {
        "Target": {**kind, "accountid": master},
        "Subordinate": {**kind, "accountid": loser},
        "UpdateContent": {**kind, "accountid": "00000000-0000-0000-0000-000000000000", "telephone1": "555"},
        "PerformParentingChecks": False,
    }
    assert org.api("POST", "Merge", body).status == 204
    assert org.row("accounts", master)["telephone1"] == "555"
    row = org.row("accounts", loser)
    assert (row["statecode"], row["merged"], row["_masterid_value"]) == (1, True, master)


def test_5_9_the_example_of_a_qualification(org: InProcess) -> None:
    lead = org.create("leads", subject="S", firstname="F", lastname="L", companyname="C")
    currency = org.get("transactioncurrencies").rows[0]["transactioncurrencyid"]
    account, campaign = org.create("accounts", name="A"), org.create("campaigns", name="C")
    body = {
        "CreateAccount": True,
        "CreateContact": True,
        "CreateOpportunity": True,
        "Status": 3,
        "OpportunityCurrencyId": {"transactioncurrencyid": currency, "@odata.type": f"{CRM}transactioncurrency"},
        "OpportunityCustomerId": {"accountid": account, "@odata.type": f"{CRM}account"},
        "SourceCampaignId": {"campaignid": campaign, "@odata.type": f"{CRM}campaign"},
    }
    answer = org.api("POST", f"leads({lead})/{CRM}QualifyLead", body)
    assert answer.body["@odata.context"].endswith(f"$metadata#Collection({CRM}crmbaseentity)")
    made = {row["@odata.type"].removeprefix(f"#{CRM}"): row for row in answer.rows}
    assert set(made) == {"account", "contact", "opportunity"}
    assert {row["_originatingleadid_value"] for row in made.values()} == {lead}
    assert (made["opportunity"]["_customerid_value"], made["opportunity"]["_campaignid_value"]) == (account, campaign)
    assert org.api("POST", f"leads({lead})/{CRM}QualifyLead", body).error[:2] == (400, "0x80040519")
    row = org.row("leads", lead)
    assert (row["statecode"], row["statuscode"]) == (1, 3)
