"""`python -m benchmarks marketo`: people written and changes read, beside marketorestpython doing the same work.

The emulator is a process apart, with its limits off, so that what is left is the cost of the client: CPU microseconds a
record, medians of several rounds, and what the emulator took for the same record. The peer is used as it is published;
it sleeps to stay under five calls a second, which its CPU time does not show and its records a second do.

`--pace SECONDS` measures the other thing: how much of Marketo's published limits the connector makes use of, with
answers that take as long as real ones, and whether it is ever refused for being too fast.
"""

import argparse
import asyncio
import contextlib
import csv
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec
from marketorestpython.client import MarketoClient as Peer  # type: ignore[import-untyped]

from benchmarks.table import Line, render
from tandem import telemetry
from tandem.app.demo.services import Service, running_service
from tandem.app.system import SystemClock
from tandem.connectors.marketo.client import WINDOW_S
from tandem.connectors.marketo.connector import MarketoConnector
from tandem.connectors.marketo.feed import CHANGES, DELETIONS, MERGES
from tandem.connectors.marketo.place import Chain, Place
from tandem.core.plan import ActionKind
from tandem.core.record import PERSON, Cursor, RecordId, Value
from tandem.ports import Write, Written

BATCH: Final = 300
FILE_ROWS: Final = 50_000
PEER: Final = "marketorestpython"
FIELDS: Final = ("email", "firstName", "lastName", "phone", "title", "city", "country", "leadScore", "unsubscribed")

_ROUNDS = count(1)


@dataclass(frozen=True, slots=True)
class Measured:
    """One piece of work: its records, and the seconds and CPU seconds it took."""

    records: int
    seconds: float
    client_s: float
    emulator_s: float


class Bench:
    """A subscription with both clients signed in."""

    def __init__(self, service: Service, connector: MarketoConnector, folder: Path) -> None:
        self.service = service
        self.connector = connector
        self.folder = folder
        self.peer = Peer(service.fact("munchkin_id"), service.fact("client_id"), service.fact("client_secret"))
        self.peer.host = service.fact("url")

    async def measure(self, work: Callable[[], Awaitable[int] | int]) -> Measured:
        emulator, client, began = _cpu_s(self.service.process_id), time.process_time(), time.perf_counter()
        done = work()
        records = done if isinstance(done, int) else await done
        return Measured(
            records,
            time.perf_counter() - began,
            time.process_time() - client,
            _cpu_s(self.service.process_id) - emulator,
        )


def _cpu_s(process_id: int) -> float:
    """CPU seconds of a process so far, as Linux tells; 0 elsewhere."""
    try:
        text = Path(f"/proc/{process_id}/stat").read_text()
    except OSError:
        return 0.0
    user, system = text.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / 100


# --- the work ----------------------------------------------------------------------------------------------------


def people(size: int) -> list[dict[str, Value]]:
    """Others in each call: nobody is created twice."""
    number = next(_ROUNDS)
    return [
        {
            "email": f"person{n}.{number}@bench.example",
            "firstName": f"First{n % 977}",
            "lastName": f"Last{n % 7919}-{number}",
            "phone": f"+1 555 {n:07d}",
            "title": "Head of Benchmarks",
            "city": "Göteborg",
            "country": "Sweden",
            "leadScore": n % 100,
            "unsubscribed": n % 12 == 0,
        }
        for n in range(size)
    ]


def edits(ids: Iterable[int | str]) -> list[tuple[int | str, dict[str, Value]]]:
    number = next(_ROUNDS)
    return [(id_, {"phone": f"+44 {number} {id_}", "title": f"Title {number}", "leadScore": number}) for id_ in ids]


async def create(bench: Bench, records: Sequence[dict[str, Value]]) -> list[str]:
    """By ours; the new ids."""
    results = await _write(bench, [Write(ActionKind.CREATE, None, record, lookup="email") for record in records])
    return [result.id for result in results]


async def update(bench: Bench, writes: Sequence[Write]) -> int:
    return len(await _write(bench, writes))


async def update_by_file(bench: Bench, writes: Sequence[Write]) -> int:
    return len(await _write(bench, writes, FILE_ROWS))


async def _write(bench: Bench, writes: Sequence[Write], size: int = BATCH) -> list[Written]:
    turns = asyncio.Semaphore(10)

    async def send(batch: Sequence[Write]) -> Sequence[Written]:
        async with turns:
            results = await bench.connector.write(PERSON, batch)
        assert all(isinstance(result, Written) for result in results), "a record was not written"
        return results  # type: ignore[return-value]

    batches = [writes[start : start + size] for start in range(0, len(writes), size)]
    return [result for results in await asyncio.gather(*map(send, batches)) for result in results]


def update_by_peer(bench: Bench, records: Sequence[dict[str, Any]]) -> int:
    for start in range(0, len(records), BATCH):
        results = bench.peer.execute(
            method="create_update_leads",
            leads=records[start : start + BATCH],
            action="updateOnly",
            lookupField="id",
        )
        assert all(result["status"] == "updated" for result in results)
    return len(records)


def create_by_peer(bench: Bench, records: Sequence[dict[str, Any]]) -> int:
    for start in range(0, len(records), BATCH):
        batch = records[start : start + BATCH]
        results = bench.peer.execute(
            method="create_update_leads", leads=batch, action="createOnly", lookupField="email"
        )
        assert all(result["status"] == "created" for result in results)
    return len(records)


def import_by_peer(bench: Bench, records: Sequence[dict[str, Any]]) -> int:
    for start in range(0, len(records), FILE_ROWS):
        path = bench.folder / "peer.csv"
        with path.open("w", newline="") as file:
            rows = csv.DictWriter(file, list(records[0]))
            rows.writeheader()
            rows.writerows(records[start : start + FILE_ROWS])
        [job] = bench.peer.execute(method="import_lead", file=str(path), format="csv", lookupField="id")
        while bench.peer.execute(method="get_import_lead_status", id=job["batchId"])[0]["status"] != "Complete":
            time.sleep(1)
    return len(records)


async def read_changes(bench: Bench, cursor: Cursor) -> int:
    """From `cursor` to the end, the values of whoever changed included."""
    touched: set[RecordId] = set()
    changes = 0
    async for page in bench.connector.fetch_changes(PERSON, cursor, FIELDS):
        changes += len(page.touched)
        touched |= {record.key.id for record in page.touched}
    await bench.connector.fetch_records(PERSON, FIELDS, sorted(touched))
    return changes


def read_changes_by_peer(bench: Bench, token: str) -> int:
    changes = bench.peer.execute(method="get_lead_changes", fields=list(FIELDS), nextPageToken=token)
    ids = sorted({str(change["leadId"]) for change in changes})
    for start in range(0, len(ids), BATCH):
        bench.peer.execute(
            method="get_multiple_leads_by_filter_type",
            filterType="id",
            filterValues=ids[start : start + BATCH],
            fields=",".join(FIELDS),
        )
    return sum(len(change.get("fields", [])) or 1 for change in changes)


# --- rounds ------------------------------------------------------------------------------------------------------

Pair = tuple[Measured, Measured]
"""Ours and the peer's."""


async def one_round(bench: Bench, size: int) -> dict[str, Pair]:
    mine, theirs = people(size), people(size)
    ids: list[str] = []

    async def creating() -> int:
        ids.extend(await create(bench, mine))
        return len(ids)

    created = await bench.measure(creating), await bench.measure(lambda: create_by_peer(bench, theirs))
    writes, records = _edits(ids)
    updated = (
        await bench.measure(lambda: update(bench, writes)),
        await bench.measure(lambda: update_by_peer(bench, records)),
    )
    writes, records = _edits(ids)
    imported = (
        await bench.measure(lambda: update_by_file(bench, writes)),
        await bench.measure(lambda: import_by_peer(bench, records)),
    )
    cursor, token = await _now(bench)
    await update(bench, [Write(write.kind, write.id, {"city": f"Oslo {next(_ROUNDS)}"}) for write in writes])
    read = (
        await bench.measure(lambda: read_changes(bench, cursor)),
        await bench.measure(lambda: read_changes_by_peer(bench, token)),
    )
    return {
        "create by sync calls": created,
        "update by sync calls": updated,
        "update by bulk import": imported,
        "read changes and who changed": read,
    }


def _edits(ids: Sequence[str]) -> tuple[list[Write], list[dict[str, Any]]]:
    """The same fields for both, with values that are new each time."""
    writes = [Write(ActionKind.UPDATE, RecordId(str(id_)), values) for id_, values in edits(ids)]
    return writes, [{"id": int(id_), **values} for id_, values in edits(ids)]


async def _now(bench: Bench) -> tuple[Cursor, str]:
    """Where both read changes from."""
    await asyncio.sleep(1.1)  # a token is by the second
    at = time.time()
    token = await bench.connector._client.paging_token(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)))
    feeds = {feed: Chain(token, at, 0) for feed in (CHANGES, MERGES, DELETIONS)}
    place = Place(next=0, highest=0, feeds=feeds, again={}, again_from=at, again_due=at + 86_400)
    return place.as_cursor(), token


def lines_of(rounds: Sequence[dict[str, Pair]]) -> list[Line]:
    lines = []
    for what in rounds[0]:
        ours, peers = zip(*(measured[what] for measured in rounds), strict=True)
        cpu = [_median_us(each, lambda m: m.client_s) for each in (ours, peers)]
        emulator = [_median_us(each, lambda m: m.emulator_s) for each in (ours, peers)]
        elapsed = [_median_us(each, lambda m: m.seconds) for each in (ours, peers)]
        lines.append(Line(f"{what}: CPU of the client", cpu[0], "µs a record", PEER, cpu[1]))
        lines.append(Line(f"{what}: CPU of the emulator", emulator[0], "µs a record", PEER, emulator[1]))
        lines.append(Line(f"{what}: by the clock", elapsed[0], "µs a record", PEER, elapsed[1]))
        lines.append(Line(f"{what}: pace", 1e6 / elapsed[0], "records a second"))
    return lines


def _median_us(measured: Sequence[Measured], of: Callable[[Measured], float]) -> float:
    return median(of(each) / each.records for each in measured) * 1e6


async def measure_rounds(size: int, rounds: int) -> list[Line]:
    off = ["--limits", "off", "--set", "activity_lag_s=0", "--set", "import_rows_per_s=1000000"]
    async with _bench(off, calls_per_20_s=1_000_000, at_once=10, daily_share=10**9) as bench:
        return lines_of([await one_round(bench, size) for _ in range(rounds)])


# --- the pace under published limits -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pace:
    """`refused` counts what Marketo answered with an error, by code."""

    records_per_s: float
    ceiling_per_s: float
    refused: dict[str, int]

    @property
    def share(self) -> float:
        return self.records_per_s / self.ceiling_per_s


async def measure_pace(
    seconds: float,
    latency_ms: float,
    *,
    calls_per_20_s: int,
    at_once: int,
    daily_share: int,
    rest_s: float = WINDOW_S + 1,
) -> Pace:
    """Updates by id for so long, as many at once as may be, alone in a subscription."""
    arguments = ["--latency-ms", str(latency_ms)]
    async with _bench(arguments, calls_per_20_s=calls_per_20_s, at_once=at_once, daily_share=daily_share) as bench:
        ids = await create(bench, people(BATCH))
        await asyncio.sleep(rest_s)  # the window is as empty as at the start of a pass
        began, written = time.perf_counter(), 0

        async def keep_writing() -> None:
            nonlocal written
            while time.perf_counter() - began < seconds:
                done = await update(bench, _edits(ids)[0])
                written += done if time.perf_counter() - began <= seconds else 0

        await asyncio.gather(*(keep_writing() for _ in range(2 * at_once)))
        answer = await bench.connector._client.get("stats.errors", "/rest/v1/stats/errors.json")
        errors = [error for day in msgspec.json.decode(answer.result) for error in day["errors"]]
    return Pace(
        records_per_s=written / seconds,
        ceiling_per_s=calls_per_20_s / WINDOW_S * BATCH,
        refused={error["errorCode"]: error["count"] for error in errors},
    )


async def measure_paces(seconds: float, latency_ms: float) -> list[Line]:
    whole = await measure_pace(seconds, latency_ms, calls_per_20_s=100, at_once=10, daily_share=50_000)
    half = await measure_pace(seconds, latency_ms, calls_per_20_s=50, at_once=5, daily_share=25_000)
    lines = []
    for name, pace in (("the whole budget", whole), ("the default share", half)):
        ceiling = "the published limit"
        lines.append(Line(f"updates with {name}", pace.records_per_s, "records a second", ceiling, pace.ceiling_per_s))
        lines.append(Line(f"refused for being too fast, with {name}", sum(pace.refused.values()), "calls"))
    return lines


@contextlib.asynccontextmanager
async def _bench(
    arguments: Sequence[str], *, calls_per_20_s: int, at_once: int, daily_share: int
) -> AsyncIterator[Bench]:
    with TemporaryDirectory(prefix="tandem-bench-") as name:
        folder = Path(name)
        async with running_service(["marketo", "--people", "0", *arguments], folder / "marketo.log") as service:
            connector = MarketoConnector(
                url=service.fact("url"),
                client_id=service.fact("client_id"),
                client_secret=service.fact("client_secret"),
                clock=SystemClock(),
                daily_share=daily_share,
                calls_per_20_s=calls_per_20_s,
                max_concurrent=at_once,
            )
            try:
                await connector.fetch_schema(PERSON)
                yield Bench(service, connector, folder)
            finally:
                await connector.close()


def main(arguments: Sequence[str]) -> None:
    telemetry.configure(level="warning")
    parser = argparse.ArgumentParser(prog="python -m benchmarks marketo", description=__doc__)
    parser.add_argument("--records", type=int, default=100_000, help="people written and changes read in each round")
    parser.add_argument("--rounds", type=int, default=3, help="rounds whose median counts")
    parser.add_argument("--pace", type=float, metavar="SECONDS", help="measure the pace under published limits instead")
    parser.add_argument("--latency-ms", type=float, default=1500, help="how long an answer takes, with --pace")
    chosen = parser.parse_args(arguments)
    if chosen.pace:
        print(f"Python {sys.version.split()[0]}, {chosen.pace:g} s each, answers after {chosen.latency_ms:g} ms.\n")
        print(render(asyncio.run(measure_paces(chosen.pace, chosen.latency_ms))), end="")
        return
    print(f"Python {sys.version.split()[0]}, {chosen.records:,} records, median of {chosen.rounds}.\n")
    print(render(asyncio.run(measure_rounds(chosen.records, chosen.rounds))), end="")
