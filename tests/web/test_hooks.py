"""Webhooks over HTTP: who may call, what a call looks like, and what it is told."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

import aiohttp
import pytest

from tandem import telemetry
from tandem.app.requests import FrontDesk
from tandem.core.errors import ConfigError
from tandem.core.record import CONTACT, LEAD, PERSON, RecordId
from tandem.core.requests import RequestState
from tandem.runtime.sync_pass import run_pass
from tandem.web.hooks import hooks_app
from tandem.web.routes.hooks import BODY_MAX
from tandem.web.serving import serving
from tests.builders import World
from tests.memory_desk import MemoryDesk

SECRET = "wéry secret"
BEARER = {"Authorization": f"Bearer {SECRET}"}


@dataclass
class Line:
    """A caller's end of the line."""

    world: World
    url: str
    session: aiohttp.ClientSession
    woken: list[bool] = field(default_factory=list)

    async def call(self, deed: str, body: Any, **more: Any) -> tuple[int, dict[str, Any]]:
        given = {"json": body} if isinstance(body, dict | list) else {"data": body}
        headers = {**BEARER, **more.pop("headers", {})}
        async with self.session.post(f"{self.url}/hooks/{deed}", headers=headers, **given, **more) as answer:
            return answer.status, await answer.json(content_type=None) if answer.status != 404 else {}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    world, port, woken = World(), free_port(), list[bool]()
    world.marketing.create(PERSON, {"lastName": "New", "email": "new@example.com"}, RecordId("7"))
    engine = world.engine()
    engine.desk = MemoryDesk(world.crm)
    await run_pass(engine)
    app = hooks_app(FrontDesk(engine, "none", lambda: woken.append(True)), SECRET)
    async with serving(app, ("127.0.0.1", port), "webhooks.listen"), aiohttp.ClientSession() as session:
        yield Line(world, f"http://127.0.0.1:{port}", session, woken)


async def test_a_call_is_stored_answered_with_what_will_happen_and_wakes_the_runner(line: Line) -> None:
    status, told = await line.call("sync-person", {"id": 7})
    (request,) = line.world.store.load_open_requests()
    assert (status, told["outcome"], told["entity"], told["request"]) == (
        200,
        "will be created",
        "lead",
        request.number,
    )
    assert line.woken
    assert LEAD not in line.world.crm.records, "answering writes nothing to either side"


async def test_a_form_says_the_same_as_json(line: Line) -> None:
    _, first = await line.call("sync-person", {"id": 7, "as": "contact", "force": True})
    _, second = await line.call("sync-person", {"id": "7", "as": "contact", "force": "true"})
    form = aiohttp.FormData({"id": "7", "as": "contact", "force": "yes"})
    _, third = await line.call("sync-person", form)
    assert first["request"] == second["request"] == third["request"]
    assert first["entity"] == CONTACT


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": BEARER["Authorization"].removeprefix("Bearer ")},
        {"Authorization": BEARER["Authorization"].replace("Bearer", "Basic")},
    ],
)
async def test_without_the_secret_nothing_is_read_or_stored(line: Line, headers: dict[str, str]) -> None:
    status, told = await line.call("sync-person", {"id": 7}, headers=headers)
    assert status == 401
    assert "Authorization" in told["reason"]
    assert line.world.store.load_requests(10) == []


@pytest.mark.parametrize(
    ("deed", "body", "names"),
    [
        ("sync-person", {}, "id must be"),
        ("sync-person", {"id": True}, "id must be"),
        ("sync-person", {"id": "-1"}, "id must be"),
        ("sync-person", {"id": "0"}, "id must be"),
        ("sync-person", {"id": "7 or 8"}, "id must be"),
        ("sync-person", {"id": 7, "as": "account"}, "as must be lead or contact"),
        ("sync-person", {"id": 7, "force": "perhaps"}, "force must be"),
        ("sync-person", {"id": 7, "subject": "x"}, "subject is no field"),
        ("change-owner", {"id": 7}, "needs the field owner"),
        ("create-task", {"id": 7}, "needs the field subject"),
        ("create-task", {"id": 7, "subject": "x", "due_days": "soon"}, "due_days must be"),
        ("create-task", {"id": 7, "subject": "x" * 5_000}, "subject must be"),
        ("add-to-campaign", {"id": 7, "campaign": ""}, "needs the field campaign"),
        ("sync-person", [7], "a JSON object"),
        ("sync-person", b"{", "a JSON object or a form"),
        ("sync-person", b"\xff\xfe", "a JSON object or a form"),
    ],
)
async def test_a_call_that_cannot_be_understood_says_what_would_be_right_and_is_not_stored(
    line: Line, deed: str, body: Any, names: str
) -> None:
    status, told = await line.call(deed, body)
    assert (status, told["outcome"]) == (400, "refused")
    assert names in told["reason"]
    assert line.world.store.load_requests(10) == []


async def test_a_body_that_is_too_long_is_refused(line: Line) -> None:
    status, _ = await line.call("sync-person", b" " * (BODY_MAX + 1))
    assert status == 413
    status, _ = await line.call("sync-person", json.dumps({"id": 7}).encode().ljust(BODY_MAX))
    assert status == 200


async def test_there_is_nothing_at_other_addresses(line: Line) -> None:
    assert (await line.call("delete-everything", {"id": 7}))[0] == 404
    async with line.session.get(f"{line.url}/hooks/sync-person", headers=BEARER) as answer:
        assert answer.status == 405


async def test_a_key_of_the_callers_own_makes_two_calls_one(line: Line) -> None:
    key = {"Idempotency-Key": "step 4"}
    first = await line.call("create-task", {"id": 7, "subject": "One"}, headers=key)
    second = await line.call("create-task", {"id": 7, "subject": "Another"}, headers=key)
    assert first[1]["request"] == second[1]["request"]


async def test_what_is_refused_in_the_answer_is_not_done_later(line: Line) -> None:
    _, told = await line.call("change-owner", {"id": 7, "owner": "nobody"})
    assert told["outcome"] == "refused"
    (request,) = line.world.store.load_requests(10)
    assert request.state is RequestState.REFUSED
    assert request.said == told["reason"]


async def test_callers_at_once_are_all_answered(line: Line) -> None:
    told = await asyncio.gather(*(line.call("create-task", {"id": 7, "subject": f"No {n}"}) for n in range(20)))
    assert len({answer["request"] for _, answer in told}) == 20


async def test_r11_nothing_of_a_person_and_nothing_secret_is_logged(line: Line) -> None:
    stream = StringIO()
    telemetry.configure("json", "debug", stream)
    try:
        await line.call("create-task", {"id": 7, "subject": "Ring Ada Lovelace", "description": "ada@example.com"})
        await line.call("create-task", {"id": 7, "subject": "Ring Ada Lovelace", "due_days": "Ada"})
    finally:
        telemetry.configure()
    assert "hook.answered" in stream.getvalue()
    assert not {word for word in ("Ada", "Lovelace", "Ring", "ada@", SECRET, "secret") if word in stream.getvalue()}


async def test_an_address_that_is_taken_is_told_by_its_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        app = hooks_app(FrontDesk(World().engine(), "none", lambda: None), SECRET)
        with pytest.raises(ConfigError, match=r"webhooks\.listen"):
            async with serving(app, taken.getsockname(), "webhooks.listen"):
                raise AssertionError("it listens")
