"""The benchmark in its smallest form: that it runs, reads what its peer reads, and prints its table."""

from benchmarks.dynamics import COLUMNS, FIELDS, measure
from benchmarks.table import render


def test_it_reads_what_its_peer_reads() -> None:
    lines = measure(contacts=60, updates=20, rounds=1, memory_rows=120, peers=["microsoft"])
    assert len(COLUMNS) == len(FIELDS) - 1 == 40
    assert all(line.value > 0 for line in lines)
    assert "Microsoft's client" in render(lines)
