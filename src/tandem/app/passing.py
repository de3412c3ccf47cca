"""One pass of an opened sync, with its report."""

from tandem.app.budget import save_budget
from tandem.app.build import Setup
from tandem.app.reports import SyncReport
from tandem.runtime.backfill import FIRST_COPY
from tandem.runtime.sync_pass import run_pass


async def make_pass(setup: Setup) -> SyncReport:
    """Raises what ``run_pass`` raises."""
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
