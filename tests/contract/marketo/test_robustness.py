"""Whatever is sent, the answer is an envelope: no traceback, no HTTP 500, no half-done batch."""

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.marketo.client import InProcess, Running, check_answer
from tests.contract.marketo.conftest import Start

JSON_CALLS = [
    "/rest/v1/leads.json",
    "/rest/v1/leads/delete.json",
    "/rest/v1/leads/partitions.json",
    "/rest/v1/leads/schema/fields.json",
    "/rest/v1/leads/schema/fields/email.json",
    "/rest/v1/lists/1/leads.json",
    "/rest/v1/companies.json",
    "/rest/v1/companies/delete.json",
    "/rest/v1/salespersons.json",
    "/rest/v1/opportunities.json",
    "/rest/v1/opportunities/roles.json",
    "/rest/v1/opportunities/roles.json?_method=GET",
    "/rest/v1/companies.json?_method=GET",
    "/rest/v1/leads/push.json",
    "/rest/v1/leads/submitForm.json",
    "/rest/v1/leads/programs/1/status.json",
    "/rest/v1/programs/1/members.json",
    "/rest/v1/programs/1/members/status.json",
    "/rest/v1/programs/1/members/delete.json",
    "/rest/v1/programs/members/schema/fields.json",
    "/rest/v1/campaigns/1/trigger.json",
    "/rest/v1/campaigns/2/schedule.json",
    "/rest/v1/namedaccounts.json",
    "/rest/v1/namedaccounts/delete.json",
    "/rest/v1/namedAccountLists.json",
    "/rest/v1/customobjects/car_c.json",
    "/rest/v1/customobjects/car_c.json?_method=GET",
    "/rest/v1/customobjects/car_c/delete.json",
    "/rest/v1/customobjects/schema.json",
    "/rest/v1/customobjects/schema/car_c/addField.json",
    "/rest/v1/customobjects/schema/car_c/deleteField.json",
    "/rest/v1/customobjects/schema/car_c/vin/updateField.json",
]
QUERIES = [
    "/rest/v1/leads.json",
    "/rest/v1/lead/1.json",
    "/rest/v1/lists.json",
    "/rest/v1/lists/1/leads.json",
    "/rest/v1/leads/1/listMembership.json",
    "/rest/v1/leads/schema/fields.json",
    "/rest/v1/companies.json",
    "/rest/v1/salespersons.json",
    "/rest/v1/activities.json",
    "/rest/v1/activities/leadchanges.json",
    "/rest/v1/activities/deletedleads.json",
    "/rest/v1/activities/pagingtoken.json",
    "/rest/v1/campaigns.json",
    "/rest/v1/leads/programs/1.json",
    "/rest/v1/leads/1/programMembership.json",
    "/rest/v1/leads/1/smartCampaignMembership.json",
    "/rest/v1/programs/1/members.json",
    "/rest/v1/programs/members/schema/fields.json",
    "/rest/v1/namedaccounts.json",
    "/rest/v1/namedaccounts/schema/fields.json",
    "/rest/v1/namedAccountLists.json",
    "/rest/v1/customobjects.json",
    "/rest/v1/customobjects/car_c.json",
    "/rest/v1/customobjects/schema.json",
    "/rest/v1/customobjects/schema/car_c/describe.json",
]
NAMES = [
    "filterType", "filterValues", "fields", "batchSize", "nextPageToken", "activityTypeIds", "leadIds", "listId", "id",
    "sinceDatetime", "_method", "state", "names", "name", "startAt", "endAt", "earliestUpdatedAt",
]  # fmt: skip

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
members = st.sampled_from(
    [
        "id",
        "email",
        "leadId",
        "externalCompanyId",
        "externalSalesPersonId",
        "leadScore",
        "unsubscribed",
        "name",
        "role",
        "displayName",
        "dataType",
        "externalOpportunityId",
        "company",
        "dateOfBirth",
        "partitionName",
        "vin",
        "leadID",
        "marketoGUID",
        "isDedupeField",
        "relatedTo",
        "leadFormFields",
        "cookie",
        "registrationCode",
    ]
)
records = st.dictionaries(members, values, max_size=5)
bodies = st.fixed_dictionaries(
    {"input": st.lists(records, max_size=4) | values},
    optional={
        "action": values,
        "lookupField": st.sampled_from(["id", "email", "leadScore", ""]) | values,
        "dedupeBy": st.sampled_from(["idField", "dedupeFields"]) | values,
        "deleteBy": st.sampled_from(["idField", "dedupeFields"]) | values,
        "filterType": st.sampled_from(["dedupeFields", "idField", "id"]) | values,
        "filterValues": values,
        "fields": values,
        "batchSize": values,
        "nextPageToken": values,
        "partitionName": values,
        "statusName": st.sampled_from(["Visited", "Influenced"]) | values,
        "status": st.sampled_from(["Visited", "Not in Program"]) | values,
        "programName": st.sampled_from(["Launch"]) | values,
        "programStatus": values,
        "programId": values,
        "formId": st.just(1) | values,
        "apiName": st.sampled_from(["car_c", "boat"]) | values,
        "displayName": values,
        "dataType": st.sampled_from(["string", "link", "text"]) | values,
        "isDedupeField": values,
        "relatedTo": st.fixed_dictionaries({"name": values, "field": values}) | values,
    },
)
steps = st.fixed_dictionaries(
    {"input": st.fixed_dictionaries({}, optional={"leads": values, "tokens": values, "runAt": values}) | values}
)
texts = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    ["1", "email", "id", "1,2", "-5", "GET", "13", "leadId", "updatedAt", "vin", "marketoGUID", "programId", "draft"]
)

once = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture(scope="module")
def busy() -> Any:
    marketo = InProcess(people=30)
    marketo.sign_in()
    vin = {"name": "vin", "displayName": "VIN", "dataType": "string", "isDedupeField": True}
    link = {
        "name": "leadID",
        "displayName": "Lead ID",
        "dataType": "link",
        "relatedTo": {"name": "lead", "field": "id"},
    }
    for entity, made in (
        ("program", {"name": "Launch"}),
        ("campaign", {"name": "Welcome", "flow": [{"step": "change_score", "change": "+1"}]}),
        ("campaign", {"name": "Mailing", "type": "batch"}),
        ("form", {"name": "Contact us", "fields": ["firstName", "registrationCode"]}),
        ("customObjectType", {"apiName": "car", "displayName": "Car", "fields": [vin, link]}),
    ):
        marketo.control("POST", "/people/create", {"entity": entity, "values": made})
    yield marketo
    marketo.close()


@pytest.mark.parametrize("path", JSON_CALLS)
def test_any_json_gets_an_envelope(busy: Running, path: str) -> None:
    @once
    @given(body=bodies | steps | values)
    def answered(body: object) -> None:
        check_answer(busy.send("POST", path, msgspec.json.encode(body), headers(busy)))

    answered()


@pytest.mark.parametrize("path", QUERIES)
def test_any_parameters_get_an_envelope(busy: Running, path: str) -> None:
    @once
    @given(parameters=st.dictionaries(st.sampled_from(NAMES), texts, max_size=6))
    def answered(parameters: dict[str, str]) -> None:
        check_answer(busy.get(path, **parameters))

    answered()


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"input": "\\ud800"}', b"[" * 5_000]
)
@pytest.mark.parametrize("path", ["/rest/v1/leads.json", "/rest/v1/companies.json"])
def test_a_broken_body_is_609(busy: Running, path: str, body: bytes) -> None:
    assert busy.send("POST", path, body, headers(busy)).error == ("609", "Invalid JSON")


@pytest.mark.parametrize("number", ["0", "-1", "99999999999999999999", "1.5", "%00", "x%20y"])
def test_an_odd_id_in_the_path_is_refused(busy: Running, number: str) -> None:
    code, _ = busy.get(f"/rest/v1/lead/{number}.json").error
    assert code in ("1001", "1004")


def test_a_call_that_breaks_in_the_middle_leaves_nothing(start: Start) -> None:
    """A list that vanishes is found out before a member is written; a batch with a bad record writes the good ones."""
    marketo = start()
    number = marketo.create(email="a@b.example")
    assert marketo.post("/rest/v1/lists/7/leads.json", {"input": [{"id": number}]}).error[0] == "1013"
    fields = [{"name": "fine", "displayName": "Fine", "dataType": "string"}, {"name": "bad name", "displayName": "B"}]
    assert marketo.post("/rest/v1/leads/schema/fields.json", {"input": fields}).error[0] == "1002"
    assert marketo.get("/rest/v1/leads/schema/fields/fine.json").error[0] == "1006"


def headers(marketo: Running) -> dict[str, str]:
    return {"Authorization": f"Bearer {marketo.token}", "Content-Type": "application/json"}
