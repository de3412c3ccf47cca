"""One pass: settle, extract, then stage by stage claim, look, plan, guard, journal and apply until nothing is left.

A pass may die anywhere. What it had stored is what the next one starts from: cursors move with their pages, actions are
in the journal before they are sent, and inbox rows go only with the plan that used them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tandem.core.ceiling import UNTIL_DECIDED_S, Ceiling, hold_beyond
from tandem.core.errors import AccessError, LeaseLostError, RejectedError, TandemError
from tandem.core.fights import FIGHT_WINDOW, hold_fights
from tandem.core.following import shown_pairs, with_follows
from tandem.core.guard import Totals, guard_plan
from tandem.core.plan import Plan
from tandem.core.planner import plan_pass
from tandem.core.record import OPPORTUNITY, OPPORTUNITY_ROLE, PERSON, Entity, Lane
from tandem.core.subject import Rules, Subject
from tandem.ports import Claim, JournalRow, Lease, RunSummary
from tandem.runtime.apply import apply
from tandem.runtime.backfill import FIRST_COPY, givers
from tandem.runtime.ceiling import load_ceiling
from tandem.runtime.decisions import with_decisions
from tandem.runtime.deletions import split_deletions
from tandem.runtime.edit_times import with_edit_times
from tandem.runtime.engine import UNBOUNDED, Engine, News
from tandem.runtime.extract import LOOK_IN_INBOX, extract
from tandem.runtime.journal import next_settling, settle
from tandem.runtime.lanes import finish_backfills, read_backfills, stages_to_fill
from tandem.runtime.look import look
from tandem.runtime.memberships import follow_memberships
from tandem.runtime.parents import find_parents, name_parents
from tandem.runtime.pauses import ensure_running, is_paused, load_pauses
from tandem.runtime.pilot import begin, choose, choose_linked, stages_of, with_rest_aside
from tandem.runtime.requests import KEPT, Reception
from tandem.runtime.schema_watch import look_at_schemas, look_at_schemas_when_due
from tandem.runtime.shown import note_moved
from tandem.runtime.sweep import look_further
from tandem.telemetry import get_logger

_MAX_FRUITLESS_ROUNDS = 3
"""Rounds in a row that applied nothing and used nothing up: what is left is left for the next pass."""
_FORGET_EVERY = timedelta(hours=1)

log = get_logger()


@dataclass(frozen=True, slots=True)
class PassResult:
    run_id: str
    counts: Mapping[str, int]
    questions: tuple[str, ...]
    started_at: datetime
    finished_at: datetime


@dataclass(slots=True)
class _Progress:
    reception: Reception
    counts: Counter[str] = field(default_factory=Counter)
    questions: list[str] = field(default_factory=list)
    totals: Totals = field(default_factory=Totals)
    ceiling: Ceiling | None = None
    deletions: dict[Entity, list[JournalRow]] = field(default_factory=lambda: defaultdict(list))
    """Those that come last, by marketing entity."""


async def run_pass(engine: Engine) -> PassResult:
    """Run one pass under the sync's lease, and store its summary whatever becomes of it.

    Raises:
        PausedError: a person has stopped the sync.
        LeaseLostError: another worker holds this sync.
        TransientError, AccessError: a side stopped the pass; the next one goes on where this one ended.
        SchemaChangedError: a mapped field has changed; the engine has to be opened anew.
    """
    ensure_running(engine.store)
    run_id, started_at = engine.ids.new_id(), engine.clock.now()
    engine.lease.begin(await _acquire_lease(engine))
    progress = _Progress(Reception(engine))
    calls = engine.crm.calls, engine.marketing.calls
    error: str | None = None
    try:
        await _run_as_mapped(engine, run_id, progress)
    except TandemError as failure:
        error = f"{type(failure).__name__}: {failure}"
        raise
    finally:
        engine.lease.end()
        finished_at = engine.clock.now()
        _finish(engine, RunSummary(run_id, started_at, finished_at, dict(progress.counts), error), *calls)
    return PassResult(run_id, dict(progress.counts), tuple(progress.questions), started_at, finished_at)


async def _acquire_lease(engine: Engine) -> Lease:
    """Take the lease over from a holder that is gone, or wait as long as one lease for a holder elsewhere."""
    store, ttl = engine.store, engine.settings.lease_s
    deadline = engine.clock.now() + timedelta(seconds=ttl if engine.settings.settle_wait_s else 0)
    while (lease := store.acquire_lease(engine.holder, ttl, engine.clock.now())) is None:
        held = store.load_lease()
        if held is not None and engine.is_gone(held.holder):
            taken_over = store.acquire_lease(held.holder, ttl, engine.clock.now())
            if taken_over is not None:
                return taken_over
        if engine.clock.now() >= deadline:
            raise LeaseLostError("another process is working on this sync; wait for it to end")
        await engine.clock.sleep(1.0)
    return lease


def _finish(engine: Engine, run: RunSummary, crm_calls: int, marketing_calls: int) -> None:
    assert run.finished_at is not None
    log.info(
        "pass.finished",
        run=run.run_id,
        error=bool(run.error),
        took_ms=round(1000 * (run.finished_at - run.started_at).total_seconds()),
        crm_calls=engine.crm.calls - crm_calls,
        marketing_calls=engine.marketing.calls - marketing_calls,
        budget_left=engine.marketing.budget.calls_left if engine.marketing.budget else None,
        **run.counts,
    )
    try:
        engine.store.save_run(run)
        engine.store.release_lease()
    except LeaseLostError:
        log.warning("lease.lost", run=run.run_id)


async def _run_as_mapped(engine: Engine, run_id: str, progress: _Progress) -> None:
    """A refusal that ends the pass may come of a field that has changed meanwhile: then that is what is told."""
    try:
        await _run(engine, run_id, progress)
    except RejectedError:
        await look_at_schemas(engine)
        raise


async def _run(engine: Engine, run_id: str, progress: _Progress) -> None:
    engine.mark_time()
    begin(engine)
    await look_at_schemas_when_due(engine)
    progress.counts.update(await extract(engine))
    progress.counts.update(await look_further(engine))
    progress.totals = Totals(links=engine.store.count_linked([entity for entity, _ in engine.stages]))
    progress.counts["undecided"] = await settle(engine)
    progress.ceiling = load_ceiling(engine)
    if engine.pilot is None and engine.store.load_setting(FIRST_COPY) is not None:
        await follow_memberships(engine)
    await _work_off(engine, run_id, progress)
    if engine.pilot is None:
        if engine.store.load_setting(FIRST_COPY) is None and not load_pauses(engine.store):
            await _read_back(engine, run_id, progress)
        await _go_on_filling(engine, run_id, progress)
    await _wait_for_settling(engine, run_id, progress)
    await progress.reception.close()
    progress.counts.update(progress.reception.counts)
    _forget(engine)


def _forget(engine: Engine) -> None:
    """What no pass looks at any more, and what people have had time to look at; now and then, as it writes."""
    now = engine.clock.now()
    if engine.forgot_at is not None and now - engine.forgot_at < _FORGET_EVERY:
        return
    engine.forgot_at = now
    engine.store.drop_records_before(now - timedelta(days=2))
    engine.store.drop_history_before(now - timedelta(days=engine.settings.history_days))
    engine.store.drop_requests_before(now - KEPT)


async def _read_back(engine: Engine, run_id: str, progress: _Progress) -> None:
    """A first copy ends when what it wrote was read back, so that live edits do not queue behind its echo."""
    await engine.clock.sleep(engine.settings.feed_lag_s)
    await _look_again(engine, run_id, progress)
    engine.store.save_setting(FIRST_COPY, "done")


async def _look_again(engine: Engine, run_id: str, progress: _Progress) -> None:
    engine.mark_time()
    await extract(engine)
    progress.counts["undecided"] = await settle(engine)
    await _work_off(engine, run_id, progress)


async def _work_off(engine: Engine, run_id: str, progress: _Progress) -> None:
    for marketing_entity, crm_entities in stages_of(engine):
        with _going_on_without(marketing_entity, progress):
            await _run_stage(engine, marketing_entity, crm_entities, run_id, progress)
    for marketing_entity, crm_entities in reversed(engine.stages):
        if rows := progress.deletions.pop(marketing_entity, []):
            with _going_on_without(marketing_entity, progress):
                progress.counts.update(await apply(engine, rows))
                await _run_stage(engine, marketing_entity, crm_entities, run_id, progress)


@contextmanager
def _going_on_without(marketing_entity: Entity, progress: _Progress) -> Iterator[None]:
    """A side that refuses opportunities or roles, which a sync can do without, does not keep the rest from going."""
    try:
        yield
    except AccessError as error:
        if marketing_entity not in (OPPORTUNITY, OPPORTUNITY_ROLE):
            raise
        question = f"{marketing_entity} is left out of this pass: {error}"
        if question not in progress.questions:
            progress.questions.append(question)


async def _go_on_filling(engine: Engine, run_id: str, progress: _Progress) -> None:
    """The pass's part of the slow lane; what becomes more urgent meanwhile is claimed first here too."""
    progress.counts.update(await read_backfills(engine))
    rounds = engine.settings.slow_rounds
    for marketing_entity, crm_entities in stages_to_fill(engine):
        stage = (engine, marketing_entity, crm_entities, run_id, progress)
        with _going_on_without(marketing_entity, progress):
            rounds -= await _run_stage(*stage, slowest=Lane.SLOW, rounds_max=rounds)
    finish_backfills(engine)


async def _run_stage(
    engine: Engine,
    marketing_entity: Entity,
    crm_entities: Sequence[Entity],
    run_id: str,
    progress: _Progress,
    *,
    slowest: Lane = Lane.NORMAL,
    rounds_max: int = UNBOUNDED,
) -> int:
    """Work a stage off down to a lane; how many rounds it took."""
    fruitless = rounds = 0
    while rounds < rounds_max and fruitless < _MAX_FRUITLESS_ROUNDS and not is_paused(engine.store, crm_entities):
        engine.lease.keep()
        await _serve_requests(engine, run_id, progress)
        now = engine.clock.now()
        claims = engine.store.claim(marketing_entity, crm_entities, engine.claim_size, now, slowest=slowest)
        if not claims:
            break
        rounds += 1
        fruitless = 0 if await _run_round(engine, marketing_entity, claims, run_id, progress) else fruitless + 1
    return rounds


async def _serve_requests(engine: Engine, run_id: str, progress: _Progress) -> None:
    """Whoever is asked for comes before everything else, in the middle of a long stage too."""
    await progress.reception.attend()
    crm_entities = next((entities for target, entities in engine.stages if target == PERSON), ())
    if engine.asked and not is_paused(engine.store, crm_entities):
        now = engine.clock.now()
        claims = engine.store.claim(PERSON, crm_entities, engine.claim_size, now, slowest=Lane.HOT)
        if claims:
            await _run_round(engine, PERSON, claims, run_id, progress)
            await progress.reception.attend()


async def _run_round(
    engine: Engine, marketing_entity: Entity, claims: Sequence[Claim], run_id: str, progress: _Progress
) -> bool:
    """Plan and apply one batch of claims; whether anything came of it."""
    plan = await plan_claims(engine, marketing_entity, claims)
    if progress.ceiling is not None:
        plan, progress.ceiling = hold_beyond(plan, progress.ceiling)
    guarded = guard_plan(plan, engine.settings.rails, progress.totals)
    progress.totals = guarded.totals
    progress.questions.extend(guarded.questions)
    if engine.pilot is None and any(claim.crm is None and claim.link is None for claim in claims):
        _stop_looking_in_inbox(engine)
    note_moved(engine, guarded.plan)
    rows = engine.store.commit_plan(guarded.plan, run_id, engine.clock.now())
    _count_plan(guarded.plan, guarded.held, progress)
    engine.tell(News("plan", str(marketing_entity), len(claims)))
    at_once, last = split_deletions(marketing_entity, guarded.plan, rows)
    progress.deletions[marketing_entity] += last
    counts = await apply(engine, at_once)
    progress.counts.update(counts)
    applied = sum(count for name, count in counts.items() if name.startswith("applied."))
    has_set_aside = any(seconds >= UNTIL_DECIDED_S for _, seconds in guarded.plan.deferred)
    is_used_up = guarded.plan.ignored or any(link.consumed for link in guarded.plan.links)
    return bool(applied or is_used_up or has_set_aside)


async def plan_claims(engine: Engine, marketing_entity: Entity, claims: Sequence[Claim]) -> Plan:
    """The plan for `claims`; nothing is written on either side."""
    subjects, rules = await open_claims(engine, marketing_entity, claims)
    return with_rest_aside(engine, plan_subjects(engine, subjects, rules), claims, subjects)


async def open_claims(
    engine: Engine, marketing_entity: Entity, claims: Sequence[Claim]
) -> tuple[Sequence[Subject], Rules]:
    """What a plan for `claims` is made from, read now."""
    in_inbox = engine.store.load_setting(LOOK_IN_INBOX) == "yes"
    subjects = await look(engine, marketing_entity, choose(engine, claims), in_inbox=in_inbox)
    subjects = choose_linked(engine, subjects)
    subjects = with_edit_times(engine, marketing_entity, subjects)
    subjects = with_decisions(engine, subjects)
    parents = find_parents(engine, subjects)
    rules = Rules(
        sync_id=engine.settings.sync_id,
        mappings=engine.mappings,
        policies=engine.policies,
        parents=parents.keys,
        retry_s=engine.settings.feed_lag_s + 1,
        givers=givers(engine.store),
        shown=shown_pairs(engine.mappings.values()),
    )
    return [name_parents(subject, engine.mappings[subject.crm_entity], parents) for subject in subjects], rules


def plan_subjects(engine: Engine, subjects: Sequence[Subject], rules: Rules) -> Plan:
    plan = with_follows(plan_pass(subjects, rules), subjects, rules)
    busy = [link.link for link in plan.links if link.link is not None and link.actions]
    since = engine.clock.now() - FIGHT_WINDOW
    return hold_fights(plan, engine.store.load_done_actions(busy, since)) if busy else plan


def _stop_looking_in_inbox(engine: Engine) -> None:
    """Unlinked marketing people leave the inbox now: from here on the look is a call."""
    if engine.store.load_setting(LOOK_IN_INBOX):
        engine.store.save_setting(LOOK_IN_INBOX, "")


def _count_plan(plan: Plan, held_back: int, progress: _Progress) -> None:
    for link in plan.links:
        progress.counts["conflicts"] += len(link.conflicts)
        progress.counts["held"] += len(link.holds)
        progress.counts["linked"] += link.link is None
    progress.counts["ignored"] += len(plan.ignored)
    progress.counts["held by guard"] += held_back


async def _wait_for_settling(engine: Engine, run_id: str, progress: _Progress) -> None:
    """Where the pass may wait, let undecided writes settle and finish their links too."""
    deadline = engine.clock.now() + timedelta(seconds=engine.settings.settle_wait_s)
    while rows := _open_rows(engine):
        due = next_settling(engine, rows)
        pause = max(0.2, (due - engine.clock.now()).total_seconds()) if due else 0.2
        if engine.clock.now() + timedelta(seconds=pause) > deadline:
            return
        await engine.clock.sleep(pause)
        await _look_again(engine, run_id, progress)


def _open_rows(engine: Engine) -> Sequence[JournalRow]:
    return engine.store.load_open_rows()
