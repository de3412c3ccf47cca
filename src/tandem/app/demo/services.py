"""An emulator as a process of its own, and the control API through which people act and the judge looks.

The process ends with its context whatever happens, and by itself when this process is killed: its standard input is
a pipe that ends with us. It has a session of its own, so that Ctrl-C reaches only us and passes end in order.
"""

import asyncio
import contextlib
import shutil
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import msgspec

from tandem.core.errors import ConfigError

PROGRAM = "tandem-emulators"
_START_S = 60
_STOP_S = 5

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Counters:
    """What an emulator counted: API calls without sign-in and the most at once, records read, and every record in a
    write request, changed or not."""

    calls: int
    written: int
    read: int
    at_once: int


class Control:
    """The control API of one emulator. Nothing here is counted as an API call."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def counters(self) -> Counters:
        answer = await self._ask("GET", "/counters")
        return Counters(
            calls=int(answer["requests_total"]),
            written=int(answer["records_written"]),
            read=int(answer["records_read"]),
            at_once=int(answer["served_at_once_max"]),
        )

    async def reset_counters(self) -> None:
        await self._ask("POST", "/counters/reset", {})

    async def set_latency(self, default_ms: float) -> None:
        await self._ask("POST", "/latency", {"default_ms": default_ms})

    async def records(self, entity: str) -> list[Record]:
        found: list[Record] = []
        after: str | None = None
        while True:
            query = {"limit": "5000"} if after is None else {"limit": "5000", "after": after}
            page = await self._ask("GET", f"/records/{entity}", query=query)
            found += page["records"]
            after = None if page["next"] is None else str(page["next"])
            if after is None:
                return found

    async def record(self, entity: str, record_id: str) -> Record | None:
        """One record: the listing goes in order of the ids, so it is the first behind the id before it."""
        query = {"after": _id_before(record_id), "limit": "1"}
        page = await self._ask("GET", f"/records/{entity}", query=query)
        return next((record for record in page["records"] if record_id in map(str, record.values())), None)

    async def edit(self, edits: Sequence[Mapping[str, Any]]) -> None:
        """Several people's edits: each with entity, id and values."""
        await self._ask("POST", "/people/edit", {"edits": list(edits)})

    async def create(self, entity: str, values: Mapping[str, Any]) -> str:
        answer = await self._ask("POST", "/people/create", {"entity": entity, "values": dict(values)})
        return str(answer["id"])

    async def delete(self, entity: str, record_id: str | int) -> None:
        await self._ask("POST", "/people/delete", {"entity": entity, "id": record_id})

    async def act(self, action: str, **arguments: Any) -> Mapping[str, Any]:
        """Whatever else people do there: merge, qualify."""
        return await self._ask("POST", f"/people/{action}", arguments)

    async def advance_clock(self, seconds: float) -> None:
        await self._ask("POST", "/clock", {"advance_s": seconds})

    async def grant(self, *privileges: str) -> None:
        await self._ask("POST", "/privileges", {"grant": list(privileges)})

    async def make_administrator(self, user: str, *, is_so: bool = True) -> None:
        await self._ask("POST", "/privileges", {"user": user, "administrator": is_so})

    async def revoke(self, *privileges: str) -> None:
        await self._ask("POST", "/privileges", {"revoke": list(privileges)})

    async def set(self, **settings: Any) -> None:
        await self._ask("POST", "/settings", settings)

    async def settings(self) -> Mapping[str, Any]:
        return await self._ask("GET", "/settings")

    async def set_clock(self, now: datetime) -> None:
        await self._ask("POST", "/clock", {"now": now.isoformat(), "frozen": False})

    async def strike(self, operation: str, action: str, **more: Any) -> None:
        """A fault on the next call of an operation: ``status``, ``drop_after`` and so on."""
        await self._ask("POST", "/faults", {"operation": operation, "action": action, **more})

    async def clear_faults(self) -> None:
        await self._ask("DELETE", "/faults")

    async def change_rights(self, **change: Any) -> None:
        """What the product's user may do: grant, revoke, revoke_columns, grant_columns, narrow, widen."""
        await self._ask("POST", "/privileges", change)

    async def save_snapshot(self, file: Path) -> None:
        """The whole organisation in a file, for another emulator to copy."""
        await self._ask("POST", "/snapshots", {"file": str(file)})

    async def copy_environment(self, file: Path) -> None:
        """Put the organisation of a file over this one, as an administrator copies an environment."""
        await self._ask("POST", "/environment/copy", {"file": str(file), "administration_mode": False})

    async def privileges(self) -> Mapping[str, Any]:
        return await self._ask("GET", "/privileges")

    async def change_privileges(self, **change: Any) -> None:
        await self._ask("POST", "/privileges", change)

    async def take_snapshot(self) -> str:
        return str((await self._ask("POST", "/snapshots", {}))["id"])

    async def restore_snapshot(self, number: str) -> None:
        await self._ask("POST", f"/snapshots/{number}/restore", {})

    async def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        content = None if body is None else msgspec.json.encode(body)
        async with self._session.request(method, self._url + path, data=content, params=query) as response:
            answer: dict[str, Any] = msgspec.json.decode(await response.read())
            assert response.status == 200, f"{method} {path}: {answer.get('error')}"
            return answer


@dataclass(frozen=True, slots=True)
class Service:
    """A running emulator: `facts` is the first line it printed (url, credentials)."""

    facts: Mapping[str, str | None]
    control: Control
    process_id: int

    def fact(self, name: str) -> str:
        value = self.facts[name]
        assert value is not None, name
        return value


@contextlib.asynccontextmanager
async def running_service(arguments: Sequence[str], log: Path) -> AsyncIterator[Service]:
    """Start `tandem-emulators` with `arguments` on a free port; what it complains of goes to the file `log`."""
    with log.open("wb") as complaints:
        process = await asyncio.create_subprocess_exec(
            find_program(),
            *(*arguments, "--port", "0", "--control", "--die-with-parent"),
            stdin=PIPE,
            stdout=PIPE,
            stderr=complaints,
            start_new_session=True,
        )
    try:
        facts = await _first_line(process, log)
        async with aiohttp.ClientSession() as session:
            control_url = facts["control_url"]
            assert control_url is not None
            yield Service(facts, Control(session, control_url), process.pid)
    finally:
        await _stop(process)


def find_program() -> str:
    """The emulators' command beside this interpreter, else anywhere on the path."""
    beside = Path(sys.executable).parent / PROGRAM
    found = str(beside) if beside.exists() else shutil.which(PROGRAM)
    if found is None:
        raise ConfigError(f"The command {PROGRAM} is not installed beside tandem; install the package again.")
    return found


async def _first_line(process: Process, log: Path) -> dict[str, str | None]:
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), _START_S)
    except TimeoutError as error:
        raise ConfigError(f"An emulator did not start within {_START_S} s; see {log}.") from error
    if not line:
        raise ConfigError(f"An emulator ended while it started; see {log}.")
    return msgspec.json.decode(line, type=dict[str, str | None])


async def _stop(process: Process) -> None:
    """Ask, wait, insist. Shielded, because the reason to stop may be that we are being cancelled."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(asyncio.shield(process.wait()), _STOP_S)
    except (TimeoutError, asyncio.CancelledError):
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _id_before(record_id: str) -> str:
    if record_id.isdecimal():
        return str(int(record_id) - 1)
    return str(UUID(int=UUID(record_id).int - 1))
