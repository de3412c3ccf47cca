"""What `tandem check` says of the crm side, and that asking changes nothing."""

from typing import Any

import pytest

from tandem.connectors.dynamics.connector import DynamicsConnector
from tandem.core.errors import RejectedError
from tandem.core.permissions import Feature, rights
from tandem.core.record import ACCOUNT, CONTACT, LEAD, USER, Entity
from tandem.core.schema import NewField
from tandem.ports import Access
from tests.connectors.dynamics.conftest import Connect
from tests.connectors.dynamics.emulator import Emulator

ENTITIES = (LEAD, CONTACT, ACCOUNT, USER)
FEATURES = (
    Feature("writing", "writing", rights("Write", "lead", "contact")),
    Feature("making", "making", rights("Create", "lead"), is_required=False),
)


async def failures(connector: DynamicsConnector) -> dict[str, Access]:
    return {line.what: line for line in await connector.check_access(ENTITIES, FEATURES) if not line.is_ok}


async def test_a_full_role_passes_and_nothing_is_written(connector: DynamicsConnector, emulator: Emulator) -> None:
    before = {entity: emulator.records(entity) for entity in ENTITIES}
    lines = await connector.check_access(ENTITIES, FEATURES)
    assert all(line.is_ok for line in lines)
    assert len(lines) == 1 + 2 * len(ENTITIES) + len(FEATURES)
    assert {entity: emulator.records(entity) for entity in ENTITIES} == before


@pytest.mark.parametrize(
    ("privilege", "what"),
    [
        ("prvReadContact", "Dynamics: read contact"),
        ("prvWriteLead", "Dynamics: rights for: writing"),
        ("prvReadUser", "Dynamics: read systemuser"),
        ("prvReadUser", "Dynamics: own rights"),
    ],
)
async def test_a_missing_privilege_is_told_by_its_name(
    connector: DynamicsConnector, emulator: Emulator, privilege: str, what: str
) -> None:
    with emulator.revoked(privilege):
        failed = await failures(connector)
    assert privilege in failed[what].remedy
    assert failed[what].is_required


async def test_a_privilege_that_reaches_only_a_business_unit_is_named(
    connector: DynamicsConnector, emulator: Emulator
) -> None:
    emulator.control("privileges", {"narrow": ["prvReadLead", "prvWriteLead"]})
    failed = await failures(connector)
    emulator.control("privileges", {"widen": ["prvReadLead", "prvWriteLead"]})
    assert list(failed) == ["Dynamics: follow changes of lead", "Dynamics: rights for: writing"]
    assert "prvWriteLead reaches less than the organisation" in failed["Dynamics: rights for: writing"].remedy


async def test_what_no_setting_asks_for_need_not_be_allowed(connector: DynamicsConnector, emulator: Emulator) -> None:
    with emulator.revoked("prvWriteAccount", "prvCreateContact", "prvDeleteLead"):
        assert await failures(connector) == {}


@pytest.mark.parametrize(
    ("state", "remedy"),
    [
        ({"user_state": "not_member"}, "Application users"),
        ({"user_state": "no_role"}, "security role"),
        ({"user_state": "disabled"}, "disabled"),
        ({"admin_mode": True}, "administration mode"),
    ],
)
async def test_no_way_in_is_one_line_with_its_remedy(
    connector: DynamicsConnector, emulator: Emulator, state: dict[str, Any], remedy: str
) -> None:
    with emulator.settings(**state):
        (line,) = await connector.check_access(ENTITIES)
    assert not line.is_ok
    assert remedy in line.remedy


async def test_a_wrong_secret_is_one_line_too(connect: Connect, emulator: Emulator) -> None:
    (line,) = await connect(emulator, client_secret="wrong").check_access(ENTITIES)
    assert "TANDEM_CRM_CLIENT_SECRET" in line.remedy


async def test_a_table_without_change_tracking_is_told_and_does_not_stop(
    connector: DynamicsConnector, emulator: Emulator
) -> None:
    with emulator.settings(untracked_tables="systemuser"):
        (line,) = (await failures(connector)).values()
    assert line.what == "Dynamics: follow changes of systemuser"
    assert "tandem schema apply --track systemuser" in line.remedy
    assert not line.is_required


async def test_an_unknown_table_fails_alone(connector: DynamicsConnector) -> None:
    first, line = await connector.check_access([Entity("spaceship")])
    assert first.is_ok
    assert (line.what, line.is_ok) == ("Dynamics: read spaceship", False)


async def test_columns_are_made_by_a_person(connector: DynamicsConnector) -> None:
    with pytest.raises(RejectedError, match=r"shoesize.*Power Apps"):
        await connector.create_fields(CONTACT, [NewField("shoesize", "Shoe size", "String")])
