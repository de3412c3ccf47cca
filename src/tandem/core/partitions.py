"""In which of Marketo's partitions a person is made: the first rule that its Dynamics record passes.

A partition belongs to a workspace, so this chooses the workspace too. It is chosen once, at the create; whoever moves
people afterwards in Marketo is left alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tandem.core.filters import RecordFilter
from tandem.core.mapping import EntityMapping
from tandem.core.plan import FieldWrite
from tandem.core.record import State

PARTITION: Final = "@partition"
"""Stands among the values of a create for the partition, which is no field."""


@dataclass(frozen=True, slots=True)
class PartitionRule:
    name: str
    when: RecordFilter


def partition_write(mapping: EntityMapping, rules: Sequence[PartitionRule], crm: State) -> tuple[FieldWrite, ...]:
    """The choice as one more value of the create; none for Marketo's default partition."""
    for rule in rules:
        if rule.when.passes({name: mapping.crm_value(crm.values, name) for name in rule.when.fields}):
            reason = f"partition by rule: {rule.when.text}"
            return (FieldWrite(PARTITION, PARTITION, None, rule.name, None, reason),)
    return ()
