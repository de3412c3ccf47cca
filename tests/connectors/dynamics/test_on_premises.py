"""A server on premises: sign-in at its AD FS, and its Web API under either of its two addresses."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tandem.connectors.dynamics.client import DynamicsClient
from tandem.connectors.dynamics.connector import DynamicsConnector
from tandem.connectors.http import HttpClient
from tandem.connectors.pacing import Pacer
from tandem.core.errors import AccessError, ConfigError
from tandem.core.plan import ActionKind
from tandem.core.record import CONTACT, RecordId, Side
from tandem.ports import MemberList, Taken, Write, Written
from tests.connectors.dynamics.conftest import Connect
from tests.connectors.dynamics.emulator import Emulator, running
from tests.connectors.fake_clock import FakeClock

ON_PREMISES = {"auth": "adfs", "api_version": "v9.1"}


@pytest.fixture(scope="module")
def server() -> Iterator[Emulator]:
    with running(20, "--on-premises") as emulator:
        yield emulator


@pytest.fixture(params=["", "/contoso"], ids=["internet", "inside"])
def crm(connect: Connect, server: Emulator, request: pytest.FixtureRequest) -> DynamicsConnector:
    return connect(server, url=server.url + request.param, **ON_PREMISES)


def an_id(number: int) -> RecordId:
    return RecordId(f"00000000-0000-4000-8000-{number:012}")


async def test_a_user_signs_in(crm: DynamicsConnector) -> None:
    """The organisation is in no tenant and no environment: it is pinned by its id."""
    assert set(await crm.fetch_identity()) == {"organization_id", "user_id", "url_name"}


async def test_changes_are_followed_over_the_links_of_either_address(crm: DynamicsConnector, server: Emulator) -> None:
    pages = [page async for page in crm.fetch_changes(CONTACT, None, ["lastname"])]
    assert sum(len(page.readings) for page in pages) == len(server.records("contact"))
    id_ = server.create("contact", lastname="Newer")
    later = [page async for page in crm.fetch_changes(CONTACT, pages[-1].cursor, ["lastname"])]
    assert [reading.id for page in later for reading in page.readings] == [id_]


async def test_an_extra_page_is_read_by_the_link(connect: Connect, server: Emulator) -> None:
    crm = connect(server, url=f"{server.url}/contoso", page_size=3, **ON_PREMISES)
    pages = [page async for page in crm.fetch_changes(CONTACT, None, ["lastname"])]
    assert len(pages) > 2
    assert sum(len(page.readings) for page in pages) == len(server.records("contact"))


async def test_creates_go_one_by_one_where_there_is_no_message_for_many(
    crm: DynamicsConnector, server: Emulator
) -> None:
    first = len(server.records("contact")) * 10
    writes = [Write(ActionKind.CREATE, an_id(first + n), {"lastname": f"Many {n}"}) for n in range(3)]
    assert [type(result) for result in await crm.write(CONTACT, writes)] == [Written] * 3
    assert [type(result) for result in await crm.write(CONTACT, writes)] == [Taken] * 3
    assert {write.id for write in writes} <= set(server.records("contact"))


async def test_a_reference_is_based_on_the_address_that_is_called(crm: DynamicsConnector, server: Emulator) -> None:
    campaign = RecordId(server.create("campaign", name="Premises"))
    list_ = MemberList(an_id(len(server.records("list")) + 900), CONTACT, is_open=True)
    await crm.desk.ensure_list(campaign, list_, "Members")
    assert [found.id for found in await crm.desk.fetch_lists(campaign)] == [list_.id]


async def test_everything_that_is_checked_works(crm: DynamicsConnector) -> None:
    assert [line for line in await crm.check_access([CONTACT]) if not line.is_ok] == []


@pytest.mark.parametrize("release", ["2016", "2019"])
async def test_each_adfs_that_takes_passwords_will_do(connect: Connect, server: Emulator, release: str) -> None:
    with server.settings(adfs=release):
        assert await connect(server, **ON_PREMISES).fetch_identity()


async def test_a_public_client_has_no_secret(connect: Connect, server: Emulator) -> None:
    assert await connect(server, client_secret=None, **ON_PREMISES).fetch_identity()


async def test_the_name_may_have_the_domain_in_front(connect: Connect, server: Emulator) -> None:
    assert await connect(server, username=r"contoso\integration", **ON_PREMISES).fetch_identity()


REFUSALS: list[tuple[str, dict[str, Any], dict[str, Any], str, str]] = [
    ("wrong password", {}, {"password": "wrong-secret"}, "MSIS9659", "TANDEM_CRM_PASSWORD"),
    ("unknown user", {}, {"username": "nobody@contoso.example"}, "MSIS9659", r"crm\.username"),
    ("locked account", {"account_state": "locked"}, {}, "MSIS9659", "locked"),
    ("wrong client", {}, {"client_id": an_id(1)}, "MSIS9607", r"crm\.client_id"),
    ("wrong secret", {}, {"client_secret": "wrong-secret"}, "MSIS9622", "TANDEM_CRM_CLIENT_SECRET"),
    ("no secret", {"allow_public_client": False}, {"client_secret": None}, "MSIS9622", "TANDEM_CRM_CLIENT_SECRET"),
    ("no permission", {"application_state": "no_consent"}, {}, "MSIS9605", "Grant-AdfsApplicationPermission"),
    ("another server", {}, {"url": "http://localhost:1"}, "MSIS9602", r"crm\.url"),
    ("older Windows", {"adfs": "2012r2"}, {}, "discovery", "2016"),
    ("version not there", {}, {"api_version": "v9.2"}, "404", r"crm\.api_version"),
    ("no tokens taken", {"oauth_enabled": False}, {}, "302", "OAuthClaimsSettings"),
    ("organisation not there", {}, {"url": "{url}/fabrikam"}, "404", r"crm\.url"),
]


@pytest.mark.parametrize(
    ("settings", "others", "code", "remedy"), [case[1:] for case in REFUSALS], ids=[case[0] for case in REFUSALS]
)
async def test_a_refusal_says_what_to_do_and_shows_no_secret(
    connect: Connect, server: Emulator, settings: dict[str, Any], others: dict[str, Any], code: str, remedy: str
) -> None:
    if "url" in others:
        others = others | {"url": others["url"].format(url=server.url)}
    connector = connect(server, **ON_PREMISES | others)
    with server.settings(**settings), pytest.raises(AccessError, match=remedy) as caught:
        await connector.fetch_identity()
    assert caught.value.code == code
    (line,) = [line for line in await _checked(connector, server, settings) if not line.is_ok]
    assert line.remedy == str(caught.value)
    for secret in ("wrong-secret", server.first_line["password"], server.first_line["client_secret"]):
        assert secret not in str(caught.value)


async def _checked(connector: DynamicsConnector, server: Emulator, settings: dict[str, Any]) -> Any:
    with server.settings(**settings):
        return await connector.check_access([CONTACT])


@pytest.mark.parametrize(
    ("wrong", "setting"),
    [
        ({"password": None}, "TANDEM_CRM_PASSWORD"),
        ({"username": None}, r"crm\.username"),
        ({"url": "https://crm.example.com/contoso/main.aspx"}, r"crm\.url"),
        ({"url": "http://crm.example.com/contoso"}, r"crm\.url"),
        ({"auth": "password"}, r"crm\.tenant_id"),
        ({"auth": "password", "tenant_id": "t", "url": "https://crm.example.com/contoso"}, r"crm\.url"),
    ],
)
async def test_a_wrong_setting_is_named_before_anything_is_sent(
    connect: Connect, server: Emulator, wrong: dict[str, Any], setting: str
) -> None:
    with pytest.raises(ConfigError, match=setting):
        connect(server, **ON_PREMISES | wrong)


@pytest.mark.parametrize(
    ("root", "path", "sent"),
    [
        ("/contoso/api/data/v9.1/", "contacts(1)", "/contoso/api/data/v9.1/contacts(1)"),
        ("/contoso/api/data/v9.1/", "/contoso/api/data/v9.0/contacts?$x", "/contoso/api/data/v9.0/contacts?$x"),
        ("/contoso/api/data/v9.1/", "/api/data/v9.1/contacts?$x", "/contoso/api/data/v9.1/contacts?$x"),
        ("/api/data/v9.1/", "/contoso/api/data/v9.1/contacts?$x", "/api/data/v9.1/contacts?$x"),
    ],
)
def test_a_link_is_followed_under_the_address_of_today(root: str, path: str, sent: str) -> None:
    """One made while the settings named the other address is good under this one."""
    http = HttpClient(Side.CRM, "https://crm.example.com", None, Pacer(FakeClock(), rules=[]), FakeClock())
    assert DynamicsClient(http, root).path(path) == sent


async def test_a_change_of_the_version_leaves_the_cursor_good(connect: Connect, server: Emulator) -> None:
    """A delta link names the version that it was made with, and is followed as it is."""
    older = connect(server, auth="adfs", api_version="v9.0")
    pages = [page async for page in older.fetch_changes(CONTACT, None, ["lastname"])]
    newer = connect(server, **ON_PREMISES)
    later = [page async for page in newer.fetch_changes(CONTACT, pages[-1].cursor, ["lastname"])]
    assert [reading for page in later for reading in page.readings] == []


async def test_both_services_are_reached_over_https(connect: Connect, tmp_path: Path) -> None:
    with running(1, "--on-premises", "--tls", "--ca-file", str(tmp_path / "ca.pem")) as secure:
        crm = connect(secure, ca_file=secure.first_line["ca_file"], **ON_PREMISES)
        assert secure.first_line["authority"].startswith("https://")
        assert await crm.fetch_identity()
        with pytest.raises(AccessError, match="ca_file"):
            await connect(secure, **ON_PREMISES).fetch_identity()
