"""Lead partitions on the wire: all people of a call go into one, which its head names (marketo-rest 3.3)."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from tandem.connectors.marketo.client import MarketoClient
from tandem.core.errors import RemoteError
from tandem.core.partitions import PARTITION
from tandem.core.record import Value
from tandem.ports import Access, Write

_PATH: Final = "/rest/v1/leads/partitions.json"


class _WirePartition(msgspec.Struct):
    name: str


def partition_of(writes: Sequence[Write]) -> str | None:
    """The partition of a call's people; they share one (``runtime.apply`` groups them)."""
    names = {write.values.get(PARTITION) for write in writes}
    assert len(names) == 1, "a batch goes into one partition"
    (name,) = names
    return None if name is None else str(name)


def fields_of(write: Write) -> Mapping[str, Value]:
    """The values that are fields."""
    return {name: value for name, value in write.values.items() if name != PARTITION}


async def check_partitions(client: MarketoClient, wanted: Sequence[str]) -> list[Access]:
    """Whether the API user sees each partition that a rule names; a wrong name would refuse every create (1008)."""
    if not wanted:
        return []
    try:
        seen = {row.name for row in (await client.get("leads.partitions", _PATH)).rows(_WirePartition)}
    except RemoteError as error:
        return [Access("Marketo: list lead partitions", is_ok=False, remedy=str(error))]
    remedy = "Give the API user's role that workspace in Admin > Users & Roles, or correct marketing.partitions."
    return [
        Access(f"Marketo: create people in partition {name}", is_ok=name in seen, remedy="" if name in seen else remedy)
        for name in dict.fromkeys(wanted)
    ]
