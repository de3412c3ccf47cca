"""Puts an engine together from the settings: the only place that names concrete classes."""

import json
from collections.abc import AsyncIterator, Container, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from tandem.app.deciding import decide, rules_of
from tandem.app.labels import with_former_labels
from tandem.app.optional import find_unavailable, lacking_objects
from tandem.app.pilots import PilotWish, choose_pilot
from tandem.app.preview import PreviewConnector
from tandem.app.quarantine import note_what_is_mapped
from tandem.app.reports import Observer
from tandem.app.system import RandomIds, SystemClock, holder_name, is_holder_gone
from tandem.app.telling import Teller
from tandem.config.model import Config
from tandem.config.policies import (
    campaign_rules,
    creation_rules,
    default_mappings,
    directions,
    field_overrides,
    own_columns,
    policies,
    rails,
)
from tandem.config.scope import columns_made, columns_read, person_fields_read, side_effects
from tandem.config.secrets import Secrets, load_secrets
from tandem.connectors.dynamics.connector import DynamicsConnector
from tandem.connectors.dynamics.side_effects import SideEffects
from tandem.connectors.marketo.connector import MarketoConnector
from tandem.connectors.marketo.feed import FeedCadence
from tandem.core.dedupe import matched_by
from tandem.core.errors import ConfigError
from tandem.core.mapping import EntityMapping, share_shapes
from tandem.core.mapping_resolver import ResolvedMapping, distinct_new_fields, resolve_mapping
from tandem.core.policy import EntityPolicy
from tandem.core.record import PERSON, Entity, Side
from tandem.core.schema import EntitySchema, NewField
from tandem.core.transforms import Ways
from tandem.core.wanted_pairs import paths_wanted
from tandem.ports import Connector, Store
from tandem.runtime.backfill import read_anew
from tandem.runtime.engine import UNBOUNDED, Engine, News, PassSettings
from tandem.runtime.restores import ensure_not_restored
from tandem.store import open_store

SYNC_NAME = "default"


@dataclass(frozen=True, slots=True)
class Setup:
    """An engine with what its mapping could not carry. ``missing_fields`` are still to be created in Marketo."""

    engine: Engine
    resolved: Mapping[Entity, ResolvedMapping]
    missing_fields: tuple[NewField, ...]
    side_effects: tuple[str, ...] = ()


def open_state(config: Config) -> Store:
    return open_store(config.store.url, SYNC_NAME)


def connect_crm(config: Config, secrets: Secrets) -> DynamicsConnector:
    crm = config.crm
    return DynamicsConnector(
        url=crm.url,
        tenant_id=crm.tenant_id,
        client_id=crm.client_id,
        client_secret=secrets.crm_client_secret,
        username=crm.username,
        password=secrets.crm_password,
        auth=crm.sign_in,
        authority=crm.authority,
        api_version=crm.web_api,
        certificate_file=str(crm.certificate_file) if crm.certificate_file else None,
        ca_file=str(crm.ca_file) if crm.ca_file else None,
        clock=SystemClock(),
        settle_s=crm.settle_s,
        own_columns=own_columns(config),
        side_effects=SideEffects(crm.bypass_plugins, crm.bypass_flows, crm.suppress_duplicate_detection),
    )


def connect_marketing(config: Config, secrets: Secrets) -> MarketoConnector:
    marketing = config.marketing
    return MarketoConnector(
        url=marketing.url,
        munchkin_id=marketing.munchkin_id,
        client_id=marketing.client_id,
        client_secret=secrets.marketing_client_secret,
        ca_file=str(marketing.ca_file) if marketing.ca_file else None,
        clock=SystemClock(),
        daily_share=marketing.calls_per_day,
        daily_calls=marketing.daily_calls,
        reserve=marketing.reserve_calls,
        calls_per_20_s=marketing.calls_per_20_s,
        max_concurrent=marketing.calls_at_once,
        cadence=FeedCadence(
            changes_s=marketing.changes_interval_s,
            merges_s=marketing.merges_interval_s,
            deletions_s=marketing.deletions_interval_s,
            overlap_s=marketing.overlap_s,
        ),
        settle_s=marketing.settle_s,
        partitions=[rule.name for rule in marketing.partitions],
    )


@asynccontextmanager
async def connected(config: Config) -> AsyncIterator[tuple[DynamicsConnector, MarketoConnector]]:
    """Both sides, closed at the end."""
    secrets = load_secrets(config)
    crm, marketing = connect_crm(config, secrets), connect_marketing(config, secrets)
    try:
        yield crm, marketing
    finally:
        await crm.close()
        await marketing.close()


@asynccontextmanager
async def opened(
    config: Config,
    observer: Observer | None = None,
    *,
    creates_fields: bool,
    settle_wait_s: float = 0.0,
    pilot: PilotWish | None = None,
) -> AsyncIterator[Setup]:
    """An engine ready for passes. `creates_fields`: make the Marketo fields that the mapping needs and lacks; without
    it they read as if nobody had filled them.

    Raises:
        ConfigError: the settings cannot work with what the two sides are.
        AccessError, TransientError: a side cannot be reached or refuses.
    """
    async with connected(config) as (crm, marketing):
        store = open_state(config)
        try:
            sync_id = await _pin_sides(store, crm, marketing)
            await ensure_not_restored(store, crm)
            unavailable = await find_unavailable(config, crm, marketing)
            resolved = await resolve(config, crm, marketing, without=unavailable)
            if lacking := lacking_objects(resolved):
                unavailable |= lacking
                resolved = await resolve(config, crm, marketing, without=unavailable)
            missing = distinct_new_fields(resolved.values())
            if missing and creates_fields:
                hidden = await _make(marketing, missing)
                missing = ()
                if hidden:
                    resolved = await resolve(config, crm, marketing, without=unavailable, hidden=hidden)
            note_what_is_mapped(store, resolved, SystemClock().now(), unavailable.values())
            resolved = with_former_labels(store, resolved, SystemClock().now())
            mappings = share_shapes(item.mapping for item in resolved.values())
            seen = PreviewConnector(marketing, missing) if missing else marketing
            decided = decide(config, resolved)
            declare(store, mappings, decided, SystemClock().now())
            engine = Engine(
                crm=crm,
                marketing=seen,
                store=store,
                clock=SystemClock(),
                ids=RandomIds(),
                mappings=mappings,
                policies=decided,
                settings=_pass_settings(config, sync_id, settle_wait_s, is_whole=not creates_fields),
                tell=Teller(observer, crm, marketing, store, mappings) if observer else _say_nothing,
                holder=holder_name(),
                is_gone=is_holder_gone,
                desk=crm.desk,
                rosters=marketing,
                campaigns=campaign_rules(config),
                creations=creation_rules(config),
                pilot=choose_pilot(pilot, mappings) if pilot else None,
            )
            yield Setup(engine, resolved, missing, side_effects(config))
        finally:
            store.close()


async def _make(marketing: Connector, missing: Sequence[NewField]) -> frozenset[str]:
    """Make person fields; the names of those that are there already and hidden, which nobody can use."""
    await marketing.create_fields(PERSON, missing)
    described = {name.lower() for name in (await marketing.fetch_schema(PERSON)).fields}
    return frozenset(field.name for field in missing if field.name.lower() not in described)


async def resolve(
    config: Config,
    crm: Connector,
    marketing: Connector,
    *,
    without: Container[Entity] = (),
    hidden: Container[str] = (),
) -> dict[Entity, ResolvedMapping]:
    """The mapping of every entity that is configured, from both sides' schemas as they are now, but for those
    `without` which the sync has to go on. `hidden` person fields are there and cannot be used."""
    overrides, ways, defaults = field_overrides(config), directions(config), default_mappings(config)
    columns, fields, made = columns_read(config), person_fields_read(config), columns_made(config)
    described: dict[Entity, EntitySchema | None] = {}
    resolved: dict[Entity, ResolvedMapping] = {}
    for entity in policies(config):
        if entity in without:
            continue
        default = defaults[entity]
        target = default.marketing_entity
        if target not in described:
            is_there = not default.is_custom or await marketing.has_entity(target)
            described[target] = await marketing.fetch_schema(target) if is_there else None
        schema = await crm.fetch_schema(entity, paths_wanted(default, overrides[entity]))
        resolved[entity] = resolve_mapping(
            default,
            schema,
            described[target],
            overrides=overrides[entity],
            direction=ways[entity],
            hidden=hidden,
            ways=Ways(language=config.crm.language, zone=ZoneInfo(config.crm.time_zone)),
            extras=columns.get(entity, ()),
            person_extras=("updatedAt", *fields.get(entity, ())) if target == PERSON else (),
            columns=made.get(entity, ()),
            related={before: item.related for before, item in resolved.items() if item.related},
        )
        if (person := described[target]) is not None and target == PERSON:
            mapping = matched_by(resolved[entity].mapping, config.matching.dedupe, person)
            resolved[entity] = replace(resolved[entity], mapping=mapping)
    return resolved


def _pass_settings(config: Config, sync_id: str, settle_wait_s: float, *, is_whole: bool) -> PassSettings:
    """A process that runs one pass, or plans one (`is_whole`), works the slow lane off whole; no other pass waits."""
    slow = {"slow_pages": UNBOUNDED, "slow_rounds": UNBOUNDED} if settle_wait_s or is_whole else {}
    return PassSettings(
        sync_id=sync_id,
        feed_lag_s=config.marketing.feed_lag_s,
        settle_wait_s=settle_wait_s,
        sweep_interval_s=config.run.id_sweep_interval_s,
        compare_interval_s=config.run.compare_interval_s,
        lease_s=config.run.lease_s,
        history_days=config.run.history_days,
        rails=rails(config),
        has_people_ceiling=True,
        max_people=config.marketing.max_people,
        **slow,
    )


def _say_nothing(news: News) -> None:
    """Nobody watches."""


async def _pin_sides(store: Store, crm: Connector, marketing: Connector) -> str:
    """The identity of this sync. A side that is another one than before is refused: its ids mean other people."""
    pins = {
        Side.CRM: ((await crm.fetch_identity())["organization_id"], "Dynamics organisation", "crm.url"),
        Side.MARKETING: ((await marketing.fetch_identity())["munchkin_id"], "Marketo subscription", "marketing.url"),
    }
    for side, (found, what, setting) in pins.items():
        known = store.load_setting(f"identity:{side}")
        if known is not None and known != found:
            raise ConfigError(
                f"{setting} leads to another {what} than this store was made with; "
                "give the new one a store of its own (store.url), or correct the address."
            )
        if known is None:
            store.save_setting(f"identity:{side}", found)
    return ":".join(found for found, _, _ in pins.values())


def declare(
    store: Store, mappings: Mapping[Entity, EntityMapping], decided: Mapping[Entity, EntityPolicy], now: datetime
) -> None:
    """Tell the store the shapes; a side whose shape or filter has changed, or whose people may now be created, is read
    anew, in the slow lane once a first copy is done."""
    shapes = {(Side.CRM, entity): mapping.crm_fields for entity, mapping in mappings.items()}
    shapes |= {(Side.MARKETING, m.marketing_entity): m.marketing_fields for m in mappings.values()}
    store.use_mappings({entity: mapping.names for entity, mapping in mappings.items()}, shapes)
    for (side, entity), fields in shapes.items():
        shape = json.dumps([*fields, *rules_of(entity, decided)])
        known = store.load_setting(f"shape:{side}:{entity}")
        if known is not None and known != shape:
            read_anew(store, side, entity, fields, json.loads(known), now)
        if known != shape:
            store.save_setting(f"shape:{side}:{entity}", shape)
