"""The npm package node-marketo-rest, unchanged: what its stories (tests/clients/node/marketo.mjs) should come to.

Its groups for e-mails, landing pages, smart lists and smart campaigns as assets are left out: the README says why.
"""

import json
from typing import Any

import pytest

from tests.contract.marketo.clients.conftest import Emulator
from tests.node_clients import tell

STEPS = ["Created", "Queued", "Completed", "Cancelled"]

EXPECTED: dict[str, dict[str, Any]] = {
    "leads": {"firstName": "Ann", "same": True, "again": ["skipped"], "missing": ["1004"]},
    "pages": {"sizes": [2, 1], "more": False},
    "more": {"associated": True, "merged": True, "described": True, "partition": "Default", "pushed": ["created"]},
    "lists": {
        "added": ["added", "added"],
        "mailed": ["added"],
        "member": ["memberof"],
        "page": 2,
        "removed": ["removed"],
        "rest": 2,
        "found": True,
        "named": 1,
    },
    "activities": {"changes": ["Rome"], "types": [12, 13], "ofList": True, "known": True},
    "campaigns": {"asked": True, "listed": True},
    "stats": {"sizes": [1, 7, 1, 7]},
    "bulkLeads": {"steps": STEPS, "size": True, "header": "id,email"},
    "bulkActivities": {
        "steps": STEPS,
        "size": True,
        "header": "marketoGUID,leadId,activityDate,activityTypeId,campaignId,primaryAttributeValueId,"
        "primaryAttributeValue,attributes",
    },
}


@pytest.fixture(scope="module")
def told(emulator: Emulator) -> dict[str, Any]:
    environment = {
        "TANDEM_ACCESS": json.dumps(emulator.access),
        "TANDEM_LIST": str(emulator.make("list", name="Node")),
        "TANDEM_CAMPAIGN": str(emulator.make("campaign", name="Node asks")),
        "TANDEM_PROGRAM": "Node pushes",
    }
    emulator.make("program", name="Node pushes", channel="Content")
    return tell("marketo.mjs", environment, "--no-deprecation")


@pytest.mark.parametrize("story", EXPECTED)
def test_a_story_comes_to_its_end(told: dict[str, Any], story: str) -> None:
    assert told[story] == EXPECTED[story]


def test_every_story_is_looked_at(told: dict[str, Any]) -> None:
    assert set(told) == set(EXPECTED)
