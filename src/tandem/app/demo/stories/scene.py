"""What a story sees: people at work on both sides, the product's own commands, and both sides as they are.

People act through the control APIs, admins through the documented APIs, and the product through its commands. What a
story checks it reads from the emulators; the product's store only by the product's own queries.
"""

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tandem.app import commands, queries, schema
from tandem.app.demo.services import Control, Service
from tandem.app.demo.stories import settings
from tandem.app.demo.stories.admin import rest, web_api
from tandem.app.demo.world import CRM, MARKETING, crm_key
from tandem.app.reports import ConflictLine, PlanReport, SchemaReport, StatusReport, SyncReport, VerifyReport
from tandem.app.settings import Config, load_config

FEED_PAUSE_S: Final = 0.2
"""After this, everything that people did is in the feeds, and the feeds are due."""
LATER_S: Final = 1.2
"""After this, what a pass put off for a while is due again."""
PASSES_MAX: Final = 15

Row = dict[str, Any]
Record = Mapping[str, Any]


def at(entity: str, id_: str) -> dict[str, str]:
    """What people put into a lookup: the record that it leads to."""
    return {"entity": entity, "id": id_}


@dataclass(frozen=True, slots=True)
class Check:
    what: str
    is_so: bool


@dataclass(frozen=True, slots=True)
class Apart:
    """A difference that the rules of a story ask for: of a whole record where `field` is None."""

    crm_id: str
    field: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Told:
    """What a command of the product said, and how it ended."""

    status: int
    output: str
    complaints: str = ""

    def json(self) -> Any:
        """The object that ``--json`` prints last."""
        assert self.output.strip(), f"the command ended with {self.status}: {self.complaints[-500:]}"
        return json.loads(self.output.strip().splitlines()[-1])


@dataclass(slots=True)
class Scene:
    """One story's stage. `crm` and `marketing` are the control APIs; ids of records are in lower case."""

    crm_service: Service
    marketing_service: Service
    folder: Path
    base: Mapping[str, Any]
    """The settings below those of the story, as a document."""
    config: Config = field(init=False)
    checks: list[Check] = field(default_factory=list)
    apart_by_rule: list[Apart] = field(default_factory=list)
    made: set[tuple[str, str]] = field(default_factory=set)
    """(side, id) of the records that people made."""

    @property
    def crm(self) -> Control:
        return self.crm_service.control

    @property
    def marketing(self) -> Control:
        return self.marketing_service.control

    # --- the settings

    @property
    def settings_file(self) -> Path:
        return self.folder / "tandem.toml"

    def configure(self, toml: str = "") -> None:
        """From now on the settings are the stage's own with those of `toml` laid over them."""
        document = settings.merged(self.base, settings.parse(toml))
        self.settings_file.write_text(settings.render(document), encoding="utf-8")
        self.config = load_config(self.settings_file)

    # --- the product

    async def sync(self) -> SyncReport:
        """One pass, once what people did is in the feeds."""
        await asyncio.sleep(FEED_PAUSE_S)
        return await commands.sync(self.config)

    async def settle(self) -> int:
        """Passes until two in a row write nothing; how many records were written.

        Where the first of them leaves something for later (a child waits for its parent), the second comes later.
        """
        written, was_quiet = 0, False
        for _ in range(PASSES_MAX):
            report = await self.sync()
            written += report.writes
            is_quiet = not report.writes
            if is_quiet and was_quiet:
                return written
            if is_quiet and self._is_anything_left():
                await asyncio.sleep(LATER_S)
            was_quiet = is_quiet
        self.check(f"the passes come to rest within {PASSES_MAX}", False)
        return written

    def _is_anything_left(self) -> bool:
        return any(line.waiting or line.open_actions or line.pending for line in self.status().entities)

    async def plan(self, limit: int = 1_000) -> PlanReport:
        await asyncio.sleep(FEED_PAUSE_S)
        return await commands.plan(self.config, limit=limit)

    async def verify(self, limit: int = 1_000) -> VerifyReport:
        return await commands.verify(self.config, limit=limit)

    async def plan_schema(self) -> SchemaReport:
        return await schema.plan_schema(self.config)

    async def apply_schema(self) -> SchemaReport:
        return await schema.apply_schema(self.config)

    def status(self) -> StatusReport:
        return queries.status(self.config)

    def held(self) -> tuple[str, ...]:
        """What is held, each with its reason, as ``tandem status`` lists it."""
        return self.status().holds

    def conflicts(self, crm_id: str | None = None) -> list[ConflictLine]:
        found = queries.conflicts(self.config, 1_000)
        return [line for line in found if crm_id is None or line.crm_id == crm_id]

    async def tandem(self, *arguments: str) -> Told:
        """The command line, with this scene's settings."""
        async with self.running(*arguments) as process:
            output, complaints = await process.communicate()
        assert process.returncode is not None
        return Told(process.returncode, output.decode(), complaints.decode())

    @contextlib.asynccontextmanager
    async def running(self, *arguments: str, environment: Mapping[str, str] | None = None) -> AsyncIterator[Process]:
        """A command as a process of its own, such as ``run``; it is asked to end when the block ends."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tandem.cli.main", *arguments, "--config", str(self.settings_file)),
            stdout=PIPE,
            stderr=PIPE,
            env={**os.environ, **(environment or {})},
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()

    # --- people at work

    async def crm_enter(self, entity: str, **values: Any) -> str:
        """A new record in Dynamics; a lookup is {"entity": ..., "id": ...}."""
        id_ = (await self.crm.create(entity, values)).lower()
        self.made.add((CRM, id_))
        return id_

    async def crm_edit(self, entity: str, id_: str, **values: Any) -> None:
        await self.crm.edit([{"entity": entity, "id": id_, "values": values}])

    async def crm_delete(self, entity: str, id_: str) -> None:
        await self.crm.delete(entity, id_)

    async def crm_act(self, action: str, **arguments: Any) -> Mapping[str, Any]:
        """Whatever else people do in Dynamics: merge, qualify. What it makes counts as made by people."""
        answer = await self.crm.act(action, **arguments)
        self.made |= {(CRM, str(value).lower()) for name, value in answer.items() if name.endswith("_id")}
        return answer

    async def marketing_enter(self, entity: str = "person", **values: Any) -> int:
        id_ = await self.marketing.create(entity, values)
        self.made.add((MARKETING, id_))
        return int(id_)

    async def marketing_edit(self, id_: int, entity: str = "person", **values: Any) -> None:
        await self.marketing.edit([{"entity": entity, "id": id_, "values": values}])

    async def marketing_delete(self, id_: int, entity: str = "person") -> None:
        await self.marketing.delete(entity, id_)

    async def marketing_act(self, action: str, **arguments: Any) -> Mapping[str, Any]:
        return await self.marketing.act(action, **arguments)

    # --- admins at work, over the documented APIs

    async def web_api(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """A call of the Dataverse Web API below ``/api/data/v9.2/``, by somebody with every privilege."""
        return await web_api(self.crm_service, method, path, body, **headers)

    async def rest(self, method: str, path: str, body: Any = None) -> Any:
        """A call of Marketo's REST API, such as ``/rest/v1/leads/describe.json``."""
        return await rest(self.marketing_service, method, path, body)

    # --- both sides as they are

    async def records(self, side: str, entity: str) -> list[Row]:
        """Everything of a table (``crm``) or an object (``marketing``)."""
        return await (self.crm if side == CRM else self.marketing).records(entity)

    async def crm_record(self, entity: str, id_: str) -> Row | None:
        return await self.crm.record(entity, id_)

    async def people(self) -> list[Row]:
        return await self.marketing.records("person")

    async def people_of(self, crm_id: str) -> list[Row]:
        """The people in Marketo that carry a record's key."""
        return [person for person in await self.people() if crm_key(person) == crm_id.lower()]

    async def person_of(self, crm_id: str) -> Row | None:
        """The one person that carries the record's key; None without one.

        Raises:
            AssertionError: several do.
        """
        found = await self.people_of(crm_id)
        assert len(found) <= 1, f"{len(found)} people carry the key {crm_id}"
        return found[0] if found else None

    async def get_person_of(self, crm_id: str) -> Row:
        """The one person that carries the record's key.

        Raises:
            AssertionError: nobody does, or several do.
        """
        person = await self.person_of(crm_id)
        assert person is not None, f"nobody carries the key {crm_id}"
        return person

    async def people_with(self, email: str) -> list[Row]:
        return [person for person in await self.people() if str(person.get("email") or "").lower() == email.lower()]

    async def company_of(self, account_id: str) -> Row | None:
        return await self.object_of("company", "externalCompanyId", account_id)

    async def object_of(self, name: str, key_field: str, crm_id: str) -> Row | None:
        """The one record of an object of Marketo whose key is the id of a record in Dynamics."""
        rows = await self.marketing.records(name)
        found = [row for row in rows if str(row.get(key_field) or "").lower() == crm_id.lower()]
        assert len(found) <= 1, f"{len(found)} records of {name} carry the key {crm_id}"
        return found[0] if found else None

    # --- what is to be so

    def check(self, what: str, is_so: object) -> None:
        """`what` is a sentence that says what should be."""
        self.checks.append(Check(what, bool(is_so)))

    def leave_apart(self, crm_id: str, field: str | None = None, *, why: str) -> None:
        """Tell the judge of a difference that the rules ask for, of one column or of the whole record; a difference
        that is told and not there counts as a difference too."""
        self.apart_by_rule.append(Apart(crm_id.lower(), field, why))
