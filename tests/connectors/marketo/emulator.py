"""The Marketo emulator as a process of its own, driven through its control API. No code of it is imported."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any


class Emulator:
    def __init__(self, first_line: dict[str, Any]) -> None:
        self.first_line = first_line
        self.url: str = first_line["url"]
        self.client_id: str = first_line["client_id"]
        self.client_secret: str = first_line["client_secret"]
        self.munchkin_id: str = first_line["munchkin_id"]
        self._control_url: str = first_line["control_url"]

    def control(self, path: str, body: Any = None, *, method: str | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._control_url}/{path}", data, method=method)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def records(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control(f"records/{name}")["records"]
        return found

    def counters(self) -> dict[str, Any]:
        found: dict[str, Any] = self.control("counters")
        return found

    def fault(self, operation: str, action: str, **more: Any) -> None:
        self.control("faults", {"operation": operation, "action": action, **more})

    def settings(self, **values: Any) -> None:
        self.control("settings", values)


@contextmanager
def running(people: int, *options: str) -> Iterator[Emulator]:
    command = [
        str(Path(sys.executable).with_name("tandem-emulators")),
        "marketo",
        "--port",
        "0",
        "--people",
        str(people),
        "--control",
        "--die-with-parent",
        *options,
    ]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, process.communicate(timeout=10)[1].decode()
        yield Emulator(json.loads(line))
    finally:
        process.terminate()
        process.communicate(timeout=10)


class EmulatorClock:
    """The emulator's clock as ours: a sleep moves it, so that no test waits and no quota notices the hurry."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime.fromisoformat(self._emulator.control("clock")["now"])

    def advance(self, seconds: float) -> None:
        self._emulator.control("clock", {"advance_s": seconds})

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)
