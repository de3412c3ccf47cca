"""What people decided about conflicts comes to the plan with the subjects it is about."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from tandem.core.subject import Subject
from tandem.runtime.engine import Engine

DECISIONS_LAST: Final = timedelta(days=1)
"""A decision is about two values, and stands for them until what it led to has surely been written."""


def with_decisions(engine: Engine, subjects: list[Subject]) -> list[Subject]:
    decided = engine.store.load_settled(engine.clock.now() - DECISIONS_LAST)
    if not decided:
        return subjects
    return [
        replace(subject, settled=tuple(decided.get(subject.link.number, ()))) if subject.link else subject
        for subject in subjects
    ]
