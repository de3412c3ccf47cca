"""The plan of the next pass, as ``tandem plan`` shows it: the same plan objects, none of them stored."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import ceil

from tandem.app.build import Setup
from tandem.app.reports import PeopleLine, PlannedAction, PlannedConflict, PlannedField, PlanReport, named_pair
from tandem.core.ceiling import hold_beyond
from tandem.core.guard import Totals, guard_plan
from tandem.core.mapping import EntityMapping
from tandem.core.plan import Action, ActionKind, ConflictKind, FieldWrite, LinkPlan, Plan
from tandem.core.record import Base, RecordKey, Side, Unknown, Value
from tandem.core.subject import Rules, Subject
from tandem.runtime.ceiling import load_ceiling
from tandem.runtime.engine import Engine
from tandem.runtime.extract import extract
from tandem.runtime.lanes import read_backfills
from tandem.runtime.pilot import stages_of, wake, with_rest_aside
from tandem.runtime.sync_pass import open_claims, plan_subjects

_CLAIMS_MAX = 1_000_000
_CALLS_PER_S = 2.5
"""Marketo's advised half of 100 calls in 20 seconds; it binds long before Dynamics does."""


async def make_plan(setup: Setup, limit: int) -> PlanReport:
    """Read what is due into the inbox, and plan everything that waits there.

    Accounts and users that this plan would create count as linked for the people planned after them.
    """
    engine = setup.engine
    await extract(engine)
    await read_backfills(engine)
    wake(engine)
    ceiling = before = load_ceiling(engine)
    totals = Totals(links=sum(status.linked for status in engine.store.load_status()))
    planned: list[LinkPlan] = []
    questions: list[str] = []
    for marketing_entity, crm_entities in dict.fromkeys(stages_of(engine)):
        claims = engine.store.claim(marketing_entity, crm_entities, _CLAIMS_MAX, engine.clock.now())
        parents = frozenset(link.crm for link in planned if link.crm is not None)
        subjects, rules = await open_claims(engine, marketing_entity, claims)
        rules = replace(rules, parents=rules.parents | parents)
        plan = with_rest_aside(engine, _plan_in_turns(engine, subjects, rules), claims, subjects)
        if ceiling is not None:
            plan, ceiling = hold_beyond(plan, ceiling)
        guarded = guard_plan(plan, engine.settings.rails, totals)
        totals = guarded.totals
        questions.extend(guarded.questions)
        planned.extend(guarded.plan.links)
    people = PeopleLine(before.present, before.people, before.is_default) if before is not None else None
    report = _report(setup, planned, questions, limit)
    return replace(report, people=people, pilot=engine.pilot.text if engine.pilot else None)


def _plan_in_turns(engine: Engine, subjects: Sequence[Subject], rules: Rules) -> Plan:
    """Subjects that wait for another one of the same plan (two records with one e-mail) are planned after it, as the
    pass itself will do."""
    links: list[LinkPlan] = []
    while subjects:
        plan = plan_subjects(engine, subjects, rules)
        links.extend(plan.links)
        at_once = {ref for ref, seconds in plan.deferred if not seconds}
        taken = {link.marketing for link in plan.links}
        rest = [subject for subject in subjects if at_once.intersection(subject.refs)]
        if len(rest) == len(subjects):
            break
        subjects = [
            replace(s, dedupe_taken=True, candidates=tuple(c for c in s.candidates if c.key not in taken)) for s in rest
        ]
    return Plan(tuple(links))


def _report(setup: Setup, planned: list[LinkPlan], questions: list[str], limit: int) -> PlanReport:
    engine = setup.engine
    actions = [(link, action) for link in planned for action in link.actions]
    counts = Counter(f"{action.side}.{action.kind}.{action.entity}" for _, action in actions)
    counts.update({"link": sum(link.link is None and not link.actions for link in planned)})
    conflicts = [(link, conflict) for link in planned for conflict in link.conflicts]
    first_link = Counter(c.field for _, c in conflicts if c.kind is ConflictKind.FIRST_LINK)
    calls = sum(_calls(engine, side_kind, count) for side_kind, count in _grouped(actions).items())
    return PlanReport(
        counts={name: count for name, count in counts.items() if count},
        first_link_fields=dict(first_link),
        actions=tuple(
            planned_action(engine.mappings[link.crm_entity], link, action) for link, action in actions[:limit]
        ),
        conflicts=tuple(
            PlannedConflict(
                kind=conflict.kind.value,
                entity=str(link.crm_entity),
                crm_id=_id(link.crm),
                marketing_id=_id(link.marketing),
                field=conflict.field,
                crm=conflict.crm,
                marketing=conflict.marketing,
                winner=conflict.winner.value,
                reason=conflict.reason,
            )
            for link, conflict in conflicts[:limit]
        ),
        holds=(*questions, *_holds(planned))[:limit],
        fields_to_create=tuple(f"{field.name} ({field.native_type})" for field in setup.missing_fields),
        calls=calls,
        seconds=calls / _CALLS_PER_S,
        side_effects=setup.side_effects,
    )


def _holds(planned: list[LinkPlan]) -> Iterator[str]:
    for link in planned:
        for hold in link.holds:
            what = f"field {named_pair(hold.field)}" if hold.field else "the record"
            yield f"{link.crm_entity} {_id(link.crm) or _id(link.marketing)}: {what}: {hold.reason}"


def _grouped(actions: list[tuple[LinkPlan, Action]]) -> Counter[tuple[Side, str, ActionKind]]:
    return Counter((action.side, str(action.entity), action.kind) for _, action in actions)


def _calls(engine: Engine, what: tuple[Side, str, ActionKind], count: int) -> int:
    """Calls to write `count` records: one a batch, two looks before each batch of creates in Marketo, and a reading
    after each batch of what Marketo has no log of."""
    side, entity, kind = what
    mapping = next(m for m in engine.mappings.values() if entity in (m.crm_entity, m.marketing_entity))
    target = mapping.crm_entity if side is Side.CRM else mapping.marketing_entity
    batches = ceil(count / engine.connector(side).batch_size(target, kind))
    looks = 2 if side is Side.MARKETING and kind is ActionKind.CREATE else 0
    is_read_back = side is Side.MARKETING and kind is not ActionKind.DELETE and not engine.marketing.has_feed(target)
    return batches * (1 + looks + is_read_back)


def planned_action(mapping: EntityMapping, link: LinkPlan, action: Action) -> PlannedAction:
    return PlannedAction(
        side=str(action.side),
        kind=action.kind.value,
        entity=str(action.entity),
        crm_id=_id(link.crm),
        marketing_id=_id(link.marketing),
        fields=tuple(_field(mapping, link.base, action.side, write) for write in action.writes),
    )


def _field(mapping: EntityMapping, base: Base, side: Side, write: FieldWrite) -> PlannedField:
    half = base.crm if side is Side.CRM else base.marketing
    before = half[mapping.names.index(write.pair)] if write.pair in mapping.names else None
    crm, marketing = (write.before, write.source) if side is Side.CRM else (write.source, write.before)
    return PlannedField(
        field=write.pair,
        target=write.field,
        base=_plain(before),
        crm=crm,
        marketing=marketing,
        after=write.after,
        reason=write.reason,
    )


def _plain(value: Value | Unknown) -> Value:
    return None if isinstance(value, Unknown) else value


def _id(key: RecordKey | None) -> str | None:
    return key.id if key else None
