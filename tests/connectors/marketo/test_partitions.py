"""People are made in the partition that their create names, and `tandem check` knows whether it may be used."""

import pytest

from tandem.connectors.marketo.partitions import fields_of, partition_of
from tandem.core.partitions import PARTITION
from tandem.core.plan import ActionKind
from tandem.core.record import PERSON
from tandem.ports import Write, Written
from tests.connectors.marketo.conftest import Connect
from tests.connectors.marketo.emulator import Emulator


def a_create(email: str, partition: str | None) -> Write:
    values = {"email": email, "lastName": "New"} | ({PARTITION: partition} if partition else {})
    return Write(ActionKind.CREATE, None, values, lookup="email")


def test_the_partition_is_no_field() -> None:
    write = a_create("a@b.example", "EMEA")
    assert fields_of(write) == {"email": "a@b.example", "lastName": "New"}
    assert partition_of([write]) == "EMEA"
    assert partition_of([a_create("a@b.example", None)]) is None
    with pytest.raises(AssertionError):
        partition_of([write, a_create("c@d.example", "APAC")])


async def made_in(connect: Connect, email: str) -> object:
    (found,) = await connect().find_records(PERSON, ("leadPartitionId",), "email", [email])
    return found.values[0]


async def test_new_people_go_where_their_create_says(connect: Connect, emulator: Emulator) -> None:
    made = emulator.control("people/create", {"entity": "partition", "values": {"name": "Asia"}})["id"]
    connector = connect(import_rows_min=2)
    for email, partition in (("asia@new.example", "Asia"), ("any@new.example", None)):
        (result,) = await connector.write(PERSON, [a_create(email, partition)])
        assert isinstance(result, Written)
    assert await made_in(connect, "asia@new.example") == made
    assert await made_in(connect, "any@new.example") == 1


async def test_check_knows_the_partitions_of_the_api_user(connect: Connect, emulator: Emulator) -> None:
    emulator.control("people/create", {"entity": "partition", "values": {"name": "Seen"}})
    lines = await connect(partitions=["Seen", "Hidden"]).check_access([PERSON])
    found = {line.what.rpartition(" ")[2]: line for line in lines if "partition" in line.what}
    assert found["Seen"].is_ok
    assert not found["Hidden"].is_ok
    assert "marketing.partitions" in found["Hidden"].remedy
