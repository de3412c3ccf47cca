"""Where a demonstration takes place: a folder, two emulators, and a settings file that any command can use.

The settings differ from the defaults only in tempo: emulators answer at once, and nobody else shares their quota.
"""

import contextlib
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tandem.app.demo.services import Counters, Service, running_service
from tandem.app.demo.stories import settings
from tandem.app.demo.world import World, load_world
from tandem.app.settings import Config, load_config, write_settings

ACTIVITY_LAG_S: Final = 0.5
FEED_INTERVAL_S: Final = 1.0
PASS_INTERVAL_S: Final = 2.0
OVERLAP_S: Final = 600.0
SETTLE_S: Final = 5.0
QUOTA_SHARE: Final = 0.9
FEED_LAG_S: Final = ACTIVITY_LAG_S + FEED_INTERVAL_S + 0.1
"""After this, everything that people typed is in the feeds, and the feeds are due."""


@dataclass(slots=True)
class Stage:
    """Both emulators running; `config` is what the product is told."""

    crm: Service
    marketing: Service
    folder: Path
    config: Config
    more: str = ""
    """Settings (TOML) that lie over the demonstration's own."""

    async def look(self) -> World:
        return await load_world(self.crm.control, self.marketing.control)

    async def counters(self) -> tuple[Counters, Counters]:
        return await self.crm.control.counters(), await self.marketing.control.counters()

    def create_people_in_crm(self) -> None:
        """From the next pass on, a person known only to Marketo becomes a lead."""
        facts = self.crm.facts, self.marketing.facts
        self.config = write_config(self.folder, *facts, creates_leads=True, more=self.more)


@contextlib.asynccontextmanager
async def prepared_stage(*, people: int, seed: int, folder: Path | None, more: str = "") -> AsyncIterator[Stage]:
    """Start both emulators with `people` in Dynamics and a tenth of them in Marketo, most of those the same."""
    crm_arguments = ["dataverse", "--people", str(people), "--seed", str(seed)]
    marketing_arguments = ["marketo", "--people", str(max(50, people // 10)), "--seed", str(seed)]
    marketing_arguments += ["--overlap", str(people), "--set", f"activity_lag_s={ACTIVITY_LAG_S}"]
    with _folder(folder) as place:
        async with (
            running_service(crm_arguments, place / "dataverse.log") as crm,
            running_service(marketing_arguments, place / "marketo.log") as marketing,
        ):
            config = write_config(place, crm.facts, marketing.facts, more=more)
            with _environment(secrets_of(crm.facts, marketing.facts)):
                yield Stage(crm, marketing, place, config, more)


def write_config(
    folder: Path,
    crm: Mapping[str, str | None],
    marketing: Mapping[str, str | None],
    *,
    creates_leads: bool = False,
    more: str = "",
) -> Config:
    """Write ``tandem.toml`` for two running emulators, given their first lines; secrets stay out of it."""
    values: dict[str, object] = {
        "crm.url": crm["url"],
        "crm.authority": crm["authority"],
        "crm.tenant_id": crm["tenant_id"],
        "crm.client_id": crm["client_id"],
        "crm.settle_s": SETTLE_S,
        "marketing.url": marketing["url"],
        "marketing.munchkin_id": marketing["munchkin_id"],
        "marketing.client_id": marketing["client_id"],
        "marketing.daily_share": QUOTA_SHARE,
        "marketing.max_people": 10_000_000,
        "marketing.rate_share": QUOTA_SHARE,
        "marketing.changes_interval_s": FEED_INTERVAL_S,
        "marketing.merges_interval_s": FEED_INTERVAL_S,
        "marketing.deletions_interval_s": FEED_INTERVAL_S,
        "marketing.overlap_s": OVERLAP_S,
        "marketing.feed_lag_s": FEED_LAG_S,
        "marketing.settle_s": SETTLE_S,
        "run.pass_interval_s": PASS_INTERVAL_S,
    }
    if creates_leads:
        values["entities.lead.create_in_crm"] = "lead"
    path = folder / "tandem.toml"
    write_settings(path, values, replaces=True)
    if more:
        own = settings.parse(path.read_text(encoding="utf-8"))
        path.write_text(settings.render(settings.merged(own, settings.parse(more))), encoding="utf-8")
    return load_config(path)


def secrets_of(crm: Mapping[str, str | None], marketing: Mapping[str, str | None]) -> dict[str, str]:
    """The emulators' secrets, under the names by which the product looks for them."""
    return {
        "TANDEM_CRM_CLIENT_SECRET": str(crm["client_secret"]),
        "TANDEM_MARKETING_CLIENT_SECRET": str(marketing["client_secret"]),
    }


@contextlib.contextmanager
def _folder(wanted: Path | None) -> Iterator[Path]:
    if wanted is not None:
        wanted.mkdir(parents=True, exist_ok=True)
        for old in wanted.glob("tandem.db*"):  # emulators start anew, so an old state knows nobody here
            old.unlink()
        yield wanted
        return
    with TemporaryDirectory(prefix="tandem-demo-") as name:
        yield Path(name)


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
