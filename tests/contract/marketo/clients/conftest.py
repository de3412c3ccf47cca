"""One emulator for the clients that nobody here wrote: a process of its own, over https, as a person would start it."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

COMMAND = [sys.executable, "-c", "from tandem_emulators.cli import run; run()", "marketo"]
ARGUMENTS = ["--control", "--die-with-parent", "--limits", "off", "--activity-lag", "0",
             "--set", "export_status_refresh_s=0"]  # fmt: skip


@dataclass(frozen=True)
class Emulator:
    access: dict[str, Any]

    @property
    def url(self) -> str:
        return str(self.access["url"])

    @property
    def netloc(self) -> str:
        return urlsplit(self.url).netloc

    def control(self, path: str, body: object) -> dict[str, Any]:
        request = urllib.request.Request(self.access["control_url"] + path, json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=10) as answer:
            decoded: dict[str, Any] = json.loads(answer.read())
        return decoded

    def make(self, entity: str, **values: object) -> int:
        """What a person makes in Marketo's screens."""
        number: int = self.control("/people/create", {"entity": entity, "values": values})["id"]
        return number

    def advance(self, seconds: float) -> None:
        self.control("/clock", {"advance_s": seconds})


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    pipe = subprocess.PIPE
    process = subprocess.Popen([*COMMAND, *ARGUMENTS], stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    yield Emulator(json.loads(process.stdout.readline()))
    process.stdin.close()
    process.wait(10)
    process.stdout.close()
