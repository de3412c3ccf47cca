"""Webhooks: what the registered steps say is posted for every change of a row (sheet section 8).

A synchronous step is called inside the transaction of the change, and its failure undoes the change. For an
asynchronous step a job is written in that transaction (a row of `asyncoperation`, and the call itself in a queue of
ours), so that a change that was undone calls nobody; the call is made afterwards by a thread of its own. 502, 503
and 504 are tried once more; every other failure is final. There is no order among calls.
"""

import asyncio
import http.client
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.async_jobs import AsyncJobs
from tandem_emulators.dataverse.errors import ODataError
from tandem_emulators.dataverse.events import RowEvent
from tandem_emulators.dataverse.organization import Organization
from tandem_emulators.dataverse.settings import Settings
from tandem_emulators.dataverse.store import Store
from tandem_emulators.dataverse.webhook_payload import Occasion, render
from tandem_emulators.dataverse.webhook_steps import REGISTRATION_TABLES, Step, check_registration, load_steps
from tandem_emulators.kit.clock import Clock

_RETRIED = frozenset({502, 503, 504})
_ATTEMPTS_MAX = 2


@dataclass(frozen=True, slots=True)
class Call:
    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """`error` is None for a call that succeeded; `status` is None if there was no answer."""

    error: ODataError | None
    status: int | None = None


def post(call: Call, timeout_s: float) -> Outcome:
    try:
        parts = urlsplit(call.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
        try:
            target = parts._replace(scheme="", netloc="").geturl() or "/"
            connection.request("POST", target, call.body, dict(call.headers))
            status = connection.getresponse().status
        finally:
            connection.close()
    except TimeoutError:
        return Outcome(errors.webhook_timed_out())
    except (OSError, http.client.HTTPException, ValueError):
        return Outcome(errors.webhook_post_failed())
    return Outcome(None if 200 <= status < 300 else errors.webhook_not_successful(), status)


class Webhooks:
    def __init__(self, store: Store, organization: Organization, clock: Clock, settings: Settings) -> None:
        self._store = store
        self._organization = organization
        self._clock = clock
        self._settings = settings
        self._jobs = AsyncJobs(store, clock)
        self._calling: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self.reload()

    def reload(self) -> None:
        """After a start or a restore: the rows say what is registered and what waits."""
        self._store.connection.execute(
            "CREATE TABLE IF NOT EXISTS webhook_queue (id TEXT PRIMARY KEY, due_s REAL NOT NULL, "
            "attempts INTEGER NOT NULL, keep INTEGER NOT NULL, url TEXT NOT NULL, headers TEXT NOT NULL, body BLOB)"
        )
        self._steps = load_steps(self._store)
        self._is_stale = False

    # Inside the transaction of a change.

    def heard(self, event: RowEvent) -> None:
        if event.table.name in REGISTRATION_TABLES:
            if event.message != "Delete":
                check_registration(self._store, event)
            self._is_stale = True
            return
        if not self._steps:
            return
        of_table = self._steps.get((event.message, event.table.name), [])
        of_all = self._steps.get((event.message, None), [])
        wanted = [step for step in (*of_table, *of_all) if _is_wanted(step, event)]
        occasion = Occasion.of(event, self._clock.now()) if wanted else None
        for step in wanted:
            assert occasion is not None
            if step.is_async:
                self._enqueue(occasion, step)
            else:
                self._call_now(occasion, step)

    def _call_now(self, occasion: Occasion, step: Step) -> None:
        call = self._call(occasion, step)
        outcome = post(call, self._settings.webhook_timeout_s)
        if outcome.status in _RETRIED:
            outcome = post(call, self._settings.webhook_timeout_s)
        if outcome.error is not None:
            raise outcome.error

    def _call(self, occasion: Occasion, step: Step) -> Call:
        body, is_cut = render(occasion, step, self._organization)
        url, authentication = step.endpoint.target()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "x-ms-dynamics-organization": self._organization.host,
            "x-ms-dynamics-entity-name": occasion.event.table.name,
            "x-ms-dynamics-request-name": occasion.event.message,
            "x-ms-correlation-request-id": occasion.correlation_id,
            **authentication,
        }
        if is_cut:
            headers["x-ms-dynamics-msg-size-exceeded"] = "true"
        return Call(url, headers, body)

    def _enqueue(self, occasion: Occasion, step: Step) -> None:
        job_id = self._jobs.begin(occasion.event, step.name, occasion.correlation_id)
        try:
            call = self._call(occasion, step)
        except ODataError as error:
            self._jobs.complete(job_id, error, keep=True)
            return
        due_s = self._clock.timestamp() + self._settings.webhook_delay_s
        headers = msgspec.json.encode(call.headers).decode()
        self._store.connection.execute(
            "INSERT INTO webhook_queue VALUES (?, ?, 0, ?, ?, ?, ?)",
            (job_id, due_s, int(not step.deletes_its_job), call.url, headers, call.body),
        )

    # Afterwards, on the event loop.

    def settle(self) -> None:
        """Start what is due. Nothing is, while background operations are off."""
        if self._is_stale:
            self.reload()
        if not self._settings.background_operations:
            return
        now = self._clock.timestamp()
        waiting = self._store.connection.execute("SELECT id, due_s FROM webhook_queue").fetchall()
        for job_id, due_s in waiting:
            if due_s <= now and job_id not in self._calling:
                self._start(job_id)
        self._wake_up_for(min((due_s for _, due_s in waiting if due_s > now), default=None), now)

    def _wake_up_for(self, due_s: float | None, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due_s is not None and not self._clock.is_frozen:
            self._timer = asyncio.get_running_loop().call_later(due_s - now, self.settle)

    def _start(self, job_id: str) -> None:
        row = self._store.connection.execute(
            "SELECT url, headers, body FROM webhook_queue WHERE id = ?", (job_id,)
        ).fetchone()
        call = Call(row[0], msgspec.json.decode(row[1], type=dict[str, str]), row[2])
        self._calling.add(job_id)
        loop, timeout_s = asyncio.get_running_loop(), self._settings.webhook_timeout_s

        def work() -> None:
            outcome = post(call, timeout_s)
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._came_back, job_id, outcome)

        threading.Thread(target=work, daemon=True, name=f"webhook {job_id}").start()

    def _came_back(self, job_id: str, outcome: Outcome) -> None:
        """The job may be gone meanwhile: a restore put another organisation in its place."""
        self._calling.discard(job_id)
        run = self._store.connection.execute
        row = run("SELECT attempts, keep FROM webhook_queue WHERE id = ?", (job_id,)).fetchone()
        if row is None:
            return
        attempts = row[0] + 1
        if outcome.status in _RETRIED and attempts < _ATTEMPTS_MAX:
            run("UPDATE webhook_queue SET attempts = ? WHERE id = ?", (attempts, job_id))
            self._start(job_id)
            return
        with self._store.transaction():
            run("DELETE FROM webhook_queue WHERE id = ?", (job_id,))
            self._jobs.complete(job_id, outcome.error, keep=bool(row[1]), retries=attempts - 1)

    def as_dict(self) -> dict[str, object]:
        """For the control API."""
        waiting = self._store.connection.execute("SELECT count(*) FROM webhook_queue").fetchone()[0]
        steps = [step.name for steps in self._steps.values() for step in steps]
        return {"steps": sorted(steps), "waiting": waiting, "calling": len(self._calling)}


def _is_wanted(step: Step, event: RowEvent) -> bool:
    bypasses = event.caller.bypasses
    if step.id in bypasses or ("CustomAsync" if step.is_async else "CustomSync") in bypasses:
        return False
    return event.message != "Update" or not step.filtering or not step.filtering.isdisjoint(event.changes)
