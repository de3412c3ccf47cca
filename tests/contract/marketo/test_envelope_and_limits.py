"""Envelope, size limits, quotas and usage: fact sheet 2.1, 2.2 and 2.4."""

import gzip
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.contract.marketo.client import REQUEST_ID, InProcess, Running
from tests.contract.marketo.conftest import Start

DESCRIBE = "/rest/v1/leads/describe.json"
PARTITIONS = "/rest/v1/leads/partitions.json"


def test_the_request_id_tells_the_time_in_milliseconds(marketo: Running) -> None:
    marketo.control("POST", "/clock", {"now": "2021-11-23T22:57:07.394+00:00", "frozen": True})
    marketo.sign_in()
    request_id = marketo.get(PARTITIONS).body["requestId"]
    assert REQUEST_ID.fullmatch(request_id)
    assert request_id.endswith("#17d4f046342")


def test_a_success_names_result_and_no_empty_members(marketo: Running) -> None:
    body = marketo.get("/rest/v1/leads.json", filterType="id", filterValues="1").body
    assert list(body) == ["requestId", "result", "success"]
    assert body["result"] == []


def test_the_headers_are_those_of_the_front_end(marketo: Running) -> None:
    headers = marketo.get(PARTITIONS).headers
    assert headers["server"] == "nginx"
    assert headers["content-type"] == "application/json;charset=UTF-8"


def test_a_large_body_is_compressed_when_asked_for(marketo: Running) -> None:
    headers = {"Authorization": f"Bearer {marketo.token}", "Accept-Encoding": "gzip"}
    answer = marketo.send("GET", DESCRIBE, headers=headers)
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == "Accept-Encoding"
    assert json.loads(gzip.decompress(answer.raw))["success"] is True
    assert "content-encoding" not in marketo.send("GET", PARTITIONS, headers=headers).headers


def test_bulk_answers_are_never_compressed(marketo: Running) -> None:
    day = {"startAt": "2023-01-01T00:00:00Z", "endAt": "2023-01-02T00:00:00Z"}
    for _ in range(12):
        marketo.post("/bulk/v1/leads/export/create.json", {"fields": ["email"], "filter": {"createdAt": day}})
    headers = {"Authorization": f"Bearer {marketo.token}", "Accept-Encoding": "gzip"}
    answer = marketo.send("GET", "/bulk/v1/leads/export.json", headers=headers)
    assert len(answer.raw) >= 1_024
    assert "content-encoding" not in answer.headers


def test_an_unknown_path_is_610_and_a_wrong_method_605(marketo: Running) -> None:
    assert marketo.get("/rest/v1/nothing.json").error == ("610", "Requested resource not found")
    assert marketo.get("//rest/v1/leads/describe.json").error[0] == "610"
    assert marketo.call("PUT", "/rest/v1/leads.json").error[0] == "605"


def test_dots_in_a_path_lead_where_they_lead_everywhere(marketo: Running) -> None:
    """node-marketo-rest reaches the bulk API as `/rest/../bulk`."""
    assert marketo.get("/rest/../bulk/v1/leads/export.json").result == []
    assert marketo.get("/../../rest/v1/x/../leads/partitions.json").result
    assert marketo.get("/rest/../nothing.json").error[0] == "610"


def test_assets_know_no_other_method_than_that_of_the_request(marketo: Running) -> None:
    assert marketo.form("/rest/v1/lists.json", _method="GET").body["success"] is True
    assert marketo.form("/rest/asset/v1/smartLists.json", _method="GET").error[0] == "605"


def test_the_token_is_judged_before_the_path(marketo: Running) -> None:
    marketo.token = "wrong"
    assert marketo.get("/rest/v1/nothing.json").error[0] == "601"


def test_bad_json_is_609_and_another_content_type_612(marketo: Running) -> None:
    headers = {"Authorization": f"Bearer {marketo.token}", "Content-Type": "application/json"}
    assert marketo.send("POST", "/rest/v1/leads.json", b'{"input": [', headers).error == ("609", "Invalid JSON")
    headers["Content-Type"] = "text/plain"
    assert marketo.send("POST", "/rest/v1/leads.json", b"{}", headers).error == ("612", "Invalid Content Type")


def test_a_body_over_one_megabyte_is_http_413(marketo: Running) -> None:
    record = {"email": "a@b.example", "mktoPersonNotes": "x" * 1_000_000}
    assert marketo.post("/rest/v1/leads.json", {"input": [record]}).status == 413


def test_a_uri_over_eight_kilobytes_is_http_414(marketo: Running) -> None:
    fits = ",".join(str(number) for number in range(1_000, 1_300))
    assert marketo.get("/rest/v1/leads.json", filterType="id", filterValues=fits).status == 200
    too_long = "x" * 8_192
    assert marketo.get("/rest/v1/leads.json", filterType="email", filterValues=too_long).status == 414
    assert marketo.get("/rest/asset/v1/staticList/byName.json", name=too_long).status == 200
    assert marketo.get("/rest/asset/v1/staticList/byName.json", name=too_long * 8).status == 414


def test_the_hundred_and_first_call_in_twenty_seconds_is_refused(start: Start) -> None:
    marketo = start(limits="published")
    marketo.control("POST", "/clock", {"frozen": True})
    for _ in range(100):
        assert marketo.get(PARTITIONS).body["success"] is True
    assert marketo.get(PARTITIONS).error == ("606", "Max rate limit '100' exceeded with in '20' secs")
    marketo.advance(20)
    assert marketo.get(PARTITIONS).body["success"] is True


def test_the_daily_quota_comes_back_at_midnight_in_chicago(start: Start) -> None:
    marketo = start(limits="published")
    marketo.control("POST", "/clock", {"now": "2026-11-22T12:00:00+00:00", "frozen": True})
    marketo.sign_in()
    marketo.set(daily_calls=2)
    assert marketo.get(PARTITIONS).body["success"] is True
    assert marketo.get(PARTITIONS).body["success"] is True
    assert marketo.get(PARTITIONS).error == ("607", "Daily quota reached")
    marketo.control("POST", "/clock", {"now": "2026-11-23T05:59:00+00:00"})
    marketo.sign_in()
    assert marketo.get(PARTITIONS).error[0] == "607"
    marketo.control("POST", "/clock", {"now": "2026-11-23T06:00:00+00:00"})
    assert marketo.get(PARTITIONS).body["success"] is True


@pytest.mark.parametrize(("midnight", "error"), [("daylight", None), ("standard", "607")])
def test_in_summer_the_day_may_end_at_midnight_cst_by_switch(midnight: str, error: str | None) -> None:
    """ "CST" in the documentation: whether it means daylight time, too, is not said."""
    marketo = InProcess(limits="published", settings={"quota_midnight": midnight, "daily_calls": "1"})
    marketo.control("POST", "/clock", {"now": "2026-07-09T12:00:00+00:00", "frozen": True})
    marketo.sign_in()
    assert marketo.get(PARTITIONS).body["success"] is True
    marketo.control("POST", "/clock", {"now": "2026-07-10T05:10:00+00:00"})
    marketo.sign_in()
    errors = marketo.get(PARTITIONS).body.get("errors", [{"code": None}])
    assert errors[0]["code"] == error
    marketo.control("POST", "/clock", {"now": "2026-07-10T06:00:00+00:00"})
    assert marketo.get(PARTITIONS).body["success"] is (error is not None)
    marketo.close()


def test_the_eleventh_call_at_once_is_refused(start: Start) -> None:
    marketo = start(limits="published")
    marketo.control("POST", "/latency", {"operations": {"leads.partitions": 300}})
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: marketo.get(PARTITIONS), range(12)))
    refused = [answer.error for answer in answers if not answer.body["success"]]
    assert refused == [("615", "Concurrent access limit '10' reached")] * 2


@pytest.mark.parametrize("limits", ["published", "off"])
def test_limits_can_be_turned_off(start: Start, limits: str) -> None:
    marketo = start(limits=limits)
    marketo.set(rate_calls=3)
    answers = [marketo.get(PARTITIONS).body["success"] for _ in range(5)]
    assert answers == [True, True, True] + [limits == "off"] * 2


def test_usage_counts_calls_of_the_day_and_not_those_with_a_bad_token(marketo: Running) -> None:
    marketo.get(PARTITIONS)
    marketo.get("/rest/v1/nothing.json")
    good, marketo.token = marketo.token, "bad"
    marketo.get(PARTITIONS)
    marketo.token = good
    [today] = marketo.get("/rest/v1/stats/usage.json").result
    assert today["total"] == 2
    assert [user["count"] for user in today["users"]] == [2]
    week = marketo.get("/rest/v1/stats/usage/last7days.json").result
    assert [day["total"] for day in week] == [3, 0, 0, 0, 0, 0, 0]


def test_errors_are_counted_by_code(marketo: Running) -> None:
    marketo.get("/rest/v1/nothing.json")
    marketo.get("/rest/v1/nothing.json")
    [today] = marketo.get("/rest/v1/stats/errors.json").result
    assert today["total"] == 2
    assert today["errors"] == [{"errorCode": "610", "count": 2}]


def test_a_call_beyond_its_timeout_is_604_and_does_nothing(marketo: Running) -> None:
    marketo.set(timeouts={"leads.sync": 0.01})
    marketo.control("POST", "/latency", {"operations": {"leads.sync": 30}})
    assert marketo.post("/rest/v1/leads.json", {"input": [{"email": "a@b.example"}]}).error == (
        "604",
        "Request timed out",
    )
    assert marketo.get("/rest/v1/leads.json", filterType="email", filterValues="a@b.example").result == []


def test_the_published_timeouts_are_stated(marketo: Running) -> None:
    timeouts = marketo.control("GET", "/settings")["timeouts"]
    assert (timeouts["leads.sync"], timeouts["leads.merge"], timeouts["leads.get"]) == (90, 180, 30)
