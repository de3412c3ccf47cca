"""Sheet section 5.6: the multipart batch."""

import re

import pytest

from tests.contract.dataverse.client import InProcess, Running

PART = ["--batch_1", "Content-Type: application/http", "Content-Transfer-Encoding: binary", ""]
END = "--batch_1--"
NEVER = "11111111-1111-1111-1111-111111111111"


@pytest.fixture
def crm(fresh: InProcess) -> Running:
    return fresh


def write(method: str, target: str, body: str, *headers: str) -> list[str]:
    return [f"{method} {target} HTTP/1.1", "Content-Type: application/json", *headers, "", body]


def get(target: str) -> list[str]:
    return [*PART, f"GET {target} HTTP/1.1", "Accept: application/json", "", ""]


def write_part(method: str, target: str, body: str) -> list[str]:
    return [*PART, *write(method, target, body)]


def change(content_id: str | None, *lines: str) -> list[str]:
    head = ["--changeset_7", "Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    return [*head, *([f"Content-ID: {content_id}"] if content_id else []), "", *lines]


def change_set(*parts: list[str]) -> list[str]:
    lines = [line for part in parts for line in part]
    return ["--batch_1", 'Content-Type: multipart/mixed; boundary="changeset_7"', "", *lines, "--changeset_7--", ""]


def statuses(raw: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) ", raw)]


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
def test_parts_are_answered_in_order_with_either_line_end(crm: Running, newline: str) -> None:
    lines = [*get("/api/data/v9.2/WhoAmI"), *PART, *write("POST", "contacts", '{"lastname":"Grey"}'), END]
    answer = crm.batch(*lines, newline=newline)
    assert answer.status == 200
    assert re.fullmatch(r"multipart/mixed; boundary=batchresponse_[0-9a-f-]{36}", answer.headers["content-type"])
    assert statuses(answer.raw) == [200, 204]
    boundary = answer.headers["content-type"].partition("boundary=")[2].encode()
    assert answer.raw.startswith(b"--" + boundary + b"\r\n")
    assert answer.raw.rstrip().endswith(b"--" + boundary + b"--")
    assert b"OData-EntityId: " in answer.raw
    assert len(crm.get("contacts").rows) == 1


def test_absolute_relative_and_rooted_urls_are_understood(crm: Running) -> None:
    lines = [*get(f"{crm.url}/api/data/v9.2/WhoAmI"), *get("WhoAmI"), *get("/api/data/v9.2/contacts?$top=1"), END]
    assert statuses(crm.batch(*lines).raw) == [200, 200, 200]


def test_the_first_failure_ends_the_batch_and_gives_it_its_status(crm: Running) -> None:
    lines = [*get(f"contacts({NEVER})"), *get("WhoAmI"), END]
    answer = crm.batch(*lines)
    assert answer.status == 404
    assert statuses(answer.raw) == [404]
    assert f"contact With Id = {NEVER} Does Not Exist".encode() in answer.raw


def test_continue_on_error_answers_every_part(crm: Running) -> None:
    answer = crm.batch(*get(f"contacts({NEVER})"), *get("WhoAmI"), END, Prefer="odata.continue-on-error")
    assert answer.status == 200
    assert statuses(answer.raw) == [404, 200]


def test_preferences_and_conditions_belong_to_the_part(crm: Running) -> None:
    contact = crm.create("contacts", lastname="Grey")
    stale = write("PATCH", f"contacts({contact})", '{"firstname":"A"}', 'If-Match: W/"1"')
    shown = write("PATCH", f"contacts({contact})", '{"firstname":"A"}', "Prefer: return=representation")
    answer = crm.batch(*PART, *stale, *PART, *shown, END, Prefer="odata.continue-on-error")
    assert statuses(answer.raw) == [412, 200]
    assert b'"firstname":"A"' in answer.raw


def test_a_change_set_is_one_transaction(crm: Running) -> None:
    good = change("1", *write("POST", "contacts", '{"lastname":"Grey"}'))
    bad = change("2", *write("POST", "contacts", '{"lastname":5}'))
    answer = crm.batch(*change_set(good, bad), END)
    assert answer.status == 400
    assert statuses(answer.raw) == [400]
    assert crm.get("contacts").rows == []
    answer = crm.batch(*change_set(good), END)
    assert statuses(answer.raw) == [204]
    assert b"Content-ID: 1" in answer.raw
    assert b"boundary=changesetresponse_" in answer.raw


def test_a_later_part_refers_to_an_earlier_one_in_url_and_bind(crm: Running) -> None:
    account = change("100001", *write("POST", "accounts", '{"name":"Litware"}'))
    bind = '{"lastname":"Grey","parentcustomerid_account@odata.bind":"$100001"}'
    contact = change("100002", *write("POST", "contacts", bind))
    rename = change("100003", *write("PATCH", "$100001", '{"name":"Litware 2"}'))
    answer = crm.batch(*change_set(account, contact, rename), END)
    assert statuses(answer.raw) == [204, 204, 204], answer.raw
    row = crm.get("contacts").rows[0]
    assert crm.row("accounts", row["_parentcustomerid_value"])["name"] == "Litware 2"


def test_an_undefined_reference_is_named(crm: Running) -> None:
    bind = '{"lastname":"Grey","parentcustomerid_account@odata.bind":"$1"}'
    answer = crm.batch(*change_set(change("2", *write("POST", "contacts", bind))), END)
    assert answer.status == 400
    assert b"Content-ID Reference: '$1' does not exist in the batch context." in answer.raw


def test_a_change_set_takes_no_get_and_no_part_without_content_id(crm: Running) -> None:
    assert crm.batch(*change_set(change("1", "GET contacts HTTP/1.1", "", "")), END).status == 400
    nameless = change(None, *write("POST", "contacts", '{"lastname":"Grey"}'))
    answer = crm.batch(*change_set(nameless), END)
    assert answer.status == 400
    assert b"0x80060888" in answer.raw
    assert b"Content-ID" in answer.raw
    assert crm.get("contacts").rows == []


def test_a_thousand_requests_are_taken_and_one_more_is_not(crm: Running) -> None:
    lines = [line for _ in range(1000) for line in get("WhoAmI")]
    assert len(statuses(crm.batch(*lines, END).raw)) == 1000
    crm.control("POST", "/counters/reset")
    answer = crm.batch(*lines, *write_part("POST", "contacts", '{"lastname":"Grey"}'), END)
    assert answer.status == 400
    assert answer.body["Message"] == (
        "The current batch message contains too many parts. A maximum number of '1000' query operations and change "
        "sets are allowed in a batch message."
    )
    assert crm.control("GET", "/counters").body["records_written"] == 0


def test_a_change_set_takes_a_thousand_operations_and_not_one_more(crm: Running) -> None:
    parts = [change(str(n), *write("POST", "contacts", '{"lastname":"Grey"}')) for n in range(1001)]
    answer = crm.batch(*change_set(*parts), END)
    assert answer.status == 400
    assert answer.body["Message"] == (
        "The current change set contains too many operations. A maximum number of '1000' operations are allowed in a "
        "change set."
    )


def test_a_content_id_is_used_once_in_a_change_set(crm: Running) -> None:
    twice = [change("1", *write("POST", "contacts", '{"lastname":"Grey"}')) for _ in "ab"]
    answer = crm.batch(*change_set(*twice), END)
    assert answer.status == 400
    assert "'1' was found more than once" in answer.body["Message"]
    assert crm.get("contacts").rows == []


def test_a_reference_reaches_into_a_collection_of_the_new_row(crm: Running) -> None:
    account = change("1", *write("POST", "accounts", '{"name":"Litware"}'))
    contact = change("2", *write("POST", "contacts", '{"lastname":"Grey"}'))
    link = change("3", *write("POST", "$1/contact_customer_accounts/$ref", '{"@odata.id":"$2"}'))
    answer = crm.batch(*change_set(account, contact, link), END)
    assert statuses(answer.raw) == [204, 204, 204], answer.raw
    [account_row], [contact_row] = crm.get("accounts").rows, crm.get("contacts").rows
    assert contact_row["_parentcustomerid_value"] == account_row["accountid"]


def test_a_reference_does_not_leave_its_change_set(crm: Running) -> None:
    account = change("1", *write("POST", "accounts", '{"name":"Litware"}'))
    rename = write_part("PATCH", "$1", '{"name":"Other"}')
    answer = crm.batch(*change_set(account), *rename, END)
    assert answer.status == 400
    assert b"Content-ID Reference: '$1' does not exist in the batch context." in answer.raw


def test_a_failed_part_of_a_change_set_ends_it_but_not_a_batch_that_continues(crm: Running) -> None:
    bad = change_set(change("1", *write("POST", "contacts", '{"nothing":1}')))
    answer = crm.batch(*bad, *get("WhoAmI"), END, Prefer="odata.continue-on-error")
    assert (answer.status, statuses(answer.raw)) == (200, [400, 200])


@pytest.mark.parametrize("length", ["", "Content-Length: 20"])
def test_a_write_may_say_its_length_or_not(crm: Running, length: str) -> None:
    headers = [length] if length else []
    lines = [*PART, *write("POST", "contacts", '{"lastname": "Grey"}', *headers)]
    assert statuses(crm.batch(*lines, END).raw) == [204]


def test_the_batch_is_one_request_and_its_parts_are_counted_as_operations(crm: Running) -> None:
    crm.control("POST", "/counters/reset")
    contact = write("POST", "contacts", '{"lastname":"Grey"}')
    crm.batch(*PART, *contact, *PART, *contact, *get("WhoAmI"), END)
    counters = crm.control("GET", "/counters").body
    assert counters["requests_total"] == 1
    assert counters["requests"] == {"batch": 1}
    assert counters["operations"] == {"contacts.create": 2, "whoami": 1}
    assert counters["records_written"] == 2


@pytest.mark.parametrize(
    "body",
    [
        "",
        "nonsense",
        "--batch_1--",
        "--batch_1\r\n\r\n--batch_1--",
        "--batch_1\r\nContent-Type: application/http\r\n\r\nnonsense\r\n--batch_1--",
        "--batch_1\r\nContent-Type: text/plain\r\n\r\nGET /x HTTP/1.1\r\n--batch_1--",
        "--batch_1\r\nContent-Type: application/http\r\n\r\nPOST /api/data/v9.2/$batch HTTP/1.1\r\n\r\n\r\n--batch_1--",
        "--batch_1\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n--batch_1--",
        "--batch_1\r\nno colon here\r\n\r\nGET WhoAmI HTTP/1.1\r\n--batch_1--",
    ],
)
def test_a_malformed_batch_is_refused_as_json_or_does_nothing(crm: Running, body: str) -> None:
    answer = crm.batch(body)
    assert answer.status in (200, 400)
    if answer.status == 400:
        assert answer.body["Message"]


def test_a_batch_without_a_boundary_is_refused(crm: Running) -> None:
    assert crm.batch("x", Content_Type="application/json").status == 400


def test_a_failed_part_shows_its_request_id(crm: Running) -> None:
    answer = crm.batch(*get(f"contacts({NEVER})"), END)
    assert re.search(rb"^REQ_ID: [0-9a-f-]{36}\r?$", answer.raw, re.MULTILINE)
