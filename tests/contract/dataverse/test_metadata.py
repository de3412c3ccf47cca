"""Sheet section 6.1 and 10: tables, columns, lengths and choices."""

from typing import Any, ClassVar
from xml.etree import ElementTree

import pytest

from tests.contract.dataverse.client import InProcess, Running

CRM = "Microsoft.Dynamics.CRM."


@pytest.fixture
def crm(org: InProcess) -> Running:
    """Nothing here changes the organisation, so all tests of the module share one."""
    return org


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
        ("$metadata/x", 404),
        ("RetrieveMetadataChanges()/x", 404),
        ("EntityDefinitions?$filter=nonsense((", 400),
        (f"EntityDefinitions(LogicalName='lead')/Attributes/{CRM}EnumAttributeMetadata", 404),
        ("EntityDefinitions(LogicalName='lead')/Nothing", 404),
    ],
)
def test_what_is_not_there_is_refused(crm: Running, target: str, status: int) -> None:
    assert crm.get(target).status == status


class TestForms:
    """Sheet section 6.1: contexts, keys, labels and managed properties, as real answers show them."""

    def test_contexts(self, crm: Running) -> None:
        root = f"{crm.url}/api/data/v9.2/$metadata#"
        table = "EntityDefinitions(LogicalName='account')"
        picklists = f"{table}/Attributes/{CRM}PicklistAttributeMetadata"
        expand = "?$select=LogicalName&$expand=OptionSet($select=Options),GlobalOptionSet($select=Options)"
        expected = {
            "EntityDefinitions": "EntityDefinitions",
            "EntityDefinitions?$select=LogicalName,EntitySetName": "EntityDefinitions(LogicalName,EntitySetName)",
            f"{table}?$select=ObjectTypeCode": "EntityDefinitions(ObjectTypeCode)/$entity",
            f"{table}/Attributes(LogicalName='name')/MetadataId": (
                "EntityDefinitions('account')/Attributes('name')/MetadataId"
            ),
            f"{picklists}{expand}": (
                f"EntityDefinitions('account')/Attributes/{CRM}PicklistAttributeMetadata"
                "(LogicalName,OptionSet(Options),GlobalOptionSet(Options))"
            ),
        }
        assert {path: crm.get(path).body["@odata.context"].removeprefix(root) for path in expected} == expected
        row = crm.get(f"{picklists}{expand}").rows[0]
        tail = f"/Attributes({row['MetadataId']})/{CRM}PicklistAttributeMetadata/OptionSet(Options)/$entity"
        assert row["OptionSet@odata.context"].endswith(tail)
        assert set(row["OptionSet"]) == {"MetadataId", "Options"}

    def test_keys_of_definitions(self, crm: Running) -> None:
        table = crm.get("EntityDefinitions(LogicalName='lead')").body
        by_id = f"EntityDefinitions({table['MetadataId']})"
        assert crm.get(by_id).body["LogicalName"] == "lead"
        assert crm.get(f"EntityDefinitions(MetadataId={table['MetadataId'].upper()})").body["LogicalName"] == "lead"
        subject = crm.get(f"{by_id}/Attributes(LogicalName='subject')").body
        found = crm.get(f"{by_id}/Attributes({subject['MetadataId']})/{CRM}StringAttributeMetadata").body
        assert (found["LogicalName"], found["MaxLength"]) == ("subject", 300)
        assert crm.get(f"{by_id}/EntitySetName").body["value"] == "leads"

    def test_shapes(self, crm: Running) -> None:
        name = crm.get("EntityDefinitions(LogicalName='account')/Attributes(LogicalName='name')").body
        assert name["RequiredLevel"] == {
            "Value": "ApplicationRequired",
            "CanBeChanged": True,
            "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings",
        }
        assert name["AttributeTypeName"] == {"Value": "StringType"}
        shown = name["DisplayName"]
        assert shown["UserLocalizedLabel"] == shown["LocalizedLabels"][0]
        assert shown["UserLocalizedLabel"]["Label"] == "Account Name"
        assert set(shown["UserLocalizedLabel"]) == {"Label", "LanguageCode", "IsManaged", "MetadataId", "HasChanged"}
        table = crm.get("EntityDefinitions(LogicalName='account')").body
        assert table["CanChangeTrackingBeEnabled"]["Value"] is True
        assert set(table["CanCreateAttributes"]) == {"Value", "CanBeChanged", "ManagedPropertyLogicalName"}

    def test_options_of_a_state_and_a_status(self, crm: Running) -> None:
        [state] = columns(crm, "opportunity", "?$expand=OptionSet", f"/{CRM}StateAttributeMetadata")
        assert [(o["Value"], o["DefaultStatus"]) for o in state["OptionSet"]["Options"]] == [(0, 1), (1, 3), (2, 4)]
        [status] = columns(crm, "opportunity", "?$expand=OptionSet", f"/{CRM}StatusAttributeMetadata")
        pairs = {(o["Value"], o["State"]) for o in status["OptionSet"]["Options"]}
        assert pairs == {(1, 0), (2, 0), (3, 1), (4, 2), (5, 2)}
        assert set(status["OptionSet"]["Options"][0]) >= {"ExternalValue", "ParentValues", "Tag", "TransitionData"}

    @pytest.mark.parametrize(
        ("condition", "some"),
        [
            ("ObjectTypeCode eq 1", {"account"}),
            ("CanChangeTrackingBeEnabled/Value eq true and LogicalName eq 'contact'", {"contact"}),
            ("contains(LogicalName,'connection')", {"connection", "connectionrole"}),
            ("IsIntersect eq true and startswith(LogicalName,'list')", {"listmember"}),
            (f"OwnershipType eq {CRM}OwnershipTypes'BusinessOwned' and LogicalName ne 'businessunit'", {"systemuser"}),
            ("IsPrivate eq false and (SchemaName eq 'Lead')", {"lead"}),
            ("ObjectTypeCode gt 4399 and ObjectTypeCode le 4400", {"campaign"}),
        ],
    )
    def test_filters_in_use(self, crm: Running, condition: str, some: set[str]) -> None:
        rows = crm.get(f"EntityDefinitions?$select=LogicalName&$filter={condition}").rows
        assert {row["LogicalName"] for row in rows} >= some
        assert len(rows) < 10

    @pytest.mark.parametrize("quote", ["", "'"])
    def test_an_id_is_filtered_without_regard_to_case_and_quotes(self, crm: Running, quote: str) -> None:
        key = crm.get("EntityDefinitions(LogicalName='lead')").body["MetadataId"].upper()
        query = f"EntityDefinitions?$select=LogicalName&$filter=MetadataId eq {quote}{key}{quote}"
        assert [row["LogicalName"] for row in crm.get(query).rows] == ["lead"]

    def test_relationships_end_at_the_keys_of_their_tables(self, crm: Running) -> None:
        keys = {row["LogicalName"]: row["PrimaryIdAttribute"] for row in crm.get("EntityDefinitions").rows}
        rows = crm.get(f"RelationshipDefinitions/{CRM}OneToManyRelationshipMetadata").rows
        ends = {row["SchemaName"]: (row["ReferencedEntity"], row["ReferencedAttribute"]) for row in rows}
        wrong = {name: end for name, end in ends.items() if end[0] in keys and keys[end[0]] != end[1]}
        assert wrong == {}

    def test_attributes_are_filtered_inside_an_expansion(self, crm: Running) -> None:
        inner = "Attributes($select=LogicalName;$filter=LogicalName eq 'subject' or LogicalName eq 'lastname')"
        query = f"EntityDefinitions?$select=LogicalName&$filter=LogicalName eq 'lead'&$expand={inner},Keys"
        [lead] = crm.get(query).rows
        assert {column["LogicalName"] for column in lead["Attributes"]} == {"subject", "lastname"}
        assert lead["Keys"] == []

    def test_global_choices_are_listed(self, crm: Running) -> None:
        rows = crm.get("GlobalOptionSetDefinitions?$select=Name").rows
        assert rows
        found = crm.get(f"GlobalOptionSetDefinitions(Name='{rows[0]['Name']}')").body
        assert found["IsGlobal"] is True
        assert crm.get("GlobalOptionSetDefinitions(Name='nothing')").status == 404

    @pytest.mark.parametrize(
        ("table", "set_name", "code", "key", "name"),
        [
            ("account", "accounts", 1, "accountid", "name"),
            ("contact", "contacts", 2, "contactid", "fullname"),
            ("opportunity", "opportunities", 3, "opportunityid", "name"),
            ("lead", "leads", 4, "leadid", "fullname"),
            ("systemuser", "systemusers", 8, "systemuserid", "fullname"),
            ("team", "teams", 9, "teamid", "name"),
            ("businessunit", "businessunits", 10, "businessunitid", "name"),
            ("customeraddress", "customeraddresses", 1071, "customeraddressid", "name"),
            ("connection", "connections", 3234, "connectionid", "name"),
            ("connectionrole", "connectionroles", 3231, "connectionroleid", "name"),
            ("list", "lists", 4300, "listid", "listname"),
            ("campaign", "campaigns", 4400, "campaignid", "name"),
            ("transactioncurrency", "transactioncurrencies", 9105, "transactioncurrencyid", "currencyname"),
            ("asyncoperation", "asyncoperations", 4700, "asyncoperationid", "name"),
        ],
    )
    def test_10_the_standard_tables(
        self, crm: Running, table: str, set_name: str, code: int, key: str, name: str
    ) -> None:
        names = ("EntitySetName", "ObjectTypeCode", "PrimaryIdAttribute", "PrimaryNameAttribute")
        found = crm.get(f"EntityDefinitions(LogicalName='{table}')?$select={','.join(names)}").body
        assert tuple(found[name] for name in names) == (set_name, code, key, name)
        assert crm.get(f"{set_name}?$top=1").status == 200


class TestDocument:
    """Sheet section 6.4."""

    EDM: ClassVar[dict[str, str]] = {"edm": "http://docs.oasis-open.org/odata/ns/edm"}

    def find(self, crm: Running, path: str, query: str = "") -> list[ElementTree.Element]:
        answer = crm.get(f"$metadata{query}")
        assert answer.headers["content-type"].startswith("application/xml")
        return ElementTree.fromstring(answer.raw).findall(f".//edm:{path}", self.EDM)

    def test_every_table_is_a_type_and_a_set(self, crm: Running) -> None:
        types = {found.get("Name"): found.get("BaseType") for found in self.find(crm, "EntityType")}
        assert types["contact"] == "mscrm.crmbaseentity"
        assert types["systemuser"] == types["team"] == "mscrm.principal"
        assert {"crmbaseentity", "expando", "principal"} <= set(types)
        sets = {found.get("Name"): found.get("EntityType") for found in self.find(crm, "EntitySet")}
        assert sets["opportunities"] == "Microsoft.Dynamics.CRM.opportunity"
        assert set(sets) == {row["name"] for row in crm.get("").body["value"]}

    def test_properties_have_the_types_of_the_wire(self, crm: Running) -> None:
        properties = {p.get("Name"): p for p in self.find(crm, "EntityType[@Name='contact']/edm:Property")}
        kinds = {name: properties[name].get("Type") for name in ("contactid", "birthdate", "creditlimit", "gendercode")}
        assert kinds == {
            "contactid": "Edm.Guid",
            "birthdate": "Edm.Date",
            "creditlimit": "Edm.Decimal",
            "gendercode": "Edm.Int32",
        }
        assert properties["creditlimit"].get("Scale") == "Variable"
        assert properties["versionnumber"].get("Type") == "Edm.Int64"
        lookup = properties["_parentcustomerid_value"]
        assert lookup.find("edm:Annotation[@Term='Org.OData.Core.V1.Computed']", self.EDM) is not None
        assert "owneridname" not in properties

    def test_lookups_navigate_there_and_back(self, crm: Running) -> None:
        way = {n.get("Name"): n for n in self.find(crm, "EntityType[@Name='contact']/edm:NavigationProperty")}
        there = way["parentcustomerid_account"]
        assert (there.get("Type"), there.get("Partner")) == ("mscrm.account", "contact_customer_accounts")
        constraint = there.find("edm:ReferentialConstraint", self.EDM)
        assert constraint is not None
        assert constraint.attrib == {"Property": "_parentcustomerid_value", "ReferencedProperty": "accountid"}
        assert way["ownerid"].get("Type") == "mscrm.principal"
        assert way["listcontact_association"].get("Type") == "Collection(mscrm.list)"
        back = {n.get("Name"): n for n in self.find(crm, "EntityType[@Name='account']/edm:NavigationProperty")}
        assert back["contact_customer_accounts"].get("Type") == "Collection(mscrm.contact)"

    def test_every_reference_inside_leads_somewhere(self, crm: Running) -> None:
        named = {e.get("Name") for kind in ("EntityType", "ComplexType") for e in self.find(crm, kind)}
        used = [e.get("Type", "") for e in self.find(crm, "NavigationProperty")]
        used += [e.get("Type", "") for kind in ("Parameter", "ReturnType", "Property") for e in self.find(crm, kind)]
        stems = {text.removeprefix("Collection(").rstrip(")") for text in used}
        unknown = {s for s in stems if not s.startswith("Edm.") and s.removeprefix("mscrm.") not in named}
        assert unknown == set()

    def test_annotations_add_what_is_tracked(self, crm: Running) -> None:
        term = "Annotation[@Term='Org.OData.Capabilities.V1.ChangeTracking']"
        assert self.find(crm, f"EntityType[@Name='lead']/edm:{term}") == []
        assert len(self.find(crm, f"EntityType[@Name='lead']/edm:{term}", "?annotations=true")) == 1

    def test_an_active_key_is_an_annotation(self, crm: Running) -> None:
        term = "Annotation[@Term='OData.Community.Keys.V1.AlternateKeys']"
        [found] = self.find(crm, f"EntityType[@Name='team']/edm:{term}")
        names = [e.get("PropertyPath") for e in found.iter() if e.get("Property") == "Name"]
        assert names == ["azureactivedirectoryobjectid", "membershiptype"]
