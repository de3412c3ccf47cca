"""What may happen to one entity: who wins, what may be created where, what a deletion means.

Defaults are the native sync's documented behaviour where that loses no data (N13-N16, N61, N63).
"""

from dataclasses import dataclass
from enum import StrEnum

from tandem.core.filters import RecordFilter
from tandem.core.mapping import FieldPair, Winner
from tandem.core.partitions import PartitionRule
from tandem.core.record import Entity


class DeleteRule(StrEnum):
    """What a deletion on one side does: mark the record on the other (N61), delete it there too, nothing (N63), or make
    it anew where it was deleted, from what the other side holds."""

    FLAG = "flag"
    PROPAGATE = "propagate"
    IGNORE = "ignore"
    RECREATE = "recreate"


class MergeRule(StrEnum):
    """What a merge on one side does to the other, where both records have a counterpart there: merge those too, leave
    them for a person, or let them go on apart. There is no way back from a merge on either side."""

    CARRY = "carry"
    HOLD = "hold"
    IGNORE = "ignore"


class LeaveRule(StrEnum):
    """What becomes of the person whose record leaves the filter: it stays as it is (N99), is marked, or is deleted."""

    KEEP = "keep"
    FLAG = "flag"
    REMOVE = "remove"


class EditRule(StrEnum):
    """What becomes of a value that was edited in Marketo where Dynamics owns the record: replaced with the record's
    next change in Dynamics (N24), kept until Dynamics changes that very value, or put back by a regular comparison."""

    OVERWRITE = "overwrite"
    KEEP = "keep"
    ENFORCE = "enforce"


DEFAULT_PREFERENCE: tuple[str, ...] = ("active", "contact over lead", "last modified", "lowest id")


@dataclass(frozen=True, slots=True)
class EntityPolicy:
    """The rules of one crm entity.

    ``create_in_crm`` is the entity a person known only to Marketo becomes (None: it is not created, N16).
    ``prefer`` orders several candidates of a match; an empty order holds them for a person. ``filter`` says which crm
    records are synced, ``create_in_crm_filter`` which people known only to Marketo are created (None: all).
    ``filter_to_keep`` is what a record that is linked must pass, where that is not the same; ``filter_to_crm`` says of
    which people anything goes to Dynamics. ``deleted_column`` is the crm column that a deletion in Marketo sets;
    ``partitions`` say where in Marketo people are made.
    """

    winner: Winner
    first_link: Winner | None = None
    create_in_marketing: bool = True
    create_in_crm: Entity | None = None
    deleted_in_crm: DeleteRule = DeleteRule.FLAG
    deleted_in_marketing: DeleteRule = DeleteRule.IGNORE
    prefer: tuple[str, ...] = DEFAULT_PREFERENCE
    merged_in_crm: MergeRule = MergeRule.HOLD
    merged_in_marketing: MergeRule = MergeRule.HOLD
    filter: RecordFilter | None = None
    create_in_crm_filter: RecordFilter | None = None
    filter_to_keep: RecordFilter | None = None
    filter_to_crm: RecordFilter | None = None
    on_leave: LeaveRule = LeaveRule.KEEP
    deleted_column: str | None = None
    partitions: tuple[PartitionRule, ...] = ()
    edited_in_marketing: EditRule = EditRule.OVERWRITE

    def filter_for(self, *, is_linked: bool) -> RecordFilter | None:
        return self.filter_to_keep or self.filter if is_linked else self.filter

    def winner_of(self, pair: FieldPair) -> Winner:
        return pair.winner or self.winner

    def first_link_of(self, pair: FieldPair) -> Winner:
        return pair.first_link or self.first_link or self.winner_of(pair)
