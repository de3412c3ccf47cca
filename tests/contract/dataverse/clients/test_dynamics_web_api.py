"""The npm package dynamics-web-api, unchanged: what its stories (tests/clients/node/dynamics.mjs) should come to."""

from typing import Any

import pytest

from tests.contract.dataverse.clients.conftest import Emulator
from tests.node_clients import tell

EXPECTED: dict[str, dict[str, Any]] = {
    "rows": {
        "telephone1": "2",
        "fax": "3",
        "description": "new",
        "stale": [412, "0x80060882"],
        "cleared": None,
        "gone": [404, "0x80040217"],
    },
    "upsert": {"same": True, "refused": [412, "0x80040237"]},
    "expand": {"expanded": True, "kind": "account", "formatted": True},
    "changes": {"changed": [True]},
    "associations": {"linked": True, "freed": None, "primary": True},
    "members": {"members": ["Member"]},
    "batch": {"linked": True, "count": 1},
    "longFilter": {"rows": 0},
    "messages": {"who": True, "made": ["#Microsoft.Dynamics.CRM.contact"]},
    "definitions": {
        "set": True,
        "listed": True,
        "columns": ["new_name"],
        "price": 12.5,
        "type": "MoneyType",
        "label": "Cost",
        "renamed": "Renamed",
        "gone": [404, "0x80060888"],
    },
    "relationships": {
        "referencing": "lead",
        "before": "RemoveLink",
        "after": "Restrict",
        "listed": 1,
        "gone": [404, "0x80060888"],
    },
    "choices": {
        "values": [1, 2],
        "added": 100_000_000,
        "label": "Other",
        "options": 3,
        "listed": True,
        "gone": [404, "0x80060888"],
    },
    "files": {"name": "big file.txt", "size": 5_600_000, "same": True, "left": [None, None]},
    "csdl": {"begins": "<?xml version=", "longer": True},
}


@pytest.fixture(scope="module")
def told(emulator: Emulator) -> dict[str, Any]:
    environment = {
        "TANDEM_URL": emulator.url,
        "TANDEM_TOKEN": emulator.token,
        "NODE_EXTRA_CA_CERTS": emulator.ca_file,
    }
    return tell("dynamics.mjs", environment)


@pytest.mark.parametrize("story", EXPECTED)
def test_a_story_comes_to_its_end(told: dict[str, Any], story: str) -> None:
    assert told[story] == EXPECTED[story]


def test_pages_are_full_disjoint_and_counted(told: dict[str, Any]) -> None:
    found = told["pages"]
    assert (found["size"], found["both"]) == (10, 20)
    assert found["all"] == found["count"] == found["counted"] > 20


def test_fetchxml_pages_lead_to_all_rows(told: dict[str, Any]) -> None:
    found = told["fetch"]
    assert (found["page"], found["next"]) == (7, 2)
    assert found["all"] == found["count"] > 7


def test_every_story_is_looked_at(told: dict[str, Any]) -> None:
    assert set(told) == {*EXPECTED, "pages", "fetch"}
