"""What a reading says of a write that we made in Marketo.

Marketo answers a write with "updated" and nothing else, so the values come back through the feed. A reading that is
not what we wrote is a person's later edit, a value that Marketo narrowed, or a write it refused; and the change records
show whose value stood there when we wrote (design section 3: echo, the overtaken write).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tandem.core.plan import FieldWrite
from tandem.core.record import ChangeRecord, Value
from tandem.core.values import is_empty, same, shows


@dataclass(frozen=True, slots=True)
class Arrived:
    """The value is there, or a person has edited it since: nothing to add to the merge.

    ``is_final``: the change records can bring no more news of this write.
    """

    is_final: bool


@dataclass(frozen=True, slots=True)
class Overtaken:
    """We wrote over `text`, which somebody had entered after we had looked (its display string; None: emptied)."""

    text: str | None


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Marketo made another value of it; that reading is its half of the base from now on."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Marketo said yes and kept what it had."""


@dataclass(frozen=True, slots=True)
class TooEarly:
    """The feed has not been read past this reading yet: nobody can tell."""


Verdict: TypeAlias = Arrived | Overtaken | Narrowed | Refused | TooEarly


def judge(
    write: FieldWrite, present: Value, records: Sequence[ChangeRecord], *, is_create: bool, is_complete: bool
) -> Verdict:
    """Judge one written field by its present value and the change records of that field since the write was sent.

    `is_complete`: the feed has been read past the moment of the reading.
    """
    ours = [record for record in records if shows(record.new, write.after)]
    for record in ours:
        if not is_create and _is_strangers(record.old, (write.before, write.after, present)):
            return Overtaken(record.old or None)
    if same(present, write.after):
        return Arrived(is_final=is_create or bool(ours) or is_complete)
    if any(shows(record.new, present) and (ours or not _is_api(record)) for record in records):
        return Arrived(is_final=is_create or bool(ours) or is_complete)
    if not is_complete:
        return TooEarly()
    if same(present, write.before) and not is_create:
        return Refused()
    return Narrowed()


def _is_strangers(old: str | None, known: Sequence[Value]) -> bool:
    """Whether the value that ours replaced is none of `known`. Where the log shows nothing, a boolean was unset."""
    if not old:
        return not any(is_empty(value) or value is False for value in known)
    return not any(shows(old, value) for value in known)


def _is_api(record: ChangeRecord) -> bool:
    """An API write's record that shows the present value while none shows ours: it is ours, narrowed."""
    return record.source == "Web service API"
