"""Companies, sales persons and their like: fact sheet 4.1."""

from typing import Any

import pytest

from tests.contract.marketo.client import Running

COMPANIES = "/rest/v1/companies.json"
SELLERS = "/rest/v1/salespersons.json"


def skipped(seq: int, code: str, message: str) -> dict[str, Any]:
    return {"seq": seq, "status": "skipped", "reasons": [{"code": code, "message": message}]}


def a_company(key: str = "c1", **values: object) -> dict[str, object]:
    return {"externalCompanyId": key, "company": f"Company {key}"} | values


def sync(marketo: Running, *records: object, path: str = COMPANIES, **body: object) -> list[dict[str, Any]]:
    return marketo.post(path, {"input": list(records), **body}).result


def test_describe_names_keys_and_fields(marketo: Running) -> None:
    [company] = marketo.get("/rest/v1/companies/describe.json").result
    assert (company["idField"], company["dedupeFields"]) == ("id", ["externalCompanyId"])
    assert company["searchableFields"] == [["externalCompanyId"], ["id"], ["company"]]
    fields = {field["name"]: field for field in company["fields"]}
    assert fields["externalCompanyId"] == {
        "name": "externalCompanyId",
        "displayName": "External Company Id",
        "dataType": "string",
        "length": 100,
        "updateable": True,
        "crmManaged": False,
    }
    assert fields["id"]["updateable"] is False
    [seller] = marketo.get("/rest/v1/salespersons/describe.json").result
    assert (seller["idField"], seller["dedupeFields"]) == ("id", ["externalSalesPersonId"])


def test_a_company_is_created_then_updated(marketo: Running) -> None:
    [made] = sync(marketo, a_company(annualRevenue=12.5))
    assert made == {"seq": 0, "status": "created", "id": made["id"]}
    assert isinstance(made["id"], int)
    assert sync(marketo, a_company(industry="Toys")) == [{"seq": 0, "status": "updated", "id": made["id"]}]
    query = {"filterType": "externalCompanyId", "filterValues": "c1", "fields": "company,annualRevenue,industry,site"}
    assert marketo.get(COMPANIES, **query).result == [
        {"seq": 0, "company": "Company c1", "annualRevenue": 12.5, "industry": "Toys", "site": None}
    ]


@pytest.mark.parametrize("filter_type", ["id", "idField", "externalCompanyId", "dedupeFields", "company"])
def test_a_company_is_found_by_each_searchable_field(marketo: Running, filter_type: str) -> None:
    made, _ = sync(marketo, a_company("c1"), a_company("c2"))
    value = {"id": made["id"], "idField": made["id"], "company": "Company c1"}.get(filter_type, "c1")
    [found] = marketo.get(COMPANIES, filterType=filter_type, filterValues=value).result
    assert set(found) == {"seq", "id", "externalCompanyId", "createdAt", "updatedAt"}
    assert (found["seq"], found["id"]) == (0, made["id"])


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({}, ("1003", "filterType not specified")),
        ({"filterType": "id"}, ("1003", "filterValues not specified")),
        ({"filterType": "industry", "filterValues": "x"}, ("1003", "Invalid filterType 'industry'")),
        ({"filterType": "id", "filterValues": "1", "fields": "x"}, ("1006", "Field 'x' not found")),
    ],
)
def test_a_query_that_cannot_be_is_refused(
    marketo: Running, parameters: dict[str, str], error: tuple[str, str]
) -> None:
    assert marketo.get(COMPANIES, **parameters).error == error


def test_pages_of_companies(marketo: Running) -> None:
    sync(marketo, *(a_company(f"c{number}") for number in range(3)))
    query = {"filterType": "externalCompanyId", "filterValues": "c0,c1,c2", "batchSize": 2, "fields": "company"}
    first = marketo.get(COMPANIES, **query).body
    second = marketo.form(COMPANIES + f"?_method=GET&nextPageToken={first['nextPageToken']}", **query).body
    assert [row["company"] for row in first["result"] + second["result"]] == [f"Company c{n}" for n in range(3)]
    assert "nextPageToken" not in second


def test_the_actions_and_their_refusals(marketo: Running) -> None:
    assert sync(marketo, a_company(), action="updateOnly") == [skipped(0, "1013", "Object not found")]
    sync(marketo, a_company(), action="createOnly")
    assert sync(marketo, a_company(), action="createOnly") == [skipped(0, "1017", "Object already exists")]


def test_a_key_twice_in_one_input_is_1036(marketo: Running) -> None:
    first, second = sync(marketo, a_company(), a_company())
    assert first["status"] == "created"
    assert second == skipped(1, "1036", "Duplicate object found in input")


def test_bad_records_are_skipped_in_their_place(marketo: Running) -> None:
    results = sync(
        marketo,
        {"company": "No key"},
        a_company("c1", shoeSize=1),
        a_company("c2", annualRevenue="14c"),
        a_company("c3", createdAt="2020-01-01T00:00:00Z"),
        a_company("c4", externalSalesPersonId="nobody"),
        a_company("c5"),
    )
    assert results[:5] == [
        skipped(0, "1002", "Missing value for the required parameter 'externalCompanyId'"),
        skipped(1, "1006", "Field 'shoeSize' not found"),
        skipped(2, "1003", "Invalid value for field 'annualRevenue' and value '14c'"),
        skipped(3, "1011", "Field 'createdAt' not supported"),
        skipped(4, "718", "ExternalSalesPersonID not found"),
    ]
    assert (results[5]["seq"], results[5]["status"]) == (5, "created")


def test_by_id_only_updates(marketo: Running) -> None:
    [made] = sync(marketo, a_company())
    record = {"id": made["id"], "company": "New"}
    assert sync(marketo, record, action="updateOnly", dedupeBy="idField")[0]["status"] == "updated"
    answer = marketo.post(COMPANIES, {"input": [record], "dedupeBy": "idField"})
    assert answer.error == ("1003", "Invalid dedupeBy 'idField' value")
    answer = marketo.post(COMPANIES, {"input": [record], "dedupeBy": "yoyoto"})
    assert answer.error == ("1003", "Invalid dedupeBy 'yoyoto' value")


@pytest.mark.parametrize("odd", [True, 2**63, -1, 1.5, "x", [1]])
def test_an_odd_id_is_nobodys(marketo: Running, odd: object) -> None:
    sync(marketo, a_company())
    record = {"id": odd, "company": "New"}
    result = sync(marketo, record, action="updateOnly", dedupeBy="idField")
    assert result == [skipped(0, "1013", "Object not found")]


def test_null_and_empty_text_both_clear(marketo: Running) -> None:
    sync(marketo, a_company(industry="Toys", site="Main"))
    sync(marketo, a_company(industry=None, site=""))
    query = {"filterType": "externalCompanyId", "filterValues": "c1", "fields": "industry,site"}
    assert marketo.get(COMPANIES, **query).result == [{"seq": 0, "industry": None, "site": None}]


def test_an_unchanged_company_keeps_its_time_and_tells_nobody(marketo: Running) -> None:
    sync(marketo, a_company())
    marketo.create(email="a@b.example", externalCompanyId="c1")
    query = {"filterType": "externalCompanyId", "filterValues": "c1"}
    before = marketo.get(COMPANIES, **query).result
    _, token = marketo.changes(marketo.start_of_feed(), "company")
    marketo.advance(10)
    assert sync(marketo, a_company())[0]["status"] == "updated"
    assert marketo.get(COMPANIES, **query).result == before
    assert marketo.changes(token, "company")[0] == []


def test_deleting_by_key_and_by_id(marketo: Running) -> None:
    first, second = sync(marketo, a_company("c1"), a_company("c2"))
    delete = "/rest/v1/companies/delete.json"
    by_key = marketo.post(delete, {"input": [{"externalCompanyId": "c1"}, {"externalCompanyId": "c9"}]})
    assert by_key.result == [
        {"seq": 0, "status": "deleted", "id": first["id"]},
        skipped(1, "1013", "Object not found"),
    ]
    by_id = marketo.post(delete, {"deleteBy": "idField", "input": [{"id": second["id"]}]})
    assert by_id.result == [{"seq": 0, "status": "deleted", "id": second["id"]}]
    assert marketo.get(COMPANIES, filterType="externalCompanyId", filterValues="c1,c2").result == []


@pytest.mark.parametrize(
    ("path", "record", "link"),
    [
        ("/rest/v1/companies", {"externalCompanyId": "k"}, "externalCompanyId"),
        ("/rest/v1/salespersons", {"externalSalesPersonId": "k"}, "externalSalesPersonId"),
    ],
)
def test_what_a_lead_uses_cannot_be_deleted(marketo: Running, path: str, record: dict[str, str], link: str) -> None:
    sync(marketo, record, path=path + ".json")
    number = marketo.create(email="a@b.example", **{link: "k"})
    delete = {"input": [record]}
    assert marketo.post(path + "/delete.json", delete).result == [skipped(0, "1022", "Object in use")]
    marketo.post("/rest/v1/leads/delete.json", id=number)
    assert marketo.post(path + "/delete.json", delete).result[0]["status"] == "deleted"


def test_sales_persons_are_found_by_email_in_any_spelling(marketo: Running) -> None:
    sync(marketo, {"externalSalesPersonId": "s1", "email": "Sue@x.example"}, path=SELLERS)
    [found] = marketo.get(SELLERS, filterType="email", filterValues="sue@X.example", fields="email").result
    assert found == {"seq": 0, "email": "Sue@x.example"}


def test_a_native_crm_makes_them_read_only(marketo: Running) -> None:
    sync(marketo, a_company())
    marketo.set(native_crm="dynamics")
    assert marketo.post(COMPANIES, {"input": [a_company()]}).error == ("1018", "CRM Enabled")
    assert marketo.post("/rest/v1/companies/delete.json", {"input": [a_company()]}).error == ("1018", "CRM Enabled")
    assert len(marketo.get(COMPANIES, filterType="externalCompanyId", filterValues="c1").result) == 1


def test_301_companies_are_refused_as_a_whole(marketo: Running) -> None:
    assert marketo.post(COMPANIES, {"input": [a_company(f"c{number}") for number in range(301)]}).error[0] == "1003"


def test_company_fields_have_read_only_metadata(marketo: Running) -> None:
    [field] = marketo.get("/rest/v1/companies/schema/fields/industry.json").result
    assert (field["displayName"], field["dataType"], field["length"]) == ("Industry", "string", 255)
    assert marketo.post("/rest/v1/companies/schema/fields.json", {"input": []}).error[0] == "605"


class TestObjectsThatAreDataOnly:
    """Opportunities and roles have no code of their own."""

    def test_an_opportunity_has_a_guid_and_needs_a_name(self, marketo: Running) -> None:
        path = "/rest/v1/opportunities.json"
        [made] = sync(marketo, {"externalOpportunityId": "o1", "name": "Deal", "amount": 10}, path=path)
        assert len(made["marketoGUID"]) == 36
        [nameless] = sync(marketo, {"externalOpportunityId": "o2"}, path=path)
        assert nameless == skipped(0, "1002", "Missing value for the required parameter 'name'")
        [found] = marketo.get(path, filterType="marketoGUID", filterValues=made["marketoGUID"], fields="name").result
        assert found == {"seq": 0, "name": "Deal"}

    def test_an_opportunity_names_a_company_that_is_there(self, marketo: Running) -> None:
        path, deal = "/rest/v1/opportunities.json", {"externalOpportunityId": "o1", "name": "Deal"}
        assert sync(marketo, deal | {"externalCompanyId": "c1"}, path=path) == [skipped(0, "1013", "Object not found")]
        sync(marketo, a_company("c1"))
        [made] = sync(marketo, deal | {"externalCompanyId": "c1"}, path=path)
        assert made["status"] == "created"
        in_use = marketo.post("/rest/v1/companies/delete.json", {"input": [{"externalCompanyId": "c1"}]}).result
        assert in_use == [skipped(0, "1022", "Object in use")]

    def test_whether_an_opportunity_names_its_company_is_a_switch(self, marketo: Running) -> None:
        marketo.set(opportunity_names_company=False)
        [described] = marketo.get("/rest/v1/opportunities/describe.json").result
        assert "externalCompanyId" not in {field["name"] for field in described["fields"]}
        deal = {"externalOpportunityId": "o1", "name": "Deal", "externalCompanyId": "c1"}
        [refused] = sync(marketo, deal, path="/rest/v1/opportunities.json")
        assert refused == skipped(0, "1006", "Field 'externalCompanyId' not found")

    def test_a_role_needs_its_lead_and_its_opportunity_and_is_found_by_its_three_keys(self, marketo: Running) -> None:
        path = "/rest/v1/opportunities/roles.json"
        number = marketo.create(email="a@b.example")
        sync(marketo, {"externalOpportunityId": "o1", "name": "Deal"}, path="/rest/v1/opportunities.json")
        key = {"externalOpportunityId": "o1", "leadId": number, "role": "Buyer"}
        results = sync(marketo, key, key | {"leadId": 999}, key | {"externalOpportunityId": "o9"}, path=path)
        assert results[0]["status"] == "created"
        assert results[1:] == [skipped(1, "1004", "Lead not found"), skipped(2, "1013", "Object not found")]
        body = {"filterType": "dedupeFields", "fields": ["role", "leadId"], "input": [key]}
        found = marketo.post(path, body, _method="GET").result
        assert found == [{"seq": 0, "role": "Buyer", "leadId": number}]
        by_lead = marketo.get(path, filterType="leadId", filterValues=number, fields="role").result
        assert by_lead == [{"seq": 0, "role": "Buyer"}]
