"""The memory store's part about matches that wait for a person."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice

from tandem.core.plan import LinkPlan
from tandem.core.record import LinkNumber, RecordKey
from tandem.ports import MatchGroup, MatchRow
from tandem.store.memory.part import MemoryPart
from tandem.store.memory.state import Asked, Questions


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


class MemoryMatches(MemoryPart):
    def load_decisions(self, numbers: Iterable[LinkNumber]) -> Mapping[LinkNumber, str]:
        return decisions(self.state.questions, numbers)

    def decide_matches(self, decisions: Mapping[LinkNumber, str | None], now: datetime) -> None:
        decide(self._writable().questions, decisions, now)
        self.make_due(decisions)

    def load_matches(
        self,
        limit: int,
        *,
        cause: str | None = None,
        size: int | None = None,
        only_open: bool = False,
        after: LinkNumber | None = None,
    ) -> Sequence[MatchRow]:
        asked = self.state.questions
        ends = {number: key for number in asked if (key := self.state.links[number].link.crm)}
        return rows(asked, ends, limit, cause=cause, size=size, only_open=only_open, after=after)

    def count_matches(self) -> Sequence[MatchGroup]:
        return groups(self.state.questions)
