"""Sheet sections 2.2 to 2.5: what every answer carries, the forms of a refusal, and acting for somebody else."""

import json
import random
import re
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.contract.dataverse.client import ROOT, Answer, InProcess, Running

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def shared() -> Iterator[Running]:
    running = Running(people=40)
    running.sign_in()
    yield running
    running.close()


def cookies(crm: Running, **headers: str) -> dict[str, str]:
    """Name -> the rest, of each Set-Cookie header of an answer."""
    connection = crm.connect()
    named = {"Authorization": f"Bearer {crm.token}", **headers}
    connection.request("GET", f"{ROOT}WhoAmI", headers=named)
    response = connection.getresponse()
    response.read()
    found = [value for name, value in response.getheaders() if name.lower() == "set-cookie"]
    connection.close()
    return dict(text.split("=", 1) for text in found)


@pytest.mark.parametrize(
    ("method", "target"), [("GET", "WhoAmI"), ("GET", "contacts?$top=1"), ("GET", "nothing"), ("POST", "leads")]
)
def test_2_3_every_answer_has_the_headers_of_the_service(shared: Running, method: str, target: str) -> None:
    answer = shared.api(method, target, {"lastname": "A"} if method == "POST" else None)
    headers = answer.headers
    assert headers["odata-version"] == "4.0"
    assert headers["cache-control"] == "no-cache"
    assert headers["allow"] == headers["public"] == "OPTIONS,GET,HEAD,POST"
    assert GUID.fullmatch(headers["req_id"])
    assert headers["x-ms-service-request-id"] == headers["req_id"]
    assert GUID.fullmatch(headers["authactivityid"])
    assert headers["crm.serviceid"] == "framework"
    assert re.fullmatch(r"\d{40,}", headers["x-source"])
    assert headers["timing-allow-origin"] == "*"
    assert int(headers["x-ms-dop-hint"]) == 4
    assert 0 <= int(headers["x-ms-utilization-percent"]) <= 100
    assert re.fullmatch(r"\d+", headers["x-ms-ratelimit-burst-remaining-xrm-requests"])
    assert re.fullmatch(r"1,1\d\d\.\d\d|1,200\.00", headers["x-ms-ratelimit-time-remaining-xrm-requests"])
    assert "strict-transport-security" not in headers
    if answer.raw:
        assert headers["content-type"] == "application/json; odata.metadata=minimal"


def test_2_3_several_cookies_are_set(shared: Running) -> None:
    found = cookies(shared)
    assert set(found) == {"ARRAffinity", "ReqClientId"}
    assert re.fullmatch(r"[0-9a-f]{64}; path=/; HttpOnly", found["ARRAffinity"])


def test_7_1_a_cookie_leads_back_to_its_server_and_none_to_the_next_one(crm: Running) -> None:
    crm.set("/settings", servers=3)
    named = [cookies(crm)["ARRAffinity"].partition(";")[0] for _ in range(6)]
    assert len(set(named)) == 3
    assert named[:3] == named[3:]
    sticky = {cookies(crm, Cookie=f"x=1; ARRAffinity={named[0]}")["ARRAffinity"].partition(";")[0] for _ in range(4)}
    assert sticky == {named[0]}
    forged = {cookies(crm, Cookie=f"ARRAffinity={'0' * 64}")["ARRAffinity"].partition(";")[0] for _ in range(3)}
    assert forged == set(named)


def test_7_1_each_server_has_its_own_budget(crm: Running) -> None:
    crm.set("/clock", frozen=True)
    crm.set("/settings", servers=2, requests_limit=3)
    first = cookies(crm)["ARRAffinity"].partition(";")[0]
    stay = {"Cookie": f"ARRAffinity={first}"}
    assert [crm.get("WhoAmI", **stay).status for _ in range(3)] == [200, 200, 429]
    left = crm.get("WhoAmI").headers["x-ms-ratelimit-burst-remaining-xrm-requests"]
    assert left == "2"
    windows = crm.control("GET", "/limits").body["windows"]
    assert sorted((each["server"], each["requests"]) for each in windows) == [(0, 3), (1, 1)]


def test_2_3_the_hint_is_a_setting(crm: Running) -> None:
    crm.set("/settings", dop_hint=48)
    assert crm.get("WhoAmI").headers["x-ms-dop-hint"] == "48"


# Errors.


def test_2_4_an_error_is_a_code_and_a_message(shared: Running) -> None:
    missing = "11111111-1111-1111-1111-111111111111"
    answer = shared.get(f"accounts({missing})")
    assert answer.status == 404
    text = f"account With Id = {missing} Does Not Exist"
    assert answer.body == {"error": {"code": "0x80040217", "message": text}}


@pytest.mark.parametrize("wanted", ["*", "Microsoft.PowerApps.CDS.*"])
def test_2_4_details_come_with_annotations(shared: Running, wanted: str) -> None:
    answer = shared.get("nothing", Prefer=f'odata.include-annotations="{wanted}"')
    error = answer.body["error"]
    link = "http://go.microsoft.com/fwlink/?LinkID=398563&error=Microsoft.Crm.CrmException%3a8006088a&client=platform"
    assert error["@Microsoft.PowerApps.CDS.HelpLink"] == link
    assert set(error) == {"code", "message"} | {
        f"@Microsoft.PowerApps.CDS.{name}"
        for name in ("ErrorDetails.OperationStatus", "ErrorDetails.SubErrorCode", "HelpLink", "TraceText")
    } | {"@Microsoft.PowerApps.CDS.InnerError.Message"}


def test_2_4_one_detail_may_be_asked_for_by_name(shared: Running) -> None:
    answer = shared.get("nothing", Prefer='odata.include-annotations="Microsoft.PowerApps.CDS.HelpLink"')
    assert set(answer.body["error"]) == {"code", "message", "@Microsoft.PowerApps.CDS.HelpLink"}


@pytest.mark.parametrize("path", ["/api/data/v8.9/contacts", "/api/data/", "/api/discovery/v9.2/x", "/favicon.ico"])
def test_2_4_routing_refuses_with_a_message_only(shared: Running, path: str) -> None:
    answer = shared.send("GET", path, Authorization=f"Bearer {shared.token}")
    assert answer.status == 404
    assert set(answer.body) == {"Message"}


def test_2_4_a_broken_batch_is_not_answered_as_a_batch(shared: Running) -> None:
    answer = shared.api("POST", "$batch", "nonsense", Content_Type="multipart/mixed; boundary=b")
    assert answer.status == 400
    assert answer.headers["content-type"].startswith("application/json")


def test_5_6_a_failed_part_of_a_batch_shows_its_request(shared: Running) -> None:
    part = ["--batch_1", "Content-Type: application/http", "", "GET nothing HTTP/1.1", "", ""]
    answer = shared.batch(*part, "--batch_1--")
    assert re.search(rb"REQ_ID: [0-9a-f-]{36}\r\n", answer.raw)


@pytest.mark.parametrize(("method", "target"), [("PATCH", "contacts"), ("DELETE", "contacts"), ("PUT", "WhoAmI")])
def test_2_5_a_method_that_does_not_fit_is_a_405(shared: Running, method: str, target: str) -> None:
    assert shared.api(method, target, {}).status == 405


# Acting for somebody else.


def a_colleague(crm: Running) -> dict[str, str]:
    named = "accessmode eq 0 and isdisabled eq false and firstname ne null"
    row: dict[str, str] = crm.get(f"systemusers?$filter={named}&$top=1").rows[0]
    return row


@pytest.mark.parametrize("header", ["CallerObjectId", "MSCRMCallerID"])
def test_5_10_the_one_acted_for_creates_and_the_caller_is_named_beside(shared: Running, header: str) -> None:
    shared.set("/privileges", grant=["prvActOnBehalfOfAnotherUser"])
    me, other = shared.get("WhoAmI").body["UserId"], a_colleague(shared)
    value = other["azureactivedirectoryobjectid" if header == "CallerObjectId" else "systemuserid"]
    assert shared.get("WhoAmI", **{header: value}).body["UserId"] == other["systemuserid"]
    made = shared.api("POST", "contacts", {"lastname": "Grey"}, **{header: value}).id
    row = shared.row("contacts", made)
    assert (row["_createdby_value"], row["_createdonbehalfby_value"]) == (other["systemuserid"], me)
    assert (row["_ownerid_value"], row["_modifiedonbehalfby_value"]) == (other["systemuserid"], me)
    shared.api("PATCH", f"contacts({made})", {"lastname": "Gray"})
    row = shared.row("contacts", made)
    assert (row["_modifiedby_value"], row["_modifiedonbehalfby_value"]) == (me, None)
    assert row["_createdonbehalfby_value"] == me


def test_5_10_entitlement_is_the_callers(crm: Running) -> None:
    crm.set("/privileges", grant=["prvActOnBehalfOfAnotherUser"])
    me, other = crm.get("WhoAmI").body["UserId"], a_colleague(crm)["systemuserid"]
    crm.create("leads", lastname="A")
    crm.api("POST", "leads", {"lastname": "B"}, MSCRMCallerID=other)
    assert crm.control("GET", "/limits").body["entitlement_today"] == {me: 4}


def test_2_6_acting_for_somebody_needs_the_privilege(crm: Running) -> None:
    me = crm.get("WhoAmI").body["UserId"]
    refused = crm.get("WhoAmI", MSCRMCallerID=me)
    text = "User does not have the privilege to act on behalf another user."
    assert refused.error == (403, "0x8004a110", text)


def test_2_2_the_word_null_acts_for_nobody(crm: Running) -> None:
    assert crm.get("WhoAmI", MSCRMCallerID="null", CallerObjectId="").status == 200


@pytest.mark.parametrize("value", ["11111111-1111-1111-1111-111111111111", "nobody", "'; DROP TABLE lead; --"])
def test_2_2_acting_for_a_stranger_is_refused(shared: Running, value: str) -> None:
    shared.set("/privileges", grant=["prvActOnBehalfOfAnotherUser"])
    for header in ("CallerObjectId", "MSCRMCallerID"):
        assert shared.get("WhoAmI", **{header: value}).status == 403


def test_5_10_rights_are_those_that_both_have(crm: Running) -> None:
    crm.set("/privileges", grant=["prvActOnBehalfOfAnotherUser"])
    other = a_colleague(crm)["systemuserid"]
    crm.set("/privileges", user=other, revoke=["prvCreateLead"])
    refused = crm.api("POST", "leads", {"lastname": "A"}, MSCRMCallerID=other)
    assert refused.error[:2] == (403, "0x80040220")
    assert crm.api("POST", "leads", {"lastname": "A"}).status == 204
    crm.set("/privileges", user=other, grant=["prvCreateLead"])
    crm.set("/privileges", revoke=["prvCreateLead"])
    assert crm.api("POST", "leads", {"lastname": "A"}, MSCRMCallerID=other).status == 403


def test_2_2_a_disabled_user_is_acted_for_by_nobody(crm: Running) -> None:
    crm.set("/privileges", grant=["prvActOnBehalfOfAnotherUser"])
    other = a_colleague(crm)["systemuserid"]
    crm.set("/people/edit", entity="systemuser", id=other, values={"isdisabled": True})
    assert crm.get("WhoAmI", MSCRMCallerID=other).error[:2] == (403, "0x80040225")


def test_2_2_a_part_of_a_batch_may_act_for_somebody(shared: Running) -> None:
    shared.set("/privileges", grant=["prvActOnBehalfOfAnotherUser"])
    other = a_colleague(shared)["systemuserid"]
    part = ["--batch_1", "Content-Type: application/http", "", "GET WhoAmI HTTP/1.1"]
    answer = shared.batch(*part, f"MSCRMCallerID: {other}", "", "", *part, "", "", "--batch_1--")
    users = re.findall(r'"UserId":"([^"]+)"', answer.raw.decode())
    assert users == [other, shared.get("WhoAmI").body["UserId"]]
    whole = shared.batch(*part, "", "", "--batch_1--", MSCRMCallerID=other)
    assert f'"UserId":"{other}"' in whole.raw.decode()


def test_2_2_a_bypass_of_an_unknown_kind_is_refused(crm: Running) -> None:
    crm.set("/privileges", grant=["prvBypassCustomBusinessLogic"])
    headers = {"MSCRM.BypassBusinessLogicExecution": "Everything"}
    assert crm.api("POST", "leads", {"lastname": "A"}, **headers).error[:2] == (400, "0x80040203")


# Whatever arrives.


def raw(crm: Running, *lines: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", urlsplit(crm.url).port or 0), timeout=10) as connection:
        connection.sendall(b"\r\n".join(lines))
        connection.settimeout(10)
        return connection.recv(65_536)


def bearer(crm: Running) -> bytes:
    return f"Authorization: Bearer {crm.token}".encode()


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "CONNECT", "BREW", "PROPFIND"])
@pytest.mark.parametrize("target", ["WhoAmI", "contacts", "$batch", ""])
def test_2_5_other_methods_are_answered(shared: Running, method: str, target: str) -> None:
    answer = raw(shared, f"{method} {ROOT}{target} HTTP/1.1".encode(), b"Host: x", bearer(shared), b"", b"")
    assert re.match(rb"HTTP/1.1 (200|204|400|404|405) ", answer), answer


def test_a_chunked_body_is_a_body(shared: Running) -> None:
    head = [f"POST {ROOT}leads HTTP/1.1".encode(), b"Host: x", bearer(shared), b"Content-Type: application/json"]
    chunks = [b"Transfer-Encoding: chunked", b"", b"8", b'{"lastna', b"a", b'me":"Grey"', b"1", b"}", b"0", b"", b""]
    assert raw(shared, *head, *chunks).startswith(b"HTTP/1.1 204 ")


@pytest.mark.parametrize(
    "body", [b"\xff\xfe{}", b'{"lastname":"\xff"}', b"\x00", b"[" * 5000, b'{"lastname":"\\ud800"}']
)
def test_a_body_that_is_no_json_is_a_400(shared: Running, body: bytes) -> None:
    assert shared.api("POST", "leads", body).status == 400


def test_2_5_a_body_beyond_the_limit_is_a_413(crm: Running) -> None:
    crm.set("/settings", payload_bytes_max=1000)
    assert crm.api("POST", "leads", {"lastname": "A", "description": "x" * 900}).status == 204
    refused = crm.api("POST", "leads", {"lastname": "A", "description": "x" * 1000})
    assert refused.error == (413, "0x8004418a", "Request message length is too large.")


def test_headers_of_any_size_are_answered(shared: Running) -> None:
    head = [f"GET {ROOT}WhoAmI HTTP/1.1".encode(), b"Host: x", bearer(shared)]
    assert raw(shared, *head, b"X-Big: " + b"x" * 20_000, b"", b"").startswith(b"HTTP/1.1 ")
    many = [f"X-{number}: {number}".encode() for number in range(500)]
    assert raw(shared, *head, *many, b"", b"").startswith(b"HTTP/1.1 ")
    assert raw(shared, *head, b"Prefer: \xff\xfe", b"Cookie: ARRAffinity=\xff", b"", b"").startswith(b"HTTP/1.1 200 ")
    assert raw(shared, *head, b"Prefer: odata.maxpagesize=" + b"9" * 5000, b"", b"").startswith(b"HTTP/1.1 ")


def test_what_is_no_http_is_a_400(shared: Running) -> None:
    assert raw(shared, b"nonsense", b"", b"").startswith(b"HTTP/1.1 400 ")


ODD_HEADERS = {
    "Prefer": ['odata.include-annotations="*"', "odata.maxpagesize=0", 'x="', ",,,", "odata.continue-on-error"],
    "MSCRMCallerID": ["null", "x", ""],
    "CallerObjectId": ["x", ""],
    "Cookie": ["ARRAffinity=", ";;", "x=1; ARRAffinity=" + "a" * 64],
    "If_Match": ["*", 'W/"1"', "x", '"'],
    "If_None_Match": ["*", "null", 'W/""'],
    "Content_Type": ["text/plain", "multipart/mixed", "multipart/mixed; boundary=", "application/json; charset=utf-16"],
    "MSCRM.BypassCustomPluginExecution": ["true", "x"],
    "MSCRM.BypassBusinessLogicExecution": ["CustomSync", "x", ","],
    "MSCRM.SuppressDuplicateDetection": ["false", "x"],
}
ODD_TARGETS = [
    "leads",
    "WhoAmI",
    "$batch",
    "serviceendpoints",
    "sdkmessagefilters",
    "sdkmessageprocessingsteps",
    "",
    "..",
]
ODD_BODIES = [None, "", "{}", "[]", '{"name":"s","stage":40,"mode":0}', "--x\r\n\r\n--x--", b"\xff"]


def test_any_mix_of_headers_methods_and_bodies_is_answered(org: InProcess) -> None:
    rng = random.Random(5)
    org.set("/privileges", user=org.get("WhoAmI").body["UserId"], administrator=True)
    for _ in range(500):
        headers = {name: rng.choice(values) for name, values in ODD_HEADERS.items() if rng.random() < 0.3}
        method = rng.choice(["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS"])
        target, body = rng.choice(ODD_TARGETS), rng.choice(ODD_BODIES)
        answer = org.api(method, target, body, **headers)
        assert answer.status < 500 or answer.status == 501, (method, target, body, headers)


@pytest.mark.parametrize("header", ["MSCRM.BypassBusinessLogicExecutionStepIds", "CallerObjectId", "Cookie", "Prefer"])
def test_odd_header_values_never_make_a_fault(shared: Running, header: str) -> None:
    for value in (",", "a,b,,", "%00", "null", "é", "{}", "1" * 3000):
        answer: Answer = shared.get("WhoAmI", **{header: value})
        assert answer.status in (200, 400, 403), (header, value)
        assert answer.status == 200 or "error" in json.loads(answer.raw)


@pytest.mark.parametrize("host", [b"[", b"[::1", b"a b", b"\xff", b"", b"x" * 3000])
@pytest.mark.parametrize(
    "path", ["/common/discovery/instance", "/organizations/v2.0/.well-known/openid-configuration", f"{ROOT}WhoAmI"]
)
def test_an_odd_host_never_makes_a_fault(shared: Running, path: str, host: bytes) -> None:
    answer = raw(shared, f"GET {path} HTTP/1.1".encode(), b"Host: " + host, bearer(shared), b"", b"")
    assert re.match(rb"HTTP/1.1 (200|400) ", answer), answer


def test_a_path_in_broken_utf8_is_not_found(shared: Running) -> None:
    for path in (b"%ff%fe", b"contacts(%ff)", b"contacts(firstname='%ff')", b"%00", b"%"):
        answer = raw(shared, b"GET " + ROOT.encode() + path + b" HTTP/1.1", b"Host: x", bearer(shared), b"", b"")
        assert re.match(rb"HTTP/1.1 (400|404) ", answer), (path, answer)
