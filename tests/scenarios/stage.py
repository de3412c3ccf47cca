"""Two emulators, a settings file and the commands of the product: where a story takes place.

People act through the control APIs, the product through its commands; nothing here looks into the store except by the
product's own queries. The tempo is a test's: changes are in the feeds at once, and the feeds are always due.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tandem.app import commands, queries
from tandem.app.demo.stage import secrets_of
from tandem.app.reports import CheckReport, ConflictLine, PlanReport, SyncReport, VerifyReport
from tandem.app.settings import Config, load_config
from tandem.cli.main import app
from tests.connectors.dynamics import emulator as dataverse
from tests.connectors.marketo import emulator as marketo

Row = dict[str, Any]
KEY = "tandemCrmId"
"""The field that holds a person's CRM key where Marketo lacks ``externalPersonId``."""

_TEMPO = """\
[crm]
url = "{crm.url}"
authority = "{crm.first_line[authority]}"
client_id = "{crm.first_line[client_id]}"
{signing_in}
settle_s = 2.0
[marketing]
url = "{marketing.url}"
munchkin_id = "{marketing.munchkin_id}"
client_id = "{marketing.client_id}"
daily_share = 1.0
max_people = 1_000_000
rate_share = 1.0
changes_interval_s = 0.01
merges_interval_s = 0.01
deletions_interval_s = 0.01
feed_lag_s = 0.1
settle_s = 2.0
"""


@dataclass(slots=True)
class Stage:
    crm: dataverse.Emulator
    marketing: marketo.Emulator
    folder: Path
    config: Config
    cast: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Ids of records that are in step, for stories to take."""

    def configure(self, more: str = "") -> None:
        """Write the settings, with `more` lines behind them."""
        self.config = write_settings(self.crm, self.marketing, self.folder, more)

    # --- the product

    async def sync(self) -> SyncReport:
        with self._secrets():
            return await commands.sync(self.config)

    async def plan(self) -> PlanReport:
        with self._secrets():
            return await commands.plan(self.config)

    async def check(self) -> CheckReport:
        with self._secrets():
            return await commands.check(self.config)

    async def verify(self, limit: int = 100) -> VerifyReport:
        with self._secrets():
            return await commands.verify(self.config, limit=limit)

    def tandem(self, command: str, *options: str) -> Result:
        """The command line; not from within a coroutine, as it has a loop of its own."""
        arguments = [*command.split(), "--config", str(self.folder / "tandem.toml"), *options]
        result = CliRunner().invoke(app, arguments, env=self.secrets)
        assert "Traceback" not in result.output
        return result

    @property
    def secrets(self) -> dict[str, str]:
        return secrets_of(self.crm.first_line, {"client_secret": self.marketing.client_secret})

    @contextmanager
    def _secrets(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as environment:
            for name, value in self.secrets.items():
                environment.setenv(name, value)
            yield

    async def sync_until(self, is_done: Callable[[], object], within_s: float = 15.0) -> None:
        """Pass after pass until the story has come where it should."""
        began = monotonic()
        while True:
            await self.sync()
            if is_done():
                return
            assert monotonic() - began < within_s, "the passes do not get there"
            await asyncio.sleep(0.1)

    async def sync_until_quiet(self) -> None:
        """Until a pass writes nothing, after waiting for what the one before may have left for later."""
        for _ in range(8):
            if not (await self.sync()).writes:
                await asyncio.sleep(1.2)
                if not (await self.sync()).writes:
                    return
        raise AssertionError("the passes go on writing")

    def conflicts_of(self, crm_id: str) -> list[ConflictLine]:
        return [line for line in queries.conflicts(self.config, 1_000) if line.crm_id == crm_id]

    def holds(self) -> str:
        return "\n".join(queries.status(self.config).holds)

    # --- both sides as they are

    def record(self, entity: str, id_: str) -> Row:
        return self.crm.records(entity)[id_]

    def everyone(self) -> dict[int, Row]:
        """Marketo's people by id."""
        rows = self.marketing.control("records/person?limit=5000")["records"]
        return {row["id"]: row for row in rows}

    def people_of(self, crm_id: str) -> list[Row]:
        return [row for row in self.everyone().values() if str(row.get(KEY, "")).lower() == crm_id]

    def person_of(self, crm_id: str) -> Row:
        """The one person in Marketo for a CRM record."""
        found = self.people_of(crm_id)
        assert len(found) == 1, f"{len(found)} people carry the key of one record"
        return found[0]

    def has(self, crm_id: str, **values: object) -> bool:
        """Whether the record's one person holds `values`."""
        found = self.people_of(crm_id)
        return len(found) == 1 and all(found[0].get(name) == value for name, value in values.items())

    def crm_has(self, entity: str, id_: str, **values: object) -> bool:
        row = self.record(entity, id_)
        return all(row.get(name) == value for name, value in values.items())

    def companies(self) -> dict[str, Row]:
        """Marketo's synchronised companies by their CRM key."""
        rows = self.marketing.control("records/company?limit=5000")["records"]
        return {row["externalCompanyId"].lower(): row for row in rows if row.get("externalCompanyId")}

    def sales_persons(self) -> list[Row]:
        rows: list[Row] = self.marketing.control("records/salesperson?limit=5000")["records"]
        return rows

    # --- people at work

    async def prepare(self, **counts: int) -> None:
        """So many leads and contacts that are in step on both sides."""
        for entity, count in counts.items():
            for number in range(count):
                person = {"firstname": "Story", "lastname": f"{entity.title()} {number}", "jobtitle": "Clerk"}
                email = f"{entity}.{number}@story.example"
                self.cast[entity].append(self.enter(entity, emailaddress1=email, telephone1="+44 1", **person))
        await self.sync()
        await self.sync_until_quiet()

    def take(self, entity: str) -> str:
        """A record that no other story has."""
        return self.cast[entity].pop()

    def enter(self, entity: str, **values: object) -> str:
        """A new record in Dynamics."""
        return self.crm.create(entity, **values)

    def fill_in_form(self, **values: object) -> int:
        """A new person in Marketo."""
        made: int = self.marketing.control("people/create", {"entity": "person", "values": values})["id"]
        return made

    def edit_person(self, id_: int, **values: object) -> None:
        self.marketing.control("people/edit", {"entity": "person", "id": id_, "values": values})

    def delete_person(self, id_: int) -> None:
        self.marketing.control("people/delete", {"entity": "person", "id": id_})

    def merge_people(self, winner: int, loser: int) -> None:
        self.marketing.control("people/merge", {"entity": "person", "winner": winner, "loser": loser})

    def counters(self) -> tuple[Row, Row]:
        return self.crm.control("counters"), self.marketing.control("counters")

    def reset_counters(self) -> None:
        for side in (self.crm, self.marketing):
            side.control("counters/reset", {})


def write_settings(crm: dataverse.Emulator, marketing: marketo.Emulator, folder: Path, more: str = "") -> Config:
    path = folder / "tandem.toml"
    text = _TEMPO.format(crm=crm, marketing=marketing, signing_in=_signing_in(crm))
    path.write_text(text + more, encoding="utf-8")
    return load_config(path)


def _signing_in(crm: dataverse.Emulator) -> str:
    """As an application user of the tenant; on premises, where there is none, as a user."""
    line = crm.first_line
    if line["tenant_id"] is None:
        return f'auth = "password"\nusername = "{line["username"]}"'
    return f'tenant_id = "{line["tenant_id"]}"'


@contextmanager
def running_stage(
    folder: Path,
    *,
    people: int = 0,
    marketing_people: int = 0,
    seed: int = 1,
    more: str = "",
    crm_options: tuple[str, ...] = (),
    marketing_options: tuple[str, ...] = (),
) -> Iterator[Stage]:
    options = ("--seed", str(seed), "--limits", "off")
    marketing_options = (*options, "--overlap", str(people), "--set", "activity_lag_s=0", *marketing_options)
    with ExitStack() as stack:
        crm = stack.enter_context(dataverse.running(people, *options, *crm_options))
        marketing = stack.enter_context(marketo.running(marketing_people, *marketing_options))
        yield Stage(crm, marketing, folder, write_settings(crm, marketing, folder, more))
