"""The README of the emulator names every message, in its table of coverage and among the operations."""

from pathlib import Path

import tandem_emulators.dataverse
from tandem_emulators.dataverse.message import UNBOUND
from tests.contract.dataverse.client import InProcess

README = Path(tandem_emulators.dataverse.__file__).with_name("README.md").read_text("utf-8")
OPERATIONS = README.rpartition("Operations, as faults")[2]


def test_every_message_is_described(org: InProcess) -> None:
    messages = list(org.emulator.api.messages)
    undescribed = [message.name for message in messages if f"`{message.name}`" not in README]
    unnamed = [
        message.operation
        for message in messages
        if f"`{message.operation}`" not in OPERATIONS and f".{message.operation}`" not in OPERATIONS
    ]
    assert messages
    assert (undescribed, unnamed) == ([], [])


def test_every_message_answers_under_its_name_and_no_other(org: InProcess) -> None:
    for message in org.emulator.api.messages:
        if message.binding == UNBOUND:
            assert org.api("POST", message.name, {}).status in (400, 501), message.name
            assert org.api("GET", message.name).status == 405, message.name
            assert org.api("POST", f"{message.name}x", {}).status == 404, message.name
