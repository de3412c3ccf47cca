"""``tandem backfill``: fields that are filled again for the records there are, in the slow lane, and how far that is.

Where a pair has no base yet, the first-link rule holds (an empty value never wins). Where it has one, a difference that
neither side made since is carried from the giver: the side that wins the pair's conflicts, or the one that is named. An
empty value of the giver goes over too (N85), an opt-out is never weakened.
"""

from collections.abc import Iterator, Sequence

from tandem.app.build import opened
from tandem.app.reports import AskedFields, BackfillReport, FillingLine
from tandem.config.model import Config
from tandem.core.backfill import Backfill, Span
from tandem.core.errors import ConfigError
from tandem.core.mapping import EntityMapping, FieldPair, Winner
from tandem.core.policy import EntityPolicy
from tandem.core.record import Entity, Side
from tandem.ports import Store
from tandem.runtime.backfill import ask, remaining
from tandem.runtime.engine import Engine

_SHOWN = 20


async def backfill(
    config: Config, fields: Sequence[str], entity: str | None, giver: Side | None, span: Span | None
) -> BackfillReport:
    """Ask for `fields` (of either side, by name; none: all) of `entity` (None: every table that maps them).

    Raises:
        ConfigError: no table maps one of them, or nobody says whose values count.
    """
    async with opened(config, creates_fields=False) as setup:
        engine = setup.engine
        chosen = _chosen(engine, fields, entity)
        asked = [line for each, pairs in chosen.items() for line in _by_giver(engine, each, pairs, giver)]
        for line in asked:
            _ask(engine, line, span)
        return BackfillReport(tuple(AskedFields(str(e), names, str(side)) for e, names, side in asked))


def _chosen(engine: Engine, fields: Sequence[str], entity: str | None) -> dict[Entity, list[FieldPair]]:
    if entity is not None and entity not in engine.mappings:
        known = ", ".join(engine.mappings)
        raise ConfigError(f"No table {entity!r} is synced; --entity takes one of {known}.")
    mappings = {e: m for e, m in engine.mappings.items() if entity in (None, e)}
    unknown = [name for name in fields if not any(_named(m, [name]) for m in mappings.values())]
    if unknown:
        raise ConfigError(
            f"No field {unknown[0]!r} is mapped; name a Dynamics column or a Marketo field of the mapping"
            " (tandem check lists what is left out of it)."
        )
    return {e: pairs for e, m in mappings.items() if (pairs := _named(m, fields))}


def _named(mapping: EntityMapping, fields: Sequence[str]) -> list[FieldPair]:
    return [pair for pair in mapping.pairs if not fields or {pair.crm, pair.marketing, pair.name}.intersection(fields)]


def _by_giver(
    engine: Engine, entity: Entity, pairs: Sequence[FieldPair], named: Side | None
) -> Iterator[tuple[Entity, tuple[str, ...], Side]]:
    """The pairs in groups of one giver; a pair that goes one way has but one."""
    groups: dict[Side, list[str]] = {}
    for pair in pairs:
        groups.setdefault(_giver_of(entity, pair, engine.policies[entity], named), []).append(pair.name)
    for giver, names in groups.items():
        yield entity, tuple(names), giver


def _giver_of(entity: Entity, pair: FieldPair, policy: EntityPolicy, named: Side | None) -> Side:
    for target in Side:
        if not pair.direction.allows(target):
            return target
    winner = policy.winner_of(pair)
    if named is not None:
        return named
    if winner is Winner.HOLD:
        raise ConfigError(
            f"Conflicts of {entity}.{pair.crm} are held, so say whose values count: --from crm|marketing."
        )
    return Side(winner.value)


def _ask(engine: Engine, line: tuple[Entity, tuple[str, ...], Side], span: Span | None) -> None:
    """Both sides are read where everything is: with both sides' rows at hand the look needs no call."""
    entity, pairs, giver = line
    now = engine.clock.now()
    ask(engine.store, Backfill(Side.CRM, entity, "asked for", now, pairs, giver, span))
    target = engine.mappings[entity].marketing_entity
    if span is None and engine.marketing.has_feed(target):
        ask(engine.store, Backfill(Side.MARKETING, target, "asked for", now))


# --- how far ------------------------------------------------------------------------------------------------------


def filling(store: Store) -> tuple[FillingLine, ...]:
    """The open ones, and the last that came to their end; newest first."""
    return tuple(_line(store, b) for b in store.load_backfills(_SHOWN) if b.is_open or b.is_read)


def _line(store: Store, backfill: Backfill) -> FillingLine:
    phase = "done" if not backfill.is_open else "filling" if backfill.is_read else "reading"
    waiting = remaining(store, backfill) if phase == "filling" else 0
    return FillingLine(
        side=str(backfill.side),
        entity=str(backfill.entity),
        pairs=backfill.pairs,
        reason=backfill.reason,
        phase=phase,
        done=max(0, backfill.read - waiting),
        expected=backfill.expected,
        since=backfill.asked_at,
        finished_at=backfill.finished_at,
    )
