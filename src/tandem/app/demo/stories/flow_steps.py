"""What stories of flow steps need: webhooks that are served, a flow step that calls one, and what came of it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final
from uuid import uuid4

from tandem.app.demo.stories.scene import Row, Scene
from tandem.app.demo.world import CRM
from tandem.app.requests import requests

PERSON: Final = {"firstName": "Hooked", "lastName": "Person", "company": "Hook Works"}
SETTLED_S: Final = 2.0
"""After this a call whose answer was lost can no longer land (``crm.settle_s`` of a scene)."""

_SECRET: Final = "only the story knows it"
_WAIT_S: Final = 30.0


@asynccontextmanager
async def serving(scene: Scene) -> AsyncIterator[str]:
    """`tandem run` with its webhooks on a free port, and a pause between passes that no story outlives: gives the
    address of the hooks."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    scene.configure(f'[webhooks]\nlisten = "127.0.0.1:{port}"\n[run]\npass_interval_s = 600.0\n')
    before = scene.status().last_pass_at
    async with scene.running("run", environment={"TANDEM_WEBHOOK_SECRET": _SECRET}):
        await until(lambda: _listens(port))
        await until(lambda: _has_passed(scene, before))
        yield f"http://127.0.0.1:{port}/hooks"
    scene.configure()


async def call(scene: Scene, base: str, person: int, deed: str, **fields: str) -> None:
    """A trigger campaign with the one flow step Call Webhook, and a person who runs into it. The payload is a form: in
    JSON a text token brings its own quotes along, so that it cannot stand within a text."""
    named = {"id": "{{lead.Id}}", **{name.rstrip("_"): text for name, text in fields.items()}}
    hook = {
        "step": "call_webhook",
        "name": deed,
        "url": f"{base}/{deed}",
        "payload": "&".join(f"{name}={text}" for name, text in named.items()),
        "encoding": "Form/Url",
        "headers": {"Authorization": f"Bearer {_SECRET}"},
        "mappings": {"leadRole": "outcome"},
    }
    campaign = await scene.marketing.create("campaign", {"name": f"{deed} {uuid4()}", "flow": [hook]})
    await scene.marketing_act("run-flow", ids=[person], campaign=int(campaign))


async def told(scene: Scene, person: int) -> str:
    """What the hook's answer put into the person's field; Marketo takes answers in with whatever happens next."""
    await scene.rest("GET", "/rest/v1/campaigns.json")
    people = {row["id"]: row for row in await scene.people()}
    return str(people[person].get("leadRole") or "")


async def until(is_so: Callable[[], Awaitable[object]]) -> bool:
    """Whether it came to be so in time."""
    try:
        async with asyncio.timeout(_WAIT_S):
            while not await is_so():  # noqa: ASYNC110 - other processes make it so
                await asyncio.sleep(0.1)
    except TimeoutError:
        return False
    return True


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _has_passed(scene: Scene, before: datetime | None) -> bool:
    """Whether there was a pass since, so that the next one comes only when it is called for."""
    return scene.status().last_pass_at != before


async def records_of(scene: Scene, email: str) -> list[tuple[str, Row]]:
    """Leads and contacts with this address."""
    return [
        (entity, row)
        for entity in ("lead", "contact")
        for row in await scene.records(CRM, entity)
        if row.get("emailaddress1") == email
    ]


async def has_no_open_requests(scene: Scene) -> bool:
    return all(line.state in ("done", "refused") for line in requests(scene.config, 100))
