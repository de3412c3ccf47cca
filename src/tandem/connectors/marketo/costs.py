"""Which of two ways costs less: calls of 300 records, or one file for many.

A call has a price in time: it takes a turn of the rate, and it uses up some of the day, which has so many calls left
for so many seconds. A way costs what is longer, its own time or the price of its calls (marketo-rest 9). How fast
Marketo imports is documented nowhere, so it is measured from job to job, beginning with a careful guess.
"""

from dataclasses import dataclass
from math import ceil
from typing import Final

BATCH_MAX: Final = 300
BODY_MAX: Final = 1_000_000
FILE_MAX: Final = 9_500_000
"""Bytes of an import file; Marketo takes less than 10 MB with everything around it."""

FILE_ROWS_MAX: Final = 50_000
FILE_ROWS_MIN: Final = 3_000
"""Fewer rows never become a file: a job waits in Marketo's queue, however small it is."""

POLL_S: Final = 30.0
EXTRACT_POLL_S: Final = 60.0
EXTRACTS_AT_ONCE: Final = 2
CALLS_PER_EXTRACT: Final = 6
"""Create, enqueue, about three looks at the state, one part of the file."""

WEIGHT: Final = 0.3
"""How much the last measurement moves an estimate."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What calls cost now: how many may start in a second, how many are left, and for how long."""

    calls_per_s: float
    calls_left: int
    day_left_s: float

    def cost_s(self, calls: int, work_s: float = 0.0) -> float:
        """Infinite where the day has too few calls left."""
        if calls > self.calls_left:
            return float("inf")
        return max(work_s, calls / self.calls_per_s, calls * self.day_left_s / max(1, self.calls_left))


@dataclass(slots=True)
class ImportEstimate:
    """What an import takes, and how long a record is: measured, at first guessed."""

    row_bytes: float = 400.0
    rows_per_s: float = 167.0
    overhead_s: float = 60.0

    def note_job(self, rows: int, seconds: float) -> None:
        measured = rows / max(1.0, seconds - self.overhead_s / 2)
        self.rows_per_s += WEIGHT * (measured - self.rows_per_s)
        if seconds < self.overhead_s:
            self.overhead_s += WEIGHT * (seconds - self.overhead_s)

    def note_rows(self, rows: int, size: int) -> None:
        if rows:
            self.row_bytes += WEIGHT * (size / rows - self.row_bytes)

    @property
    def rows_per_call(self) -> int:
        return max(1, min(BATCH_MAX, int(BODY_MAX / self.row_bytes)))

    @property
    def rows_per_file(self) -> int:
        return max(BATCH_MAX, min(FILE_ROWS_MAX, int(FILE_MAX / self.row_bytes)))


def rows_at_once(
    waiting: int, estimate: ImportEstimate, prices: Prices, *, is_create: bool, rows_min: int = FILE_ROWS_MIN
) -> int:
    """How many of the `waiting` writes one call should carry: a batch, or a file's worth.

    A file of creates pays for two more reads of every row: the look before it, and the new ids after it.
    """
    if waiting < rows_min:
        return BATCH_MAX
    files = ceil(waiting / estimate.rows_per_file)
    import_s = files * estimate.overhead_s / 2 + waiting / estimate.rows_per_s
    calls = ceil(files * (2 + import_s / files / POLL_S))
    reads = 2 * ceil(waiting / BATCH_MAX) if is_create else 0
    by_file = prices.cost_s(calls + reads, max(estimate.overhead_s, import_s))
    by_call = prices.cost_s(ceil(waiting / estimate.rows_per_call))
    return estimate.rows_per_file if by_file < by_call else BATCH_MAX


@dataclass(frozen=True, slots=True)
class Population:
    """What a look at a few ranges of ids says of everybody: the highest id, and how many people of how many bytes."""

    highest: int
    people: int
    row_bytes: float
    windows: int
    """Months since the first person: a file covers at most 31 days."""


def is_extract_cheaper(population: Population, prices: Prices, *, bytes_left: int, job_s: float = 120.0) -> bool:
    """Whether a first read should take files instead of ranges of ids. Both read everybody; ids that nobody has any
    longer cost a range its call all the same, months in which nobody was created cost a file its job."""
    if population.people * population.row_bytes > bytes_left:
        return False
    by_range = prices.cost_s(ceil(population.highest / BATCH_MAX))
    jobs_s = ceil(population.windows / EXTRACTS_AT_ONCE) * job_s
    return prices.cost_s(population.windows * CALLS_PER_EXTRACT, jobs_s) < by_range
