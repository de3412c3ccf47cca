"""Secured columns: what our own user may do with each is asked of the service, as metadata does not say."""

from tandem.connectors.dynamics.connector import DynamicsConnector
from tandem.core.record import CONTACT, LEAD
from tests.connectors.dynamics.emulator import Emulator


async def test_a_secured_column_says_what_our_user_may_do_with_it(
    connector: DynamicsConnector, emulator: Emulator
) -> None:
    emulator.control("privileges", {"revoke_columns": {"contact": ["jobtitle"]}})
    closed = (await connector.fetch_schema(CONTACT)).fields["jobtitle"]
    emulator.control("privileges", {"grant_columns": {"contact": ["jobtitle"]}})
    opened = (await connector.fetch_schema(CONTACT)).fields["jobtitle"]
    assert (closed.is_secured, closed.is_readable, closed.is_writable) == (True, False, False)
    assert (opened.is_secured, opened.is_readable, opened.is_writable) == (True, True, True)


async def test_a_service_that_does_not_tell_leaves_a_secured_column_doubtful(
    connector: DynamicsConnector, emulator: Emulator
) -> None:
    emulator.control("privileges", {"revoke_columns": {"lead": ["jobtitle"]}})
    with emulator.revoked("prvReadUser"):
        column = (await connector.fetch_schema(LEAD)).fields["jobtitle"]
    emulator.control("privileges", {"grant_columns": {"lead": ["jobtitle"]}})
    assert (column.is_secured, column.is_readable) == (True, True)
