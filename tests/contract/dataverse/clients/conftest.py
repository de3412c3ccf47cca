"""One emulator for the clients that nobody here wrote: a process of its own, over https, as a person would start it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msal  # type: ignore[import-untyped]
import pytest

COMMAND = [sys.executable, "-c", "from tandem_emulators.cli import run; run()", "dataverse"]
ARGUMENTS = ["--tls", "--people", "60", "--control", "--die-with-parent", "--set", "key_index_s=0"]


@dataclass(frozen=True)
class Emulator:
    """Its first line, and a token that Microsoft's own library got from it."""

    access: dict[str, Any]
    token: str

    @property
    def url(self) -> str:
        return str(self.access["url"])

    @property
    def root(self) -> str:
        return f"{self.url}/api/data/v9.2/"

    @property
    def ca_file(self) -> str:
        return str(self.access["ca_file"])


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    pipe = subprocess.PIPE
    process = subprocess.Popen([*COMMAND, *ARGUMENTS], stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    access = json.loads(process.stdout.readline())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", access["ca_file"])
        yield Emulator(access, sign_in(access))
    process.terminate()
    process.communicate(timeout=10)


def sign_in(access: dict[str, Any]) -> str:
    application = msal.ConfidentialClientApplication(
        access["client_id"],
        client_credential=access["client_secret"],
        authority=f"{access['url']}/{access['tenant_id']}",
        instance_discovery=False,
    )
    found = application.acquire_token_for_client([f"{access['url']}/.default"])
    assert "access_token" in found, found
    return str(found["access_token"])
