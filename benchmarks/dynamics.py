"""`python -m benchmarks dynamics`: contacts read and updated, beside dlt and Microsoft's client reading the same pages.

The emulator is a process apart with its limits off, and so is every client, started anew for every round: what counts
is the CPU time of each process, medians of several rounds taken in turns. dlt and Microsoft's client hand out
dictionaries as they came; the connector's values are typed, canonical and in the mapping's order.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.dynamics_clients import Task
from benchmarks.table import Line, render

PAGE_SIZE: Final = 5000
CONTACTS_PER_PERSON: Final = 0.55
"""Of the people that the emulator seeds, the others are leads."""

_NAME: Final = ("firstname", "lastname", "middlename", "nickname", "salutation", "suffix", "jobtitle", "department")
_WAYS: Final = ("emailaddress1", "emailaddress2", "telephone1", "telephone2", "mobilephone", "fax", "websiteurl")
_CHOICES: Final = ("gendercode", "familystatuscode", "leadsourcecode", "preferredcontactmethodcode", "statecode")
_ADDRESS: Final = tuple(
    f"address1_{part}" for part in ("line1", "line2", "city", "stateorprovince", "postalcode", "country")
)
_FLAGS: Final = ("donotemail", "donotbulkemail", "donotphone", "donotfax", "donotpostalmail")
_REST: Final = ("description", "birthdate", "anniversary", "creditlimit", "statuscode", "createdon", "modifiedon")
FIELDS: Final = ("@id", *_NAME, *_WAYS, *_CHOICES, *_ADDRESS, *_FLAGS, *_REST, "parentcustomerid", "ownerid")
"""Forty columns and the id."""

PEERS: Final = {"dlt": "dlt's REST source", "microsoft": "Microsoft's client"}

_READ_AS: Final = {"parentcustomerid": "_accountid_value", "ownerid": "_ownerid_value"}
COLUMNS: Final = [_READ_AS.get(name, name) for name in FIELDS if not name.startswith("@")]


@dataclass(frozen=True, slots=True)
class Run:
    """What one client in one process did, and what the emulator spent on it meanwhile."""

    rows: int
    seconds: float
    cpu_s: float
    emulator_s: float
    early_mb: float
    peak_mb: float


class Emulator:
    def __init__(self, process_id: int, first_line: Mapping[str, Any]) -> None:
        self._process_id = process_id
        self.first_line = dict(first_line)

    def run(self, client: str, *, reads: int = 1, updates: int = 0) -> Run:
        task = Task(self.first_line, list(FIELDS), COLUMNS, PAGE_SIZE, reads, updates)
        before = self._cpu_s()
        command = [sys.executable, "-m", "benchmarks.dynamics_clients", client]
        done = subprocess.run(command, input=json.dumps(asdict(task)), stdout=subprocess.PIPE, text=True, check=True)
        return Run(**json.loads(done.stdout), emulator_s=self._cpu_s() - before)

    def _cpu_s(self) -> float:
        """User and system time so far (Linux: fields 14 and 15 of the process's line, counted behind its name)."""
        fields = Path(f"/proc/{self._process_id}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def seeded_emulator(contacts: int) -> Iterator[Emulator]:
    people = round(contacts / CONTACTS_PER_PERSON)
    program = str(Path(sys.executable).with_name("tandem-emulators"))
    command = [program, "dataverse", "--port", "0", "--people", str(people), "--limits", "off", "--die-with-parent"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield Emulator(process.pid, json.loads(process.stdout.readline()))
    finally:
        process.terminate()
        process.communicate(timeout=30)


def measure(
    *, contacts: int, updates: int, rounds: int, memory_rows: int, peers: Sequence[str] = tuple(PEERS)
) -> list[Line]:
    with seeded_emulator(contacts) as emulator:
        runs: dict[str, list[Run]] = {name: [] for name in ("connector", *peers)}
        for _ in range(rounds):
            for name, done in runs.items():
                done.append(emulator.run(name))
        reads = max(1, round(memory_rows / runs["connector"][0].rows))
        long = emulator.run("connector", reads=reads)
        written = [emulator.run("connector_updates", updates=updates) for _ in range(rounds)]
        repeated = emulator.run("repeated_page")
    assert len({run.rows for done in runs.values() for run in done}) == 1, "the clients did not read the same rows"
    return [*_reading(runs), *_memory(long), *_writing(written), _repeated(repeated)]


def _reading(runs: Mapping[str, Sequence[Run]]) -> list[Line]:
    ours = runs["connector"]
    what = f"read a contact of {len(COLUMNS)} columns"
    lines = []
    for peer in [name for name in runs if name in PEERS]:
        theirs, label = runs[peer], PEERS[peer]
        lines += [
            Line(f"{what}: CPU of the client", client_us(ours), "µs a row", label, client_us(theirs)),
            Line(f"{what}: CPU of the emulator", emulator_us(ours), "µs a row", label, emulator_us(theirs)),
            Line(f"{what}: time a row", time_us(ours), "µs a row", label, time_us(theirs)),
        ]
    return [*lines, Line("full read", rate(ours), "rows/s")]


def _memory(long: Run) -> list[Line]:
    return [
        Line("memory after 20,000 rows", long.early_mb, "MB"),
        Line(f"memory after {long.rows:,} rows", long.peak_mb, "MB"),
    ]


def _writing(runs: Sequence[Run]) -> list[Line]:
    return [
        Line("update a contact: CPU of the client", client_us(runs), "µs a row"),
        Line("update a contact: CPU of the emulator", emulator_us(runs), "µs a row"),
        Line("updates in batches", rate(runs), "rows/s"),
    ]


def _repeated(run: Run) -> Line:
    """``rows`` were compared in ``cpu_s`` and decoded in ``seconds``."""
    compared, decoded = run.cpu_s * 1e6 / run.rows, run.seconds * 1e6 / run.rows
    return Line("a page that comes again byte for byte", compared, "µs a row", "decode it", decoded)


def client_us(runs: Sequence[Run]) -> float:
    return median(run.cpu_s * 1e6 / run.rows for run in runs)


def emulator_us(runs: Sequence[Run]) -> float:
    return median(run.emulator_s * 1e6 / run.rows for run in runs)


def time_us(runs: Sequence[Run]) -> float:
    return median(run.seconds * 1e6 / run.rows for run in runs)


def rate(runs: Sequence[Run]) -> float:
    return median(run.rows / run.seconds for run in runs)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks dynamics", description=__doc__)
    parser.add_argument("--contacts", type=int, default=200_000, help="how many contacts are read, roughly")
    parser.add_argument("--updates", type=int, default=20_000, help="how many of them are updated")
    parser.add_argument("--rounds", type=int, default=3, help="rounds whose median counts")
    parser.add_argument("--memory-rows", type=int, default=1_000_000, help="rows of the long read, by reading again")
    chosen = parser.parse_args(arguments)
    print(f"Python {sys.version.split()[0]}, {chosen.contacts:,} contacts, median of {chosen.rounds}.\n")
    lines = measure(
        contacts=chosen.contacts, updates=chosen.updates, rounds=chosen.rounds, memory_rows=chosen.memory_rows
    )
    print(render(lines), end="")
