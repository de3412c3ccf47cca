"""Memberships that Dynamics follows: now and then both sides are compared, and what differs becomes requests.

So a member comes and goes by the same deeds as by a flow step, with the same record of what was done; and whatever
failed, or was changed by hand since, is found at the next comparison.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from tandem.core.errors import AccessError, RejectedError
from tandem.core.memberships import CampaignRule, CreationRule, Roster, who_comes_and_goes, who_is_made
from tandem.core.record import CONTACT, LEAD, PERSON, RecordId, RecordKey, Side
from tandem.core.requests import Ask
from tandem.ports import Campaign
from tandem.runtime.deeds import desk_of, own_list
from tandem.runtime.engine import Engine
from tandem.telemetry import get_logger

TROUBLE: Final = "{rule}:trouble"
"""Setting: why a membership could not be compared; empty when it could."""

log = get_logger()


Rule: TypeAlias = CampaignRule | CreationRule


async def follow_memberships(engine: Engine) -> None:
    """Compare what is due; what differs waits as requests."""
    rules: list[Rule] = [*engine.creations, *engine.campaigns]
    for rule in rules:
        if not _is_due(engine, rule):
            continue
        try:
            for ask in await _compare(engine, rule):
                engine.store.take_request(ask, engine.clock.now())
            trouble = ""
        except (RejectedError, AccessError) as error:
            trouble = str(error)
            log.warning("membership.was_not_compared", code=error.code)
        engine.store.save_setting(TROUBLE.format(rule=rule.name), trouble)
        engine.store.save_setting(rule.name, engine.clock.now().isoformat())


def _is_due(engine: Engine, rule: Rule) -> bool:
    last = engine.store.load_setting(rule.name)
    return last is None or engine.clock.now() >= datetime.fromisoformat(last) + timedelta(seconds=rule.interval_s)


async def _compare(engine: Engine, rule: Rule) -> Sequence[Ask]:
    people = await _people(engine, rule.roster)
    links = engine.store.find_links(Side.MARKETING, PERSON, people)
    if isinstance(rule, CreationRule):
        return who_is_made(rule, people, links)
    campaign = await desk_of(engine).find_campaign(rule.campaign)
    if campaign is None or not campaign.is_active:
        text = f"Dynamics has no active campaign {rule.campaign}, or several of the name."
        raise RejectedError(text, side=Side.CRM, operation="compare a campaign", code="campaign")
    present = await _present(engine, rule, campaign)
    return who_comes_and_goes(rule, campaign.id, people, links, present)


async def _people(engine: Engine, roster: Roster) -> set[RecordId]:
    assert engine.rosters is not None, "a sync with memberships has rosters"
    people: set[RecordId] = set()
    async for members in engine.rosters.iter_members(roster):
        people |= {member.person for member in members if roster.counts(member)}
    return people


async def _present(engine: Engine, rule: CampaignRule, campaign: Campaign) -> list[RecordKey]:
    """The members of our own lists, and of the others' where the rule may take those out too."""
    desk = desk_of(engine)
    own = {own_list(engine, campaign.id, entity).id for entity in (CONTACT, LEAD)}
    lists = [list_ for list_ in await desk.fetch_lists(campaign.id) if list_.id in own or rule.remove == "all"]
    return [
        RecordKey(Side.CRM, list_.entity, id_)
        for list_ in lists
        if list_.is_open
        for id_ in await desk.fetch_members(list_.id)
    ]
