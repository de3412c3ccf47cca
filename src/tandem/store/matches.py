"""Matches that wait for a person, and what was decided about them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import and_, bindparam, delete, func, select, update

from tandem.core.plan import Candidate, LinkPlan
from tandem.core.record import LinkNumber, RecordKey, Side
from tandem.ports import MatchGroup, MatchRow
from tandem.store import links
from tandem.store.tables import links as links_table
from tandem.store.tables import matches
from tandem.store.transaction import Transaction, in_chunks

_CANDIDATES = msgspec.json.Decoder(list[tuple[str, str | None]])


def plan_questions(tx: Transaction, planned: Sequence[tuple[LinkNumber, LinkPlan]], now: datetime) -> None:
    """A planned link has the question of its plan and no other; one that goes on keeps its date, and a settled one its
    decision."""
    asked = {number: plan.question for number, plan in planned if plan.question is not None}
    for chunk in in_chunks([number for number, _ in planned if number not in asked]):
        tx.connection.execute(delete(matches).where(matches.c.link.in_(chunk)))
    rows = [
        {
            "link": number,
            "sync_id": tx.sync,
            "cause": question.cause,
            "size": len(question.candidates),
            "candidates": render_candidates(question.candidates),
            "since": now,
        }
        for number, question in asked.items()
        if not question.is_settled
    ]
    if rows:
        statement = tx.insert(matches)
        names = ("cause", "size", "candidates")
        news = {name: statement.excluded[name] for name in names} | {"decision": None, "decided_at": None}
        tx.connection.execute(statement.on_conflict_do_update(index_elements=[matches.c.link], set_=news), rows)


def render_candidates(candidates: Iterable[Candidate]) -> str:
    return msgspec.json.encode([(each.id, each.modified_at) for each in candidates]).decode()


def load_decisions(tx: Transaction, numbers: Iterable[LinkNumber]) -> dict[LinkNumber, str]:
    found: dict[LinkNumber, str] = {}
    for chunk in in_chunks(numbers):
        rows = select(matches.c.link, matches.c.decision)
        is_it = and_(matches.c.link.in_(chunk), matches.c.decision.is_not(None))
        found |= {row.link: row.decision for row in tx.connection.execute(rows.where(is_it))}
    return found


def decide(tx: Transaction, decisions: Mapping[LinkNumber, str | None], now: datetime) -> None:
    """Kept with the match, and its link is due."""
    rows = [{"b_link": link, "b_decision": decision} for link, decision in decisions.items()]
    if rows:
        is_it = and_(matches.c.sync_id == tx.sync, matches.c.link == bindparam("b_link"))
        values: dict[str, Any] = {"decision": bindparam("b_decision"), "decided_at": now}
        tx.connection.execute(update(matches).where(is_it).values(**values), rows)
        links.make_due(tx, decisions)


def load_matches(
    tx: Transaction, limit: int, *, cause: str | None, size: int | None, only_open: bool, after: LinkNumber | None
) -> list[MatchRow]:
    """By link number, those behind `after`."""
    m, k = matches.c, links_table.c
    wanted = [m.sync_id == tx.sync, m.link > (after or 0)]
    wanted += [m.cause == cause] if cause is not None else []
    wanted += [m.size == size] if size is not None else []
    wanted += [m.decision.is_(None)] if only_open else []
    rows = select(m.link, k.crm_entity, k.crm_id, m.cause, m.candidates, m.since, m.decision, m.decided_at)
    rows = rows.join(links_table, k.number == m.link).where(*wanted).order_by(m.link).limit(limit)
    return [_row_of(row) for row in tx.connection.execute(rows)]


def _row_of(row: Sequence[Any]) -> MatchRow:
    link, entity, crm_id, cause, candidates, *rest = row
    known = tuple(Candidate(id_, modified_at) for id_, modified_at in _CANDIDATES.decode(candidates))  # type: ignore[arg-type]
    return MatchRow(link, RecordKey(Side.CRM, entity, crm_id), cause, known, *rest)


def count_matches(tx: Transaction) -> list[MatchGroup]:
    m = matches.c
    counted = select(m.cause, m.size, func.count(), func.count(m.decision)).where(m.sync_id == tx.sync)
    rows = tx.connection.execute(counted.group_by(m.cause, m.size).order_by(m.cause, m.size))
    return [MatchGroup(*row) for row in rows]
