"""A kind of record that the judge compares: a table of Dynamics and the object of Marketo that shows it.

Like the judge's other tables, this is written a second time, beside the product's mapping, on purpose.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tandem.app.demo.world import Pair

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Watch:
    """`key` is the field of the object that holds the record's id. `is_wanted` says which
    records have a counterpart."""

    entity: str
    object: str
    key: str
    pairs: tuple[Pair, ...] = ()
    is_wanted: Callable[[Record], bool] = lambda record: True
