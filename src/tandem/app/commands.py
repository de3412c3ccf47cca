"""What the command line can ask for: check, plan, sync, run; verify and repair are re-exported."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

from tandem.app.build import Setup, connected, opened, resolve
from tandem.app.notices import open_notices
from tandem.app.passing import make_pass
from tandem.app.permissions import SHOWN, features_in_use
from tandem.app.pilots import PilotWish
from tandem.app.planning import make_plan
from tandem.app.proof import repair, verify
from tandem.app.reports import (
    AccessLine,
    CheckReport,
    LeftOutField,
    Observer,
    PlanReport,
    SyncReport,
)
from tandem.app.run_loop import Beside, RunLoop, nothing_beside
from tandem.config.model import Config
from tandem.config.policies import default_mappings, policies
from tandem.core.errors import AccessError, SchemaChangedError, TandemError, TransientError
from tandem.core.mapping_resolver import ResolvedMapping, distinct_new_fields
from tandem.core.record import Entity
from tandem.ports import Connector
from tandem.telemetry import get_logger

_SETTLE_WAIT_S = 300.0
"""How long one ``tandem sync`` waits for writes whose answer was lost, so that it can finish their records too."""

__all__ = ["check", "plan", "repair", "run", "sync", "verify"]

T = TypeVar("T")

log = get_logger()


async def check(config: Config) -> CheckReport:
    """Try each connection and permission, and compare the mapping with both sides' fields. Nothing is written."""
    entities, features = list(policies(config)), features_in_use(config)
    defaults = default_mappings(config)
    targets = list(dict.fromkeys(defaults[entity].marketing_entity for entity in entities))
    async with connected(config) as (crm, marketing):
        access = [
            AccessLine(str(connector.side), item.what, item.is_ok, item.remedy, item.is_required)
            for connector, kinds in ((crm, entities), (marketing, targets))
            for item in await connector.check_access(kinds, features)
        ]
        if not all(line.is_ok for line in access if line.is_required):
            return CheckReport(tuple(access), (), ())
        resolved = await resolve(config, crm, marketing)
        access += await _check_ends(config, crm, resolved)
    fields = tuple(f"{field.name} ({field.native_type})" for field in distinct_new_fields(resolved.values()))
    left_out = tuple(
        LeftOutField(
            str(item.crm_entity),
            item.crm_field,
            item.marketing_field,
            item.reason,
            item.remedy,
            is_permission=item.is_permission,
        )
        for mapping in resolved.values()
        for item in (*mapping.left_out, *mapping.narrowed)
    )
    return CheckReport(tuple(access), fields, left_out)


async def _check_ends(config: Config, crm: Connector, resolved: Mapping[Entity, ResolvedMapping]) -> list[AccessLine]:
    """The rights to what lookups lead to: which tables those are, only Dynamics knows."""
    pairs = [pair for item in resolved.values() for pair in item.mapping.pairs if pair.crm in item.mapping.paths]
    tables = dict.fromkeys(watch.entity for pair in pairs for watch in pair.watches)
    features = [feature for feature in features_in_use(config, tables) if feature.name == SHOWN]
    lines = await crm.check_access((), features) if tables else ()
    return [
        AccessLine(str(crm.side), line.what, line.is_ok, line.remedy, line.is_required)
        for line in lines
        if any(feature.title in line.what for feature in features)
    ]


async def plan(
    config: Config, observer: Observer | None = None, limit: int = 100, pilot: PilotWish | None = None
) -> PlanReport:
    """What the next pass would write, field by field. Nothing is written on either side."""

    async def once() -> PlanReport:
        async with opened(config, observer, creates_fields=False, pilot=pilot) as setup:
            return await make_plan(setup, limit)

    return await _resolving_anew(once)


async def sync(config: Config, observer: Observer | None = None, pilot: PilotWish | None = None) -> SyncReport:
    """One pass, of the people of a `pilot` alone; the first one is the first copy, and goes on where it stopped."""

    async def once() -> SyncReport:
        wait_s = _SETTLE_WAIT_S
        async with opened(config, observer, creates_fields=True, settle_wait_s=wait_s, pilot=pilot) as setup:
            return await _told(config, setup)

    return await _resolving_anew(once)


async def _told(config: Config, setup: Setup) -> SyncReport:
    """One pass, and whoever wants to know is told what came of it."""
    notices = open_notices(config, setup.engine.store, setup.engine.clock.now())
    failure: TandemError | None = None
    questions: tuple[str, ...] = ()
    try:
        report = await make_pass(setup)
        questions = report.guard
    except (TransientError, AccessError) as error:
        failure = error
        raise
    finally:
        if notices is not None:
            await notices.tell(setup.engine.clock.now(), failure, questions)
    return report


async def _resolving_anew(work: Callable[[], Awaitable[T]]) -> T:
    """Where a mapped field is found changed on the way, the mapping is made anew and the work done with that."""
    try:
        return await work()
    except SchemaChangedError as error:
        log.warning("mapping.became_outdated", side=str(error.side), operation=error.operation)
        return await work()


async def run(
    config: Config,
    stop: asyncio.Event,
    on_pass: Callable[[SyncReport], None],
    observer: Observer | None = None,
    *,
    file: Path | None = None,
    beside: Beside = nothing_beside,
) -> None:
    """Pass after pass until `stop` is set; the pass under way ends in order. Changes of the settings `file` are taken
    over between passes."""
    await RunLoop(config, stop, on_pass, observer, file, beside).run()
