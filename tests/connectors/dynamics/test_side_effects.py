"""What our writes set off in Dynamics, and how it is left out (plug-ins: the story plug-ins-bypassed)."""

from collections.abc import Iterator

import pytest

from tandem.connectors.dynamics.side_effects import BYPASS_PRIVILEGE, SideEffects
from tandem.core.plan import ActionKind
from tandem.core.record import CONTACT, LEAD, RecordId
from tandem.ports import Refused, Write, Written
from tests.connectors.dynamics.conftest import Connect
from tests.connectors.dynamics.emulator import Emulator


@pytest.fixture
def allowed(emulator: Emulator) -> Iterator[None]:
    emulator.control("privileges", {"grant": [BYPASS_PRIVILEGE]})
    yield
    emulator.control("privileges", {"revoke": [BYPASS_PRIVILEGE]})


async def test_check_says_whether_plug_ins_may_be_left_out(connect: Connect, emulator: Emulator) -> None:
    connector = connect(emulator, side_effects=SideEffects(bypass_plugins=True))
    (line,) = [line for line in await connector.check_access([LEAD]) if "bypass_plugins" in line.what]
    assert not line.is_ok
    assert BYPASS_PRIVILEGE in line.remedy


@pytest.mark.usefixtures("allowed")
async def test_check_is_content_once_the_privilege_is_there(connect: Connect, emulator: Emulator) -> None:
    connector = connect(emulator, side_effects=SideEffects(bypass_plugins=True))
    assert all(line.is_ok for line in await connector.check_access([LEAD]))


async def test_a_twin_refuses_a_harmless_update_only_where_detection_is_asked_for(
    connect: Connect, emulator: Emulator
) -> None:
    first, second = (emulator.create("contact", firstname="Same", lastname="Twin") for _ in range(2))
    harmless = [Write(ActionKind.UPDATE, RecordId(second), {"firstname": "Same", "telephone1": "1"})]
    assert isinstance((await connect(emulator).write(CONTACT, harmless))[0], Written)
    detecting = connect(emulator, side_effects=SideEffects(suppress_duplicate_detection=False))
    (refused,) = await detecting.write(CONTACT, harmless)
    assert isinstance(refused, Refused)
    assert "crm.suppress_duplicate_detection" in refused.message
    assert first in emulator.records("contact")


def test_the_headers_say_what_is_left_out() -> None:
    assert SideEffects().headers == {"MSCRM.SuppressDuplicateDetection": "true"}
    assert SideEffects(bypass_plugins=True, bypass_flows=True, suppress_duplicate_detection=False).headers == {
        "MSCRM.SuppressDuplicateDetection": "false",
        "MSCRM.BypassBusinessLogicExecution": "CustomSync,CustomAsync",
        "MSCRM.SuppressCallbackRegistrationExpanderJob": "true",
    }
