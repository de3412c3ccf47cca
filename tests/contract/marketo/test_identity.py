"""The identity endpoint and the use of its tokens: fact sheet 1.2 and 1.3."""

import re
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.contract.marketo.client import Answer, Running
from tests.contract.marketo.conftest import Start

DESCRIBE = "/rest/v1/leads/describe.json"


def ask(marketo: Running, **changed: str) -> Answer:
    values = {
        "grant_type": "client_credentials",
        "client_id": marketo.access["client_id"],
        "client_secret": marketo.access["client_secret"],
    }
    return marketo.send("GET", "/identity/oauth/token?" + urlencode(values | changed))


def test_a_token_has_the_documented_form(marketo: Running) -> None:
    answer = ask(marketo)
    assert answer.status == 200
    assert re.fullmatch(
        r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}:[a-z]{2,3}", answer.body["access_token"]
    )
    assert answer.body["token_type"] == "bearer"
    assert 3590 <= answer.body["expires_in"] <= 3600
    assert "@" in answer.body["scope"]
    assert answer.headers["cache-control"] == "no-store"


def test_a_form_post_gets_a_token_too(marketo: Running) -> None:
    form = urlencode(
        {
            "grant_type": "client_credentials",
            "client_id": marketo.access["client_id"],
            "client_secret": marketo.access["client_secret"],
        }
    )
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = marketo.send("POST", "/identity/oauth/token", form.encode(), headers)
    assert answer.body["access_token"] == marketo.token


def test_asking_again_shares_the_token_with_its_remaining_lifetime(marketo: Running) -> None:
    marketo.advance(1000)
    again = ask(marketo).body
    assert again["access_token"] == marketo.token
    assert 2590 <= again["expires_in"] <= 2600


def test_after_its_end_there_is_a_new_token(marketo: Running) -> None:
    marketo.advance(3601)
    assert ask(marketo).body["access_token"] != marketo.token


@pytest.mark.parametrize(
    ("changed", "body"),
    [
        ({"client_secret": "wrong"}, {"error": "invalid_client", "error_description": "Bad client credentials"}),
        (
            {"client_id": "nobody"},
            {"error": "unauthorized", "error_description": "No client with requested id: nobody"},
        ),
        (
            {"grant_type": "password"},
            {"error": "unsupported_grant_type", "error_description": "Unsupported grant type: password"},
        ),
    ],
)
def test_a_refused_sign_in_is_http_401_in_oauth_shape(
    marketo: Running, changed: dict[str, str], body: dict[str, str]
) -> None:
    answer = ask(marketo, **changed)
    assert answer.status == 401
    assert answer.body == body


def test_without_a_token_access_is_denied(marketo: Running) -> None:
    assert marketo.send("GET", DESCRIBE).error == ("603", "Access denied")


def test_a_wrong_token_is_invalid(marketo: Running) -> None:
    marketo.token = "11111111-2222-3333-4444-555555555555:ab"
    assert marketo.get(DESCRIBE).error == ("601", "Access token invalid")


def test_the_first_use_after_the_end_says_expired_and_the_next_invalid(marketo: Running) -> None:
    marketo.advance(3601)
    assert marketo.get(DESCRIBE).error == ("602", "Access token expired")
    assert marketo.get(DESCRIBE).error == ("601", "Access token invalid")


def test_a_token_in_the_query_counts_only_under_its_switch(marketo: Running) -> None:
    target = f"{DESCRIBE}?access_token={marketo.token}"
    assert marketo.send("GET", target).error[0] == "603"
    marketo.set(access_token_in_query=True)
    assert marketo.send("GET", target).body["success"] is True


def test_a_missing_permission_denies_only_its_own_calls(marketo: Running) -> None:
    marketo.control("POST", "/privileges", {"revoke": ["Read-Write Lead"]})
    assert marketo.get(DESCRIBE).body["success"] is True
    assert marketo.post("/rest/v1/leads.json", {"input": [{"email": "a@b.example"}]}).error == ("603", "Access denied")
    marketo.control("POST", "/privileges", {"grant": ["Read-Write Lead"]})
    assert marketo.sync({"email": "a@b.example"})[0]["status"] == "created"


def test_the_usage_call_needs_no_permission(marketo: Running) -> None:
    everything = marketo.control("GET", "/privileges")["granted"]
    marketo.control("POST", "/privileges", {"revoke": everything})
    assert marketo.get("/rest/v1/stats/usage.json").body["success"] is True


class TestSeveralServices:
    def test_each_has_a_token_and_a_user_of_its_own(self, marketo: Running) -> None:
        first = marketo.token
        other = marketo.control("POST", "/services", {"user": "second@example.com"})
        marketo.access |= other
        answer = marketo.sign_in().body
        assert answer["scope"] == "second@example.com"
        assert answer["access_token"] != first
        known = marketo.control("GET", "/services")["services"]
        assert [each["user"] for each in known][1:] == ["second@example.com"]

    def test_two_services_of_one_user_have_independent_tokens(self, marketo: Running) -> None:
        tokens = set()
        for _ in range(2):
            marketo.access |= marketo.control("POST", "/services", {"user": "same@example.com"})
            tokens.add(marketo.sign_in().body["access_token"])
        assert len(tokens) == 2

    def test_permissions_are_the_users(self, marketo: Running) -> None:
        mine = dict(marketo.access)
        marketo.access |= marketo.control(
            "POST", "/services", {"user": "reader@example.com", "revoke": ["Read-Write Lead"]}
        )
        marketo.sign_in()
        assert marketo.get("/rest/v1/leads.json", filterType="id", filterValues="1").body["success"] is True
        assert marketo.post("/rest/v1/leads.json", {"input": [{"email": "a@b.example"}]}).error == (
            "603",
            "Access denied",
        )
        marketo.control("POST", "/privileges", {"user": "reader@example.com", "grant": ["Read-Write Lead"]})
        assert marketo.create(email="a@b.example") == 1
        marketo.access = mine
        marketo.sign_in()
        assert marketo.create(email="c@b.example") == 2

    def test_usage_is_told_by_user(self, marketo: Running) -> None:
        marketo.get("/rest/v1/leads/partitions.json")
        marketo.access |= marketo.control("POST", "/services", {"user": "aaa@example.com"})
        marketo.sign_in()
        marketo.get("/rest/v1/leads/partitions.json")
        [today] = marketo.get("/rest/v1/stats/usage.json").result
        assert [user["count"] for user in today["users"]] == [1, 1]
        assert today["users"][0]["userId"] == "aaa@example.com"


class TestRestart:
    """What belongs to the subscription outlives the process, given a file."""

    def test_a_token_goes_on_living(self, start: Start, tmp_path: Path) -> None:
        first = start(db=str(tmp_path / "m.db"))
        other = first.control("POST", "/services", {"user": "second@example.com", "revoke": ["Read-Write Lead"]})
        token = first.token
        first.close()
        again = start(db=str(tmp_path / "m.db"))
        assert again.token == token
        again.access |= other
        again.sign_in()
        assert again.post("/rest/v1/leads.json", {"input": [{"email": "a@b.example"}]}).error[0] == "603"

    def test_usage_and_errors_go_on_counting(self, start: Start, tmp_path: Path) -> None:
        first = start(db=str(tmp_path / "m.db"), limits="published")
        first.get("/rest/v1/leads/partitions.json")
        first.get("/rest/v1/nothing.json")
        first.close()
        again = start(db=str(tmp_path / "m.db"), limits="published")
        [today] = again.get("/rest/v1/stats/usage.json").result
        assert today["total"] == 2
        assert again.get("/rest/v1/stats/errors.json").result[0]["errors"] == [{"errorCode": "610", "count": 1}]
        again.set(daily_calls=4)
        assert again.get("/rest/v1/leads/partitions.json").error[0] == "607"
