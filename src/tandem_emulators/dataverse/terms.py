"""What a request says about a write beside its body."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NESTED_MAX = 12


@dataclass(frozen=True, slots=True)
class Terms:
    """`references` are the rows made earlier in the same change set, by `$` and their Content-ID.

    `key_columns` are the values of the alternate key that named the row: a new row takes them where the body is
    silent. `preset` are columns that the body cannot change: the link of a nested row. `depth` is how deep it is
    nested.
    """

    references: Mapping[str, str] = field(default_factory=dict)
    detects_duplicates: bool = False
    key_columns: Mapping[str, Any] = field(default_factory=dict)
    preset: Mapping[str, Any] = field(default_factory=dict)
    depth: int = 0


PLAIN = Terms()
