"""What a side's error code means and what an operator does about it: one line of the table of codes."""

from dataclasses import dataclass

from tandem.core.record import Side


@dataclass(frozen=True, slots=True)
class CodeNote:
    side: Side
    code: str
    meaning: str
    remedy: str
