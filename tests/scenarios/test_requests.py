"""A webhook that was answered is carried out although the process that answered it was killed."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL
from pathlib import Path
from typing import Any, Final

import aiohttp

from tandem.app.requests import requests
from tests.scenarios.stage import running_stage

SECRET: Final = "a secret of the test"
PERSON: Final = {"firstName": "Asked", "lastName": "For", "email": "asked@story.example"}


async def test_r5_what_was_answered_is_done_after_a_kill(tmp_path: Path) -> None:
    with running_stage(tmp_path, seed=77) as stage:
        person = stage.marketing.control("people/create", {"entity": "person", "values": PERSON})["id"]
        await stage.sync()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        stage.configure(f'[webhooks]\nlisten = "127.0.0.1:{port}"\n[run]\npass_interval_s = 600.0\n')
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tandem.cli.main", "run", "--config", str(tmp_path / "tandem.toml")),
            stdout=DEVNULL,
            stderr=DEVNULL,
            env={**os.environ, **stage.secrets, "TANDEM_WEBHOOK_SECRET": SECRET},
        )
        try:
            # Whatever would make the lead is slow, so that the kill comes before it.
            stage.crm.fault("leads.update", "delay", delay_s=5.0, times=None)
            stage.crm.fault("leads.create", "delay", delay_s=5.0, times=None)
            told = await _call(port, {"id": person})
        finally:
            process.send_signal(signal.SIGKILL)
            await process.wait()
        stage.crm.control("faults", method="DELETE")
        assert told["outcome"] == "will be created"
        await asyncio.sleep(2.5)
        await stage.sync_until(lambda: all(line.state == "done" for line in requests(stage.config, 10)))
        leads = stage.crm.records("lead").values()
        assert [row["lastname"] for row in leads if row.get("emailaddress1") == PERSON["email"]] == ["For"]


async def _call(port: int, body: dict[str, Any]) -> dict[str, Any]:
    """Once somebody answers; then once."""
    headers = {"Authorization": f"Bearer {SECRET}"}
    async with aiohttp.ClientSession(headers=headers) as session, asyncio.timeout(60):
        while True:
            try:
                async with session.post(f"http://127.0.0.1:{port}/hooks/sync-person", json=body) as answer:
                    told: dict[str, Any] = await answer.json()
                    return told
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.1)
