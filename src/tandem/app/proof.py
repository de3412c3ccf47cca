"""The proof that both sides agree, and the repair of what does not."""

from collections import Counter
from typing import Final

from tandem.app.build import opened
from tandem.app.leasing import leased
from tandem.app.passing import make_pass
from tandem.app.reports import Difference, Observer, RepairReport, VerifyReport
from tandem.config.model import Config
from tandem.runtime.engine import Engine
from tandem.runtime.reconcile import reconcile
from tandem.runtime.repair import mark_for_repair

_ALL: Final = 10_000_000
_PASSES_MAX: Final = 6
"""A repaired account may let its people go, and these their roles; what takes longer is left to the next passes."""

_SETTLE_WAIT_S: Final = 300.0


async def verify(config: Config, observer: Observer | None = None, limit: int = 100) -> VerifyReport:
    """Read both sides whole and list every difference. Nothing is written."""
    async with opened(config, observer, creates_fields=False) as setup:
        return await _compare(setup.engine, limit)


async def repair(config: Config, observer: Observer | None = None, limit: int = 100) -> RepairReport:
    """Compare, have every difference planned and carried out within the rails, and compare again.

    Raises:
        PausedError: a person has stopped the sync.
        LeaseLostError: another process goes on working on this sync.
    """
    async with opened(config, observer, creates_fields=True, settle_wait_s=_SETTLE_WAIT_S) as setup:
        engine = setup.engine
        before = await reconcile(engine, _ALL)
        async with leased(engine.store, engine.clock):
            mark_for_repair(engine, before.differences)
        counts: Counter[str] = Counter()
        questions: dict[str, None] = {}
        for _ in range(_PASSES_MAX if before.count else 0):
            report = await make_pass(setup)
            counts.update(report.counts)
            questions |= dict.fromkeys(report.guard)
            if not report.writes:
                break
        return RepairReport(before.count, dict(counts), tuple(questions), await _compare(engine, limit))


async def _compare(engine: Engine, limit: int) -> VerifyReport:
    began, crm_calls, marketing_calls = engine.clock.now(), engine.crm.calls, engine.marketing.calls
    found = await reconcile(engine, limit)
    return VerifyReport(
        compared=dict(found.compared),
        differences=tuple(
            Difference(d.kind, str(d.crm_entity), d.crm_id, d.marketing_id, d.field, d.detail)
            for d in found.differences
        ),
        difference_count=found.count,
        unread=tuple(found.unread),
        crm_calls=engine.crm.calls - crm_calls,
        marketing_calls=engine.marketing.calls - marketing_calls,
        seconds=(engine.clock.now() - began).total_seconds(),
    )
