"""Committing a plan: links, what hangs on them, journal rows, and the inbox rows that were used up."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from tandem.core.plan import Action, LinkPlan, Plan
from tandem.core.record import Link, LinkNumber, LinkStatus
from tandem.ports import JournalRow, JournalState
from tandem.store import feeds, follows, holds, journal, links, matches
from tandem.store.transaction import Transaction

Planned = list[tuple[LinkNumber, LinkPlan]]


def commit(tx: Transaction, plan: Plan, run_id: str, now: datetime) -> list[JournalRow]:
    planned = _save_links(tx, plan.links, now)
    links.save_aliases(tx, [(alias, number) for number, link in planned for alias in link.aliases])
    holds.plan_holds(tx, planned, now)
    holds.plan_conflicts(tx, planned, run_id, now)
    matches.plan_questions(tx, planned, now)
    links.replace_waits(tx, {number: link.waits_for for number, link in planned})
    follows.replace_follows(tx, {number: link.follows for number, link in planned if link.follows is not None})
    follows.wake(tx, {link.crm: link.moved for _, link in planned if link.crm and link.moved})
    journal.confirm(tx, [number for _, link in planned for number in link.confirmed], now)
    rows = _save_actions(tx, planned, run_id, now)
    _use_up(tx, plan, now)
    return rows


def _save_links(tx: Transaction, plans: Sequence[LinkPlan], now: datetime) -> Planned:
    """Each plan with its link's number; new links get theirs. Ids that a link gives up are free before another takes
    them."""
    known = [(plan.link, plan) for plan in plans if plan.link is not None]
    new = [plan for plan in plans if plan.link is None]
    links.clear_due(tx, [number for number, _ in known])
    changed = [(plan.crm_entity, _link_of(number, plan)) for number, plan in known if plan.changes_link]
    links.plan_links(tx, changed, now)
    numbers = links.insert_links(tx, [(plan.crm_entity, _link_of(LinkNumber(0), plan)) for plan in new], now)
    given = iter(numbers)
    planned = [(plan.link if plan.link is not None else next(given), plan) for plan in plans]
    written = [_link_of(number, plan) for number, plan in planned if plan.link is None or plan.changes_link]
    links.wake(tx, [link for link in written if link.status is LinkStatus.LIVE])
    feeds.note_ids(tx, [link.marketing for link in written])
    return planned


def _link_of(number: LinkNumber, plan: LinkPlan) -> Link:
    return Link(number, plan.crm, plan.marketing, plan.base, plan.status, plan.crm_version)


def _save_actions(tx: Transaction, planned: Planned, run_id: str, now: datetime) -> list[JournalRow]:
    actions: list[tuple[LinkNumber, LinkPlan, Action]] = [
        (number, plan, action) for number, plan in planned for action in plan.actions
    ]
    rows = [(number, plan.crm_entity, action) for number, plan, action in actions]
    return [
        JournalRow(row, number, plan.crm_entity, action, JournalState.INTENDED, plan.crm, plan.marketing)
        for row, (number, plan, action) in zip(journal.insert_rows(tx, rows, run_id, now), actions, strict=True)
    ]


def _use_up(tx: Transaction, plan: Plan, now: datetime) -> None:
    """Rows go, or wait, unless a newer reading has replaced them."""
    used = [*plan.ignored, *(ref for link in plan.links for ref in link.consumed)]
    feeds.delete_rows(tx, feeds.find_rows(tx, used).values())
    until = {ref: now + timedelta(seconds=seconds) for ref, seconds in plan.deferred}
    feeds.defer_rows(tx, {number: until[ref] for ref, number in feeds.find_rows(tx, until).items()})
