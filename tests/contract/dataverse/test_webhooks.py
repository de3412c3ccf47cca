"""Sheet section 8: webhooks are registered as rows, and called for the changes that their steps name."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.contract.dataverse.client import Running
from tests.contract.dataverse.conftest import Start

XRM = "http://schemas.microsoft.com/xrm/2011/Contracts"


class Receiver:
    """A web server that keeps what it was told and answers with the next of `statuses`, then with 200."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.statuses: list[int] = []
        self.delay_s = 0.0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.calls.append({"path": self.path, "headers": dict(self.headers.items()), "body": body})
                time.sleep(receiver.delay_s)
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def wait_for(self, number: int) -> list[dict[str, Any]]:
        wait_until(lambda: len(self.calls) >= number)
        return self.calls


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture
def hook() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def crm(start: Start) -> Running:
    running = start()
    user = running.get("WhoAmI").body["UserId"]
    running.set("/privileges", user=user, administrator=True)
    return running


def register(
    crm: Running,
    url: str,
    message: str = "Update",
    table: str = "lead",
    endpoint: dict[str, Any] | None = None,
    **step: Any,
) -> str:
    """The three requests of the sheet; the id of the step."""
    hook = {"name": "hook", "contract": 8, "url": url, "authtype": 4, "authvalue": "k", "messageformat": 2}
    endpoint_id = crm.create("serviceendpoints", **{**hook, **(endpoint or {})})
    [found] = crm.get(f"sdkmessages?$filter=name eq '{message}'").rows
    message_id = found["sdkmessageid"]
    condition = f"primaryobjecttypecode eq '{table}' and sdkmessageid/sdkmessageid eq {message_id}"
    [filter_row] = crm.get(f"sdkmessagefilters?$filter={condition}").rows
    body = {
        "name": f"{message} of {table}",
        "stage": 40,
        "mode": 1,
        "rank": 1,
        "supporteddeployment": 0,
        "asyncautodelete": True,
        "eventhandler_serviceendpoint@odata.bind": f"/serviceendpoints({endpoint_id})",
        "sdkmessageid@odata.bind": f"/sdkmessages({message_id})",
        "sdkmessagefilterid@odata.bind": f"/sdkmessagefilters({filter_row['sdkmessagefilterid']})",
        **step,
    }
    return crm.create("sdkmessageprocessingsteps", **body)


def jobs(crm: Running) -> list[dict[str, Any]]:
    return crm.get("asyncoperations?$select=name,statecode,statuscode,message,retrycount,errorcode").rows


def test_8_an_update_is_delivered_with_the_changed_columns(crm: Running, hook: Receiver) -> None:
    register(crm, hook.url, filteringattributes="firstname,lastname")
    lead = crm.create("leads", lastname="Grey", companyname="Litware")
    crm.api("PATCH", f"leads({lead})", {"firstname": "Ann", "statuscode": 2})
    [call] = hook.wait_for(1)
    assert call["path"] == "/hook?code=k"
    headers = {name.lower(): value for name, value in call["headers"].items()}
    assert headers["content-type"].startswith("application/json")
    assert headers["x-ms-dynamics-organization"] == urlsplit(crm.url).netloc
    assert headers["x-ms-dynamics-entity-name"] == "lead"
    assert headers["x-ms-dynamics-request-name"] == "Update"
    assert "x-ms-dynamics-msg-size-exceeded" not in headers
    body = json.loads(call["body"])
    assert headers["x-ms-correlation-request-id"] == body["CorrelationId"]
    me = crm.get("WhoAmI").body
    expected = {
        "BusinessUnitId": me["BusinessUnitId"],
        "Depth": 1,
        "InitiatingUserId": me["UserId"],
        "UserId": me["UserId"],
        "MessageName": "Update",
        "PrimaryEntityName": "lead",
        "PrimaryEntityId": lead,
        "SecondaryEntityName": "none",
        "Mode": 1,
        "Stage": 40,
        "IsolationMode": 1,
        "IsInTransaction": False,
        "IsExecutingOffline": False,
        "IsOfflinePlayback": False,
        "OrganizationId": me["OrganizationId"],
        "RequestId": None,
        "OutputParameters": [{"key": "id", "value": lead}],
        "SharedVariables": [],
        "PreEntityImages": [],
        "PostEntityImages": [],
    }
    assert {name: body[name] for name in expected} == expected
    [parameter] = body["InputParameters"]
    assert parameter["key"] == "Target"
    target = parameter["value"]
    attributes = {each["key"]: each["value"] for each in target.pop("Attributes")}
    assert target == {
        "__type": f"Entity:{XRM}",
        "LogicalName": "lead",
        "Id": lead,
        "EntityState": None,
        "RowVersion": None,
        "KeyAttributes": [],
        "FormattedValues": [],
        "RelatedEntities": [],
    }
    assert attributes["firstname"] == "Ann"
    assert attributes["statuscode"] == {"__type": f"OptionSetValue:{XRM}", "Value": 2}
    assert attributes["modifiedby"] == {
        "__type": f"EntityReference:{XRM}",
        "Id": me["UserId"],
        "LogicalName": "systemuser",
        "Name": None,
        "KeyAttributes": [],
        "RowVersion": None,
    }
    assert attributes["modifiedon"].startswith("/Date(")
    assert "companyname" not in attributes
    assert body["OwningExtension"]["LogicalName"] == "sdkmessageprocessingstep"
    assert body["ParentContext"]["MessageName"] == "Update"
    assert set(body) == set(expected) | {"CorrelationId", "OperationId", "OperationCreatedOn", "OrganizationName"} | {
        "InputParameters",
        "OwningExtension",
        "ParentContext",
    }


def test_8_only_the_filtered_columns_call(crm: Running, hook: Receiver) -> None:
    register(crm, hook.url, filteringattributes="firstname,lastname")
    lead = crm.create("leads", lastname="Grey")
    crm.api("PATCH", f"leads({lead})", {"companyname": "Litware"})
    crm.api("PATCH", f"leads({lead})", {"lastname": "Grey"})
    contact = crm.create("contacts", lastname="Grey")
    crm.api("PATCH", f"contacts({contact})", {"lastname": "Gray"})
    hook.wait_for(1)
    wait_until(lambda: jobs(crm) == [])
    assert len(hook.calls) == 1


def test_8_create_has_all_columns_and_delete_a_reference(crm: Running, hook: Receiver) -> None:
    register(crm, hook.url, "Create")
    register(crm, hook.url, "Delete")
    lead = crm.create("leads", lastname="Grey", donotemail=True, estimatedamount=5)
    created = json.loads(hook.wait_for(1)[0]["body"])
    attributes = {each["key"]: each["value"] for each in created["InputParameters"][0]["value"]["Attributes"]}
    assert (attributes["lastname"], attributes["fullname"], attributes["donotemail"]) == ("Grey", "Grey", True)
    assert attributes["estimatedamount"] == {"__type": f"Money:{XRM}", "Value": 5}
    assert attributes["ownerid"]["LogicalName"] == "systemuser"
    crm.api("DELETE", f"leads({lead})")
    deleted = json.loads(hook.wait_for(2)[1]["body"])
    reference: dict[str, Any] = {
        "Id": lead,
        "LogicalName": "lead",
        "Name": None,
        "KeyAttributes": [],
        "RowVersion": None,
    }
    assert deleted["InputParameters"] == [{"key": "Target", "value": {"__type": f"EntityReference:{XRM}", **reference}}]
    assert deleted["OutputParameters"] == []


def test_8_images_show_the_row_before_and_after(crm: Running, hook: Receiver) -> None:
    step = register(crm, hook.url)
    image = {"name": "both", "entityalias": "both", "imagetype": 2, "attributes": "lastname,companyname"}
    bind = {"sdkmessageprocessingstepid@odata.bind": f"/sdkmessageprocessingsteps({step})"}
    crm.create("sdkmessageprocessingstepimages", messagepropertyname="Target", **image, **bind)
    lead = crm.create("leads", lastname="Grey", companyname="Litware", jobtitle="Chief")
    crm.api("PATCH", f"leads({lead})", {"lastname": "Gray"})
    body = json.loads(hook.wait_for(1)[0]["body"])
    shown = [
        {each["key"]: each["value"] for each in body[part][0]["value"]["Attributes"]}
        for part in ("PreEntityImages", "PostEntityImages")
    ]
    assert shown == [
        {"leadid": lead, "lastname": "Grey", "companyname": "Litware"},
        {"leadid": lead, "lastname": "Gray", "companyname": "Litware"},
    ]
    assert body["PreEntityImages"][0]["key"] == "both"


@pytest.mark.parametrize(("length", "is_cut"), [(120_000, False), (140_000, True)])
def test_8_what_is_too_big_is_cut_and_says_so(crm: Running, hook: Receiver, length: int, is_cut: bool) -> None:
    """A text of half the limit stands in the call twice: in its own parameters and in those of its parent."""
    register(crm, hook.url, "Create", "list")
    created = crm.create("lists", listname="Grey", createdfromcode=2, type=True, query="x" * length)
    [call] = hook.wait_for(1)
    body = json.loads(call["body"])
    assert ("x-ms-dynamics-msg-size-exceeded" in {name.lower() for name in call["headers"]}) == is_cut
    parts = {"ParentContext", "InputParameters", "PreEntityImages", "PostEntityImages"}
    assert parts & set(body) == (set() if is_cut else parts)
    assert (body["PrimaryEntityId"], body["MessageName"]) == (created, "Create")


@pytest.mark.parametrize("status", [502, 503, 504])
def test_8_a_gateway_that_is_down_is_tried_once_more(crm: Running, hook: Receiver, status: int) -> None:
    hook.statuses = [status]
    register(crm, hook.url, "Create", asyncautodelete=False)
    crm.create("leads", lastname="Grey")
    wait_until(lambda: [job["statuscode"] for job in jobs(crm)] == [30])
    assert len(hook.calls) == 2
    assert jobs(crm)[0]["retrycount"] == 1


@pytest.mark.parametrize(("statuses", "calls"), [([503, 503, 503], 2), ([500], 1), ([404], 1), ([301], 1)])
def test_8_a_failure_is_final_and_recorded(crm: Running, hook: Receiver, statuses: list[int], calls: int) -> None:
    hook.statuses = list(statuses)
    register(crm, hook.url, "Create")
    crm.create("leads", lastname="Grey")
    wait_until(lambda: [job["statuscode"] for job in jobs(crm)] == [31])
    [job] = jobs(crm)
    assert (job["statecode"], job["errorcode"]) == (3, 0x80050201 - 2**32)
    assert job["message"].startswith("The webhook call failed because the http request received non-success")
    assert len(hook.calls) == calls


def test_8_a_timeout_is_a_failure_without_a_second_try(crm: Running, hook: Receiver) -> None:
    crm.set("/settings", webhook_timeout_s=0.05)
    hook.delay_s = 0.3
    register(crm, hook.url, "Create")
    crm.create("leads", lastname="Grey")
    wait_until(lambda: [job["statuscode"] for job in jobs(crm)] == [31])
    assert jobs(crm)[0]["errorcode"] == 0x80050202 - 2**32
    assert len(hook.calls) == 1


def test_8_a_synchronous_step_that_fails_undoes_the_change(crm: Running, hook: Receiver) -> None:
    register(crm, hook.url, "Create", mode=0)
    hook.statuses = [200, 400]
    assert crm.create("leads", lastname="Grey")
    body = json.loads(hook.calls[0]["body"])
    assert (body["Mode"], body["IsInTransaction"]) == (0, True)
    refused = crm.api("POST", "leads", {"lastname": "Black"})
    assert refused.error[:2] == (400, "0x80050201")
    assert [row["lastname"] for row in crm.get("leads?$select=lastname").rows] == ["Grey"]


def test_8_what_was_undone_calls_nobody(crm: Running, hook: Receiver) -> None:
    register(crm, hook.url, "Create")
    part = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    good = ["--changeset_1", *part, "Content-ID: 1", "", "POST leads HTTP/1.1", "Content-Type: application/json", ""]
    bad = ["--changeset_1", *part, "Content-ID: 2", "", "POST leads HTTP/1.1", "Content-Type: application/json", ""]
    answer = crm.batch(
        *("--batch_1", "Content-Type: multipart/mixed; boundary=changeset_1", ""),
        *(*good, '{"lastname":"Grey"}', *bad, '{"nothing":1}', "--changeset_1--", "--batch_1--"),
    )
    assert answer.status == 400
    crm.create("leads", lastname="Black")
    [call] = hook.wait_for(1)
    assert b"Black" in call["body"]
    settled = {"steps": ["Create of lead"], "waiting": 0, "calling": 0}
    wait_until(lambda: crm.control("GET", "/webhooks").body == settled)
    assert len(hook.calls) == 1


def test_8_credentials_of_the_endpoint_go_as_headers_or_query_and_are_never_read_back(
    crm: Running, hook: Receiver
) -> None:
    settings = '<settings><setting name="X-Key" value="a&amp;b" /><setting name="Other" value="2" /></settings>'
    register(crm, hook.url, "Create", endpoint={"authtype": 5, "authvalue": settings})
    register(crm, hook.url, "Create", "contact", endpoint={"authtype": 6, "authvalue": settings})
    crm.create("leads", lastname="Grey")
    assert hook.wait_for(1)[0]["headers"]["X-Key"] == "a&b"
    crm.create("contacts", lastname="Grey")
    assert hook.wait_for(2)[1]["path"] == "/hook?X-Key=a%26b&Other=2"
    assert {row["authvalue"] for row in crm.get("serviceendpoints").rows} == {None}


@pytest.mark.parametrize(("authtype", "code"), [(5, 0x80050203), (6, 0x80050204)])
def test_8_credentials_that_cannot_be_read_fail_the_job(crm: Running, hook: Receiver, authtype: int, code: int) -> None:
    register(crm, hook.url, "Create", endpoint={"authtype": authtype, "authvalue": "nonsense"})
    crm.create("leads", lastname="Grey")
    wait_until(lambda: [job["errorcode"] for job in jobs(crm)] == [code - 2**32])
    assert hook.calls == []


@pytest.mark.parametrize(
    "url", ["http://[", "http://127.0.0.1:99999/", "nonsense", "http://127.0.0.1:1/a b", "ftp://x"]
)
def test_8_an_address_that_is_none_fails_the_job_and_nothing_else(crm: Running, url: str) -> None:
    for authtype in (0, 4):
        register(crm, url, "Create", endpoint={"authtype": authtype})
    assert crm.api("POST", "leads", {"lastname": "Grey"}).status == 204
    wait_until(lambda: [job["errorcode"] for job in jobs(crm)] == [0x80050205 - 2**32] * 2)


def test_8_what_cannot_be_registered_is_refused(crm: Running, hook: Receiver) -> None:
    body = {"name": "hook", "contract": 8, "url": hook.url, "authtype": 1, "authvalue": "k"}
    assert crm.api("POST", "serviceendpoints", body).error[:2] == (400, "0x80050209")
    step = register(crm, hook.url, stage=20, mode=0)
    bind = {"sdkmessageprocessingstepid@odata.bind": f"/sdkmessageprocessingsteps({step})"}
    image = {"name": "image", "entityalias": "image", "messagepropertyname": "Target", **bind}
    refused = crm.api("POST", "sdkmessageprocessingstepimages", {**image, "imagetype": 1})
    assert refused.error == (400, "0x8004416e", "PreEvent step registration does not support Post Image.")
    assert crm.api("POST", "sdkmessageprocessingstepimages", {**image, "imagetype": 0}).status == 204


def test_8_a_registration_full_of_holes_breaks_nothing(crm: Running, hook: Receiver) -> None:
    [message] = crm.get("sdkmessages?$filter=name eq 'Create'").rows
    bind = {"sdkmessageid@odata.bind": f"/sdkmessages({message['sdkmessageid']})"}
    crm.create("sdkmessageprocessingsteps", name="nowhere", stage=40, mode=1, **bind)
    endpoint = crm.create("serviceendpoints", name="hook", contract=8, url=hook.url)
    to = {"eventhandler_serviceendpoint@odata.bind": f"/serviceendpoints({endpoint})"}
    crm.create("sdkmessageprocessingsteps", name="without message", stage=40, mode=1, **to)
    every = {"name": "every table", "stage": 40, "mode": 1, "filteringattributes": ",,"}
    crm.create("sdkmessageprocessingsteps", **every, **to, **bind)
    crm.create("leads", lastname="Grey")
    crm.create("accounts", name="Litware")
    wait_until(lambda: {"lead", "account"} <= {json.loads(call["body"])["PrimaryEntityName"] for call in hook.calls})


def test_8_a_step_that_is_disabled_or_deleted_calls_no_more(crm: Running, hook: Receiver) -> None:
    step = register(crm, hook.url, "Create")
    crm.api("PATCH", f"sdkmessageprocessingsteps({step})", {"statecode": 1, "statuscode": 2})
    crm.create("leads", lastname="A")
    crm.api("PATCH", f"sdkmessageprocessingsteps({step})", {"statecode": 0, "statuscode": 1})
    crm.create("leads", lastname="B")
    assert b'"B"' in hook.wait_for(1)[0]["body"]
    crm.api("DELETE", f"sdkmessageprocessingsteps({step})")
    crm.create("leads", lastname="C")
    assert crm.control("GET", "/webhooks").body["steps"] == []
    assert len(hook.calls) == 1


def test_8_registration_needs_a_customizers_rights(start: Start) -> None:
    crm = start()
    body = {"name": "hook", "contract": 8, "url": "http://127.0.0.1:1/", "authtype": 4, "authvalue": "k"}
    assert crm.api("POST", "serviceendpoints", body).error[:2] == (403, "0x80040220")


def test_2_1_a_tag_of_the_request_is_a_shared_variable(crm: Running, hook: Receiver) -> None:
    register(crm, hook.url, "Create")
    assert crm.api("POST", "leads?tag=from Tandem", {"lastname": "Grey"}).status == 204
    assert json.loads(hook.wait_for(1)[0]["body"])["SharedVariables"] == [{"key": "tag", "value": "from Tandem"}]


def test_8_own_writes_are_told_too_and_by_whom(crm: Running, hook: Receiver) -> None:
    register(crm, hook.url, "Create")
    crm.create("leads", lastname="Grey")
    crm.set("/people/create", entity="lead", values={"lastname": "Black"})
    initiators = {json.loads(call["body"])["InitiatingUserId"] for call in hook.wait_for(2)}
    assert len(initiators) == 2
    assert crm.get("WhoAmI").body["UserId"] in initiators


def test_9_webhooks_wait_while_background_operations_are_off(crm: Running, hook: Receiver) -> None:
    register(crm, hook.url, "Create")
    crm.set("/settings", background_operations=False)
    crm.create("leads", lastname="Grey")
    assert [job["statuscode"] for job in jobs(crm)] == [0]
    assert hook.calls == []
    crm.set("/settings", background_operations=True)
    hook.wait_for(1)
    wait_until(lambda: jobs(crm) == [])


def test_8_the_asynchronous_service_may_take_its_time(crm: Running, hook: Receiver) -> None:
    register(crm, hook.url, "Create")
    crm.set("/settings", webhook_delay_s=0.05)
    crm.create("leads", lastname="Grey")
    hook.wait_for(1)
    crm.set("/settings", webhook_delay_s=600)
    crm.create("leads", lastname="Black")
    assert len(hook.calls) == 1
    crm.set("/clock", advance_s=601)
    hook.wait_for(2)


@pytest.mark.parametrize(
    ("header", "value", "privilege", "mode"),
    [
        ("MSCRM_BypassCustomPluginExecution", "true", "prvBypassCustomPlugins", 0),
        ("MSCRM_BypassBusinessLogicExecution", "CustomSync", "prvBypassCustomBusinessLogic", 0),
        ("MSCRM_BypassBusinessLogicExecution", "CustomSync, CustomAsync", "prvBypassCustomBusinessLogic", 1),
        ("MSCRM_BypassBusinessLogicExecutionStepIds", "{step}", "prvBypassCustomBusinessLogic", 1),
    ],
)
def test_2_2_custom_logic_is_left_out_for_those_who_may(
    crm: Running, hook: Receiver, header: str, value: str, privilege: str, mode: int
) -> None:
    step = register(crm, hook.url, "Create", mode=mode)
    named = {header.replace("MSCRM_", "MSCRM."): value.format(step=step)}
    assert crm.api("POST", "leads", {"lastname": "A"}, **named).status == 204
    user = crm.get("WhoAmI").body["UserId"]
    crm.set("/privileges", user=user, administrator=False)
    status, code, text = crm.api("POST", "leads", {"lastname": "B"}, **named).error
    assert (status, code) == (403, "0x80040220")
    assert f"is missing {privilege} privilege" in text
    crm.set("/privileges", grant=[privilege])
    assert crm.api("POST", "leads", {"lastname": "C"}, **named).status == 204
    crm.create("leads", lastname="D")
    assert b'"D"' in hook.wait_for(1)[0]["body"]


def test_2_2_a_part_of_a_batch_leaves_out_custom_logic_by_itself(crm: Running, hook: Receiver) -> None:
    register(crm, hook.url, "Create")
    part = ["--batch_1", "Content-Type: application/http", "", "POST leads HTTP/1.1", "Content-Type: application/json"]
    bypass = "MSCRM.BypassBusinessLogicExecution: CustomAsync"
    crm.batch(*part, bypass, "", '{"lastname":"A"}', *part, "", '{"lastname":"B"}', "--batch_1--")
    assert len(crm.get("leads").rows) == 2
    assert b'"B"' in hook.wait_for(1)[0]["body"]
    wait_until(lambda: crm.control("GET", "/webhooks").body["waiting"] == 0)
    assert len(hook.calls) == 1
