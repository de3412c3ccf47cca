"""What a person decided about a match that was held: one text a record, which the next plan reads.

A decision is never carried out as it stands: the plan asks both sides again, and a choice that they no longer allow is
asked for anew.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

from tandem.core.record import RecordId

CREATE_TEXT: Final = "create"
NEVER_TEXT: Final = "never"
MERGE_TEXT: Final = "merge"


@dataclass(frozen=True, slots=True)
class LinkTo:
    """This person is the record's counterpart."""

    id: RecordId


@dataclass(frozen=True, slots=True)
class CreateNew:
    """None of them is: the record gets a person of its own."""


@dataclass(frozen=True, slots=True)
class Never:
    """The record stays without a person."""


@dataclass(frozen=True, slots=True)
class MergePeople:
    """The two people of two merged records are merged too."""


Decision: TypeAlias = LinkTo | CreateNew | Never | MergePeople

_WORDS: Final[dict[str, Decision]] = {CREATE_TEXT: CreateNew(), NEVER_TEXT: Never(), MERGE_TEXT: MergePeople()}


def parse_decision(text: str) -> Decision | None:
    """None for a text that is no decision: a word, or the number of a person."""
    return LinkTo(RecordId(text)) if text.isdecimal() else _WORDS.get(text)
