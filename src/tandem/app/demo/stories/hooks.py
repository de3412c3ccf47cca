"""What a Marketo flow step asks for, and records pushed by hand."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from tandem.app.demo.stories.registry import story
from tandem.app.demo.stories.scene import Row, Scene
from tandem.app.demo.world import CRM
from tandem.app.system import SystemClock

_SECRET: Final = "only the story knows it"
_WAIT_S: Final = 30.0
_PERSON: Final = {"firstName": "Hooked", "lastName": "Person", "company": "Hook Works"}


@asynccontextmanager
async def serving(scene: Scene) -> AsyncIterator[str]:
    """`tandem run` with its webhooks on a free port, and a pause between passes that no story outlives: gives the
    address of the hooks."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    scene.configure(f'[webhooks]\nlisten = "127.0.0.1:{port}"\n[run]\npass_interval_s = 600.0\n')
    async with scene.running("run", environment={"TANDEM_WEBHOOK_SECRET": _SECRET}):
        await _until(lambda: _listens(port))
        await _until(lambda: _has_passed(scene))
        yield f"http://127.0.0.1:{port}/hooks"
    scene.configure()


async def call(scene: Scene, base: str, person: int, deed: str, **fields: Any) -> None:
    """A trigger campaign with the one flow step Call Webhook, and a person who runs into it."""
    members = "".join(f", {json.dumps(name.rstrip('_'))}: {json.dumps(value)}" for name, value in fields.items())
    hook = {
        "step": "call_webhook",
        "name": deed,
        "url": f"{base}/{deed}",
        "payload": f'{{"id": {{{{lead.Id}}}}{members}}}',
        "headers": {"Authorization": f"Bearer {_SECRET}"},
        "mappings": {"leadRole": "outcome"},
    }
    campaign = await scene.marketing.create("campaign", {"name": f"{deed} {person} {members}"[:200], "flow": [hook]})
    await scene.marketing_act("run-flow", ids=[person], campaign=int(campaign))


async def _told(scene: Scene, person: int) -> str:
    """What the hook's answer put into the person's field."""
    people = {row["id"]: row for row in await scene.people()}
    return str(people[person].get("leadRole") or "")


async def _until(is_so: Callable[[], Awaitable[object]]) -> bool:
    """Whether it came to be so in time."""
    try:
        async with asyncio.timeout(_WAIT_S):
            while not await is_so():
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


async def _has_passed(scene: Scene) -> bool:
    return scene.status().last_pass_at is not None


async def _records_of(scene: Scene, email: str) -> list[tuple[str, Row]]:
    """Leads and contacts with this address."""
    return [
        (entity, row)
        for entity in ("lead", "contact")
        for row in await scene.records(CRM, entity)
        if row.get("emailaddress1") == email
    ]


# --- the stories


@story(
    "push-by-webhook",
    "A flow step makes a person a lead in Dynamics, at once",
    rows=("N16", "N17", "N18", "N22"),
)
async def push_by_webhook(scene: Scene) -> None:
    email = "hooked@story.example"
    person = await scene.marketing_enter(email=email, **_PERSON)
    await scene.settle()
    scene.check("nobody is made in Dynamics unasked", not await _records_of(scene, email))
    owner = (await scene.records(CRM, "systemuser"))[1]
    async with serving(scene) as base:
        await call(scene, base, person, "sync-person", owner=owner["internalemailaddress"])
        is_there = await _until(lambda: _records_of(scene, email))
        scene.check("the lead is there long before the next pass is due", is_there)
        await _until(lambda: _told(scene, person))
        scene.check("the flow step was told what would happen", await _told(scene, person) == "will be created")
        await call(scene, base, person, "sync-person", as_="contact")
        await _until(lambda: _is_told(scene, person, "exists already"))
        scene.check("the step's repetition is told so", await _told(scene, person) == "exists already")
    found = await _records_of(scene, email)
    scene.check("it is one lead", [entity for entity, _ in found] == ["lead"])
    scene.check("it belongs to the user that was named", [r["ownerid"] for _, r in found] == [owner["systemuserid"]])
    scene.check("it has the person's values", [r["lastname"] for _, r in found] == ["Person"])
    await scene.settle()
    people = [row for row in await scene.people() if row["id"] == person]
    scene.check("the person carries its key", [p.get("externalPersonId") or p.get("tandemCrmId") for p in people])


async def _is_told(scene: Scene, person: int, outcome: str) -> bool:
    return await _told(scene, person) == outcome
