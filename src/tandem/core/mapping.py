"""Which field of one side is which field of the other, and how a value crosses.

A mapping is data (``FieldPair``); ``compile_mapping`` turns it once into the *shapes* both sides are asked for and the
places at which each pair finds its values, so that the merge never looks a name up.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Protocol, runtime_checkable

from tandem.core.record import Entity, Side, Value, Values
from tandem.core.schema import FieldInfo

AT_ITS_END: Final = "@id"
"""A field ``lookup.@id`` is the id of the record that the lookup leads to, whatever table that is of; so is one that
begins like this."""


class NotExpressibleError(ValueError):
    """The other side has no spelling for this value; the message says why without showing the value."""


class Transform(Protocol):
    """How one pair's values cross. Both ways are pure and total but for NotExpressibleError."""

    def to_marketing(self, value: Value) -> Value: ...

    def to_crm(self, value: Value) -> Value: ...


@runtime_checkable
class Narrowing(Protocol):
    """A transform that may carry a part of a value."""

    def narrows(self, value: Value, to: Side) -> bool: ...


class Direction(StrEnum):
    BOTH = "both"
    TO_MARKETING = "to_marketing"
    TO_CRM = "to_crm"

    def allows(self, target: Side) -> bool:
        if self is Direction.BOTH:
            return True
        return (self is Direction.TO_MARKETING) == (target is Side.MARKETING)


class Winner(StrEnum):
    """Who prevails where both sides changed one field differently."""

    CRM = "crm"
    MARKETING = "marketing"
    NEWEST = "newest"
    """Whoever edited the field last, where that can be proved (``core.newest``); else it is held."""
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Watch:
    """What a value that crm shows depends on besides its record: ``by`` is the column that names a record of another
    ``entity``, of whose table ``column`` is shown (``core.following``)."""

    by: str
    entity: Entity
    column: str


@dataclass(frozen=True, slots=True)
class FieldPair:
    """One line of a mapping.

    ``crm`` is a column's logical name, or a *virtual* one that Tandem itself supplies: ``@id`` (the record's GUID),
    ``@type`` (Lead or Contact), ``@deleted`` (true once the record is gone), or a *path*: ``lookup.column`` is a column
    of the record that a lookup leads to, ``lookup.@name`` its name.
    ``parents`` names the crm entities whose record the value is the id of (an owner is a user or a team): the value
    waits until that record is linked, and goes over as the id it has on the side ``parent_by``: its GUID, or what
    Marketo calls it.
    ``through``: of a path, the pair of the parent's own mapping whose value this one shows; without it the side itself
    reads what the path leads to. ``watches``: when that moves, the record is looked at again.
    ``opt_out`` marks a field whose true must never be weakened (R8); ``only_if_empty`` fills, never replaces.
    ``can_be_emptied`` is False where Marketo keeps a value for ever (a person cannot lose its company).
    ``may_be_hidden``: the crm column reads as empty to who has no right to it, so an empty reading tells nothing.
    """

    crm: str
    marketing: str
    transform: Transform
    direction: Direction = Direction.BOTH
    winner: Winner | None = None
    first_link: Winner | None = None
    opt_out: bool = False
    only_if_empty: bool = False
    parents: tuple[Entity, ...] = ()
    parent_by: Side = Side.CRM
    can_be_emptied: bool = True
    may_be_hidden: bool = False
    through: str = ""
    watches: tuple[Watch, ...] = ()

    infos: tuple[FieldInfo, FieldInfo | None] | None = field(default=None, compare=False, repr=False)
    """What the two sides said of the fields when the pair was made; nothing of a field that is made for it."""

    _narrowing: Narrowing | None = field(init=False, compare=False, repr=False)
    """The transform, where it may cut; found out once, because every value asks and a protocol's check is slow."""

    def __post_init__(self) -> None:
        is_narrowing = isinstance(self.transform, Narrowing)
        object.__setattr__(self, "_narrowing", self.transform if is_narrowing else None)

    def info_on(self, side: Side) -> FieldInfo | None:
        """None for a field that the side does not describe: a virtual one, or one of a parent's mapping."""
        info = self.infos[0 if side is Side.CRM else 1] if self.infos else None
        is_described = info is not None and info.native_type != "virtual" and not (self.through and side is Side.CRM)
        return info if is_described else None

    @property
    def crm_field(self) -> str:
        """What crm is asked for: the parent's id, under a name for each pair, where ``through`` shows it."""
        lookup, _, column = self.crm.partition(".")
        return f"{lookup}.{AT_ITS_END}.{column}" if self.through else self.crm

    @property
    def name(self) -> str:
        """Stable name of the pair, under which bases and journal rows remember it."""
        return f"{self.crm}|{self.marketing}"

    def field_on(self, side: Side) -> str:
        return self.crm if side is Side.CRM else self.marketing

    def narrows(self, value: Value, *, to: Side) -> bool:
        """Whether less of `value` arrives on side `to`."""
        return self._narrowing is not None and self._narrowing.narrows(value, to)

    def carry(self, value: Value, *, to: Side) -> Value:
        """`value` of the other side as side `to` would hold it. Raises NotExpressibleError."""
        return self.transform.to_crm(value) if to is Side.CRM else self.transform.to_marketing(value)


@dataclass(frozen=True, slots=True)
class EntityMapping:
    """The compiled mapping of one crm entity onto its counterpart.

    ``crm_fields`` and ``marketing_fields`` are the shapes: what each side is asked for, the order of ``State.values``.
    ``crm_places[i]`` is the place of pair i's value in a crm state, likewise on the other side.
    ``key_field`` is the marketing field that holds the crm id; ``dedupe_field`` the marketing field a create must be
    unique by (None where there is none), each with its place in the marketing shape.
    ``key_parts``: where no field holds the crm id, the marketing fields that together say which record it is; the
    ``key_field`` is one of them (``core.keys``).
    """

    crm_entity: Entity
    marketing_entity: Entity
    pairs: tuple[FieldPair, ...]
    crm_fields: tuple[str, ...]
    marketing_fields: tuple[str, ...]
    crm_places: tuple[int, ...]
    marketing_places: tuple[int, ...]
    key_field: str
    dedupe_field: str | None = None
    names: tuple[str, ...] = field(default=())
    matched_by: tuple[str, ...] | None = None
    key_parts: tuple[str, ...] = ()
    has_paths: bool = False
    """Some pair shows a field of a parent's mapping."""

    @property
    def dedupe_fields(self) -> tuple[str, ...]:
        """The marketing fields of the dedupe key (``core.dedupe``): ``matched_by`` where it is set."""
        if self.matched_by is not None:
            return self.matched_by
        return (self.dedupe_field,) if self.dedupe_field else ()

    @property
    def paths(self) -> tuple[str, ...]:
        """The columns at the ends of lookups that crm itself reads."""
        return tuple(pair.crm for pair in self.pairs if "." in pair.crm and not pair.through)

    def fields_on(self, side: Side) -> tuple[str, ...]:
        return self.crm_fields if side is Side.CRM else self.marketing_fields

    def crm_values(self, values: Values) -> Values:
        """A crm state's values pair by pair."""
        return tuple(map(values.__getitem__, self.crm_places))

    def marketing_values(self, values: Values) -> Values:
        return tuple(map(values.__getitem__, self.marketing_places))

    def crm_value(self, values: Values, name: str) -> Value:
        """One value of a crm state by field name; None where the shape lacks the field."""
        return values[self.crm_fields.index(name)] if name in self.crm_fields else None

    def marketing_value(self, values: Values, name: str) -> Value:
        return values[self.marketing_fields.index(name)] if name in self.marketing_fields else None


def compile_mapping(
    crm_entity: Entity,
    marketing_entity: Entity,
    pairs: Sequence[FieldPair],
    *,
    key_field: str,
    dedupe_field: str | None = None,
    key_parts: Sequence[str] = (),
    crm_extras: Sequence[str] = (),
    marketing_extras: Sequence[str] = (),
) -> EntityMapping:
    """The mapping with its shapes: each field once, in the order of the pairs, the extras (fields the planner reads
    but does not carry, such as ``originatingleadid``) behind them."""
    crm_fields = tuple(dict.fromkeys([*(pair.crm_field for pair in pairs), *crm_extras]))
    dedupe = [dedupe_field] if dedupe_field else []
    marketing_fields = tuple(
        dict.fromkeys([*(pair.marketing for pair in pairs), key_field, *dedupe, *marketing_extras])
    )
    return EntityMapping(
        crm_entity=crm_entity,
        marketing_entity=marketing_entity,
        pairs=tuple(pairs),
        crm_fields=crm_fields,
        marketing_fields=marketing_fields,
        crm_places=tuple(crm_fields.index(pair.crm_field) for pair in pairs),
        marketing_places=tuple(marketing_fields.index(pair.marketing) for pair in pairs),
        key_field=key_field,
        dedupe_field=dedupe_field,
        names=tuple(pair.name for pair in pairs),
        key_parts=tuple(key_parts),
        has_paths=any(pair.through for pair in pairs),
    )


def share_shapes(mappings: Iterable[EntityMapping]) -> dict[Entity, EntityMapping]:
    """The mappings by crm entity, those onto one marketing entity with one shape there: a person is asked for the
    fields of leads and contacts alike, since its reading may belong to either."""
    listed = list(mappings)
    fields: dict[Entity, dict[str, None]] = {}
    for mapping in listed:
        fields.setdefault(mapping.marketing_entity, {}).update(dict.fromkeys(mapping.marketing_fields))
    shared: dict[Entity, EntityMapping] = {}
    for mapping in listed:
        shape = tuple(fields[mapping.marketing_entity])
        places = tuple(shape.index(pair.marketing) for pair in mapping.pairs)
        shared[mapping.crm_entity] = replace(mapping, marketing_fields=shape, marketing_places=places)
    return shared
