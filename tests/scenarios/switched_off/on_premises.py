"""Row N113: a server on premises."""

from dataclasses import replace
from typing import Any, Final

import msal  # type: ignore[import-untyped]
import pytest

from tandem.config.sides import CrmConfig
from tandem.connectors.dynamics import connector
from tandem.connectors.dynamics.address import Address, parse_address
from tandem.connectors.dynamics.client import DynamicsClient
from tests.scenarios.switched_off.cases import switched_off

ON_PREMISES: Final = "tests/scenarios/test_on_premises.py::test_a_server_on_premises_is_signed_in_to_with_adfs"


@switched_off("N113", test=ON_PREMISES, notices="crm.tenant_id is missing")
def an_adfs_is_taken_for_entra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CrmConfig, "sign_in", property(lambda self: "password"))


@switched_off("N113", test=ON_PREMISES, notices="does not accept the access token")
def the_token_is_asked_for_without_the_relying_party(monkeypatch: pytest.MonkeyPatch) -> None:
    sign_in = msal.ConfidentialClientApplication.acquire_token_by_username_password

    def without(self: Any, *who: Any, data: Any) -> Any:
        return sign_in(self, *who)

    monkeypatch.setattr(msal.ConfidentialClientApplication, "acquire_token_by_username_password", without)


@switched_off("N113", test=ON_PREMISES, notices="There is no Web API under /api/data/v9.2/")
def the_web_api_is_that_of_the_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CrmConfig, "web_api", property(lambda self: "v9.2"))


@switched_off("N113", test=ON_PREMISES, notices="There is no Web API under /api/data/v9.1/")
def the_organisation_in_the_path_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(url: str, **given: Any) -> Address:
        found = parse_address(url, **given)
        return replace(found, root=found.root[found.root.index("/api/data/") :])

    monkeypatch.setattr(connector, "parse_address", without)


@switched_off("N113", test=ON_PREMISES, notices="read changes of")
def links_are_followed_where_they_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def path(self: DynamicsClient, path: str) -> str:
        return path if path.startswith("/") else self.root + path

    monkeypatch.setattr(DynamicsClient, "path", path)
