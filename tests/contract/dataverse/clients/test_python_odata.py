"""python-odata, unchanged: it makes its classes from `$metadata` alone, and reads and writes with them."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import requests
from odata import ODataService  # type: ignore[import-untyped]
from odata.exceptions import NoResultsFound  # type: ignore[import-untyped]

from tests.contract.dataverse.clients.conftest import Emulator


@pytest.fixture(scope="module")
def service(emulator: Emulator) -> Iterator[Any]:
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {emulator.token}"
        # The library reads a new row out of the answer to its POST, which the service sends on request only.
        prefer = {"Prefer": "return=representation"}
        yield ODataService(
            emulator.root, session=session, reflect_entities=True, extra_headers=prefer, quiet_progress=True
        )


def test_the_document_becomes_classes(service: Any) -> None:
    assert {"accounts", "contacts", "leads", "opportunities", "connections", "teammemberships"} <= set(service.entities)
    assert {"WhoAmI", "RetrieveVersion"} <= set(service.functions)
    assert {"Merge", "WinOpportunity", "CreateEntities"} <= set(service.actions)
    contact = service.entities["contacts"]
    assert contact.parentcustomerid_account.entitycls.__odata_schema__["name"] == "account"
    account = service.entities["accounts"]
    assert account.contact_customer_accounts.is_collection


def test_a_row_is_made_found_changed_and_deleted(service: Any) -> None:
    account_class = service.entities["accounts"]
    name = f"Reflected {uuid4()}"
    row = account_class()
    row.name = name
    row.numberofemployees = 12
    service.save(row)
    assert row.accountid
    row.telephone1 = "47"
    service.save(row)
    found = service.query(account_class).get(row.accountid)
    assert (found.name, found.numberofemployees, found.telephone1) == (name, 12, "47")
    [again] = list(service.query(account_class).filter(account_class.name == name))
    assert again.accountid == row.accountid
    service.delete(row)
    with pytest.raises(NoResultsFound):
        service.query(account_class).get(found.accountid)


def test_queries_are_ordered_limited_and_narrowed(service: Any) -> None:
    lead = service.entities["leads"]
    query = service.query(lead).filter(lead.statecode == 0).order_by(lead.lastname.asc()).limit(5)
    rows = list(query)
    assert len(rows) == 5
    assert [row.lastname.lower() for row in rows] == sorted(row.lastname.lower() for row in rows)


def test_a_new_table_is_in_the_next_document(service: Any, emulator: Emulator) -> None:
    name = f"new_Reflected{uuid4().hex[:8]}"
    column = {
        "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata",
        "SchemaName": "new_Name",
        "IsPrimaryName": True,
    }
    headers = {"Authorization": f"Bearer {emulator.token}"}
    body: Any = {"SchemaName": name, "OwnershipType": "UserOwned", "Attributes": [column]}
    made = requests.post(f"{emulator.root}EntityDefinitions", json=body, headers=headers, timeout=30)
    assert made.status_code == 204
    with requests.Session() as session:
        session.headers.update(headers)
        again = ODataService(emulator.root, session=session, reflect_entities=True, quiet_progress=True)
        assert f"{name.lower()}s" in again.entities
        assert f"{name.lower()}s" not in service.entities
