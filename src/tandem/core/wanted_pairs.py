"""What the operator said, laid over the default pairs: the lines that a mapping is wanted to have.

Only what two settings say against each other is refused here; whether a line can be carried is for the resolver.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tandem.core.choices import UnknownLabel
from tandem.core.default_mapping import KEY_COLUMN, DefaultMapping, DefaultPair
from tandem.core.errors import ConfigError
from tandem.core.mapping import Direction, Transform, Winner
from tandem.core.record import Entity
from tandem.core.schema import FieldLink
from tandem.core.transforms import Identity, Opposite, TooLong

BY_NUMBER: Final = "number"
"""A transform by name too: of a choice, by its number."""

NAMED_TRANSFORMS: Final[Mapping[str, Transform]] = {"as_is": Identity(), "opposite": Opposite()}
"""Transforms a setting may name; every other pair gets the one of its types."""

TRANSFORM_NAMES: Final = (*NAMED_TRANSFORMS, BY_NUMBER)


@dataclass(frozen=True, slots=True)
class FieldOverride:
    """An operator's line on one crm column: changes the default pair of that column, adds one, or removes it.

    None leaves the default as it is. ``create_as`` is the Marketo type a missing field is made with,
    ``create_column_as`` the Dynamics type of a missing column, with an alternate key if ``is_key``; ``is_own``: nobody
    but Tandem writes the column.
    """

    crm: str
    marketing: str | None = None
    direction: Direction | None = None
    winner: Winner | None = None
    first_link: Winner | None = None
    transform: str | None = None
    language: int | None = None
    unknown_label: UnknownLabel = UnknownLabel.HOLD
    too_long: TooLong = TooLong.CUT
    opt_out: bool | None = None
    only_if_empty: bool = False
    create_as: str | None = None
    create_column_as: str | None = None
    is_key: bool = False
    is_own: bool = False
    remove: bool = False


@dataclass(frozen=True, slots=True)
class WantedPair:
    """A default pair with what the operator said about it; the link that shows it, and what a path shows."""

    pair: DefaultPair
    said: FieldOverride
    link: FieldLink | None = None
    through: str = ""


def paths_wanted(default: DefaultMapping, overrides: Sequence[FieldOverride]) -> tuple[str, ...]:
    """The columns that stand at the end of a lookup."""
    named = [*(pair.crm for pair in default.pairs), *(said.crm for said in overrides)]
    return tuple(dict.fromkeys(name for name in named if "." in name))


def wanted_pairs(default: DefaultMapping, overrides: Sequence[FieldOverride]) -> list[WantedPair]:
    lines = {pair.crm: WantedPair(pair, FieldOverride(pair.crm)) for pair in default.pairs}
    seen: set[str] = set()
    for said in overrides:
        where = f"entities.{default.crm_entity}.fields (crm = {said.crm!r})"
        if said.crm in seen:
            raise ConfigError(f"{where} is set twice; keep one line for each crm column.")
        seen.add(said.crm)
        if said.remove or said.crm == KEY_COLUMN:
            _check_removal(where, said, lines)
            del lines[said.crm]
            continue
        lines[said.crm] = _overridden(where, said, lines.get(said.crm))
    _check_targets(default.crm_entity, lines.values())
    return list(lines.values())


def _check_removal(where: str, said: FieldOverride, lines: Mapping[str, WantedPair]) -> None:
    if said.crm == KEY_COLUMN:
        raise ConfigError(f"{where} cannot be changed: the pair of {KEY_COLUMN} is how records are recognised.")
    if said.crm not in lines:
        raise ConfigError(f"{where} removes a pair that the default mapping does not have; delete the line.")


def _overridden(where: str, said: FieldOverride, line: WantedPair | None) -> WantedPair:
    if line is None:
        if said.marketing is None:
            raise ConfigError(f"{where} is not in the default mapping: say the Marketo field with marketing = '...'.")
        pair = DefaultPair(said.crm, said.marketing, native_type=said.create_as or "")
    elif said.marketing is not None and said.marketing != line.pair.marketing:
        pair = replace(line.pair, marketing=said.marketing, label="", native_type=said.create_as or "")
    else:
        pair = replace(line.pair, native_type=said.create_as or line.pair.native_type)
    if "." in said.crm and (said.create_column_as or said.is_key or said.is_own or said.opt_out):
        raise ConfigError(
            f"{where} is a column of another record, which Tandem only reads: take create_column_as, is_key, is_own and"
            " opt_out out."
        )
    if said.opt_out is not None:
        pair = replace(pair, opt_out=said.opt_out)
    if said.direction is not None:
        pair = replace(pair, direction=_allowed_direction(where, said.direction, pair))
    if said.transform is not None and said.transform not in TRANSFORM_NAMES:
        known = ", ".join(sorted(TRANSFORM_NAMES))
        raise ConfigError(f"{where} names the transform {said.transform!r}, which does not exist; known: {known}.")
    if pair.opt_out and said.transform == "opposite":
        raise ConfigError(f"{where} turns an opt-out round; an opt-out is true on both sides or on none.")
    return WantedPair(pair, said)


def _allowed_direction(where: str, wanted: Direction, pair: DefaultPair) -> Direction:
    is_read_only = pair.crm.startswith("@") or "." in pair.crm
    if wanted is not Direction.TO_MARKETING and (is_read_only or pair.parents):
        raise ConfigError(f"{where} can only go to_marketing.")
    return wanted


def _check_targets(crm_entity: Entity, lines: Iterable[WantedPair]) -> None:
    """Two columns that write one Marketo field would overwrite each other for ever."""
    seen: dict[str, str] = {}
    for line in lines:
        first = seen.setdefault(line.pair.marketing.lower(), line.pair.crm)
        if first != line.pair.crm:
            raise ConfigError(
                f"entities.{crm_entity}.fields maps both {first!r} and {line.pair.crm!r} to the Marketo field"
                f" {line.pair.marketing!r}; remove one of them (remove = true)."
            )
