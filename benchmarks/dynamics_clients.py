"""The clients that are measured, each in a process of its own: ``python -m benchmarks.dynamics_clients NAME``.

A client is told on standard input where the service is and what to read, and prints one JSON object: rows, seconds,
CPU seconds, and the most memory that the process ever had, once early and once at the end. Imports, sign-in and
metadata are done before the clock starts.
"""

import asyncio
import gc
import json
import resource
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any

_EARLY_ROWS = 20_000


@dataclass(slots=True)
class Task:
    """What to read or write, as the process that starts the client says it."""

    first_line: dict[str, Any]
    fields: list[str]
    columns: list[str]
    page_size: int
    reads: int = 1
    updates: int = 0


@dataclass(slots=True)
class Stopwatch:
    rows: int = 0
    early_mb: float | None = None
    _began: float = 0.0
    _cpu: float = 0.0

    def __post_init__(self) -> None:
        gc.collect()  # What the imports left is no row's cost.
        self._began, self._cpu = time.perf_counter(), time.process_time()

    def count(self, rows: int) -> None:
        self.rows += rows
        if self.early_mb is None and self.rows >= _EARLY_ROWS:
            self.early_mb = _peak_mb()

    def result(self) -> dict[str, float]:
        return {
            "rows": self.rows,
            "seconds": time.perf_counter() - self._began,
            "cpu_s": time.process_time() - self._cpu,
            "early_mb": self.early_mb or _peak_mb(),
            "peak_mb": _peak_mb(),
        }


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# --- Tandem ------------------------------------------------------------------------------------------------------


async def connector(task: Task) -> dict[str, float]:
    """A tracked full read, as a first copy does it; the same again `reads` times."""
    from tandem.core.record import CONTACT

    crm = _connect(task)
    await crm.fetch_schema(CONTACT)
    watch = Stopwatch()
    for _ in range(task.reads):
        async for page in crm.fetch_changes(CONTACT, None, task.fields):
            watch.count(len(page.readings))
    await crm.close()
    return watch.result()


async def repeated_page(task: Task) -> dict[str, float]:
    """One page, compared (``cpu_s``) and decoded (``seconds``): both CPU time, the best of several."""
    import hashlib

    from tandem.connectors.dynamics.wire import RowShape
    from tandem.core.record import CONTACT

    crm = _connect(task)
    shape = RowShape(await crm._table(CONTACT), task.fields)
    body = (await crm._client.get("read contacts", f"contacts?$select={shape.select}")).body
    await crm.close()

    def compare() -> None:
        hashlib.blake2b(body, digest_size=8).hexdigest()
        shape.parse_links(body, "read contacts")

    rows = len(shape.parse_page(body, "read contacts").readings)
    decoded = _best_cpu_s(lambda: shape.parse_page(body, "read contacts"))
    times = {"cpu_s": _best_cpu_s(compare), "seconds": decoded}
    return {**Stopwatch(rows).result(), **times}


def _best_cpu_s(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(5):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best


async def connector_updates(task: Task) -> dict[str, float]:
    """One column of so many records, as person's edits: with versions, in full batches, four at once."""
    from tandem.core.plan import ActionKind
    from tandem.core.record import CONTACT
    from tandem.ports import Write, Written

    crm = _connect(task)
    writes: list[Write] = []
    async for page in crm.fetch_changes(CONTACT, None, ["jobtitle"]):
        for reading in page.readings[: task.updates - len(writes)]:
            writes.append(Write(ActionKind.UPDATE, reading.id, {"jobtitle": "Measured"}, reading.version))
        if len(writes) == task.updates:
            break
    size = crm.batch_size(CONTACT, ActionKind.UPDATE)
    batches = [writes[start : start + size] for start in range(0, len(writes), size)]
    watch, limit = Stopwatch(), asyncio.Semaphore(4)

    async def send(batch: list[Write]) -> None:
        async with limit:
            results = await crm.write(CONTACT, batch)
        assert all(isinstance(result, Written) for result in results), "an update was refused"
        watch.count(len(results))

    await asyncio.gather(*(send(batch) for batch in batches))
    await crm.close()
    return watch.result()


def _connect(task: Task) -> Any:
    from tandem.app.system import SystemClock
    from tandem.connectors.dynamics.connector import DynamicsConnector

    names = ("url", "tenant_id", "client_id", "client_secret", "authority")
    facts = {name: task.first_line[name] for name in names}
    return DynamicsConnector(**facts, clock=SystemClock(), page_size=task.page_size)


# --- the peers ---------------------------------------------------------------------------------------------------


async def dlt(task: Task) -> dict[str, float]:
    """Its generic REST source, extraction only: rows as dictionaries, nothing normalized or loaded."""
    from dlt.sources.rest_api import rest_api_resources

    config: Any = {
        "client": {
            "base_url": f"{task.first_line['url']}/api/data/v9.2/",
            "headers": {"Prefer": f"odata.maxpagesize={task.page_size}"},
            "auth": {"type": "bearer", "token": _token(task)},
            "paginator": {"type": "json_link", "next_url_path": "['@odata.nextLink']"},
        },
        "resources": [
            {
                "name": "contacts",
                "endpoint": {
                    "path": f"contacts?$select={','.join(task.columns)}",
                    "data_selector": "value",
                },
            }
        ],
    }
    watch = Stopwatch()
    (resource_,) = rest_api_resources(config)
    _count(watch, resource_)
    return watch.result()


def _count(watch: Stopwatch, rows: Iterable[Any]) -> None:
    for _ in rows:
        watch.count(1)


async def microsoft(task: Task) -> dict[str, float]:
    """Microsoft's client for Python, page by page; the asynchronous one, because the other wants https."""
    from PowerPlatform.Dataverse.aio import AsyncDataverseClient

    async with AsyncDataverseClient(task.first_line["url"], _Credential(_token(task))) as client:
        watch = Stopwatch()
        pages: AsyncIterator[Any] = client.records.list_pages("contact", select=task.columns, page_size=task.page_size)
        async for page in pages:
            watch.count(len(page))
    return watch.result()


class _Credential:
    def __init__(self, token: str) -> None:
        self._token = token

    async def get_token(self, *scopes: str, **_: Any) -> Any:
        from azure.core.credentials import AccessToken

        return AccessToken(self._token, int(time.time()) + 3000)

    async def close(self) -> None: ...

    async def __aenter__(self) -> "_Credential":
        return self

    async def __aexit__(self, *_: object) -> None: ...


def _token(task: Task) -> str:
    import urllib.parse
    import urllib.request

    line = task.first_line
    form = {"grant_type": "client_credentials", "scope": f"{line['url']}/.default"}
    form |= {name: line[name] for name in ("client_id", "client_secret")}
    url = f"{line['authority']}/{line['tenant_id']}/oauth2/v2.0/token"
    with urllib.request.urlopen(url, urllib.parse.urlencode(form).encode()) as answer:
        token: str = json.load(answer)["access_token"]
        return token


CLIENTS = {
    "connector": connector,
    "connector_updates": connector_updates,
    "repeated_page": repeated_page,
    "dlt": dlt,
    "microsoft": microsoft,
}


def main() -> None:
    task = Task(**json.load(sys.stdin))
    print(json.dumps(asyncio.run(CLIENTS[sys.argv[1]](task))))


if __name__ == "__main__":
    main()
