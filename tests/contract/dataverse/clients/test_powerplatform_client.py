"""Microsoft's PowerPlatform-Dataverse-Client, unchanged: every group of operations that it offers."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd  # type: ignore[import-untyped]
import pytest
from azure.core.credentials import AccessToken
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.errors import HttpError, MetadataError
from PowerPlatform.Dataverse.models import (
    Label,
    LocalizedLabel,
    LookupAttributeMetadata,
    ManyToManyRelationshipMetadata,
    OneToManyRelationshipMetadata,
    UpsertItem,
)
from PowerPlatform.Dataverse.models.filters import col

from tests.contract.dataverse.clients.conftest import Emulator

pytestmark = [
    # The client warns of its own older forms and of wide queries; both are used on purpose.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


class StaticCredential:
    """A credential of azure.core's kind around the token that msal got."""

    def __init__(self, token: str) -> None:
        self.token = token

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return AccessToken(self.token, int(time.time()) + 3000)


class Colour(IntEnum):
    Red = 1
    Green = 2


@pytest.fixture(scope="module")
def client(emulator: Emulator) -> Iterator[DataverseClient]:
    with DataverseClient(emulator.url, StaticCredential(emulator.token)) as found:
        yield found


@pytest.fixture(scope="module")
def table(client: DataverseClient) -> str:
    """A table of the test's own, with a column of each kind that the client can make."""
    columns = {
        "new_Text": "string",
        "new_Note": "memo",
        "new_Count": "int",
        "new_Amount": "decimal",
        "new_Ratio": "float",
        "new_Day": "datetime",
        "new_Active": "bool",
        "new_Colour": Colour,
    }
    made = client.tables.create("new_Widget", columns, solution="Tandem", display_name="Widget")
    assert made.entity_set_name == "new_widgets"
    assert made.primary_name_attribute == "new_name"
    return "new_Widget"


def some(client: DataverseClient, **values: Any) -> str:
    made: str = client.records.create("account", {"name": f"Client {uuid4()}", **values})
    return made


class TestRecords:
    def test_one_row_from_create_to_delete(self, client: DataverseClient) -> None:
        key = some(client, telephone1="1")
        client.records.update("account", key, {"telephone1": "2"})
        row = client.records.retrieve("account", key, select=["name", "telephone1"])
        assert row is not None
        assert row["telephone1"] == "2"
        client.records.delete("account", key)
        assert client.records.retrieve("account", key) is None

    def test_many_rows_at_once(self, client: DataverseClient) -> None:
        mark = str(uuid4())
        keys = client.records.create("account", [{"name": mark, "telephone1": str(i)} for i in range(3)])
        client.records.update("account", keys, {"description": "all"})
        client.records.update("account", keys, [{"fax": str(i)} for i in range(3)])
        rows = client.records.list("account", filter=f"name eq '{mark}'", select=["telephone1", "fax", "description"])
        assert sorted((row["telephone1"], row["fax"], row["description"]) for row in rows) == [
            (str(i), str(i), "all") for i in range(3)
        ]
        job = client.records.delete("account", keys)
        assert job
        eventually(lambda: not list(client.records.list("account", filter=f"name eq '{mark}'")))

    def test_a_choice_is_written_by_its_label(self, client: DataverseClient) -> None:
        key = some(client, accountcategorycode="Preferred Customer")
        row = client.records.retrieve("account", key, select=["accountcategorycode"], include_annotations="*")
        assert row is not None
        assert row["accountcategorycode"] == 1
        assert row["accountcategorycode@OData.Community.Display.V1.FormattedValue"] == "Preferred Customer"

    def test_pages_come_one_by_one(self, client: DataverseClient) -> None:
        pages = list(client.records.list_pages("contact", select=["fullname"], page_size=10))
        assert len(pages) >= 3
        assert all(len(list(page)) <= 10 for page in pages)

    def test_related_rows_are_expanded_and_bound(self, client: DataverseClient) -> None:
        account = some(client)
        bind = client.query.odata_bind("contact", "account", account)
        contact = client.records.create("contact", {"lastname": "Bound", **bind})
        nav = client.query.odata_expand("contact", "account")
        row = client.records.retrieve("contact", contact, select=["lastname"], expand=[nav])
        assert row is not None
        assert row[nav]["accountid"] == account

    def test_upsert_by_an_alternate_key(self, client: DataverseClient, table: str) -> None:
        client.tables.create_alternate_key(table, "new_TextKey", ["new_text"])
        items: list[UpsertItem | dict[str, Any]] = [
            UpsertItem({"new_text": f"K{i}"}, {"new_name": f"first {i}"}) for i in range(2)
        ]
        client.records.upsert(table, items)
        client.records.upsert(table, [UpsertItem({"new_text": "K0"}, {"new_name": "second"})])
        rows = client.records.list(table, filter="startswith(new_text,'K')", select=["new_text", "new_name"])
        assert sorted((row["new_text"], row["new_name"]) for row in rows) == [("K0", "second"), ("K1", "first 1")]


def eventually(done: Any, seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until
        time.sleep(0.05)


class TestQuery:
    def test_sql(self, client: DataverseClient) -> None:
        mark = f"sql{uuid4().hex}"
        account = some(client, description=mark)
        found = client.query.sql(f"SELECT a.name, a.accountid FROM account a WHERE a.description = '{mark}'")
        assert [row["accountid"] for row in found] == [account]
        [count] = client.query.sql(f"SELECT COUNT(*) AS n FROM account WHERE description = '{mark}'")
        assert count["n"] == 1
        assert "name" in {column["name"] for column in client.query.sql_columns("account")}

    def test_fetchxml_over_pages(self, client: DataverseClient) -> None:
        inner = '<attribute name="fullname"/><order attribute="leadid"/>'
        xml = f'<fetch count="7"><entity name="lead">{inner}</entity></fetch>'
        pages = list(client.query.fetchxml(xml).execute_pages())
        keys = [row["leadid"] for page in pages for row in page]
        assert len(pages) > 1
        assert len(set(keys)) == len(keys) == len(list(client.records.list("lead", select=["leadid"])))

    def test_builder(self, client: DataverseClient) -> None:
        mark = f"builder{uuid4().hex}"
        for number in range(3):
            some(client, description=mark, numberofemployees=number)
        wanted = (col("description") == mark) & (col("numberofemployees") >= 1)
        query = client.query.builder("account").select("name", "numberofemployees").where(wanted)
        found = list(query.order_by("numberofemployees", descending=True).execute())
        assert [row.get("numberofemployees") for row in found] == [2, 1]  # type: ignore[attr-defined]

    def test_what_can_be_expanded(self, client: DataverseClient) -> None:
        found = {row["nav_property"]: row["target_table"] for row in client.query.odata_expands("contact")}
        assert found["parentcustomerid_account"] == "account"
        assert "fullname" in client.query.odata_select("contact")


class TestTables:
    def test_a_table_is_found_listed_and_deleted(self, client: DataverseClient) -> None:
        name = f"new_T{uuid4().hex[:8]}"
        client.tables.create(name, {"new_A": "string"}, primary_column="new_Title")
        found = client.tables.get(name)
        assert found is not None
        assert found.primary_name_attribute == "new_title"
        listed = client.tables.list(filter=f"SchemaName eq '{name}'", select=["LogicalName"])
        assert [row["LogicalName"] for row in listed] == [name.lower()]
        with pytest.raises(MetadataError):
            client.tables.create(name, {})
        client.tables.delete(name)
        assert client.tables.get(name) is None

    def test_a_row_of_every_type(self, client: DataverseClient, table: str) -> None:
        values = {
            "new_name": "Every",
            "new_text": "t",
            "new_note": "a\nb",
            "new_count": 7,
            "new_amount": 1.25,
            "new_ratio": 0.12345,
            "new_day": "2026-05-01T00:00:00Z",
            "new_active": True,
            "new_colour": Colour.Green.value,
        }
        key = client.records.create(table, values)
        row = client.records.retrieve(table, key, select=[*values])
        assert row is not None
        assert {name: row[name] for name in values} == values
        client.records.update(table, key, {"new_colour": "Red"})
        again = client.records.retrieve(table, key, select=["new_colour"])
        assert again is not None
        assert again["new_colour"] == 1

    def test_columns_come_and_go(self, client: DataverseClient, table: str) -> None:
        assert client.tables.add_columns(table, {"new_Extra": {"type": "string", "max_length": 30}}) == ["new_Extra"]
        key = client.records.create(table, {"new_name": "With", "new_extra": "x"})
        assert client.records.retrieve(table, key, select=["new_extra"])["new_extra"] == "x"  # type: ignore[index]
        client.tables.update_column(table, "new_Extra", {"max_length": 60, "display_name": "Longer"})
        column = client.tables.get_column(table, "new_Extra", typed=True)
        assert column is not None
        assert column["MaxLength"] == 60
        plain = client.tables.get_column(table, "new_Extra")
        assert plain is not None
        assert plain["DisplayName"]["UserLocalizedLabel"]["Label"] == "Longer"
        client.tables.remove_columns(table, "new_Extra")
        assert client.tables.get_column(table, "new_Extra") is None
        names = {column["LogicalName"] for column in client.tables.list_columns(table, select=["LogicalName"])}
        assert "new_extra" not in names
        assert "new_text" in names

    def test_typed_columns_come_in_one_call(self, client: DataverseClient, table: str) -> None:
        found = {column["LogicalName"]: column for column in client.tables.list_columns(table, typed=True)}
        assert found["new_text"]["MaxLength"] == 200
        assert (found["new_count"]["MinValue"], found["new_count"]["MaxValue"]) == (-(2**31), 2**31 - 1)

    def test_a_lookup_and_its_relationship(self, client: DataverseClient, table: str) -> None:
        made = client.tables.create_lookup_field(table, "new_AccountId", "account", display_name="Account")
        account = some(client)
        bind = client.query.odata_bind(table, "account", account)
        assert list(bind) == ["new_AccountId@odata.bind"]
        key = client.records.create(table, {"new_name": "Linked", **bind})
        row = client.records.retrieve(table, key, select=["new_name", "_new_accountid_value"])
        assert row is not None
        assert row["_new_accountid_value"] == account
        found = client.tables.get_relationship(made.relationship_schema_name)
        assert found is not None
        assert (found.referenced_entity, found.referencing_entity) == ("account", "new_widget")
        names = {one["SchemaName"] for one in client.tables.list_table_relationships(table)}
        assert made.relationship_schema_name in names
        client.tables.delete_relationship(str(made.relationship_id))
        assert client.tables.get_relationship(made.relationship_schema_name) is None

    def test_relationships_of_both_kinds(self, client: DataverseClient, table: str) -> None:
        label = Label(localized_labels=[LocalizedLabel(label="Parent", language_code=1033)])
        lookup = LookupAttributeMetadata(schema_name="new_ParentId", display_name=label)
        relation = OneToManyRelationshipMetadata(
            schema_name="new_contact_widgets",
            referenced_entity="contact",
            referencing_entity="new_widget",
            referenced_attribute="contactid",
        )
        one = client.tables.create_one_to_many_relationship(lookup, relation)
        pairs = ManyToManyRelationshipMetadata("new_widget_lead", "new_widget", "lead")
        many = client.tables.create_many_to_many_relationship(pairs)
        listed = {row["SchemaName"] for row in client.tables.list_relationships(select=["SchemaName"])}
        assert {"new_contact_widgets", "new_widget_lead"} <= listed
        client.tables.delete_relationship(str(one.relationship_id))
        client.tables.delete_relationship(str(many.relationship_id))

    def test_alternate_keys(self, client: DataverseClient, table: str) -> None:
        made = client.tables.create_alternate_key(table, "new_CountKey", ["new_count"], display_name="By count")
        keys = {key.schema_name: key for key in client.tables.get_alternate_keys(table)}
        assert keys["new_CountKey"].key_attributes == ["new_count"]
        assert keys["new_CountKey"].status == "Active"
        with pytest.raises(HttpError) as refused:
            client.tables.create_alternate_key(table, "new_Again", ["new_count"])
        assert refused.value.status_code == 400
        client.tables.delete_alternate_key(table, made.metadata_id)
        assert "new_CountKey" not in {key.schema_name for key in client.tables.get_alternate_keys(table)}


class TestFiles:
    @pytest.mark.parametrize("mode", ["small", "chunk"])
    def test_a_file_goes_up(self, client: DataverseClient, table: str, tmp_path: Path, mode: str) -> None:
        size = 100 if mode == "small" else 5 * 1024 * 1024
        path = tmp_path / "letter of intent.bin"
        path.write_bytes(bytes(i % 251 for i in range(251)) * (size // 251 + 1))
        key = client.records.create(table, {"new_name": "With a file"})
        client.files.upload(table, key, "new_Document", str(path), mode=mode)
        row = client.records.retrieve(table, key, select=["new_document", "new_document_name"])
        assert row is not None
        assert row["new_document_name"] == "letter of intent.bin"
        assert row["new_document"]


class TestBatch:
    def test_a_batch_of_everything(self, client: DataverseClient, table: str) -> None:
        key = some(client)
        batch = client.batch.new()
        batch.records.create("account", {"name": "In a batch"})
        batch.records.update("account", key, {"telephone1": "9"})
        batch.records.retrieve("account", key, select=["telephone1"])
        batch.records.list("account", filter=f"accountid eq {key}", select=["name"])
        batch.tables.get(table)
        batch.tables.add_columns(table, {"new_FromBatch": "int"})
        batch.query.sql(f"SELECT name FROM account WHERE accountid = '{key}'")
        batch.records.delete("account", key)
        result = batch.execute()
        assert not result.has_errors, [answer.error_message for answer in result.failed]
        assert len(result.responses) == 8
        assert client.tables.get_column(table, "new_FromBatch") is not None

    def test_a_change_set_is_all_or_nothing(self, client: DataverseClient) -> None:
        mark = f"changeset{uuid4().hex}"
        batch = client.batch.new()
        with batch.changeset() as changes:
            account = changes.records.create("account", {"name": mark})
            changes.records.create("contact", {"lastname": mark, "parentcustomerid_account@odata.bind": account})
        assert not batch.execute().has_errors
        [contact] = client.records.list("contact", filter=f"lastname eq '{mark}'", select=["_parentcustomerid_value"])
        [parent] = client.records.list("account", filter=f"name eq '{mark}'", select=["name"])
        assert contact["_parentcustomerid_value"] == parent["accountid"]
        failing = client.batch.new()
        with failing.changeset() as changes:
            changes.records.create("account", {"name": f"{mark} gone"})
            changes.records.create("account", {"nothing": 1})
        assert failing.execute(continue_on_error=True).has_errors
        assert not list(client.records.list("account", filter=f"name eq '{mark} gone'"))


class TestDataframe:
    def test_rows_as_a_frame(self, client: DataverseClient) -> None:
        mark = f"frame{uuid4().hex}"
        frame = pd.DataFrame([{"name": mark, "telephone1": str(i)} for i in range(3)])
        frame["accountid"] = client.dataframe.create("account", frame)
        frame["telephone1"] = ["7", "8", "9"]
        client.dataframe.update("account", frame[["accountid", "telephone1"]], id_column="accountid")
        found = client.dataframe.get("account", filter=f"name eq '{mark}'", select=["telephone1"])
        assert sorted(found["telephone1"]) == ["7", "8", "9"]
        by_sql = client.dataframe.sql(f"SELECT telephone1 FROM account WHERE name = '{mark}'")
        assert sorted(by_sql["telephone1"]) == ["7", "8", "9"]
        client.dataframe.delete("account", frame["accountid"])
        eventually(lambda: client.dataframe.get("account", filter=f"name eq '{mark}'", select=["name"]).empty)


def test_the_asynchronous_half_of_the_client(emulator: Emulator) -> None:
    environment = {"TANDEM_URL": emulator.url, "TANDEM_TOKEN": emulator.token, "SSL_CERT_FILE": emulator.ca_file}
    program = Path(__file__).with_name("async_story.py")
    done = subprocess.run(
        [sys.executable, str(program)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "records": [[["0", "2"], ["1", "1"], ["2", "1"]], 0],
        "queries": [True, True, 2],
        "tables": [True, 200, [["A", 3]], None],
        "batches": [3, False],
    }
