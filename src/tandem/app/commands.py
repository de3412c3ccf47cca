"""What the command line can ask for: check, plan, sync, run, verify."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from tandem.app.budget import save_budget
from tandem.app.build import Setup, connected, opened, resolve
from tandem.app.permissions import features_in_use
from tandem.app.planning import make_plan
from tandem.app.reports import (
    AccessLine,
    CheckReport,
    Difference,
    LeftOutField,
    Observer,
    PlanReport,
    SyncReport,
    VerifyReport,
)
from tandem.config.model import Config
from tandem.config.policies import default_mappings, policies
from tandem.core.errors import AccessError, LeaseLostError, SchemaChangedError, TransientError
from tandem.core.mapping_resolver import distinct_new_fields
from tandem.runtime.backfill import FIRST_COPY
from tandem.runtime.reconcile import reconcile
from tandem.runtime.sync_pass import run_pass
from tandem.telemetry import get_logger

_SETTLE_WAIT_S = 300.0
"""How long one ``tandem sync`` waits for writes whose answer was lost, so that it can finish their records too."""

OTHER_SIDE_S = 60.0
"""While a side asks to be left alone for longer, the other one is read so often. Connectors keep their own waits."""

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


async def plan(config: Config, observer: Observer | None = None, limit: int = 100) -> PlanReport:
    """What the next pass would write, field by field. Nothing is written on either side."""

    async def once() -> PlanReport:
        async with opened(config, observer, creates_fields=False) as setup:
            return await make_plan(setup, limit)

    return await _resolving_anew(once)


async def sync(config: Config, observer: Observer | None = None) -> SyncReport:
    """One pass; the first one is the first copy, and goes on where it was interrupted."""

    async def once() -> SyncReport:
        async with opened(config, observer, creates_fields=True, settle_wait_s=_SETTLE_WAIT_S) as setup:
            return await _pass(setup)

    return await _resolving_anew(once)


async def _resolving_anew(work: Callable[[], Awaitable[T]]) -> T:
    """Where a mapped field is found changed on the way, the mapping is made anew and the work done with that."""
    try:
        return await work()
    except SchemaChangedError as error:
        log.warning("mapping.became_outdated", side=str(error.side), operation=error.operation)
        return await work()


async def run(
    config: Config, stop: asyncio.Event, on_pass: Callable[[SyncReport], None], observer: Observer | None = None
) -> None:
    """Pass after pass until `stop` is set; the pass under way ends in order. An unavailable side is tried again."""
    async with opened(config, observer, creates_fields=True) as setup:
        while not stop.is_set():
            pause = config.run.pass_interval_s
            try:
                on_pass(await _pass(setup))
            except TransientError as error:
                pause = max(pause, min(error.retry_after_s or 0.0, OTHER_SIDE_S))
                log.warning("side.became_unavailable", side=str(error.side), operation=error.operation)
            except (AccessError, LeaseLostError) as error:
                pause = max(pause, 30.0)
                log.error("pass.was_refused", error=type(error).__name__)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)


async def verify(config: Config, observer: Observer | None = None, limit: int = 100) -> VerifyReport:
    """Read both sides whole and list every difference. Nothing is written."""
    async with opened(config, observer, creates_fields=False) as setup:
        engine = setup.engine
        began = engine.clock.now()
        found = await reconcile(engine, limit)
        return VerifyReport(
            compared=dict(found.compared),
            differences=tuple(
                Difference(d.kind, str(d.crm_entity), d.crm_id, d.marketing_id, d.field, d.detail)
                for d in found.differences
            ),
            difference_count=found.count,
            unread=tuple(found.unread),
            crm_calls=engine.crm.calls,
            marketing_calls=engine.marketing.calls,
            seconds=(engine.clock.now() - began).total_seconds(),
        )


async def _pass(setup: Setup) -> SyncReport:
    engine = setup.engine
    is_first = engine.store.load_setting(FIRST_COPY) is None
    crm_calls, marketing_calls = engine.crm.calls, engine.marketing.calls
    if is_first:
        crm_calls = marketing_calls = 0
    try:
        result = await run_pass(engine)
    finally:
        save_budget(engine.store, engine.marketing.budget)
    read = sum(count for name, count in result.counts.items() if name.startswith("read.crm."))
    return SyncReport(
        run_id=result.run_id,
        is_first_copy=is_first,
        seconds=(result.finished_at - result.started_at).total_seconds(),
        counts={name: count for name, count in result.counts.items() if count},
        crm_calls=engine.crm.calls - crm_calls,
        marketing_calls=engine.marketing.calls - marketing_calls,
        records=max(read, result.counts.get("linked", 0)),  # a plan, or a pass that broke off, may have read them
        guard=result.questions,
    )
