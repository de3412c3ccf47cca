"""What several cases take out of the product, for one table or one kind of conflict."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from tandem.app import build, deciding
from tandem.config.model import Config
from tandem.connectors.dynamics import opportunities
from tandem.connectors.dynamics.views import Facts, Row, View
from tandem.core import merge, planner, record_merge
from tandem.core.default_mapping import DEFAULT_MAPPINGS
from tandem.core.mapping import Winner
from tandem.core.mapping_resolver import ResolvedMapping
from tandem.core.merge import Carry, Sighting, Verdict
from tandem.core.plan import ConflictKind
from tandem.core.policy import EntityPolicy
from tandem.core.record import (
    Entity,
    Side,
    State,
    Value,
)
from tandem.core.subject import Case
from tandem.runtime import sync_pass
from tandem.runtime.engine import Engine
from tandem.runtime.extract import extract, search_keys, to_state


def carry_nothing(monkeypatch: pytest.MonkeyPatch, entity: Entity, to: Side) -> None:
    """What changes in a record of the table, or in its counterpart, does not go to side `to` any more."""
    carry = record_merge._carry

    def carry_others(case: Case, seen: Sighting, verdict: Carry, merged: record_merge._Merged) -> None:
        if (case.mapping.crm_entity, verdict.to) != (entity, to):
            carry(case, seen, verdict, merged)

    monkeypatch.setattr(record_merge, "_carry", carry_others)


def make_none(monkeypatch: pytest.MonkeyPatch, entity: Entity) -> None:
    """No record of the table is made in Marketo."""
    policies = deciding.decide

    def without(config: Config, resolved: Mapping[Entity, ResolvedMapping]) -> dict[Entity, EntityPolicy]:
        decided = policies(config, resolved)
        return {**decided, entity: replace(decided[entity], create_in_marketing=False)}

    monkeypatch.setattr(build, "decide", without)


def map_without(monkeypatch: pytest.MonkeyPatch, entity: Entity, crm: str) -> None:
    """A default pair is not there."""
    known = DEFAULT_MAPPINGS[entity]
    others = tuple(pair for pair in known.pairs if pair.crm != crm)
    monkeypatch.setitem(DEFAULT_MAPPINGS, entity, replace(known, pairs=others))


def see_only(monkeypatch: pytest.MonkeyPatch, entity: Entity, view: View) -> None:
    """Rows of the table outside the view are not there."""
    monkeypatch.setitem(opportunities.VIEWS, entity, view)


def record_nothing(monkeypatch: pytest.MonkeyPatch, kind: ConflictKind) -> None:
    """What a conflict of this kind was about is lost."""
    settle = merge._settle

    def quietly(seen: Sighting, of_kind: ConflictKind, winner: Winner) -> Verdict:
        verdict = settle(seen, of_kind, winner)
        return replace(verdict, conflict=None) if isinstance(verdict, Carry) and of_kind is kind else verdict

    monkeypatch.setattr(merge, "_settle", quietly)


def make_in_dynamics(monkeypatch: pytest.MonkeyPatch, entity: Entity, key: str) -> None:
    """What was typed in Marketo under `key` is read there, and made as a record of `entity` too."""

    async def reading_more(engine: Engine) -> dict[str, int]:
        counts, mapping = await extract(engine), engine.mappings[entity]
        target = mapping.marketing_entity
        found = await engine.marketing.find_records(target, mapping.marketing_fields, mapping.key_field, [key])
        known = engine.store.find_links(Side.MARKETING, target, [reading.id for reading in found])
        number = engine.begin_read()
        states = [to_state(Side.MARKETING, target, each, number) for each in found if each.id not in known]
        search = search_keys(engine, target, states)
        engine.store.save_page(Side.MARKETING, target, states, [], None, complete_until=None, search=search)
        return counts

    def is_typed(case: Case, marketing: State) -> bool:
        return marketing.key.entity == case.mapping.marketing_entity and case.mapping.crm_entity == entity

    monkeypatch.setattr(sync_pass, "extract", reading_more)
    monkeypatch.setattr(planner, "_may_be_created", is_typed)


def derive(monkeypatch: pytest.MonkeyPatch, entity: Entity, name: str, compute: Callable[[Row, Facts], Value]) -> None:
    """A column that Tandem makes of others is made in another way."""
    view = opportunities.VIEWS[entity]
    derived = {**view.derived, name: replace(view.derived[name], compute=compute)}
    see_only(monkeypatch, entity, replace(view, derived=derived))
