"""Sheet section 6.3: tables, columns and choices, made, changed and taken away while the service runs."""

import json
from typing import Any

import pytest

from tests.contract.dataverse.client import InProcess
from tests.contract.dataverse.definitions import (
    CRM,
    LEAD_COLUMNS,
    MERGE,
    cast,
    column,
    fresh,
    label,
    make_column,
    make_table,
    table,
)


class TestTables:
    def test_6_3_a_table_is_created_and_at_once_there(self, org: InProcess) -> None:
        name = fresh("Bank")
        answer = org.api("POST", "EntityDefinitions", table(name))
        assert answer.status == 204
        assert answer.headers["odata-entityid"].startswith(f"{org.url}/api/data/v9.2/EntityDefinitions(")
        found = org.get(f"EntityDefinitions({answer.id})").body
        assert (found["LogicalName"], found["SchemaName"]) == (name.lower(), name)
        assert found["EntitySetName"] == f"{name.lower()}s"
        assert (found["PrimaryIdAttribute"], found["PrimaryNameAttribute"]) == (f"{name.lower()}id", "new_name")
        assert found["IsCustomEntity"] is True
        assert found["ObjectTypeCode"] >= 10_000
        assert found["DisplayName"]["UserLocalizedLabel"]["Label"] == "Bank"
        assert f"{name.lower()}s" in {row["name"] for row in org.get("").body["value"]}
        assert f'<EntityType Name="{name.lower()}"' in org.get("$metadata").raw.decode()

    def test_10_it_has_the_columns_that_every_table_has(self, org: InProcess) -> None:
        name = make_table(org)
        names = {c["LogicalName"] for c in org.get(f"EntityDefinitions(LogicalName='{name}')/Attributes").rows}
        assert {"createdon", "createdby", "modifiedon", "modifiedby", "versionnumber", "importsequencenumber"} <= names
        assert {"ownerid", "owninguser", "owningteam", "owningbusinessunit", "statecode", "statuscode"} <= names
        assert {"createdonbehalfby", "overriddencreatedon", "timezoneruleversionnumber"} <= names

    def test_its_rows_live_as_others_do(self, org: InProcess) -> None:
        name = make_table(org)
        key = org.create(f"{name}s", new_name="First")
        row = org.row(f"{name}s", key)
        assert (row["new_name"], row["statecode"], row["statuscode"]) == ("First", 0, 1)
        assert row["_ownerid_value"]
        assert org.api("PATCH", f"{name}s({key})", {"statecode": 1}).status == 204
        assert org.row(f"{name}s", key)["statuscode"] == 2
        assert org.api("DELETE", f"{name}s({key})").status == 204

    def test_an_organisation_owned_table_has_no_owner(self, org: InProcess) -> None:
        name = make_table(org, OwnershipType="OrganizationOwned")
        row = org.row(f"{name}s", org.create(f"{name}s", new_name="x"))
        assert "_ownerid_value" not in row

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (table("Bank"), "0x80044366"),
            (table("mscrm_Bank"), "0x80044366"),
            (table("1new_Bank"), "0x80044364"),
            (table("new_Bank-Account"), "0x80044364"),
            (table("new_" + "x" * 100), "0x80044367"),
            (table("new_NoName", Attributes=[column("String", "new_Other")]), "0x80044355"),
            (
                table("new_Two", Attributes=[column("String", f"new_{n}", IsPrimaryName=True) for n in "ab"]),
                "0x8004701e",
            ),
            (table("new_Twice", Attributes=[*table("x")["Attributes"], *table("x")["Attributes"]]), "0x80047013"),
            (table("new_Owned", OwnershipType="Nobody"), "0x80048d19"),
            (table("new_Set", EntitySetName="contacts"), "0x8006089b"),
            ({}, "0x80044366"),
        ],
    )
    def test_a_wrong_definition_is_refused_with_its_code(self, org: InProcess, body: Any, code: str) -> None:
        answer = org.api("POST", "EntityDefinitions", body)
        assert answer.error[:2] == (400, code)

    def test_a_name_is_taken_once_whatever_its_case(self, org: InProcess) -> None:
        name = make_table(org)
        text = "An entity with the specified name already exists. Please specify a unique name."
        assert org.api("POST", "EntityDefinitions", table(name.upper().replace("NEW_", "new_"))).error == (
            400,
            "0x8004700b",
            text,
        )

    def test_a_definition_is_replaced_by_put_and_not_by_patch(self, org: InProcess) -> None:
        name = make_table(org)
        path = f"EntityDefinitions(LogicalName='{name}')"
        whole = org.get(path).body
        whole["DisplayName"] = label("Bench", _1031="Bank")
        whole["ChangeTrackingEnabled"] = True
        assert org.api("PATCH", path, whole).status == 405
        assert org.api("PUT", path, whole).status == 204
        found = org.get(path).body
        assert found["DisplayName"]["UserLocalizedLabel"]["Label"] == "Bench"
        assert [one["LanguageCode"] for one in found["DisplayName"]["LocalizedLabels"]] == [1033, 1031]
        assert found["ChangeTrackingEnabled"] is True
        assert org.get(f"{name}s", Prefer="odata.track-changes").status == 200

    def test_change_tracking_stays_on(self, org: InProcess) -> None:
        name = make_table(org, ChangeTrackingEnabled=True)
        path = f"EntityDefinitions(LogicalName='{name}')"
        assert org.api("PUT", path, {**org.get(path).body, "ChangeTrackingEnabled": False}).status == 204
        assert org.get(path).body["ChangeTrackingEnabled"] is True

    def test_merged_labels_keep_the_other_languages(self, org: InProcess) -> None:
        name = make_table(org, DisplayName=label("Bank", _1031="Geldhaus"))
        path = f"EntityDefinitions(LogicalName='{name}')"
        change = {"DisplayName": label("Bench")}
        assert org.api("PUT", path, change, **MERGE).status == 204
        texts = {o["LanguageCode"]: o["Label"] for o in org.get(path).body["DisplayName"]["LocalizedLabels"]}
        assert texts == {1033: "Bench", 1031: "Geldhaus"}
        assert org.api("PUT", path, change).status == 204
        assert len(org.get(path).body["DisplayName"]["LocalizedLabels"]) == 1

    def test_a_caller_of_another_language_reads_its_own_texts(self, org: InProcess) -> None:
        name = make_table(org, DisplayName=label("Bank", _1031="Geldhaus"))
        org.set("/settings", user_language=1031)
        found = org.get(f"EntityDefinitions(LogicalName='{name}')").body
        org.set("/settings", user_language=1033)
        assert found["DisplayName"]["UserLocalizedLabel"]["Label"] == "Geldhaus"
        assert found["DisplayCollectionName"]["UserLocalizedLabel"]["Label"] == "Banks"

    def test_only_a_custom_table_that_nothing_points_to_is_deleted(self, org: InProcess) -> None:
        assert org.api("DELETE", "EntityDefinitions(LogicalName='lead')").error[:2] == (400, "0x80047008")
        name = make_table(org)
        org.create(f"{name}s", new_name="gone with it")
        assert org.api("DELETE", f"EntityDefinitions(LogicalName='{name}')").status == 204
        assert org.get(f"EntityDefinitions(LogicalName='{name}')").status == 404
        assert org.get(f"{name}s").status == 404


def kinds() -> list[tuple[dict[str, Any], Any, Any]]:
    """A column of every kind, a value that it takes, and one that it refuses."""
    yes_no = {"TrueOption": {"Value": 1, "Label": label("Up")}, "FalseOption": {"Value": 0, "Label": label("Down")}}
    options = [{"Value": value, "Label": label(text)} for value, text in ((1, "One"), (2, "Two"))]
    return [
        (column("String", "new_S", MaxLength=5), "abcde", "abcdef"),
        (column("Memo", "new_M", MaxLength=10), "a\nb", "x" * 11),
        (column("Integer", "new_I", MinValue=1, MaxValue=9), 9, 10),
        (column("BigInt", "new_B"), 2**40, "1"),
        (column("Decimal", "new_D", MinValue=0, MaxValue=9, Precision=3), 1.125, 10),
        (column("Double", "new_F", MinValue=0, MaxValue=9, Precision=5), 0.12345, -1),
        (column("Money", "new_P", PrecisionSource=2, MinValue=0, MaxValue=99), 12.5, 100),
        (column("Boolean", "new_Y", OptionSet=yes_no), True, 1),
        (column("DateTime", "new_T", Format="DateAndTime"), "2026-05-01T10:00:00Z", "tomorrow"),
        (column("DateTime", "new_O", Format="DateOnly", DateTimeBehavior={"Value": "DateOnly"}), "2026-05-01", "x"),
        (column("Picklist", "new_L", OptionSet={"IsGlobal": False, "Options": options}), 2, 3),
        (column("MultiSelectPicklist", "new_N", OptionSet={"IsGlobal": False, "Options": options}), "1,2", "1,3"),
    ]


class TestColumns:
    @pytest.mark.parametrize(("body", "good", "bad"), kinds(), ids=lambda value: None)
    def test_6_3_a_column_of_each_kind_takes_what_it_may(
        self, org: InProcess, body: dict[str, Any], good: Any, bad: Any
    ) -> None:
        name = make_column(org, body | {"SchemaName": fresh(body["SchemaName"][4:])})
        key = org.create("leads", lastname="L", **{name: good})
        assert org.get(f"leads({key})?$select={name}").body[name] == good
        assert org.api("PATCH", f"leads({key})", {name: bad}).status == 400
        assert org.get(f"leads({key})?$select={name}").body[name] == good
        assert org.api("PATCH", f"leads({key})", {name: None}).status == 204

    def test_an_amount_has_its_base_amount_and_the_table_a_currency(self, org: InProcess) -> None:
        name = make_table(org)
        make_column(org, column("Money", "new_Price"), f"EntityDefinitions(LogicalName='{name}')/Attributes")
        row = org.row(f"{name}s", org.create(f"{name}s", new_name="x", new_price=12.5))
        assert (row["new_price"], row["new_price_base"], row["exchangerate"]) == (12.5, 12.5, 1)
        assert row["_transactioncurrencyid_value"]
        both = make_table(org, Attributes=[*table("x")["Attributes"], column("Money", "new_Cost")])
        row = org.row(f"{both}s", org.create(f"{both}s", new_name="x", new_cost=2))
        assert (row["new_cost_base"], row["exchangerate"]) == (2, 1)

    def test_the_answer_names_the_new_column(self, org: InProcess) -> None:
        name = fresh("Named")
        answer = org.api("POST", LEAD_COLUMNS, column("String", name))
        assert answer.status == 204
        assert f"/{LEAD_COLUMNS}(" in answer.headers["odata-entityid"]
        found = org.get(f"{LEAD_COLUMNS}({answer.id})").body
        assert (found["LogicalName"], found["IsCustomAttribute"]) == (name.lower(), True)
        assert found["RequiredLevel"]["ManagedPropertyLogicalName"] == "canmodifyrequirementlevelsettings"

    def test_lengths_and_ranges_are_shown_under_the_cast(self, org: InProcess) -> None:
        name = make_column(org, column("String", fresh("Len"), MaxLength=77, RequiredLevel={"Value": "Recommended"}))
        found = cast(org, name, "String")
        assert (found["MaxLength"], found["FormatName"]) == (77, {"Value": "Text"})
        assert found["RequiredLevel"]["Value"] == "Recommended"
        assert "MaxLength" not in org.get(f"{LEAD_COLUMNS}(LogicalName='{name}')").body

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (column("String", "Prefixless"), "0x80044366"),
            (column("String", "new_With Space"), "0x80044364"),
            (column("Nonsense", "new_X"), "0x80048d19"),
            (column("String", "new_X", MaxLength=0), "0x80048d19"),
            (column("String", "new_X", MaxLength="ten"), "0x80048d19"),
            (column("Integer", "new_X", MinValue=5, MaxValue=1), "0x80048d19"),
            (column("Decimal", "new_X", Precision=99), "0x80048d19"),
            (column("Picklist", "new_X"), "0x80048403"),
            (column("Picklist", "new_X", OptionSet={"IsGlobal": True, "Name": "nothing"}), "0x80048403"),
            (column("Picklist", "new_X", OptionSet={"Options": [{"Value": 1}, {"Value": 1}]}), "0x80048403"),
            (column("Boolean", "new_X", OptionSet={"TrueOption": {"Value": 1}}), "0x8004431b"),
            (column("String", "new_X", IsPrimaryName=True), "0x8004701e"),
        ],
    )
    def test_a_wrong_column_is_refused_with_its_code(self, org: InProcess, body: Any, code: str) -> None:
        assert org.api("POST", LEAD_COLUMNS, body).error[:2] == (400, code)

    def test_a_name_is_taken_once(self, org: InProcess) -> None:
        name = make_column(org, column("String", fresh("Twice")))
        again = org.api("POST", LEAD_COLUMNS, column("Integer", name))
        assert again.error == (400, "0x80047013", "An attribute with the specified name already exists")

    def test_a_whole_definition_can_be_put_back_changed(self, org: InProcess) -> None:
        name = make_column(org, column("String", fresh("Put"), MaxLength=10, DisplayName=label("Old", _1031="Alt")))
        whole = cast(org, name, "String")
        whole["MaxLength"] = 20
        whole["DisplayName"] = label("New")
        path = f"{LEAD_COLUMNS}(LogicalName='{name}')"
        assert org.api("PUT", path, whole, **MERGE).status == 204
        found = cast(org, name, "String")
        assert found["MaxLength"] == 20
        texts = {o["LanguageCode"]: o["Label"] for o in found["DisplayName"]["LocalizedLabels"]}
        assert texts == {1033: "New", 1031: "Alt"}
        assert org.create("leads", lastname="L", **{name: "x" * 20})

    def test_only_a_custom_column_is_deleted_with_its_values(self, org: InProcess) -> None:
        assert org.api("DELETE", f"{LEAD_COLUMNS}(LogicalName='subject')").error[:2] == (400, "0x8004f032")
        assert org.api("DELETE", f"{LEAD_COLUMNS}(LogicalName='fullname')").error[:2] == (400, "0x80047002")
        name = make_column(org, column("String", fresh("Gone")))
        key = org.create("leads", lastname="L", **{name: "x"})
        assert org.api("DELETE", f"{LEAD_COLUMNS}(LogicalName='{name}')").status == 204
        assert org.get(f"{LEAD_COLUMNS}(LogicalName='{name}')").status == 404
        assert name not in org.row("leads", key)
        assert org.get(f"leads?$select={name}").status == 400
        make_column(org, column("String", name))
        assert org.row("leads", key)[name] is None

    def test_4_3_a_new_column_kills_the_delta_tokens_of_its_table_only(self, org: InProcess) -> None:
        links = {
            name: org.get(f"{name}?$select=createdon", Prefer="odata.track-changes").body["@odata.deltaLink"]
            for name in ("leads", "contacts")
        }
        make_column(org, column("String", fresh("Kills")))
        assert org.get(links["leads"]).error[:2] == (400, "0x80044352")
        assert org.get(links["contacts"]).status == 200


def choice(name: str, *values: int) -> dict[str, Any]:
    return {
        "@odata.type": f"{CRM}OptionSetMetadata",
        "Name": name,
        "DisplayName": label("Choice"),
        "IsGlobal": True,
        "OptionSetType": "Picklist",
        "Options": [{"Value": value, "Label": label(f"Option {value}")} for value in values],
    }


class TestChoices:
    def test_a_global_choice_is_shared_by_columns(self, org: InProcess) -> None:
        name = fresh("Choice")
        made = org.api("POST", "GlobalOptionSetDefinitions", choice(name, 1, 2))
        assert made.status == 204
        bind = {"GlobalOptionSet@odata.bind": f"/GlobalOptionSetDefinitions({made.id})"}
        first = make_column(org, column("Picklist", fresh("A"), **bind))
        second = make_column(org, column("Picklist", fresh("B"), OptionSet={"IsGlobal": True, "Name": name}))
        answer = org.api("POST", "InsertOptionValue", {"OptionSetName": name, "Value": 7, "Label": label("Seven")})
        assert (answer.status, answer.body["NewOptionValue"]) == (200, 7)
        key = org.create("leads", lastname="L", **{first: 7, second: 7})
        row = org.get(f"leads({key})?$select={first}", Prefer='odata.include-annotations="*"').body
        assert row[f"{first}@OData.Community.Display.V1.FormattedValue"] == "Seven"
        found = cast(org, first, "Picklist", "?$select=LogicalName&$expand=OptionSet,GlobalOptionSet($select=Name)")
        assert [o["Value"] for o in found["OptionSet"]["Options"]] == [1, 2, 7]
        assert found["GlobalOptionSet"]["Name"] == name
        refused = org.api("DELETE", f"GlobalOptionSetDefinitions(Name='{name}')")
        assert refused.error[:2] == (400, "0x8004f01f")

    def test_a_global_choice_comes_and_goes(self, org: InProcess) -> None:
        name = fresh("Choice")
        made = org.api("POST", "GlobalOptionSetDefinitions", choice(name, 1))
        again = org.api("POST", "GlobalOptionSetDefinitions", choice(name.upper().replace("NEW_", "new_"), 1))
        assert again.error[:2] == (400, "0x80044345")
        path = f"GlobalOptionSetDefinitions(Name='{name}')"
        found = org.get(path).body
        assert found["@odata.type"] == f"#{CRM}OptionSetMetadata"
        assert (found["MetadataId"], found["IsGlobal"]) == (made.id, True)
        assert org.api("PUT", path, {**choice(name), "DisplayName": label("Other")}).status == 204
        assert org.get(path).body["DisplayName"]["UserLocalizedLabel"]["Label"] == "Other"
        assert org.api("DELETE", path).status == 204
        assert org.get(path).status == 404

    def test_6_3_options_of_a_local_choice(self, org: InProcess) -> None:
        options = [{"Value": 1, "Label": label("One")}, {"Value": 2, "Label": label("Two")}]
        name = make_column(org, column("Picklist", fresh("Local"), OptionSet={"IsGlobal": False, "Options": options}))
        where = {"EntityLogicalName": "lead", "AttributeLogicalName": name}
        added = org.api("POST", "InsertOptionValue", {**where, "Label": label("Three")})
        value = added.body["NewOptionValue"]
        assert value >= 100_000_000
        relabel = {**where, "Value": 1, "Label": label("Uno", _1034="Uno"), "MergeLabels": True}
        assert org.api("POST", "UpdateOptionValue", relabel).status == 204
        assert org.api("POST", "OrderOption", {**where, "Values": [value, 2, 1]}).status == 204
        assert org.api("POST", "DeleteOptionValue", {**where, "Value": 2}).status == 204
        found = cast(org, name, "Picklist", "?$expand=OptionSet")["OptionSet"]["Options"]
        assert [(o["Value"], o["Label"]["UserLocalizedLabel"]["Label"]) for o in found] == [
            (value, "Three"),
            (1, "Uno"),
        ]
        assert org.api("POST", "OrderOption", {**where, "Values": [1]}).error[:2] == (400, "0x80044324")

    def test_a_status_is_added_to_a_state(self, org: InProcess) -> None:
        name = make_table(org)
        body = {"EntityLogicalName": name, "AttributeLogicalName": "statuscode", "StateCode": 0, "Label": label("Warm")}
        value = org.api("POST", "InsertStatusValue", body).body["NewOptionValue"]
        key = org.create(f"{name}s", new_name="x", statuscode=value)
        assert org.row(f"{name}s", key)["statuscode"] == value

    def test_options_of_other_columns_are_refused(self, org: InProcess) -> None:
        where = {"EntityLogicalName": "lead", "AttributeLogicalName": "subject", "Value": 1, "Label": label("x")}
        assert org.api("POST", "InsertOptionValue", where).error[:2] == (400, "0x80044320")
        assert org.api("POST", "DeleteOptionValue", where).error[:2] == (400, "0x80044323")
        assert org.api("POST", "InsertOptionValue", {"OptionSetName": "nothing"}).status == 404


class TestAround:
    def test_a_change_that_fails_halfway_leaves_nothing_behind(self, org: InProcess) -> None:
        name = fresh("Half")
        bad = table(f"{name}b", Attributes=[])
        before = org.get("$metadata").raw
        assert org.api("POST", "CreateEntities", {"Entities": [table(name), bad]}).status == 400
        assert org.get(f"EntityDefinitions(LogicalName='{name.lower()}')").status == 404
        assert org.get(f"{name.lower()}s").status == 404
        assert org.get("$metadata").raw == before
        assert org.api("POST", "CreateEntities", {"Entities": [table(name)]}).status == 200
        assert org.create(f"{name.lower()}s", new_name="x")

    def test_6_3_publishing_is_accepted(self, org: InProcess) -> None:
        xml = "<importexportxml><entities><entity>lead</entity></entities></importexportxml>"
        assert org.api("POST", "PublishXml", {"ParameterXml": xml}).status == 204
        assert org.api("POST", "PublishAllXml").status == 204
        assert org.api("POST", "PublishXml", {}).status == 400

    @pytest.mark.parametrize("by", ["header", "query"])
    def test_2_2_a_change_names_a_solution_that_is_there(self, org: InProcess, by: str) -> None:
        for solution, status in (("Tandem", 204), ("Nothing", 404)):
            body = column("String", fresh("Sol"))
            path = f"{LEAD_COLUMNS}?SolutionUniqueName={solution}" if by == "query" else LEAD_COLUMNS
            headers = {"MSCRM.SolutionUniqueName": solution} if by == "header" else {}
            assert org.api("POST", path, body, **headers).status == status

    def test_a_change_set_takes_no_changes_of_the_schema(self, org: InProcess) -> None:
        body = json.dumps(column("String", fresh("Set")))
        part = "--set\r\nContent-Type: application/http\r\nContent-ID: 1\r\n\r\n"
        request = f"POST {LEAD_COLUMNS} HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{body}\r\n--set--"
        answer = org.batch(
            "--batch_1", "Content-Type: multipart/mixed; boundary=set", "", part + request, "--batch_1--"
        )
        assert answer.status == 400
        assert b"Metadata cannot be changed inside a changeset." in answer.raw

    def test_2_2_a_read_is_stale_for_a_while_unless_it_is_strong(self) -> None:
        org = InProcess()
        org.sign_in()
        org.set("/settings", metadata_cache_s=30)
        org.set("/clock", frozen=True)
        name = make_column(org, column("String", fresh("Stale")))
        path = f"{LEAD_COLUMNS}(LogicalName='{name}')"
        assert org.get(path).status == 404
        assert org.get(path, Consistency="Strong").status == 200
        assert org.get(f"leads?$select={name}").status == 200
        org.set("/clock", advance_s=31)
        assert org.get(path).status == 200
        org.close()

    def test_a_file_keeps_the_schema_over_a_restart(self, tmp_path: Any) -> None:
        path = str(tmp_path / "organization.db")
        first = InProcess(db=path)
        first.sign_in()
        name = make_table(first)
        extra = make_column(first, column("Integer", fresh("Kept")))
        shared = fresh("Choice")
        first.api("POST", "GlobalOptionSetDefinitions", choice(shared, 1))
        dropped = make_table(first)
        first.api("DELETE", f"EntityDefinitions(LogicalName='{dropped}')")
        key = first.create(f"{name}s", new_name="kept")
        lead = first.create("leads", lastname="L", **{extra: 5})
        before = first.get(f"EntityDefinitions(LogicalName='{name}')?$expand=Attributes").body
        version = first.emulator.store.version
        first.close()
        second = InProcess(db=path)
        second.sign_in()
        assert second.get(f"EntityDefinitions(LogicalName='{name}')?$expand=Attributes").body == before
        assert second.row(f"{name}s", key)["new_name"] == "kept"
        assert second.row("leads", lead)[extra] == 5
        assert second.get(f"GlobalOptionSetDefinitions(Name='{shared}')").status == 200
        assert second.get(f"{dropped}s").status == 404
        assert second.emulator.store.version >= version
        second.close()


class TestPrivileges:
    @pytest.mark.parametrize(
        ("privilege", "method", "path"),
        [
            ("prvCreateEntity", "POST", "EntityDefinitions"),
            ("prvCreateAttribute", "POST", LEAD_COLUMNS),
            ("prvWriteAttribute", "PUT", f"{LEAD_COLUMNS}(LogicalName='fax')"),
            ("prvDeleteEntity", "DELETE", "EntityDefinitions(LogicalName='lead')"),
            ("prvCreateEntityKey", "POST", "EntityDefinitions(LogicalName='lead')/Keys"),
            ("prvCreateRelationship", "POST", "RelationshipDefinitions"),
            ("prvCreateOptionSet", "POST", "GlobalOptionSetDefinitions"),
            ("prvPublishCustomization", "POST", "PublishAllXml"),
        ],
    )
    def test_customizing_takes_a_privilege(self, org: InProcess, privilege: str, method: str, path: str) -> None:
        org.set("/privileges", revoke=[privilege])
        status, code, text = org.api(method, path, {}).error
        assert (status, code) == (403, "0x80040220")
        assert privilege in text
        org.set("/privileges", grant=[privilege])
        assert org.api(method, path, {}).status != 403
