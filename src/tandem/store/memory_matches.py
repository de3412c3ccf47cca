"""The memory store's part about matches that wait for a person."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from tandem.core.plan import Candidate, LinkPlan
from tandem.core.record import LinkNumber, RecordKey
from tandem.ports import MatchGroup, MatchRow


@dataclass(slots=True)
class Asked:
    """One question by its link, with the decision."""

    cause: str
    candidates: tuple[Candidate, ...]
    since: datetime
    decision: str | None = None
    decided_at: datetime | None = None


Questions = dict[LinkNumber, Asked]


def note_question(known: Questions, number: LinkNumber, planned: LinkPlan, now: datetime) -> None:
    """A planned link has the question of its plan and no other; a settled one keeps its decision."""
    question = planned.question
    if question is None:
        known.pop(number, None)
    elif not question.is_settled:
        since = known[number].since if number in known else now
        known[number] = Asked(question.cause, question.candidates, since)


def decisions(known: Questions, numbers: Iterable[LinkNumber]) -> Mapping[LinkNumber, str]:
    return {n: text for n in numbers if n in known and (text := known[n].decision) is not None}


def decide(known: Questions, decided: Mapping[LinkNumber, str | None], now: datetime) -> None:
    for number, decision in decided.items():
        if number in known:
            known[number] = replace(known[number], decision=decision, decided_at=now)


def rows(
    known: Questions,
    ends: Mapping[LinkNumber, RecordKey],
    limit: int,
    *,
    cause: str | None,
    size: int | None,
    only_open: bool,
    after: LinkNumber | None,
) -> Sequence[MatchRow]:
    wanted = (
        MatchRow(number, ends[number], asked.cause, asked.candidates, asked.since, asked.decision, asked.decided_at)
        for number, asked in sorted(known.items())
        if number > (after or 0)
        and cause in (None, asked.cause)
        and size in (None, len(asked.candidates))
        and not (only_open and asked.decision is not None)
    )
    return list(islice(wanted, limit))


def groups(known: Questions) -> Sequence[MatchGroup]:
    found: dict[tuple[str, int], list[bool]] = {}
    for asked in known.values():
        found.setdefault((asked.cause, len(asked.candidates)), []).append(asked.decision is not None)
    return [MatchGroup(cause, size, len(each), sum(each)) for (cause, size), each in sorted(found.items())]
