"""A server on premises: AD FS in front of it, the Web API of its own release, and nothing of the cloud's own.

The numbers and texts of AD FS's refusals are those that clients of real ones report.
"""

from collections.abc import Iterator

import msal  # type: ignore[import-untyped]
import pytest

from tests.contract.dataverse.client import Answer, InProcess
from tests.contract.dataverse.test_sign_in import OverPlainHttp

TOKEN = "/adfs/oauth2/token"
V91 = "/api/data/v9.1/"


@pytest.fixture(scope="module")
def crm() -> Iterator[InProcess]:
    emulator = InProcess(settings={"on_premises": True})
    assert by_password(emulator).status == 200
    yield emulator
    emulator.close()


def by_password(crm: InProcess, path: str = TOKEN, **changes: str | None) -> Answer:
    """As an integration signs in: a confidential client, and a user's name and password."""
    access = {name: crm.access[name] for name in ("client_id", "client_secret", "username", "password")}
    form = {"grant_type": "password", "resource": f"{crm.url}/", "scope": "openid", **access, **changes}
    answer = crm.token_call(path, form)
    if answer.status == 200:
        crm.token = answer.body["access_token"]
    return answer


@pytest.fixture
def adfs(crm: InProcess) -> Iterator[InProcess]:
    """With the switches back where they were, and signed in again."""
    before = crm.control("GET", "/settings").body
    yield crm
    crm.set("/settings", adfs=before["adfs"], application_state="registered", account_state="enabled")
    crm.set("/settings", allow_public_client=True)
    assert by_password(crm).status == 200


def test_the_first_line_names_an_authority_without_tenant(crm: InProcess) -> None:
    assert crm.access["authority"] == f"{crm.access['url']}/adfs"
    assert crm.access["tenant_id"] is None


# Sign-in.


def test_the_configuration_names_the_endpoints_with_a_slash_behind_them(crm: InProcess) -> None:
    found = crm.send("GET", "/adfs/.well-known/openid-configuration").body
    assert found["token_endpoint"] == f"{crm.url}/adfs/oauth2/token/"
    assert found["issuer"] == f"{crm.url}/adfs"
    assert "password" in found["grant_types_supported"]


@pytest.mark.parametrize("path", [TOKEN, f"{TOKEN}/", "/ADFS/OAuth2/Token"])
@pytest.mark.parametrize("name", ["integration@contoso.onmicrosoft.example", r"CONTOSO\integration"])
def test_a_user_signs_in_by_password(crm: InProcess, path: str, name: str) -> None:
    body = by_password(crm, path, username=name).body
    assert (body["token_type"], body["resource"], body["scope"]) == ("bearer", f"{crm.url}/", "openid")
    assert {"access_token", "id_token", "refresh_token", "refresh_token_expires_in"} <= set(body)
    assert crm.get(f"{V91}WhoAmI").status == 200


def test_a_refresh_token_gives_another_token(crm: InProcess) -> None:
    refresh: str = by_password(crm).body["refresh_token"]
    answer = by_password(crm, grant_type="refresh_token", refresh_token=refresh)
    assert answer.status == 200
    refused = by_password(crm, grant_type="refresh_token", refresh_token="made-up")
    assert refused.body["error_description"].startswith("MSIS9615: ")


@pytest.mark.parametrize(
    ("changes", "error", "number"),
    [
        ({"client_id": "11111111-2222-3333-4444-555555555555"}, "invalid_client", 9607),
        ({"client_secret": "wrong"}, "invalid_client", 9622),
        ({"username": "nobody@contoso.example"}, "invalid_grant", 9659),
        ({"password": "wrong"}, "invalid_grant", 9659),
        ({"resource": "https://other.example/"}, "invalid_resource", 9602),
        ({"resource": "http://127.0.0.1"}, "invalid_resource", 9602),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type", 9611),
    ],
)
def test_a_refusal_has_a_number_of_its_own(crm: InProcess, changes: dict[str, str], error: str, number: int) -> None:
    answer = by_password(crm, **changes)
    assert (answer.status, set(answer.body)) == (400, {"error", "error_description"})
    assert answer.body["error"] == error
    assert answer.body["error_description"].startswith(f"MSIS{number}: ")


@pytest.mark.parametrize(
    ("switch", "number"),
    [
        ({"application_state": "no_consent"}, 9605),
        ({"application_state": "secret_expired"}, 9622),
        ({"account_state": "locked"}, 9659),
        ({"account_state": "password_expired"}, 9659),
        ({"adfs": "2012r2"}, 9611),
    ],
)
def test_states_that_stop_a_sign_in(adfs: InProcess, switch: dict[str, str], number: int) -> None:
    adfs.set("/settings", **switch)
    assert by_password(adfs).body["error_description"].startswith(f"MSIS{number}: ")


def test_a_client_that_has_a_secret_must_show_it(adfs: InProcess) -> None:
    assert by_password(adfs, client_secret=None).status == 200
    adfs.set("/settings", allow_public_client=False)
    assert by_password(adfs, client_secret=None).body["error"] == "invalid_client"


@pytest.mark.parametrize(("server", "status"), [("2016", 401), ("2019", 200)])
def test_the_relying_party_inside_a_scope_is_understood_from_2019_on(adfs: InProcess, server: str, status: int) -> None:
    """Without one the token is for AD FS itself, and the organisation does not take it."""
    adfs.set("/settings", adfs=server)
    assert by_password(adfs, resource=None, scope=f"openid {adfs.url}//user_impersonation").status == 200
    assert adfs.get(f"{V91}WhoAmI").status == status


def test_there_is_no_other_sign_in_service(crm: InProcess) -> None:
    assert crm.token_call("/organizations/oauth2/v2.0/token", {"grant_type": "password"}).status == 404
    assert crm.send("POST", "/adfs/.well-known/openid-configuration").status == 404
    assert crm.send("GET", TOKEN).status == 405


@pytest.mark.parametrize("secret", [True, False])
def test_microsofts_own_library_signs_a_user_in(crm: InProcess, secret: bool) -> None:
    """It is told by the last part of the authority that this is no Entra: no realm is asked for, no tenant."""
    wire = OverPlainHttp(crm)
    authority = f"{crm.url.replace('http:', 'https:')}/adfs"
    application = msal.ConfidentialClientApplication(
        crm.access["client_id"],
        client_credential=crm.access["client_secret"] if secret else None,
        authority=authority,
        http_client=wire,
    )
    who = crm.access["username"], crm.access["password"]
    found = application.acquire_token_by_username_password(*who, [f"{crm.url}//user_impersonation"])
    assert found["id_token_claims"]["upn"] == crm.access["username"]
    assert wire.called == ["/adfs/.well-known/openid-configuration", "/adfs/oauth2/token/"]
    crm.token = found["access_token"]
    assert crm.get(f"{V91}WhoAmI").status == 200
    refused = application.acquire_token_by_username_password(who[0], "wrong", [f"{crm.url}//user_impersonation"])
    assert refused["error"] == "invalid_grant"


# The Web API.


def test_a_call_without_token_is_sent_to_adfs(crm: InProcess) -> None:
    answer = crm.send("GET", f"{V91}WhoAmI")
    assert answer.status == 401
    uri = f"{crm.url}/adfs/oauth2/authorize"
    assert answer.headers["www-authenticate"] == f"Bearer authorization_uri={uri}, resource_id={crm.url}/"


@pytest.mark.parametrize("version", ["v9.0", "v9.1"])
@pytest.mark.parametrize("before", ["", "/contoso"])
def test_the_web_api_of_its_release_is_there_under_both_addresses(crm: InProcess, before: str, version: str) -> None:
    root = f"{before}/api/data/{version}/"
    made = crm.api("POST", f"{root}contacts", {"lastname": "Premises"})
    assert made.headers["odata-entityid"].startswith(f"{crm.url}{root}contacts(")
    answer = crm.get(f"{root}contacts?$select=lastname", Prefer="odata.maxpagesize=1,odata.track-changes")
    link = answer.body.get("@odata.nextLink") or answer.body["@odata.deltaLink"]
    assert link.startswith(f"{crm.url}{root}contacts?")
    assert crm.get(link).status == 200


def test_each_address_is_a_server_of_its_own_where_that_is_wanted(adfs: InProcess) -> None:
    def found(address: str) -> list[int]:
        adfs.set("/settings", addresses=address)
        return [adfs.get(f"{before}{V91}WhoAmI").status for before in ("", "/contoso")]

    assert found("internet") == [200, 404]
    assert found("inside") == [404, 200]
    assert found("both") == [200, 200]


@pytest.mark.parametrize("root", ["/api/data/v9.2/", "/contoso/api/data/v9.2/", "/other/api/data/v9.1/"])
def test_what_this_server_does_not_have_is_not_found(crm: InProcess, root: str) -> None:
    assert crm.get(f"{root}WhoAmI").status == 404
    lines = ["--batch_1", "Content-Type: application/http", "Content-Transfer-Encoding: binary", ""]
    lines += [f"GET {root}WhoAmI HTTP/1.1", "Accept: application/json", "", "", "--batch_1--"]
    content_type = {"Content_Type": "multipart/mixed; boundary=batch_1"}
    answer = crm.api("POST", f"{V91}$batch", "\r\n".join(lines), **content_type)
    assert b"HTTP/1.1 404 " in answer.raw


def test_a_reference_must_be_based_on_the_root_that_is_called(crm: InProcess) -> None:
    campaign = crm.api("POST", f"{V91}campaigns", {"name": "Premises"}).id
    list_ = crm.api("POST", f"{V91}lists", {"listname": "L", "createdfromcode": 2, "type": False}).id
    path = f"{V91}campaigns({campaign})/campaignlist_association/$ref"
    refused = crm.api("POST", path, {"@odata.id": f"{crm.url}/api/data/v9.2/lists({list_})"})
    assert "is not based on" in refused.error[2]
    assert crm.api("POST", path, {"@odata.id": f"{crm.url}{V91}lists({list_})"}).status == 204


@pytest.mark.parametrize("message", ["CreateMultiple", "UpdateMultiple", "UpsertMultiple"])
def test_there_are_no_bulk_messages(crm: InProcess, message: str) -> None:
    answer = crm.api("POST", f"{V91}contacts/Microsoft.Dynamics.CRM.{message}", {"Targets": []})
    assert answer.error[0] == 404
    assert message.encode() not in crm.get(f"{V91}$metadata").raw


def test_nothing_is_said_of_limits_and_none_are_kept() -> None:
    crm = InProcess(limits="published", settings={"on_premises": True, "requests_limit": 2})
    assert by_password(crm).status == 200
    answers = [crm.get(f"{V91}WhoAmI") for _ in range(4)]
    crm.close()
    assert {answer.status for answer in answers} == {200}
    assert not [name for name in answers[0].headers if name.startswith(("x-ms-ratelimit", "x-ms-dop", "x-ms-util"))]


def test_the_organisation_is_in_no_tenant_and_no_environment(crm: InProcess) -> None:
    assert crm.get(f"{V91}RetrieveVersion").body["Version"].startswith("9.1.")
    access_type = "Microsoft.Dynamics.CRM.EndpointAccessType'Default'"
    detail = crm.get(f"{V91}RetrieveCurrentOrganization(AccessType={access_type})").body["Detail"]
    assert {"OrganizationId", "UrlName", "UniqueName"} <= set(detail)
    assert not {"TenantId", "EnvironmentId", "Geo"} & set(detail)
