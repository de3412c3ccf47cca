"""Which of two edits of one field is the newer one, where that can be proved.

Marketo dates every change of a field. Dynamics dates a record, not its fields: an edit lies somewhere between the last
moment at which all of the record was known and the record's ``modifiedon``. A change in Marketo outside that span is
newer or older for certain; inside it nobody can know, and the field is held.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from tandem.core.record import Side, Value

MODIFIED: Final = "modifiedon"
"""The crm column that is read for this."""

CLOCK_SLACK: Final = timedelta(seconds=5)
"""Both services and we ourselves keep network time, in whole seconds; edits as close as this are not told apart."""


@dataclass(frozen=True, slots=True)
class EditTimes:
    """When one record was edited on either side, as far as is known.

    ``crm_after``: up to then the crm record was as the base has it; ``crm_until``: its ``modifiedon``.
    ``marketing``: the last change of each field by its name. ``is_complete``: the log has been read past the moment at
    which the marketing values were read, so that no later change is hidden in it.
    """

    crm_after: datetime | None = None
    crm_until: datetime | None = None
    marketing: Mapping[str, datetime] = field(default_factory=dict)
    is_complete: bool = True


def newer_side(times: EditTimes, marketing_field: str) -> Side | None:
    """The side whose edit is provably the newer one."""
    changed_at = times.marketing.get(marketing_field)
    if changed_at is None:
        return None
    if times.crm_until is not None and changed_at > times.crm_until + CLOCK_SLACK:
        return Side.MARKETING
    if times.is_complete and times.crm_after is not None and changed_at < times.crm_after - CLOCK_SLACK:
        return Side.CRM
    return None


def parse_modified(value: Value) -> datetime | None:
    """``modifiedon`` as the crm side gives it."""
    return datetime.fromisoformat(value) if isinstance(value, str) else None
