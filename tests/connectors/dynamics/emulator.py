"""The Dataverse emulator as a process of its own, driven through its control API. No code of it is imported."""

import json
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.connectors.fake_clock import FakeClock


class Emulator:
    def __init__(self, first_line: Mapping[str, Any]) -> None:
        self.first_line = first_line
        self.url: str = first_line["url"]
        ca_file = first_line["ca_file"]
        self._trust = ssl.create_default_context(cafile=ca_file) if ca_file else None

    def control(self, path: str, body: Any = None, *, method: str | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.first_line['control_url']}/{path}", data, method=method)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=30, context=self._trust) as answer:
            return json.loads(answer.read() or b"null")

    def records(self, entity: str) -> dict[str, dict[str, Any]]:
        """What the service really holds, by id."""
        rows = self.control(f"records/{entity}")["records"]
        return {row[f"{entity}id"]: row for row in rows}

    def create(self, entity: str, **values: Any) -> str:
        """A person at the keyboard makes a record; its id."""
        made: str = self.control("people/create", {"entity": entity, "values": values})["id"]
        return made

    def edit(self, entity: str, record_id: str, **values: Any) -> None:
        self.control("people/edit", {"entity": entity, "id": record_id, "values": values})

    def delete(self, entity: str, record_id: str) -> None:
        self.control("people/delete", {"entity": entity, "id": record_id})

    def fault(self, operation: str, action: str, **more: Any) -> None:
        self.control("faults", {"operation": operation, "action": action, **more})

    def requests(self) -> dict[str, int]:
        counted: dict[str, int] = self.control("counters")["requests"]
        return counted

    @contextmanager
    def revoked(self, *privileges: str) -> Iterator[None]:
        self.control("privileges", {"revoke": list(privileges)})
        try:
            yield
        finally:
            self.control("privileges", {"grant": list(privileges)})

    @contextmanager
    def settings(self, **values: Any) -> Iterator[None]:
        before = self.control("settings")
        self.control("settings", values)
        try:
            yield
        finally:
            self.control("settings", {name: before[name] for name in values})


class EmulatorClock(FakeClock):
    """Who waits on this clock makes time pass at the service too."""

    def __init__(self, emulator: Emulator) -> None:
        super().__init__()
        self._emulator = emulator

    async def sleep(self, seconds: float) -> None:
        self._emulator.control("clock", {"advance_s": seconds})
        await super().sleep(seconds)


@contextmanager
def running(people: int, *options: str) -> Iterator[Emulator]:
    program = str(Path(sys.executable).with_name("tandem-emulators"))
    command = [program, "dataverse", "--port", "0", "--people", str(people), "--control", "--die-with-parent", *options]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, process.communicate(timeout=10)[1].decode()
        yield Emulator(json.loads(line))
    finally:
        process.terminate()
        process.communicate(timeout=10)
