"""Sheet sections 5.2 and 6.3: alternate keys with their index, lookups, and tables of pairs, made over the API."""

from typing import Any
from uuid import uuid4

import pytest

from tests.contract.dataverse.client import InProcess
from tests.contract.dataverse.definitions import CRM, LEAD_COLUMNS, column, fresh, label, make_column, make_table


def make_key(org: InProcess, table: str, *columns: str) -> str:
    name = fresh("Key")
    body = {"SchemaName": name, "DisplayName": label("External key"), "KeyAttributes": list(columns)}
    answer = org.api("POST", f"EntityDefinitions(LogicalName='{table}')/Keys", body)
    assert answer.status == 204, answer.raw
    return name.lower()


def status_of(org: InProcess, table: str, key: str) -> str:
    path = f"EntityDefinitions(LogicalName='{table}')/Keys(LogicalName='{key}')?$select=EntityKeyIndexStatus"
    return str(org.get(path).body["EntityKeyIndexStatus"])


def let_build(org: InProcess) -> None:
    org.set("/clock", advance_s=2)


def table_with(org: InProcess, kind: str = "String", **properties: Any) -> tuple[str, str]:
    table = make_table(org)
    path = f"EntityDefinitions(LogicalName='{table}')/Attributes"
    return table, make_column(org, column(kind, fresh("Ext"), **properties), path)


class TestKeys:
    def test_5_2_a_key_is_pending_then_in_progress_then_active(self, org: InProcess) -> None:
        table, ext = table_with(org)
        org.set("/clock", frozen=True)
        key = make_key(org, table, ext)
        seen = []
        for _ in range(3):
            seen.append(status_of(org, table, key))
            org.set("/clock", advance_s=0.6)
        assert seen == ["Pending", "InProgress", "Active"]
        org.set("/clock", frozen=False)

    def test_it_cannot_be_used_before_and_finds_rows_after(self, org: InProcess) -> None:
        table, ext = table_with(org)
        row = org.create(f"{table}s", new_name="x", **{ext: "A1"})
        org.set("/clock", frozen=True)
        make_key(org, table, ext)
        assert org.get(f"{table}s({ext}='A1')").status == 400
        org.set("/clock", frozen=False)
        let_build(org)
        assert org.get(f"{table}s({ext}='A1')").body[f"{table}id"] == row
        assert org.api("PATCH", f"{table}s({ext}='B2')", {"new_name": "made"}).status == 204
        assert org.get(f"{table}s({ext}='B2')").body["new_name"] == "made"
        assert org.api("POST", f"{table}s", {"new_name": "y", ext: "A1"}).error[:2] == (412, "0x80060892")

    def test_rows_that_share_the_value_make_it_fail_until_reactivated(self, org: InProcess) -> None:
        table, ext = table_with(org)
        rows = [org.create(f"{table}s", new_name="x", **{ext: "same"}) for _ in range(2)]
        key = make_key(org, table, ext)
        let_build(org)
        assert status_of(org, table, key) == "Failed"
        org.api("DELETE", f"{table}s({rows[0]})")
        again = {"EntityLogicalName": table, "EntityKeyLogicalName": key}
        assert org.api("POST", "ReactivateEntityKey", again).status == 204
        let_build(org)
        assert status_of(org, table, key) == "Active"
        refused = org.api("POST", "ReactivateEntityKey", again)
        assert refused.error == (400, "0x80060897", "Reactivate entity key is only supported for failed job")

    def test_empty_values_are_not_compared(self, org: InProcess) -> None:
        table, ext = table_with(org)
        for _ in range(2):
            org.create(f"{table}s", new_name="x")
        key = make_key(org, table, ext)
        let_build(org)
        assert status_of(org, table, key) == "Active"

    def test_a_key_shows_its_columns_and_goes_before_them(self, org: InProcess) -> None:
        table, ext = table_with(org)
        key = make_key(org, table, ext)
        [found] = org.get(f"EntityDefinitions(LogicalName='{table}')/Keys").rows
        assert (found["LogicalName"], found["KeyAttributes"]) == (key, [ext])
        assert found["DisplayName"]["UserLocalizedLabel"]["Label"] == "External key"
        whole = org.get(
            f"EntityDefinitions(LogicalName='{table}')?$select=LogicalName&$expand=Keys($select=SchemaName)"
        )
        assert [one["MetadataId"] for one in whole.body["Keys"]] == [found["MetadataId"]]
        path = f"EntityDefinitions(LogicalName='{table}')/Attributes(LogicalName='{ext}')"
        assert org.api("DELETE", path).error[:2] == (400, "0x8004f01f")
        assert org.api("DELETE", f"EntityDefinitions(LogicalName='{table}')/Keys({found['MetadataId']})").status == 204
        assert org.api("DELETE", path).status == 204

    @pytest.mark.parametrize("kind", ["Memo", "Money", "Double", "Boolean", "BigInt"])
    def test_5_2_some_types_cannot_be_in_a_key(self, org: InProcess, kind: str) -> None:
        table, ext = table_with(org, kind)
        body = {"SchemaName": "new_Bad", "KeyAttributes": [ext]}
        answer = org.api("POST", f"EntityDefinitions(LogicalName='{table}')/Keys", body)
        assert answer.error[:2] == (400, "0x8006088f")

    def test_5_2_the_limits_of_keys(self, org: InProcess) -> None:
        table, ext = table_with(org, "String", MaxLength=451)
        path = f"EntityDefinitions(LogicalName='{table}')/Keys"
        assert org.api("POST", path, {"SchemaName": "new_Long", "KeyAttributes": [ext]}).error[1] == "0x8006088f"
        attributes = f"EntityDefinitions(LogicalName='{table}')/Attributes"
        names = [make_column(org, column("Integer", f"new_C{i}"), attributes) for i in range(17)]
        assert org.api("POST", path, {"SchemaName": "new_Wide", "KeyAttributes": names}).error[1] == "0x8006088f"
        assert org.api("POST", path, {"SchemaName": "new_Ok", "KeyAttributes": names[:16]}).status == 204
        for name in names[:9]:
            make_key(org, table, name)
        assert org.api("POST", path, {"SchemaName": "new_11", "KeyAttributes": [names[10]]}).error[1] == "0x8006088f"

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({"SchemaName": "Bad", "KeyAttributes": ["new_name"]}, "0x80044366"),
            ({"SchemaName": "new_None", "KeyAttributes": []}, "0x8006088f"),
            ({"SchemaName": "new_Twice", "KeyAttributes": ["new_name", "new_name"]}, "0x8006088f"),
            ({"SchemaName": "new_Where", "KeyAttributes": ["nothing"]}, "0x8006088f"),
            ({"SchemaName": "new_Text", "KeyAttributes": "new_name"}, "0x8006088f"),
        ],
    )
    def test_a_wrong_key_is_refused(self, org: InProcess, body: Any, code: str) -> None:
        table = make_table(org)
        answer = org.api("POST", f"EntityDefinitions(LogicalName='{table}')/Keys", body)
        assert answer.error[:2] == (400, code)

    def test_a_key_is_there_once_by_name_and_by_columns(self, org: InProcess) -> None:
        table, ext = table_with(org)
        key = make_key(org, table, ext)
        path = f"EntityDefinitions(LogicalName='{table}')/Keys"
        again = org.api("POST", path, {"SchemaName": key, "KeyAttributes": ["new_name"]})
        assert again.error == (
            400,
            "0x80060893",
            f"An entity key with the name {key} already exists on entity {table}.",
        )
        same = org.api("POST", path, {"SchemaName": "new_Other", "KeyAttributes": [ext]})
        assert same.error[:2] == (400, "0x80060894")

    def test_team_has_its_key_out_of_the_box(self, org: InProcess) -> None:
        [key] = org.get("EntityDefinitions(LogicalName='team')/Keys").rows
        assert key["KeyAttributes"] == ["azureactivedirectoryobjectid", "membershiptype"]
        assert key["EntityKeyIndexStatus"] == "Active"


def relation(child: str, parent: str = "account", **properties: Any) -> dict[str, Any]:
    name = fresh("Rel")
    return {
        "@odata.type": f"{CRM}OneToManyRelationshipMetadata",
        "SchemaName": name,
        "ReferencedEntity": parent,
        "ReferencedAttribute": f"{parent}id",
        "ReferencingEntity": child,
        "Lookup": {
            "@odata.type": f"{CRM}LookupAttributeMetadata",
            "SchemaName": f"{name}Id",
            "DisplayName": label("Parent"),
        },
        **properties,
    }


class TestRelationships:
    def test_6_3_a_lookup_is_made_with_its_relationship(self, org: InProcess) -> None:
        table = make_table(org)
        body = relation(table)
        made = org.api("POST", "RelationshipDefinitions", body)
        assert made.status == 204
        lookup = body["Lookup"]["SchemaName"]
        account = org.create("accounts", name="Parent")
        key = org.create(f"{table}s", new_name="Child", **{f"{lookup}@odata.bind": f"/accounts({account})"})
        assert org.row(f"{table}s", key)[f"_{lookup.lower()}_value"] == account
        shown = org.get(f"RelationshipDefinitions({made.id})").body
        assert shown["@odata.type"] == f"#{CRM}OneToManyRelationshipMetadata"
        assert shown["ReferencingEntityNavigationPropertyName"] == lookup
        assert shown["ReferencedEntityNavigationPropertyName"] == body["SchemaName"]
        assert shown["CascadeConfiguration"]["Delete"] == "RemoveLink"
        assert org.api("DELETE", f"accounts({account})").status == 204
        assert org.row(f"{table}s", key)[f"_{lookup.lower()}_value"] is None

    @pytest.mark.parametrize(("rule", "status", "left"), [("Cascade", 204, 404), ("Restrict", 405, 200)])
    def test_its_cascade_is_obeyed(self, org: InProcess, rule: str, status: int, left: int) -> None:
        table = make_table(org)
        body = relation(table, CascadeConfiguration={"Delete": rule})
        assert org.api("POST", "RelationshipDefinitions", body).status == 204
        account = org.create("accounts", name="Parent")
        bind = {f"{body['Lookup']['SchemaName']}@odata.bind": f"/accounts({account})"}
        key = org.create(f"{table}s", new_name="Child", **bind)
        assert org.api("DELETE", f"accounts({account})").status == status
        assert org.get(f"{table}s({key})").status == left

    def test_only_its_cascades_change_later(self, org: InProcess) -> None:
        made = org.api("POST", "RelationshipDefinitions", relation(make_table(org)))
        path = f"RelationshipDefinitions({made.id})"
        whole = org.get(path).body
        whole["CascadeConfiguration"]["Assign"] = "Cascade"
        assert org.api("PUT", path, whole).status == 204
        assert org.get(path).body["CascadeConfiguration"]["Assign"] == "Cascade"
        whole["CascadeConfiguration"]["Assign"] = "Sometimes"
        assert org.api("PUT", path, whole).error[:2] == (400, "0x80048d19")

    def test_it_goes_with_its_lookup(self, org: InProcess) -> None:
        table = make_table(org)
        body = relation(table)
        made = org.api("POST", "RelationshipDefinitions", body)
        assert org.api("DELETE", f"RelationshipDefinitions({made.id})").status == 204
        assert org.get(f"RelationshipDefinitions({made.id})").status == 404
        lookup = body["Lookup"]["SchemaName"].lower()
        path = f"EntityDefinitions(LogicalName='{table}')/Attributes(LogicalName='{lookup}')"
        assert org.get(path).status == 404
        standard = org.get("RelationshipDefinitions(SchemaName='contact_customer_accounts')").body
        refused = org.api("DELETE", f"RelationshipDefinitions({standard['MetadataId']})")
        assert refused.error[:2] == (400, "0x8004f032")

    @pytest.mark.parametrize(
        ("change", "status", "code"),
        [
            ({"SchemaName": "contact_customer_accounts"}, 400, "0x8004432b"),
            ({"SchemaName": "Unprefixed"}, 400, "0x80044366"),
            ({"ReferencedEntity": "nothing"}, 404, "0x80060888"),
            ({"Lookup": None}, 400, "0x80048d19"),
            ({"CascadeConfiguration": {"Delete": "Never"}}, 400, "0x80048d19"),
            ({"@odata.type": "Nonsense"}, 400, "0x80048d19"),
        ],
    )
    def test_a_wrong_relationship_is_refused(self, org: InProcess, change: Any, status: int, code: str) -> None:
        body = {**relation("lead"), **change}
        if change.get("SchemaName") == "contact_customer_accounts":
            made = relation("lead")
            org.api("POST", "RelationshipDefinitions", made)
            body["SchemaName"] = made["SchemaName"]
        assert org.api("POST", "RelationshipDefinitions", body).error[:2] == (status, code)

    def test_6_3_a_customer_lookup_points_to_both(self, org: InProcess) -> None:
        table = make_table(org)
        name = fresh("Buyer")
        parents = [
            {
                "@odata.type": f"{CRM}ComplexOneToManyRelationshipMetadata",
                "SchemaName": fresh("Rel"),
                "ReferencedEntity": parent,
                "ReferencingEntity": table,
            }
            for parent in ("account", "contact")
        ]
        lookup = {"@odata.type": f"{CRM}ComplexLookupAttributeMetadata", "SchemaName": name, "DisplayName": label("B")}
        body = {"Lookup": lookup, "OneToManyRelationships": parents}
        made = org.api("POST", "CreateCustomerRelationships", body)
        assert made.status == 200, made.raw
        assert len(made.body["RelationshipIds"]) == 2
        contact = org.create("contacts", lastname="Buyer")
        key = org.create(f"{table}s", new_name="x", **{f"{name}_contact@odata.bind": f"/contacts({contact})"})
        row = org.get(f"{table}s({key})", Prefer='odata.include-annotations="*"').body
        value = f"_{name.lower()}_value"
        assert row[value] == contact
        assert row[f"{value}@Microsoft.Dynamics.CRM.lookuplogicalname"] == "contact"

    def test_6_3_pairs_of_two_tables(self, org: InProcess) -> None:
        table = make_table(org)
        name = fresh("Pairs")
        body = {
            "@odata.type": f"{CRM}ManyToManyRelationshipMetadata",
            "SchemaName": name,
            "IntersectEntityName": name,
            "Entity1LogicalName": table,
            "Entity2LogicalName": "contact",
        }
        made = org.api("POST", "RelationshipDefinitions", body)
        assert made.status == 204
        row, contact = org.create(f"{table}s", new_name="x"), org.create("contacts", lastname="Paired")
        link = {"@odata.id": f"{org.url}/api/data/v9.2/contacts({contact})"}
        assert org.api("POST", f"{table}s({row})/{name}/$ref", link).status == 204
        found = org.get(f"{table}s({row})?$select=new_name&$expand={name}($select=lastname)").body
        assert [one["lastname"] for one in found[name]] == ["Paired"]
        shown = org.get(f"EntityDefinitions(LogicalName='{table}')/ManyToManyRelationships").rows
        assert [one["SchemaName"] for one in shown] == [name]
        assert shown[0]["IntersectEntityName"] == name.lower()
        assert org.api("DELETE", f"EntityDefinitions(LogicalName='{table}')").error[1] == "0x8004f01f"
        assert org.api("DELETE", f"RelationshipDefinitions({made.id})").status == 204
        assert org.get(f"{table}s?$expand={name}").status == 400

    def test_10_relationships_of_the_sheet(self, org: InProcess) -> None:
        rules = {
            row["SchemaName"]: row["CascadeConfiguration"]["Delete"]
            for row in org.get("EntityDefinitions(LogicalName='account')/OneToManyRelationships").rows
        }
        names = ("contact_customer_accounts", "opportunity_customer_accounts", "lead_customer_accounts")
        assert {rules[name] for name in names} == {"Cascade"}
        assert rules["opportunity_parent_account"] == "RemoveLink"
        many = org.get("EntityDefinitions(LogicalName='lead')/ManyToManyRelationships?$select=SchemaName").rows
        found = {row["SchemaName"] for row in many}
        assert {"listlead_association", "accountleads_association", "contactleads_association"} <= found

    @pytest.mark.parametrize("query", ["", f"/{CRM}OneToManyRelationshipMetadata", "?$filter=IsManaged eq true"])
    def test_relationships_are_listed(self, org: InProcess, query: str) -> None:
        found = org.get(f"RelationshipDefinitions{query}").rows
        assert "contact_customer_accounts" in {row["SchemaName"] for row in found}
        assert all(row["MetadataId"] for row in found)

    def test_an_unknown_relationship_or_part_is_not_found(self, org: InProcess) -> None:
        assert org.get(f"RelationshipDefinitions({uuid4()})").status == 404
        assert org.api("DELETE", f"RelationshipDefinitions({uuid4()})").status == 404
        assert org.api("DELETE", f"{LEAD_COLUMNS}({uuid4()})").status == 404
