"""Carries a pilot through a pass: who is claimed, in which order, and who waits for the whole sync."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from tandem.core.ceiling import UNTIL_DECIDED_S
from tandem.core.pilot import PEOPLE
from tandem.core.plan import InboxRef, Plan
from tandem.core.record import PERSON, Entity, Side
from tandem.core.subject import Subject
from tandem.ports import Claim, Store
from tandem.runtime.engine import Engine

PILOT: Final = "pilot"
"""Setting: what the last pilot was and since when; empty once a pass of the whole sync has begun."""

Stages = tuple[tuple[Entity, tuple[Entity, ...]], ...]


@dataclass(frozen=True, slots=True)
class PilotNote:
    text: str
    since: datetime


def wake(engine: Engine) -> None:
    """What an earlier pilot left aside is looked at again, by another one or by everybody's first pass."""
    if load_note(engine.store) is not None:
        engine.store.wake_inbox()
    if engine.pilot is not None and engine.pilot.limit is not None:
        people = [status for status in engine.store.load_status() if status.crm_entity in PEOPLE]
        engine.pilot.linked = sum(status.linked + status.pending for status in people)


def begin(engine: Engine) -> None:
    """The beginning of a pass: what it is, is remembered."""
    wake(engine)
    store, before = engine.store, load_note(engine.store)
    if engine.pilot is None:
        if before is not None:
            store.save_setting(PILOT, "")
        return
    since = before.since if before and before.text == engine.pilot.text else engine.clock.now()
    store.save_setting(PILOT, json.dumps({"text": engine.pilot.text, "since": since.isoformat()}))


def load_note(store: Store) -> PilotNote | None:
    text = store.load_setting(PILOT)
    if not text:
        return None
    known = json.loads(text)
    return PilotNote(known["text"], datetime.fromisoformat(known["since"]))


def stages_of(engine: Engine) -> Stages:
    """In a pilot people come first, since only they say which accounts and owners are needed; then those, and the
    people once more."""
    if engine.pilot is None:
        return engine.stages
    names = [marketing_entity for marketing_entity, _ in engine.stages]
    parents = engine.stages[: names.index(PERSON) + 1] if PERSON in names else engine.stages
    return (*reversed(parents), *parents[1:])


def choose(engine: Engine, claims: Sequence[Claim]) -> Sequence[Claim]:
    """The claims that may take part, before the look; those of records that are linked are judged after it."""
    pilot = engine.pilot
    if pilot is None:
        return claims
    parents = [c.crm.key for c in claims if c.crm and c.link is None and c.crm.key.entity not in PEOPLE]
    pilot.awaited |= engine.store.find_awaited(parents)

    def takes_part(claim: Claim) -> bool:
        if claim.link is not None:
            return True
        return claim.crm is not None and pilot.admits_new(engine.mappings[claim.crm.key.entity], claim.crm)

    return [claim for claim in claims if takes_part(claim)]


def choose_linked(engine: Engine, subjects: list[Subject]) -> list[Subject]:
    pilot = engine.pilot
    if pilot is None:
        return subjects

    def takes_part(subject: Subject) -> bool:
        if subject.link is None or subject.crm_entity not in PEOPLE:
            return True
        return pilot.admits_linked(engine.mappings[subject.crm_entity], subject.crm, subject.link.base)

    return [subject for subject in subjects if takes_part(subject)]


def with_rest_aside(engine: Engine, plan: Plan, claims: Sequence[Claim], subjects: Sequence[Subject]) -> Plan:
    """`plan`, in which the rows that take no part wait for the whole sync."""
    if engine.pilot is None:
        return plan
    engine.pilot.awaited |= {key for link in plan.links for key in link.waits_for if key.side is Side.CRM}
    told = {ref for subject in subjects for ref in subject.refs}
    rows = [state for claim in claims for state in (claim.crm, claim.marketing) if state is not None]
    aside = [InboxRef(state.key, state.read_number) for state in rows]
    return replace(plan, deferred=(*plan.deferred, *((ref, UNTIL_DECIDED_S) for ref in aside if ref not in told)))
