"""Sheet section 1.1 over https: Microsoft's own library as it is, with a secret, a certificate and a password."""

import hashlib
import http.client
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
import msal  # type: ignore[import-untyped]
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tandem_emulators.kit.tls import Tls, new_authority
from tests.contract.dataverse.client import Answer, Running

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest.fixture(scope="module")
def tls() -> Iterator[Tls]:
    with new_authority() as files:
        yield files


@pytest.fixture(scope="module")
def secure(tls: Tls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    pem = tmp_path_factory.mktemp("application") / "application.pem"
    running = Running(tls=tls, app_certificate=str(pem))
    yield running
    running.close()


@pytest.fixture(autouse=True)
def trust(monkeypatch: pytest.MonkeyPatch, tls: Tls) -> None:
    """As an operator sets it: the variable outranks what an application says to msal."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", tls.ca_file)


def arguments(crm: Running) -> dict[str, Any]:
    """What an application tells msal about an authority that is not one of Microsoft's own."""
    return {"authority": f"{crm.url}/{crm.access['tenant_id']}", "instance_discovery": False}


def who_am_i(crm: Running, found: dict[str, Any]) -> str:
    assert "access_token" in found, found
    crm.token = found["access_token"]
    user: str = crm.get("WhoAmI").body["UserId"]
    return user


def test_msal_signs_in_with_a_secret(secure: Running) -> None:
    client_id, secret = secure.access["client_id"], secure.access["client_secret"]
    application = msal.ConfidentialClientApplication(client_id, client_credential=secret, **arguments(secure))
    first = application.acquire_token_for_client([f"{secure.url}/.default"])
    assert who_am_i(secure, first)
    again = application.acquire_token_for_client([f"{secure.url}/.default"])
    assert (again["token_source"], again["access_token"]) == ("cache", first["access_token"])


@pytest.mark.parametrize("named_by", ["thumbprint", "public_certificate"])
def test_msal_signs_in_with_a_certificate(secure: Running, named_by: str) -> None:
    pem = Path(secure.access["client_certificate_file"]).read_text()
    der = x509.load_pem_x509_certificate(pem[pem.index("-----BEGIN CERT") :].encode()).public_bytes(Encoding.DER)
    name = hashlib.sha1(der, usedforsecurity=False).hexdigest() if named_by == "thumbprint" else pem
    application = msal.ConfidentialClientApplication(
        secure.access["client_id"], client_credential={"private_key": pem, named_by: name}, **arguments(secure)
    )
    secret_user = secure.sign_in() and secure.get("WhoAmI").body["UserId"]
    assert who_am_i(secure, application.acquire_token_for_client([f"{secure.url}/.default"])) == secret_user


class WithPort(requests.Session):
    """msal leaves the port out when it asks for a user's realm; this client of its puts it back."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def request(self, method: str, url: str | bytes, *arguments: Any, **named: Any) -> requests.Response:
        whole = str(url).replace("https://127.0.0.1/", f"{self._url}/")
        return super().request(method, whole, *arguments, **named)


def test_msal_signs_a_user_in_by_password(secure: Running) -> None:
    wire = WithPort(secure.url)
    public = msal.PublicClientApplication(secure.access["client_id"], **arguments(secure), http_client=wire)
    with pytest.warns(DeprecationWarning, match="ropc"):
        found = public.acquire_token_by_username_password(
            secure.access["username"], secure.access["password"], [f"{secure.url}/user_impersonation"]
        )
    as_user = who_am_i(secure, found)
    assert found["id_token_claims"]["preferred_username"] == secure.access["username"]
    [account] = public.get_accounts()
    renewed = public.acquire_token_silent([f"{secure.url}/user_impersonation"], account, force_refresh=True)
    assert who_am_i(secure, renewed) == as_user
    assert renewed["access_token"] != found["access_token"]


def test_msal_signs_a_user_in_at_adfs(tls: Tls) -> None:
    """As Microsoft documents it for AD FS 2019: the relying party inside the scope, and no word about discovery."""
    server = Running(tls=tls, settings={"on_premises": True})
    try:
        client_id, secret = server.access["client_id"], server.access["client_secret"]
        application = msal.ConfidentialClientApplication(client_id, secret, authority=server.access["authority"])
        found = application.acquire_token_by_username_password(
            server.access["username"], server.access["password"], [f"{server.url}//user_impersonation"]
        )
        assert found["id_token_claims"]["upn"] == server.access["username"]
        server.token = found["access_token"]
        assert server.get("/api/data/v9.1/WhoAmI").status == 200
    finally:
        server.close()


def test_msal_takes_the_authoritys_file_as_an_argument_too(secure: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    client_id, secret = secure.access["client_id"], secure.access["client_secret"]
    file = secure.access["ca_file"]
    application = msal.ConfidentialClientApplication(client_id, secret, **arguments(secure), verify=file)
    assert who_am_i(secure, application.acquire_token_for_client([f"{secure.url}/.default"]))
    with pytest.raises(requests.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        msal.PublicClientApplication(client_id, **arguments(secure))


def test_2_3_https_is_said_to_stay_https(secure: Running) -> None:
    secure.sign_in()
    answer = secure.get("WhoAmI")
    assert answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
    assert answer.body["@odata.context"].startswith("https://127.0.0.1:")


@pytest.mark.parametrize("action", ["drop_before", "drop_after", "reset"])
def test_a_connection_is_cut_under_tls_too(secure: Running, action: str) -> None:
    secure.sign_in()
    secure.set("/faults", operation="whoami", action=action)
    connection = secure.connect()
    connection.request("GET", "/api/data/v9.2/WhoAmI", headers={"Authorization": f"Bearer {secure.token}"})
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError, ssl.SSLEOFError)):
        connection.getresponse()
    connection.close()
    assert secure.get("WhoAmI").status == 200


# The assertion itself, made by hand so that each part of it can be wrong.


def assertion(
    crm: Running, claims: dict[str, Any] | None = None, header: dict[str, Any] | None = None, key: str | None = None
) -> str:
    pem = Path(crm.access["client_certificate_file"]).read_text()
    certificate = x509.load_pem_x509_certificate(pem[pem.index("-----BEGIN CERT") :].encode())
    now, client_id = int(time.time()), crm.access["client_id"]
    token = f"{crm.url}/{crm.access['tenant_id']}/oauth2/v2.0/token"
    body = {"aud": token, "iss": client_id, "sub": client_id, "jti": str(uuid4()), "exp": now + 600, "nbf": now}
    thumbprint = hashlib.sha1(certificate.public_bytes(Encoding.DER), usedforsecurity=False).digest()
    named = {"x5t": jwt.utils.base64url_encode(thumbprint).decode()}
    return jwt.encode({**body, **(claims or {})}, key or pem, algorithm="RS256", headers=header or named)


def sign_in(crm: Running, proof: str, **changes: str | None) -> Answer:
    return crm.sign_in(client_secret=None, client_assertion=proof, **{"client_assertion_type": TYPE, **changes})


def test_1_1_an_assertion_signs_in_on_both_versions(secure: Running) -> None:
    assert sign_in(secure, assertion(secure)).status == 200
    tenant = f"{secure.url}/{secure.access['tenant_id']}"
    form = {"grant_type": "client_credentials", "client_id": secure.access["client_id"], "resource": f"{secure.url}/"}
    proof = {"client_assertion": assertion(secure, {"aud": f"{tenant}/oauth2/token"}), "client_assertion_type": TYPE}
    answer = secure.token_call(f"/{secure.access['tenant_id']}/oauth2/token", {**form, **proof})
    assert (answer.status, answer.body["resource"]) == (200, f"{secure.url}/")


OTHER = "11111111-2222-3333-4444-555555555555"


@pytest.mark.parametrize(
    ("claims", "header", "number", "error", "status"),
    [
        ({}, {"x5t": "AAAA"}, 700027, "invalid_client", 401),
        ({}, {"kid": "nobody"}, 700027, "invalid_client", 401),
        ({"iss": OTHER}, None, 700021, "invalid_client", 401),
        ({"sub": OTHER}, None, 700021, "invalid_client", 401),
        ({"aud": "https://login.example/token"}, None, 700023, "invalid_client", 401),
        ({"aud": ["https://login.example/token"]}, None, 50027, "invalid_request", 400),
        ({"exp": int(time.time()) - 3600}, None, 700024, "invalid_client", 401),
        ({"nbf": int(time.time()) + 3600}, None, 700024, "invalid_client", 401),
        ({"exp": "soon"}, None, 50027, "invalid_request", 400),
        ({"exp": 10**30, "nbf": -(10**30)}, None, 0, "", 200),
    ],
)
def test_1_3_a_wrong_assertion_is_refused_with_its_reason(
    secure: Running, claims: dict[str, Any], header: dict[str, Any] | None, number: int, error: str, status: int
) -> None:
    answer = sign_in(secure, assertion(secure, claims, header))
    assert answer.status == status
    if number:
        assert (answer.body["error"], answer.body["error_codes"]) == (error, [number])
        assert answer.body["error_description"].startswith(f"AADSTS{number}: ")


def test_1_3_an_assertion_of_another_key_has_a_bad_signature(secure: Running, tmp_path: Path) -> None:
    other = Running(app_certificate=str(tmp_path / "other.pem"))
    key = (tmp_path / "other.pem").read_text()
    other.close()
    answer = sign_in(secure, assertion(secure, key=key))
    assert (answer.status, answer.body["error_codes"]) == (401, [700027])
    assert "did not match the expected signature value" in answer.body["error_description"]


@pytest.mark.parametrize("proof", ["x", "a.b.c", "e30.e30.", "eyJhbGciOiJub25lIn0.e30."])
def test_1_3_what_is_no_assertion_is_malformed(secure: Running, proof: str) -> None:
    assert sign_in(secure, proof).body["error_codes"] == [50027]


def test_1_3_an_assertion_needs_its_type(secure: Running) -> None:
    assert sign_in(secure, assertion(secure), client_assertion_type=None).body["error_codes"] == [900144]
    assert sign_in(secure, assertion(secure), client_assertion_type="x").body["error"] == "invalid_request"


def test_1_3_an_application_without_a_certificate_knows_no_key(crm: Running, secure: Running) -> None:
    proof = assertion(secure, {"aud": f"{crm.url}/{crm.access['tenant_id']}/oauth2/v2.0/token"})
    assert sign_in(crm, proof).body["error_codes"] == [700027]


def test_a_certificate_that_is_there_is_registered_as_it_is(secure: Running) -> None:
    pem = Path(secure.access["client_certificate_file"])
    before = pem.read_bytes()
    again = Running(app_certificate=str(pem))
    proof = assertion(secure, {"aud": f"{again.url}/{again.access['tenant_id']}/oauth2/v2.0/token"})
    assert sign_in(again, proof).status == 200
    again.close()
    assert pem.read_bytes() == before
