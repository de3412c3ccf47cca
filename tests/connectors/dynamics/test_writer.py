"""Conditional writes: every record has its own outcome, and no failure writes twice or brings anything back."""

from uuid import uuid4

import pytest

from tandem.connectors.dynamics.connector import DynamicsConnector
from tandem.core.errors import AccessError, TransientError, UnknownOutcomeError
from tandem.core.plan import ActionKind
from tandem.core.record import CONTACT, LEAD, RecordId, Value, Version
from tandem.ports import Missing, Refused, Stale, Taken, Write, Written
from tests.connectors.dynamics.conftest import Connect
from tests.connectors.dynamics.emulator import Emulator
from tests.connectors.fake_clock import FakeClock


def an_id() -> RecordId:
    return RecordId(str(uuid4()))


def a_create(record_id: RecordId | None = None, **values: Value) -> Write:
    return Write(ActionKind.CREATE, record_id or an_id(), {"lastname": "Created"} | values)


def an_update(record_id: str, version: str | None = None, **values: Value) -> Write:
    return Write(ActionKind.UPDATE, RecordId(record_id), values, Version(version) if version else None)


def a_delete(record_id: str, version: str | None = None) -> Write:
    return Write(ActionKind.DELETE, RecordId(record_id), {}, Version(version) if version else None)


async def test_a_delete_takes_only_the_version_it_was_planned_against(
    connector: DynamicsConnector, emulator: Emulator
) -> None:
    ids = [emulator.create("contact", lastname=f"Deleted {number}") for number in range(3)]
    version = f'W/"{emulator.records("contact")[ids[0]]["versionnumber"]}"'
    writes = [a_delete(ids[0], version), a_delete(ids[1], 'W/"1"'), a_delete(ids[2]), a_delete(an_id())]
    results = await connector.write(CONTACT, writes)
    assert results == [Written(RecordId(ids[0])), Stale(), Written(RecordId(ids[2])), Missing()]
    assert emulator.records("contact").keys() & set(ids) == {ids[1]}


async def test_a_create_answers_with_what_is_stored(connector: DynamicsConnector, emulator: Emulator) -> None:
    account = emulator.create("account", name="Employer")
    write = a_create(firstname="Ünï", parentcustomerid=account, donotbulkemail=True, emailaddress1=None)
    (result,) = await connector.write(CONTACT, [write])
    assert write.id is not None
    row = emulator.records("contact")[write.id]
    assert result == Written(write.id, Version(f'W/"{row["versionnumber"]}"'), write.values)
    assert (row["firstname"], row["donotbulkemail"]) == ("Ünï", 1)


async def test_the_second_try_of_a_create_finds_it_taken(connector: DynamicsConnector, emulator: Emulator) -> None:
    write = a_create()
    await connector.write(CONTACT, [write])
    before = emulator.records("contact")
    assert await connector.write(CONTACT, [write]) == [Taken()]
    assert emulator.records("contact") == before


async def test_each_record_of_a_call_has_its_own_outcome(connector: DynamicsConnector, emulator: Emulator) -> None:
    known = emulator.create("contact", lastname="Known", firstname="Old")
    version = f'W/"{emulator.records("contact")[known]["versionnumber"]}"'
    gone = an_id()
    before = connector.calls
    results = await connector.write(
        CONTACT,
        [
            an_update(known, 'W/"1"', firstname="Lost"),
            an_update(gone, firstname="Nobody"),
            an_update(known, version, firstname="x" * 200),
            an_update(known, version, gendercode=77),
            an_update(known, version, firstname="New"),
            an_update(known, None, telephone1="1"),
        ],
    )
    assert results[:2] == [Stale(), Missing()]
    assert isinstance(results[2], Refused)
    assert (results[2].code, results[2].field) == ("0x80044331", "firstname")
    assert isinstance(results[3], Refused)
    assert results[3].field == "gendercode"
    assert isinstance(results[4], Written)
    assert results[4].values == {"firstname": "New"}
    assert isinstance(results[5], Written)
    rows = emulator.records("contact")
    assert (rows[known]["firstname"], rows[known]["telephone1"]) == ("New", "1")
    assert results[5].version == f'W/"{rows[known]["versionnumber"]}"'
    assert gone not in rows
    assert connector.calls - before <= 6  # sign-in (2), metadata, rights of secured columns (2), and one for all writes


async def test_lookups_are_set_and_cleared(connector: DynamicsConnector, emulator: Emulator) -> None:
    account = emulator.create("account", name="Employer")
    owner = next(iter(emulator.records("systemuser")))
    write = a_create(parentcustomerid=account)
    assert write.id is not None
    await connector.write(CONTACT, [write])
    (result,) = await connector.write(CONTACT, [an_update(write.id, parentcustomerid=None, ownerid=owner)])
    assert isinstance(result, Written)
    assert result.values == {"parentcustomerid": None, "ownerid": owner}
    (reading,) = await connector.fetch_records(CONTACT, ["parentcustomerid", "ownerid", "owninguser"], [write.id])
    assert reading.values == (None, owner, owner)


async def test_a_full_batch_fits_in_one_call(connector: DynamicsConnector, emulator: Emulator) -> None:
    size = connector.batch_size(CONTACT, ActionKind.CREATE)
    writes = [a_create(lastname=f"Batch {n}") for n in range(size)]
    await connector.fetch_schema(CONTACT)
    before = connector.calls
    results = await connector.write(CONTACT, writes)
    assert connector.calls == before + 1
    rows = emulator.records("contact")
    assert [r.id for r in results if isinstance(r, Written)] == [w.id for w in writes]
    assert [rows[str(w.id)]["lastname"] for w in writes] == [w.values["lastname"] for w in writes]


async def test_a_lost_answer_leaves_the_outcome_unknown(connector: DynamicsConnector, emulator: Emulator) -> None:
    write = a_create()
    await connector.fetch_schema(CONTACT)
    emulator.fault("batch", "drop_after")
    with pytest.raises(UnknownOutcomeError):
        await connector.write(CONTACT, [write])
    assert write.id in emulator.records("contact")


@pytest.mark.parametrize("action", ["drop_before", "reset"])
async def test_a_cut_connection_leaves_it_unknown_and_sends_nothing_twice(
    connector: DynamicsConnector, emulator: Emulator, action: str
) -> None:
    write = a_create()
    await connector.fetch_schema(CONTACT)
    emulator.fault("batch", action)
    with pytest.raises(UnknownOutcomeError):
        await connector.write(CONTACT, [write])
    assert write.id not in emulator.records("contact")


async def test_a_cut_short_answer_leaves_it_unknown(connector: DynamicsConnector, emulator: Emulator) -> None:
    await connector.fetch_schema(CONTACT)
    emulator.fault("batch", "body", status=200, body={"value": "no multipart"})
    with pytest.raises(UnknownOutcomeError, match="cut short"):
        await connector.write(CONTACT, [a_create()])


async def test_a_throttled_call_is_sent_again_after_the_wait(
    connector: DynamicsConnector, emulator: Emulator, clock: FakeClock
) -> None:
    await connector.fetch_schema(CONTACT)
    emulator.fault("batch", "status", status=429, headers={"Retry-After": "9"})
    (result,) = await connector.write(CONTACT, [a_create()])
    assert isinstance(result, Written)
    assert sum(clock.slept) >= 9


async def test_a_call_throttled_for_good_wrote_nothing(connector: DynamicsConnector, emulator: Emulator) -> None:
    await connector.fetch_schema(CONTACT)
    write = a_create()
    emulator.fault("batch", "status", status=503, headers={"Retry-After": "2"}, times=None)
    with pytest.raises(TransientError):
        await connector.write(CONTACT, [write])
    emulator.control("faults", method="DELETE")
    assert write.id not in emulator.records("contact")


async def test_a_throttled_part_is_planned_again_after_a_pause(
    connector: DynamicsConnector, emulator: Emulator, clock: FakeClock
) -> None:
    known = emulator.create("contact", lastname="Known")
    writes = [an_update(known, firstname="A"), an_update(known, lastname="B")]
    emulator.fault("contacts.update", "status", status=429, headers={"Retry-After": "11"})
    results = await connector.write(CONTACT, writes)
    assert results[0] == Stale()
    assert isinstance(results[1], Written)
    await connector.fetch_identity()
    assert sum(clock.slept) >= 11


async def test_a_privilege_that_every_record_misses_stops_the_side(
    connector: DynamicsConnector, emulator: Emulator
) -> None:
    known = emulator.create("lead", lastname="L", subject="S")
    with emulator.revoked("prvWriteLead"), pytest.raises(AccessError, match="prvWriteLead"):
        await connector.write(LEAD, [an_update(known, firstname="A"), an_update(known, lastname="B")])


async def test_a_secured_column_refuses_only_its_record(connector: DynamicsConnector, emulator: Emulator) -> None:
    known = emulator.create("contact", lastname="Known")
    emulator.control("privileges", {"revoke_columns": {"contact": ["fax"]}})
    results = await connector.write(CONTACT, [an_update(known, fax="1"), an_update(known, lastname="B")])
    emulator.control("privileges", {"grant_columns": {"contact": ["fax"]}})
    assert isinstance(results[0], Refused)
    assert "column security profile" in results[0].message
    assert isinstance(results[1], Written)


async def test_our_own_write_comes_back_with_the_version_it_was_given(
    connector: DynamicsConnector, emulator: Emulator
) -> None:
    pages = [page async for page in connector.fetch_changes(CONTACT, None, ["lastname"])]
    write = a_create(lastname="Echo")
    (result,) = await connector.write(CONTACT, [write])
    assert isinstance(result, Written)
    (page,) = [page async for page in connector.fetch_changes(CONTACT, pages[-1].cursor, ["lastname"])]
    assert [(r.id, r.values, r.version) for r in page.readings] == [(write.id, ("Echo",), result.version)]


class TestBulkMessages:
    """Creates of several records, and updates of columns that nobody else writes."""

    async def test_creates_are_one_message_and_are_read_back_in_the_same_call(
        self, connector: DynamicsConnector, emulator: Emulator
    ) -> None:
        account = emulator.create("account", name="Employer")
        writes = [a_create(lastname=f"  Bulk {n}  ", parentcustomerid=account, fax=None) for n in range(3)]
        before = emulator.control("counters")
        results = await connector.write(CONTACT, writes)
        rows = emulator.records("contact")
        for write, result in zip(writes, results, strict=True):
            row = rows[str(write.id)]
            assert isinstance(result, Written)
            assert result.version == f'W/"{row["versionnumber"]}"'
            assert result.values == {"lastname": row["lastname"], "parentcustomerid": account, "fax": None}
        after = emulator.control("counters")
        assert after["requests"]["batch"] - before["requests"].get("batch", 0) == 2  # metadata, and the writes
        assert after["records_written"] - before["records_written"] == 3

    async def test_one_bad_and_one_taken_record_leave_the_others_written(
        self, connector: DynamicsConnector, emulator: Emulator
    ) -> None:
        taken = RecordId(emulator.create("contact", lastname="Theirs"))
        writes = [a_create(lastname=f"Bulk {n}") for n in range(9)]
        writes[3] = a_create(firstname="x" * 200)
        writes[6] = a_create(taken)
        results = await connector.write(CONTACT, writes)
        assert isinstance(results[3], Refused)
        assert (results[3].code, results[3].field) == ("0x80044331", "firstname")
        assert results[6] == Taken()
        assert sum(isinstance(result, Written) for result in results) == 7
        rows = emulator.records("contact")
        assert rows[taken]["lastname"] == "Theirs"
        assert {str(w.id) in rows for n, w in enumerate(writes) if n not in (3, 6)} == {True}
        assert str(writes[3].id) not in rows

    async def test_a_lost_answer_leaves_all_of_it_unknown(
        self, connector: DynamicsConnector, emulator: Emulator
    ) -> None:
        writes = [a_create(lastname=f"Lost {n}") for n in range(3)]
        await connector.fetch_schema(CONTACT)
        emulator.fault("batch", "drop_after")
        with pytest.raises(UnknownOutcomeError):
            await connector.write(CONTACT, writes)
        assert {str(write.id) in emulator.records("contact") for write in writes} == {True}

    async def test_own_columns_are_written_without_looking_at_versions(
        self, connect: Connect, emulator: Emulator
    ) -> None:
        connector = connect(emulator, own_columns={CONTACT: ["fax", "pager"]})
        ids = [emulator.create("contact", lastname=f"Own {n}") for n in range(3)]
        stale = [an_update(id_, 'W/"1"', fax=f"+1 {n}") for n, id_ in enumerate(ids)]
        assert await connector.write(CONTACT, stale) == [Written(RecordId(id_)) for id_ in ids]
        rows = emulator.records("contact")
        assert [rows[id_]["fax"] for id_ in ids] == ["+1 0", "+1 1", "+1 2"]
        assert [rows[id_]["lastname"] for id_ in ids] == ["Own 0", "Own 1", "Own 2"]

    async def test_another_column_among_them_is_written_at_its_version(
        self, connect: Connect, emulator: Emulator
    ) -> None:
        connector = connect(emulator, own_columns={CONTACT: ["fax"]})
        ids = [emulator.create("contact", lastname=f"Own {n}") for n in range(2)]
        writes = [an_update(ids[0], 'W/"1"', fax="1"), an_update(ids[1], 'W/"1"', fax="1", lastname="Ours")]
        assert await connector.write(CONTACT, writes) == [Stale(), Stale()]

    async def test_a_missing_record_among_own_columns_is_found_and_not_made(
        self, connect: Connect, emulator: Emulator
    ) -> None:
        connector = connect(emulator, own_columns={CONTACT: ["fax"]})
        known, gone = emulator.create("contact", lastname="Known"), an_id()
        results = await connector.write(CONTACT, [an_update(gone, fax="1"), an_update(known, fax="1")])
        assert results[0] == Missing()
        assert isinstance(results[1], Written)
        assert gone not in emulator.records("contact")

    async def test_every_record_counts_for_the_entitlement(
        self, connector: DynamicsConnector, emulator: Emulator
    ) -> None:
        await connector.fetch_schema(CONTACT)
        before, calls = connector.items_sent, connector.calls
        await connector.write(CONTACT, [a_create(lastname=f"Item {n}") for n in range(5)])
        assert connector.calls - calls == 1
        assert connector.items_sent - before == 5 + 1  # and one read of what became of them
        known = next(iter(emulator.records("contact")))
        await connector.write(CONTACT, [an_update(known, fax=str(n)) for n in range(4)])
        assert connector.items_sent - before == 5 + 1 + 4

    async def test_what_is_counted_is_what_the_service_counts(
        self, connector: DynamicsConnector, emulator: Emulator
    ) -> None:
        def used() -> int:
            return sum(emulator.control("limits")["entitlement_today"].values())

        await connector.fetch_schema(CONTACT)
        before = used(), connector.items_sent
        ids = [RecordId(emulator.create("contact", lastname=f"Counted {n}")) for n in range(3)]
        await connector.write(CONTACT, [a_create(lastname=f"Counted {n}") for n in range(5)])
        await connector.write(CONTACT, [an_update(id_, fax="1") for id_ in ids])
        await connector.fetch_records(CONTACT, ["lastname"], ids)
        await connector.find_records(CONTACT, ["lastname"], "lastname", ["Counted 1"])
        _ = [page async for page in connector.fetch_changes(CONTACT, None, ["lastname"])]
        assert connector.items_sent - before[1] == used() - before[0]
