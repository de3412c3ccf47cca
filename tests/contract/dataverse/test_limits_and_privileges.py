"""Sheet section 7.1, and the refusals of section 2.6 that come from a role."""

import http.client
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from tandem_emulators.dataverse.limits import Limits
from tandem_emulators.dataverse.settings import Settings
from tandem_emulators.kit.clock import Clock
from tests.contract.dataverse.client import InProcess, Running
from tests.contract.dataverse.definitions import make_table


def test_7_1_more_requests_than_the_window_allows_are_refused_until_it_slides(crm: Running) -> None:
    crm.set("/clock", frozen=True)
    crm.set("/settings", requests_limit=5)
    for _ in range(5):
        assert crm.get("WhoAmI").status == 200
    answer = crm.get("WhoAmI")
    text = "Number of requests exceeded the limit of 5 over time window of 300 seconds."
    assert answer.error == (429, "0x80072322", text)
    assert answer.headers["retry-after"] == "300"
    crm.set("/clock", advance_s=301)
    assert crm.get("WhoAmI").status == 200


def test_7_1_the_window_slides_call_by_call(crm: Running) -> None:
    crm.set("/clock", frozen=True)
    crm.set("/settings", requests_limit=2)
    crm.get("WhoAmI")
    crm.set("/clock", advance_s=100)
    crm.get("WhoAmI")
    assert crm.get("WhoAmI").headers["retry-after"] == "200"
    crm.set("/clock", advance_s=200)
    assert crm.get("WhoAmI").status == 200
    assert crm.get("WhoAmI").headers["retry-after"] == "100"


def test_7_1_a_client_that_keeps_pressing_waits_longer(crm: Running) -> None:
    crm.set("/clock", frozen=True)
    crm.set("/settings", requests_limit=1, pressing_adds_s=10)
    crm.get("WhoAmI")
    assert [crm.get("WhoAmI").headers["retry-after"] for _ in range(3)] == ["300", "310", "320"]
    crm.set("/clock", advance_s=305)
    assert crm.get("WhoAmI").status == 429
    crm.set("/clock", advance_s=25)
    assert crm.get("WhoAmI").status == 200


def test_7_1_a_client_that_keeps_the_wait_is_let_in_after_it(crm: Running) -> None:
    crm.set("/clock", frozen=True)
    crm.set("/settings", requests_limit=1)
    crm.get("WhoAmI")
    wait_s = int(crm.get("WhoAmI").headers["retry-after"])
    crm.set("/clock", advance_s=wait_s)
    assert crm.get("WhoAmI").status == 200


def test_7_1_users_do_not_share_a_budget(crm: Running) -> None:
    crm.set("/settings", requests_limit=1)
    assert [crm.get("WhoAmI").status for _ in range(2)] == [200, 429]
    crm.sign_in(
        grant_type="password",
        username=crm.access["username"],
        password=crm.access["password"],
        client_secret=None,
    )
    assert crm.get("WhoAmI").status == 200


def test_7_1_a_refused_call_is_not_applied_and_not_counted(crm: Running) -> None:
    crm.set("/settings", requests_limit=1)
    crm.create("leads", lastname="A")
    assert crm.api("POST", "leads", {"lastname": "B"}).status == 429
    crm.set("/settings", limits="off")
    assert len(crm.get("leads").rows) == 1


def test_7_1_a_dropped_connection_frees_its_place(crm: Running) -> None:
    crm.set("/settings", concurrency_limit=1)
    crm.set("/faults", operation="contacts.create", action="drop_after", times=2)
    for _ in range(2):
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            crm.create("contacts", lastname="Grey")
    assert crm.get("WhoAmI").status == 200


def test_7_3_entitlement_is_counted_by_item(crm: Running) -> None:
    crm.get("contacts")
    part = ["--batch_1", "Content-Type: application/http", "", "GET WhoAmI HTTP/1.1", "", ""]
    crm.batch(*part * 10, "--batch_1--")
    kind = {"@odata.type": "Microsoft.Dynamics.CRM.lead"}
    many = {"Targets": [{**kind, "lastname": str(number)} for number in range(7)]}
    assert crm.api("POST", "leads/Microsoft.Dynamics.CRM.CreateMultiple", many).status == 200
    user = crm.get("WhoAmI").body["UserId"]
    assert crm.control("GET", "/limits").body["entitlement_today"] == {user: 1 + 10 + 7 + 1}


def test_7_1_the_published_limits_are_the_default(crm: Running) -> None:
    settings = crm.control("GET", "/settings").body
    assert (settings["requests_limit"], settings["concurrency_limit"]) == (6000, 52)
    assert settings["execution_limit_ms"] == 1_200_000


def test_7_1_execution_time_is_limited(crm: Running) -> None:
    crm.set("/settings", execution_limit_ms=50)
    crm.set("/latency", operations={"whoami": 60})
    assert crm.get("WhoAmI").status == 200
    answer = crm.get("WhoAmI")
    assert answer.error == (
        429,
        "0x80072321",
        "Combined execution time of incoming requests exceeded limit of 50 milliseconds over time window of 300 "
        "seconds. Decrease number of concurrent requests or reduce the duration of requests and try again later.",
    )
    assert int(answer.headers["retry-after"]) > 0


def test_7_1_the_wait_for_execution_time_is_as_long_as_it_takes() -> None:
    """Three long calls at once, done at different times: the limit has room when the second of them is past."""
    clock, settings = Clock(), Settings(execution_limit_ms=1000)
    clock.set(datetime(2026, 1, 5, tzinfo=UTC))
    clock.freeze(True)
    limits = Limits(clock, settings)
    for _ in range(3):
        assert limits.enter("user", 0) is None
    for _ in range(3):
        clock.advance(10)
        limits.leave("user", 0, 0.7)
    refused = limits.enter("user", 0)
    assert refused is not None
    assert (refused.code, refused.retry_after_s) == ("0x80072321", 290)
    clock.advance(290)
    assert limits.enter("user", 0) is None


def test_7_1_concurrency_is_limited(crm: Running) -> None:
    crm.set("/settings", concurrency_limit=2)
    crm.set("/latency", operations={"whoami": 400})
    others = [Caller(crm) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda other: other.who_am_i(), others))
    refused = [answer for status, answer in answers if status == 429]
    assert {status for status, _ in answers} == {200, 429}
    assert len(refused) == 4
    assert all(b'"0x80072326"' in raw for raw in refused)
    assert all(b"Number of concurrent requests exceeded the limit of 2." in raw for raw in refused)


class Caller:
    """One more connection with the same token."""

    def __init__(self, crm: Running) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(crm.url).netloc, timeout=30)
        self._token = crm.token

    def who_am_i(self) -> tuple[int, bytes]:
        self._connection.request("GET", "/api/data/v9.2/WhoAmI", headers={"Authorization": f"Bearer {self._token}"})
        response = self._connection.getresponse()
        raw = response.read()
        self._connection.close()
        return response.status, raw


def test_7_1_limits_can_be_off(crm: Running) -> None:
    crm.set("/settings", limits="off", requests_limit=1)
    assert [crm.get("WhoAmI").status for _ in range(3)] == [200] * 3


def test_2_3_headers_say_what_is_left_in_the_services_own_format(crm: Running) -> None:
    answer = crm.get("WhoAmI")
    assert answer.headers["x-ms-ratelimit-burst-remaining-xrm-requests"] == "5999"
    left = answer.headers["x-ms-ratelimit-time-remaining-xrm-requests"]
    assert left.startswith("1,")
    assert float(left.replace(",", "")) <= 1200
    assert len(left.partition(".")[2]) == 2


def test_7_1_a_batch_is_one_request(crm: Running) -> None:
    part = ["--batch_1", "Content-Type: application/http", "", "GET WhoAmI HTTP/1.1", "", ""]
    answer = crm.batch(*part * 10, "--batch_1--")
    assert answer.headers["x-ms-ratelimit-burst-remaining-xrm-requests"] == "5999"


@pytest.mark.parametrize(
    ("privilege", "method", "target"),
    [
        ("prvReadContact", "GET", "contacts"),
        ("prvReadContact", "GET", "contacts({id})"),
        ("prvReadContact", "GET", "contacts/$count"),
        ("prvCreateContact", "POST", "contacts"),
        ("prvWriteContact", "PATCH", "contacts({id})"),
        ("prvDeleteContact", "DELETE", "contacts({id})"),
    ],
)
def test_2_6_a_missing_privilege_is_named(crm: Running, privilege: str, method: str, target: str) -> None:
    contact = crm.create("contacts", lastname="Grey")
    user = crm.get("WhoAmI").body["UserId"]
    crm.set("/privileges", revoke=[privilege])
    body = {"firstname": "A"} if method in ("POST", "PATCH") else None
    status, code, text = crm.api(method, target.format(id=contact), body).error
    assert (status, code) == (403, "0x80040220")
    assert text.startswith(f"Principal user (Id={user}, type=8, ")
    assert f" is missing {privilege} privilege (Id=" in text
    assert " on OTC=2 for entity 'contact'" in text
    crm.set("/privileges", grant=[privilege])
    assert crm.api(method, target.format(id=contact), body).status < 300


def test_5_10_a_new_owner_needs_the_privilege_to_assign(crm: Running) -> None:
    contact = crm.create("contacts", lastname="Grey")
    crm.set("/privileges", revoke=["prvAssignContact"])
    body = {"ownerid@odata.bind": f"/systemusers({crm.get('WhoAmI').body['UserId']})"}
    assert "prvAssignContact" in crm.api("PATCH", f"contacts({contact})", body).error[2]


def test_an_upsert_that_creates_needs_the_privilege_to_create(crm: Running) -> None:
    crm.set("/privileges", revoke=["prvCreateLead"])
    answer = crm.api("PATCH", "leads(11111111-1111-1111-1111-111111111111)", {"lastname": "A"})
    assert "prvCreateLead" in answer.error[2]


def test_10_users_are_not_made_or_deleted_by_an_application(crm: Running) -> None:
    assert crm.api("POST", "systemusers", {"firstname": "A"}).error[:2] == (403, "0x80040220")
    user = crm.get("WhoAmI").body["UserId"]
    assert crm.api("DELETE", f"systemusers({user})").status == 403


def test_a_closed_column_reads_as_null_everywhere_and_refuses_writes(crm: Running) -> None:
    contact = crm.create("contacts", lastname="Grey", telephone1="555")
    link = crm.get("contacts", Prefer="odata.track-changes").body["@odata.deltaLink"]
    crm.set("/privileges", revoke_columns={"contact": ["telephone1"]})
    column = "EntityDefinitions(LogicalName='contact')/Attributes(LogicalName='telephone1')?$select=IsSecured"
    assert crm.get(column).body["IsSecured"] is True
    assert crm.row("contacts", contact)["telephone1"] is None
    assert crm.get("contacts?$select=telephone1").rows[0]["telephone1"] is None
    assert crm.get("contacts?$filter=telephone1 eq '555'").rows == []
    answer = crm.api("PATCH", f"contacts({contact})", {"telephone1": "556"})
    assert answer.error[:2] == (403, "0x8004f507")
    assert crm.api("POST", "contacts", {"lastname": "B", "telephone1": "1"}).status == 403
    assert crm.api("PATCH", f"contacts({contact})", {"firstname": "A"}).status == 204
    assert [row["telephone1"] for row in crm.get(link).rows] == [None]
    crm.set("/privileges", grant_columns={"contact": ["telephone1"]})
    assert crm.row("contacts", contact)["telephone1"] == "555"


@pytest.mark.parametrize(
    "change",
    [{"revoke": ["prvNothing"]}, {"revoke_columns": {"contact": ["nothing"]}}, {"revoke_columns": {"x": []}}, {"a": 1}],
)
def test_the_control_api_refuses_what_it_does_not_know(crm: Running, change: dict[str, object]) -> None:
    answer = crm.control("POST", "/privileges", change)
    assert answer.status == 400
    assert answer.body["error"].endswith(".")


def test_the_privileges_of_a_table_go_with_it(org: InProcess) -> None:
    before = org.control("GET", "/privileges").body["granted"]
    table = make_table(org)
    with_it = org.control("GET", "/privileges").body["granted"]
    assert len(with_it) > len(before)
    assert org.api("DELETE", f"EntityDefinitions(LogicalName='{table}')").status == 204
    assert org.control("GET", "/privileges").body["granted"] == before
