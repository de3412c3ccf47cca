"""The README of the emulator names every message among the operations, and each answers under its own name."""

from pathlib import Path

import tandem_emulators.dataverse
from tandem_emulators.dataverse.message import UNBOUND
from tests.contract.dataverse.client import InProcess

README = Path(tandem_emulators.dataverse.__file__).with_name("README.md").read_text("utf-8")
OPERATIONS = README.rpartition("Operations, as faults")[2]


def test_every_message_is_an_operation_that_the_readme_names(org: InProcess) -> None:
    messages = list(org.emulator.api.messages)
    unnamed = [
        message.operation
        for message in messages
        if f"`{message.operation}`" not in OPERATIONS and f".{message.operation}`" not in OPERATIONS
    ]
    assert messages
    assert unnamed == []


def test_every_message_answers_under_its_name_and_no_other(org: InProcess) -> None:
    for message in org.emulator.api.messages:
        if message.binding == UNBOUND:
            assert org.api("POST", message.name, {}).status in (400, 501), message.name
            assert org.api("GET", message.name).status == 405, message.name
            assert org.api("POST", f"{message.name}x", {}).status == 404, message.name
