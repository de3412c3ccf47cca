"""Sheet section 1: sign-in, its errors, and what a call with a bad token gets."""

from base64 import b64encode
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import jwt
import msal  # type: ignore[import-untyped]
import pytest

from tests.contract.dataverse.client import Answer, InProcess, Running


@pytest.fixture
def crm(fresh: InProcess) -> Running:
    return fresh


def the_form(crm: Running, **changes: str | None) -> dict[str, str | None]:
    return {"grant_type": "client_credentials", "client_id": crm.access["client_id"], **changes}


def test_1_2_the_v1_answer_has_numbers_as_strings(crm: Running) -> None:
    form = the_form(crm, client_secret=crm.access["client_secret"], resource=f"{crm.url}/")
    answer = crm.token_call(f"/{crm.access['tenant_id']}/oauth2/token", form)
    assert answer.status == 200
    assert {n: answer.body[n] for n in ("token_type", "expires_in", "ext_expires_in", "resource")} == {
        "token_type": "Bearer",
        "expires_in": "3599",
        "ext_expires_in": "3599",
        "resource": f"{crm.url}/",
    }
    assert int(answer.body["expires_on"]) - int(answer.body["not_before"]) == 3599
    assert "refresh_token" not in answer.body


def test_1_2_the_v2_answer_has_numbers_and_no_refresh_token(crm: Running) -> None:
    body = crm.sign_in().body
    assert (body["expires_in"], body["ext_expires_in"]) == (3599, 3599)
    assert set(body) == {"token_type", "expires_in", "ext_expires_in", "access_token"}


def test_1_1_a_user_signs_in_with_a_password_on_both_versions(crm: Running) -> None:
    person = {"username": crm.access["username"], "password": crm.access["password"], "grant_type": "password"}
    v1 = crm.token_call(f"/{crm.access['tenant_id']}/oauth2/token", the_form(crm, resource=crm.url, **person))
    assert v1.status == 200
    assert v1.body["refresh_token"]
    scope = f"{crm.url}/user_impersonation openid offline_access"
    v2 = crm.token_call("/organizations/oauth2/v2.0/token", the_form(crm, scope=scope, **person))
    assert v2.status == 200
    assert {"refresh_token", "id_token", "scope"} <= set(v2.body)
    crm.token = v2.body["access_token"]
    as_person = crm.get("WhoAmI").body["UserId"]
    crm.sign_in()
    assert crm.get("WhoAmI").body["UserId"] != as_person


@pytest.mark.parametrize(
    ("changes", "number", "error", "status"),
    [
        ({"client_secret": "wrong"}, 7000215, "invalid_client", 401),
        ({"client_secret": None}, 7000218, "invalid_client", 401),
        ({"client_id": "11111111-2222-3333-4444-555555555555"}, 700016, "unauthorized_client", 400),
        ({"scope": "https://other.crm.dynamics.com/.default"}, 500011, "invalid_resource", 400),
        ({"scope": "nonsense"}, 70011, "invalid_scope", 400),
    ],
)
def test_1_3_a_refused_sign_in_names_its_reason(
    crm: Running, changes: dict[str, str | None], number: int, error: str, status: int
) -> None:
    answer = crm.sign_in(**changes)
    assert (answer.status, answer.body["error"], answer.body["error_codes"]) == (status, error, [number])
    assert answer.body["error_description"].startswith(f"AADSTS{number}: ")
    assert "\r\nTrace ID: " in answer.body["error_description"]
    assert set(answer.body) >= {"timestamp", "trace_id", "correlation_id", "error_uri"}


@pytest.mark.parametrize(
    ("changes", "number"), [({"username": "nobody@contoso.example"}, 50034), ({"password": "wrong"}, 50126)]
)
def test_1_3_a_wrong_user_or_password_is_an_invalid_grant(crm: Running, changes: dict[str, str], number: int) -> None:
    person = {"grant_type": "password", "username": crm.access["username"], "password": crm.access["password"]}
    form = the_form(crm, scope=f"{crm.url}/.default", **{**person, **changes})
    answer = crm.token_call(f"/{crm.access['tenant_id']}/oauth2/v2.0/token", form)
    assert (answer.status, answer.body["error"], answer.body["error_codes"]) == (400, "invalid_grant", [number])


def password_sign_in(crm: Running, **changes: str) -> Answer:
    person = {"grant_type": "password", "username": crm.access["username"], "password": crm.access["password"]}
    form = the_form(crm, **{"scope": f"{crm.url}/.default", **person, **changes})
    return crm.token_call(f"/{crm.access['tenant_id']}/oauth2/v2.0/token", form)


@pytest.mark.parametrize(
    ("state", "number"),
    [
        ("locked", 50053),
        ("password_expired", 50055),
        ("disabled", 50057),
        ("needs_mfa", 50076),
        ("must_enrol_mfa", 50079),
    ],
)
def test_1_3_the_state_of_an_account_keeps_its_user_out(crm: Running, state: str, number: int) -> None:
    crm.set("/settings", account_state=state)
    answer = password_sign_in(crm)
    assert (answer.status, answer.body["error"], answer.body["error_codes"]) == (400, "invalid_grant", [number])
    assert crm.sign_in().status == 200


def test_1_3_ten_wrong_passwords_lock_the_account_for_a_minute(crm: Running) -> None:
    crm.set("/clock", frozen=True)
    for _ in range(10):
        assert password_sign_in(crm, password="wrong").body["error_codes"] == [50126]
    assert password_sign_in(crm).body["error_codes"] == [50053]
    crm.set("/clock", advance_s=61)
    assert password_sign_in(crm).status == 200


def test_1_3_the_state_of_the_application_keeps_it_out(crm: Running) -> None:
    crm.set("/settings", application_state="secret_expired")
    answer = crm.sign_in()
    assert (answer.status, answer.body["error"], answer.body["error_codes"]) == (401, "invalid_client", [7000222])
    crm.set("/settings", application_state="no_consent")
    assert crm.sign_in().status == 200
    answer = password_sign_in(crm)
    assert (answer.status, answer.body["error"], answer.body["error_codes"]) == (400, "invalid_grant", [65001])


def test_1_1_an_application_that_is_not_public_needs_its_secret_for_a_password_too(crm: Running) -> None:
    crm.set("/settings", allow_public_client=False)
    assert password_sign_in(crm).body["error_codes"] == [7000218]
    assert password_sign_in(crm, client_secret=crm.access["client_secret"]).status == 200


def test_1_1_common_is_refused_for_passwords(crm: Running) -> None:
    person = {"username": crm.access["username"], "password": crm.access["password"], "grant_type": "password"}
    form = the_form(crm, scope=f"{crm.url}/.default", **person)
    assert crm.token_call("/common/oauth2/v2.0/token", form).body["error_codes"] == [9001023]


def test_1_3_too_many_sign_ins_get_a_bare_429(crm: Running) -> None:
    crm.set("/clock", frozen=True)
    crm.set("/settings", sign_ins_per_minute=3)
    answers = [crm.sign_in() for _ in range(4)]
    refused = next(answer for answer in answers if answer.status != 200)
    assert (refused.status, refused.raw, refused.headers["retry-after"]) == (429, b"Too Many Requests", "60")
    crm.set("/clock", advance_s=61)
    assert crm.sign_in().status == 200


@pytest.mark.parametrize("status", [429, 503, 599])
def test_1_3_a_fault_of_the_sign_in_service_has_none_of_the_web_apis_form(crm: Running, status: int) -> None:
    crm.set("/faults", operation="token", status=status, headers={"Retry-After": "7"})
    answer = crm.sign_in()
    assert (answer.status, answer.headers["retry-after"]) == (status, "7")
    assert b"{" not in answer.raw


def test_1_1_the_credential_may_come_in_a_basic_header(crm: Running) -> None:
    pair = b64encode(f"{crm.access['client_id']}:{crm.access['client_secret']}".encode()).decode()
    body = urlencode({"grant_type": "client_credentials", "scope": f"{crm.url}/.default"})
    kind = {"Content_Type": "application/x-www-form-urlencoded"}
    path = f"/{crm.access['tenant_id']}/oauth2/v2.0/token"
    assert crm.send("POST", path, body, Authorization=f"Basic {pair}", **kind).status == 200
    assert crm.send("POST", path, body, Authorization="Basic %%%", **kind).status == 400


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD"])
def test_1_3_a_token_is_asked_for_by_post(crm: Running, method: str) -> None:
    assert crm.send(method, f"/{crm.access['tenant_id']}/oauth2/v2.0/token").status == 400


def test_1_2_claims_say_for_whom_and_until_when(crm: Running) -> None:
    token = crm.sign_in().body["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert {name: claims[name] for name in ("aud", "tid", "azp")} == {
        "aud": crm.url,
        "tid": crm.access["tenant_id"],
        "azp": crm.access["client_id"],
    }
    user = crm.get("WhoAmI").body["UserId"]
    row = crm.row("systemusers", user)
    assert (row["azureactivedirectoryobjectid"], row["applicationid"]) == (claims["oid"], crm.access["client_id"])
    delegated = jwt.decode(password_sign_in(crm).body["access_token"], options={"verify_signature": False})
    assert (delegated["upn"], delegated["exp"] - delegated["iat"]) == (crm.access["username"], 3599)


def test_1_2_a_refresh_token_brings_the_next_token(crm: Running) -> None:
    first = password_sign_in(crm, scope=f"{crm.url}/.default offline_access").body
    form = the_form(crm, grant_type="refresh_token", refresh_token=first["refresh_token"], scope=f"{crm.url}/.default")
    path = f"/{crm.access['tenant_id']}/oauth2/v2.0/token"
    assert crm.token_call(path, form).body["access_token"] != first["access_token"]
    assert crm.token_call(path, {**form, "refresh_token": "x"}).body["error"] == "invalid_grant"


def test_1_3_an_unknown_tenant_is_an_invalid_request(crm: Running) -> None:
    answer = crm.token_call("/other.example/oauth2/v2.0/token", the_form(crm))
    assert (answer.status, answer.body["error"], answer.body["error_codes"]) == (400, "invalid_request", [90002])


def test_1_1_common_is_refused_for_client_credentials(crm: Running) -> None:
    form = the_form(crm, client_secret=crm.access["client_secret"], scope=f"{crm.url}/.default")
    assert crm.token_call("/common/oauth2/v2.0/token", form).status == 400


@pytest.mark.parametrize("authorization", ["", "Bearer nonsense", "Basic eHg6eHg="])
def test_1_4_a_bad_token_gets_the_challenge_that_names_the_authority(crm: Running, authorization: str) -> None:
    answer = crm.send("GET", "/api/data/v9.2/WhoAmI", Authorization=authorization)
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == (
        f"Bearer authorization_uri={crm.url}/{crm.access['tenant_id']}/oauth2/authorize, resource_id={crm.url}/"
    )


def test_1_4_a_token_ends_on_the_emulators_clock(crm: Running) -> None:
    crm.set("/clock", advance_s=3598)
    assert crm.get("WhoAmI").status == 200
    crm.set("/clock", advance_s=3)
    assert crm.get("WhoAmI").status == 401


@pytest.mark.parametrize(
    ("setting", "error"),
    [
        ({"user_state": "not_member"}, (403, "0x80072560", "The user is not a member of the organization.")),
        (
            {"user_state": "disabled"},
            (
                403,
                "0x80040225",
                "The specified user is either disabled or is not a member of any business unit.",
            ),
        ),
    ],
)
def test_1_4_a_user_without_standing_is_refused(
    crm: Running, setting: dict[str, Any], error: tuple[int, str, str]
) -> None:
    crm.set("/settings", **setting)
    assert crm.get("WhoAmI").error == error


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        ({"user_state": "no_role"}, "0x80042f09"),
        ({"admin_mode": True}, "0x8004a113"),
        ({"organization_enabled": False}, "0x8004a104"),
    ],
)
def test_1_4_other_states_have_their_codes(crm: Running, setting: dict[str, Any], code: str) -> None:
    crm.set("/settings", **setting)
    assert crm.get("contacts").error[:2] == (403, code)


def test_1_5_who_am_i_carries_the_hint_that_samples_parse(crm: Running) -> None:
    for form in ("WhoAmI", "WhoAmI()"):
        answer = crm.get(form)
        assert set(answer.body) == {"@odata.context", "BusinessUnitId", "UserId", "OrganizationId"}
        assert answer.body["@odata.context"].endswith("$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse")
        assert int(answer.headers["x-ms-dop-hint"]) > 0


@dataclass
class Said:
    status_code: int
    text: str
    headers: dict[str, str]


class OverPlainHttp:
    """What msal needs of an HTTP client. It insists on https, so both directions are translated to plain http."""

    def __init__(self, crm: Running) -> None:
        self._crm = crm
        self.called: list[str] = []

    def _call(self, method: str, url: str, body: str | None, headers: dict[str, str]) -> Said:
        parts = urlsplit(url)
        self.called.append(parts.path)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        answer = self._crm.send(method, target, body, **headers)
        return Said(answer.status, answer.raw.decode().replace("http://", "https://"), answer.headers)

    def get(self, url: str, params: dict[str, str] | None = None, headers: dict[str, str] | None = None) -> Said:
        return self._call("GET", f"{url}?{urlencode(params)}" if params else url, None, headers or {})

    def post(
        self,
        url: str,
        params: dict[str, str] | None = None,
        data: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Said:
        return self._call("POST", url, urlencode(data or {}), headers or {})

    def close(self) -> None:
        return


@pytest.mark.parametrize("instance_discovery", [None, False])
def test_microsofts_own_library_signs_in_as_application_and_as_user(
    crm: Running, instance_discovery: bool | None
) -> None:
    wire = OverPlainHttp(crm)
    authority = f"{crm.url.replace('http:', 'https:')}/{crm.access['tenant_id']}"
    common = {"authority": authority, "http_client": wire, "instance_discovery": instance_discovery}
    secret = crm.access["client_secret"]
    application = msal.ConfidentialClientApplication(crm.access["client_id"], client_credential=secret, **common)
    found = application.acquire_token_for_client([f"{crm.url}/.default"])
    assert "access_token" in found, found
    public = msal.PublicClientApplication(crm.access["client_id"], **common)
    with pytest.warns(DeprecationWarning, match="ropc"):
        person = public.acquire_token_by_username_password(
            crm.access["username"], crm.access["password"], [f"{crm.url}/user_impersonation"]
        )
    assert "access_token" in person, person
    assert "id_token_claims" in person
    wrong = msal.ConfidentialClientApplication(crm.access["client_id"], client_credential="wrong", **common)
    assert wrong.acquire_token_for_client([f"{crm.url}/.default"])["error_codes"] == [7000215]
    assert any(path.endswith("/.well-known/openid-configuration") for path in wire.called)
