"""Sheet sections 2 and 3: rows, query options, filters, paging."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from tests.contract.dataverse.client import InProcess, Running

PEOPLE: list[dict[str, Any]] = [
    {"firstname": "Ann", "lastname": "Grey", "emailaddress1": "ann@a.example", "numberofchildren": 2},
    {"firstname": "Bob", "lastname": "O'Bryan", "jobtitle": "Chief_X", "numberofchildren": 0, "donotemail": True},
    {"firstname": "Żaneta", "lastname": "Łoś", "birthdate": "1990-02-03"},
    {"lastname": "grey", "creditlimit": 12.5, "statuscode": 1},
]


@pytest.fixture(scope="module")
def some() -> Iterator[InProcess]:
    """An organisation with these people and no others."""
    crm = InProcess()
    assert crm.sign_in().status == 200
    crm.set("/clock", now="2026-01-05T10:00:00Z", frozen=True)
    for person in PEOPLE:
        crm.create("contacts", **person)
        crm.set("/clock", advance_s=60)
    yield crm
    crm.close()


def names(crm: InProcess, condition: str) -> list[str]:
    rows = crm.get(f"contacts?$select=lastname&$filter={condition}&$orderby=createdon").rows
    return [row["lastname"] for row in rows]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("lastname eq 'GREY'", ["Grey", "grey"]),
        ("lastname eq 'ŁOŚ'", ["Łoś"]),
        ("lastname ne 'grey'", ["O'Bryan", "Łoś"]),
        ("jobtitle ne 'x'", ["Grey", "O'Bryan", "Łoś", "grey"]),
        ("lastname eq 'O''Bryan'", ["O'Bryan"]),
        ("firstname eq null", ["grey"]),
        ("null ne firstname", ["Grey", "O'Bryan", "Łoś"]),
        ("numberofchildren gt 0", ["Grey"]),
        ("0 ge numberofchildren", ["O'Bryan"]),
        ("creditlimit lt 12.51 and creditlimit ge 12.5", ["grey"]),
        ("donotemail eq true", ["O'Bryan"]),
        ("birthdate eq 1990-02-03", ["Łoś"]),
        ("createdon gt 2026-01-05T10:00:59Z and createdon le 2026-01-05T11:02:00%2B01:00", ["O'Bryan", "Łoś"]),
        ("startswith(lastname,'gr')", ["Grey", "grey"]),
        ("endswith(emailaddress1,'A.EXAMPLE')", ["Grey"]),
        ("contains(firstname,'ŻANE')", ["Łoś"]),
        ("contains(jobtitle,'f_x')", ["O'Bryan"]),
        ("startswith(firstname,'[a-b]')", ["Grey", "O'Bryan"]),
        ("startswith(lastname,'%25ry')", ["O'Bryan"]),
        ("not contains(lastname,'r')", ["Łoś"]),
        ("not (firstname eq 'Ann' or firstname eq null)", ["O'Bryan", "Łoś"]),
        ("(firstname eq 'Ann' or firstname eq 'Bob') and numberofchildren eq 0", ["O'Bryan"]),
        ("statecode eq 0 and statuscode ne 2", ["Grey", "O'Bryan", "Łoś", "grey"]),
        ("Microsoft.Dynamics.CRM.In(PropertyName='firstname',PropertyValues=['ann','Bob'])", ["Grey", "O'Bryan"]),
        (
            "Microsoft.Dynamics.CRM.In(PropertyName='lastname',PropertyValues=['O''Bryan']) and statecode eq 0",
            ["O'Bryan"],
        ),
        ("firstname eq 'Microsoft.Dynamics.CRM.In(x)'", []),
        ("modifiedon eq createdon", ["Grey", "O'Bryan", "Łoś", "grey"]),
    ],
)
def test_3_2_filters(some: InProcess, condition: str, expected: list[str]) -> None:
    assert names(some, condition) == expected


def test_3_2_a_lookup_is_filtered_by_value_and_through_its_navigation(org: InProcess) -> None:
    account = org.create("accounts", name="Litware")
    org.create("contacts", lastname="New", **{"parentcustomerid_account@odata.bind": f"accounts({account})"})
    assert names(org, f"_parentcustomerid_value eq {account.upper()}") == ["New"]
    assert names(org, f"_parentcustomerid_value eq '{account}'") == ["New"]
    assert names(org, "parentcustomerid_account/name eq 'litware'") == ["New"]


def test_3_2_an_unescaped_quote_is_an_unterminated_literal(some: InProcess) -> None:
    text = "There is an unterminated literal at position 21 in 'lastname eq 'O'Bryan''."
    assert some.get("contacts?$filter=lastname eq 'O'Bryan'").error == (400, "0x80060888", text)


@pytest.mark.parametrize("option", ["$select=x", "$filter=x eq 1", "$orderby=x"])
def test_3_2_an_unknown_property_is_named(org: InProcess, option: str) -> None:
    text = "Could not find a property named 'x' on type 'Microsoft.Dynamics.CRM.contact'."
    assert org.get(f"contacts?{option}").error == (400, "0x80060888", text)


@pytest.mark.parametrize("option", ["$skip=5", "$search=a", "$format=json", "$top=-1", "$top=x", "$count=maybe"])
def test_3_2_unsupported_and_malformed_options_are_refused(org: InProcess, option: str) -> None:
    assert org.get(f"contacts?{option}").error[:2] == (400, "0x80060888")


@pytest.mark.parametrize(
    "condition",
    [
        "lastname in ('a')",
        "year(createdon) eq 2020",
        "tolower(lastname) eq 'a'",
        "numberofchildren add 1 eq 2",
        "",
        "lastname",
        "1 eq 1",
        "lastname eq 5",
    ],
)
def test_3_2_what_is_not_on_the_supported_list_is_refused(org: InProcess, condition: str) -> None:
    assert org.get(f"contacts?$filter={condition}").status == 400


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (
            "numberofchildren eq 'x'",
            "A binary operator with incompatible types was detected. Found operand types 'Edm.Int32' and 'Edm.String' "
            "for operator kind 'Equal'.",
        ),
        (
            "lastname ge 5",
            "A binary operator with incompatible types was detected. Found operand types 'Edm.String' and 'Edm.Int32' "
            "for operator kind 'GreaterThanOrEqual'.",
        ),
        (
            "lastname eq numberofchildren",
            "A binary operator with incompatible types was detected. Found operand types 'Edm.String' and 'Edm.Int32' "
            "for operator kind 'Equal'.",
        ),
        ("lastname eq ", "Expression expected at position 12 in 'lastname eq '."),
        ("(lastname eq 'x'", "')' or operator expected at position 16 in '(lastname eq 'x''."),
        ("lastname eq 'x' lastname", "Syntax error at position 16 in 'lastname eq 'x' lastname'."),
        ("lastname # 'x'", "Syntax error: character '#' is not valid at position 9 in 'lastname # 'x''."),
        ("lastname", "The $filter expression must evaluate to a single boolean value."),
    ],
)
def test_2_6_the_texts_of_the_odata_library(org: InProcess, condition: str, text: str) -> None:
    target = f"contacts?$filter={condition.replace('#', '%23')}"
    assert org.get(target).error == (400, "0x80060888", text)


def test_2_2_what_a_url_carries_besides_is_left_alone(some: InProcess) -> None:
    rows = some.get("contacts?$select=lastname&tag=Sync&partitionId=x&$top=1").rows
    assert len(rows) == 1
    both = some.get("contacts?$select=statecode", Prefer='odata.include-annotations="*", odata.maxpagesize=2')
    assert both.headers["preference-applied"] == 'odata.maxpagesize=2,odata.include-annotations="*"'
    assert len(both.rows) == 2


def test_3_2_skip_is_not_supported(org: InProcess) -> None:
    assert org.get("contacts?$skip=5").error == (400, "0x80060888", "Skip Clause is not supported in CRM")


def test_3_1_a_row_has_its_etag_first_its_key_always_and_nulls(some: InProcess) -> None:
    row = some.get("contacts?$select=firstname&$filter=lastname eq 'grey' and firstname eq null").rows[0]
    assert next(iter(row)) == "@odata.etag"
    assert row["firstname"] is None
    assert set(row) == {"@odata.etag", "firstname", "contactid"}


def test_3_1_without_select_every_readable_column_comes_and_no_name_columns(some: InProcess) -> None:
    row = some.get("contacts?$top=1").rows[0]
    assert {"emailaddress1", "_originatingleadid_value", "_ownerid_value", "versionnumber"} <= set(row)
    assert not {"owneridname", "owneridtype", "ownerid", "statecodename", "entityimage"} & set(row)


def test_3_1_selecting_money_or_an_address_part_brings_its_companion(some: InProcess) -> None:
    row = some.get("contacts?$select=creditlimit,address1_city&$top=1").rows[0]
    assert {"_transactioncurrencyid_value", "address1_composite"} <= set(row)


def test_3_1_formatted_values_stand_before_their_property(some: InProcess) -> None:
    annotations = 'odata.include-annotations="OData.Community.Display.V1.FormattedValue"'
    answer = some.get("contacts?$select=statecode,donotemail&$filter=firstname eq 'Bob'", Prefer=annotations)
    row = answer.rows[0]
    assert answer.headers["preference-applied"] == annotations
    label = "statecode@OData.Community.Display.V1.FormattedValue"
    assert row[label] == "Active"
    assert list(row).index(label) == list(row).index("statecode") - 1
    assert row["donotemail@OData.Community.Display.V1.FormattedValue"] == "Do Not Allow"


def test_3_2_order_top_and_count(some: InProcess) -> None:
    answer = some.get("contacts?$select=lastname&$orderby=numberofchildren desc,lastname asc&$top=2&$count=true")
    assert [row["lastname"] for row in answer.rows] == ["Grey", "O'Bryan"]
    assert answer.body["@odata.count"] == 4
    assert "@odata.nextLink" not in answer.body


def test_3_2_the_count_segment_is_text_with_a_byte_order_mark(some: InProcess) -> None:
    answer = some.get("contacts/$count")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.raw == b"\xef\xbb\xbf4"
    assert some.get("contacts/$count?$filter=lastname eq 'grey'").raw == b"\xef\xbb\xbf2"


def test_3_2_top_loses_against_a_page_size(some: InProcess) -> None:
    body = some.get("contacts?$top=1", Prefer="odata.maxpagesize=3").body
    assert len(body["value"]) == 3
    assert "@odata.nextLink" in body


@pytest.mark.parametrize(
    "order",
    [
        "",
        "&$orderby=lastname",
        "&$orderby=numberofchildren desc",
        "&$orderby=createdon,firstname desc",
        "&$orderby=donotemail desc,creditlimit",
    ],
)
def test_3_3_pages_are_complete_and_disjoint_in_any_order(some: InProcess, order: str) -> None:
    whole = [row["contactid"] for row in some.get(f"contacts?$select=lastname{order}").rows]
    prefer = "odata.maxpagesize=1"
    pages = list(some.pages(f"contacts?$select=lastname{order}", Prefer=prefer))
    assert [row["contactid"] for page in pages for row in page["value"]] == whole
    assert [len(page["value"]) for page in pages] == [1, 1, 1, 1]


def test_3_3_the_next_link_keeps_the_options_and_holds_the_cookie(some: InProcess) -> None:
    page = some.get("contacts?$select=lastname&$filter=statecode%20eq%200", Prefer="odata.maxpagesize=2").body
    link = page["@odata.nextLink"]
    head, _, token = link.partition("&$skiptoken=")
    assert head == f"{some.url}/api/data/v9.2/contacts?$select=lastname&$filter=statecode%20eq%200"
    assert token.startswith(
        "%3Ccookie%20pagenumber=%222%22%20pagingcookie=%22%253ccookie%2520page%253d%25221%2522%253e%253ccontactid"
        "%2520last%253d%2522%257B"
    )
    assert "%257D%2522%2520first%253d%2522%257B" in token
    assert "%257D%2522%2520%252f%253e%253c%252fcookie%253e%22" in token
    assert token.endswith("%22%20istracking=%22False%22%20/%3E")
    inner = ElementTree.fromstring(unquote(ElementTree.fromstring(unquote(token)).attrib["pagingcookie"]))
    key = inner[0]
    assert (inner.attrib["page"], key.tag) == ("1", "contactid")
    assert key.attrib == {
        "last": "{" + page["value"][-1]["contactid"].upper() + "}",
        "first": "{" + page["value"][0]["contactid"].upper() + "}",
    }


def test_3_3_a_cookie_of_another_order_is_refused(some: InProcess) -> None:
    link = some.get("contacts?$select=lastname", Prefer="odata.maxpagesize=2").body["@odata.nextLink"]
    moved = link.replace("$select=lastname", "$select=lastname&$orderby=firstname")
    expected = (400, "0x80041129", "Order by columns do not match those in paging cookie.")
    assert some.get(moved).error == expected


def test_3_2_a_missing_row_is_404_and_the_key_may_be_written_loosely(some: InProcess) -> None:
    never = "11111111-1111-1111-1111-111111111111"
    text = f"contact With Id = {never} Does Not Exist"
    assert some.get(f"contacts({never})").error == (404, "0x80040217", text)
    key = some.get("contacts?$top=1").rows[0]["contactid"]
    for form in (key.upper(), f"'{key}'", f"contactid={key}"):
        assert some.get(f"contacts({form})?$select=lastname").body["contactid"] == key


def test_2_6_a_key_that_is_no_guid_and_no_alternate_key_is_refused(org: InProcess) -> None:
    kind = "Microsoft.Dynamics.CRM.account"
    text = (
        f"The key in the request URI is not valid for resource '{kind}'. Ensure that the names and number of key "
        "properties match the declared or alternate key properties for the resource "
        f"'{kind}'."
    )
    for key in ("accountnumber='A1'", "x", "'O''Neil'"):
        assert org.get(f"accounts({key})").error == (400, "0x80060888", text)


def test_6_1_an_unknown_set_or_function_is_a_segment_not_found(org: InProcess) -> None:
    for name in ("opportunitys", "WhoIsThis()"):
        text = f"Resource not found for the segment '{name.removesuffix('()')}'."
        assert org.get(name).error == (404, "0x8006088a", text)


def test_2_5_a_set_cannot_be_patched_or_deleted(org: InProcess) -> None:
    assert org.api("PATCH", "contacts", {"lastname": "x"}).status == 405
    assert org.api("DELETE", "contacts").status == 405


def test_2_1_three_versions_answer_and_the_root_is_the_service_document(org: InProcess) -> None:
    for version in ("v9.0", "v9.1", "v9.2"):
        answer = org.get(f"/api/data/{version}/")
        assert answer.body["@odata.context"] == f"{org.url}/api/data/{version}/$metadata"
        sets = {entry["name"]: entry for entry in answer.rows}
        assert {"leads", "contacts", "accounts", "systemusers"} <= set(sets)
        assert sets["leads"] == {"name": "leads", "kind": "EntitySet", "url": "leads"}
    assert org.get("/api/data/v9.2").status == 200
    unknown = org.get("/api/data/v7.0/contacts")
    assert unknown.status == 404
    assert "Message" in unknown.body


def test_2_1_a_url_of_more_than_32_kb_is_refused(org: InProcess) -> None:
    condition = " or ".join(f"lastname eq '{'x' * 40}'" for _ in range(600))
    assert org.get(f"contacts?$filter={condition}").status == 414


def test_2_3_and_2_4_headers_and_error_details(org: InProcess) -> None:
    answer = org.get("contacts")
    assert answer.headers["content-type"] == "application/json; odata.metadata=minimal"
    assert answer.headers["odata-version"] == "4.0"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["req_id"] == answer.headers["x-ms-service-request-id"]
    plain = org.get("nothing").body["error"]
    assert set(plain) == {"code", "message"}
    detailed = org.get("nothing", Prefer='odata.include-annotations="*"').body["error"]
    assert "@Microsoft.PowerApps.CDS.HelpLink" in detailed
    assert "@Microsoft.PowerApps.CDS.InnerError.Message" in detailed


def test_links_carry_the_host_that_the_client_used(crm: Running) -> None:
    for name in "AB":
        crm.create("contacts", lastname=name)
    port = crm.url.rpartition(":")[2]
    answer = crm.get("contacts", Host=f"localhost:{port}", Prefer="odata.maxpagesize=1")
    assert answer.body["@odata.nextLink"].startswith(f"http://localhost:{port}/api/data/v9.2/contacts?")
