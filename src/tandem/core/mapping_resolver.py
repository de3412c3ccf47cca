"""From the default pairs, an operator's settings and both sides' schemas to the mapping that can really be used.

Nothing is dropped silently: a pair that cannot be carried is *left out* with its reason and remedy, one that can go
one way only is listed as *narrowed*, and a person field that the instance lacks becomes a *new field* and is mapped as
if it were there.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from tandem.core.choices import UnknownLabel
from tandem.core.default_mapping import COMPANY_FIELDS, KEY_COLUMN, OWN_PERSON_KEY, DefaultMapping, DefaultPair
from tandem.core.errors import ConfigError
from tandem.core.mapping import Direction, EntityMapping, FieldPair, Transform, Winner, compile_mapping
from tandem.core.new_fields import LINK, field_to_make, label_for, missing_field, new_field
from tandem.core.record import COMPANY, PERSON, Entity, Side
from tandem.core.related import NotShown, Related, find_shown, link_of
from tandem.core.schema import EntitySchema, FieldInfo, FieldKind, FieldLink, NewField, NewObject
from tandem.core.transforms import Identity, Opposite, TooLong, Unpairable, Ways, transform_for

NEW_FIELDS_MAX: Final = 100
"""What Marketo's lead field API makes at most (marketo-rest 3.7)."""

BY_NUMBER: Final = "number"
"""A transform by name too: of a choice, by its number."""

NAMED_TRANSFORMS: Final[Mapping[str, Transform]] = {"as_is": Identity(), "opposite": Opposite()}
"""Transforms a setting may name; every other pair gets the one of its types."""

TRANSFORM_NAMES: Final = (*NAMED_TRANSFORMS, BY_NUMBER)

VIRTUAL_FIELDS: Final = (
    FieldInfo(KEY_COLUMN, "Id", FieldKind.REFERENCE, "virtual", is_writable=False),
    FieldInfo("@type", "Type", FieldKind.TEXT, "virtual", is_writable=False),
    FieldInfo("@deleted", "Deleted", FieldKind.BOOLEAN, "virtual", is_writable=False),
    FieldInfo("@paused", "Paused", FieldKind.BOOLEAN, "virtual", is_writable=False),
)
"""What Tandem itself knows of every crm record; the crm connector supplies the values."""


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
class LeftOut:
    crm_entity: Entity
    crm_field: str
    marketing_field: str
    reason: str
    remedy: str
    is_permission: bool = False
    """Whether a right of Tandem's own user is what is missing."""


@dataclass(frozen=True, slots=True)
class ResolvedMapping:
    """``new_fields`` must exist before the mapping is used, ``new_object`` too; ``narrowed`` pairs are mapped, but one
    way only. ``new_columns`` are left out until they are made in Dynamics. ``own_columns``: nobody else writes them."""

    mapping: EntityMapping
    new_fields: tuple[NewField, ...]
    left_out: tuple[LeftOut, ...]
    narrowed: tuple[LeftOut, ...]
    new_columns: tuple[NewField, ...] = ()
    new_object: NewObject | None = None
    own_columns: frozenset[str] = frozenset()
    related: Related | None = None
    """What the tables after this one may show of it."""


def resolve_mapping(
    default: DefaultMapping,
    crm: EntitySchema,
    marketing: EntitySchema | None,
    *,
    overrides: Sequence[FieldOverride] = (),
    direction: Direction = Direction.BOTH,
    extras: Sequence[str] = (),
    person_extras: Sequence[str] = (),
    columns: Sequence[NewField] = (),
    related: Mapping[Entity, Related] = MappingProxyType({}),
    ways: Ways | None = None,
    hidden: Container[str] = (),
) -> ResolvedMapping:
    """The usable mapping of one crm entity; `direction` is the whole entity's. `marketing` is None for a custom object
    that does not exist yet; `extras` are columns to read without carrying them, `person_extras` fields of the person,
    `columns` those of the columns that are to be made where they are missing; `related` are the tables before it;
    `ways` how values cross where no pair says otherwise; `hidden` are person fields that exist and are not described.

    Raises:
        ConfigError: two settings contradict each other, or the key cannot be mapped.
    """
    default = replace(default, crm_extras=tuple(dict.fromkeys([*default.crm_extras, *extras])))
    resolver = _Resolver(default, crm, marketing, direction, related, ways or Ways(), hidden)
    for line in _wanted_pairs(default, overrides):
        resolver.add(line)
    return resolver.resolved(person_extras, columns)


def distinct_new_fields(mappings: Iterable[ResolvedMapping]) -> tuple[NewField, ...]:
    """The person fields to make for all these mappings, each once: leads and contacts share them.

    Raises:
        ConfigError: they are more than the lead field API makes.
    """
    people = (mapping for mapping in mappings if mapping.mapping.marketing_entity == PERSON)
    fields = {field.name: field for mapping in people for field in mapping.new_fields}
    if len(fields) > NEW_FIELDS_MAX:
        raise ConfigError(
            f"The mapping needs {len(fields)} new Marketo person fields, and the API makes at most {NEW_FIELDS_MAX}:"
            " remove some pairs ([[entities.*.fields]], remove = true) or create fields in Marketo's Field Management."
        )
    return tuple(fields.values())


@dataclass(frozen=True, slots=True)
class _Line:
    """A default pair with what the operator said about it; the link that shows it, and what a path shows."""

    pair: DefaultPair
    said: FieldOverride
    link: FieldLink | None = None
    through: str = ""


def _wanted_pairs(default: DefaultMapping, overrides: Sequence[FieldOverride]) -> list[_Line]:
    lines = {pair.crm: _Line(pair, FieldOverride(pair.crm)) for pair in default.pairs}
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
        lines[said.crm] = _overridden(where, said, lines.get(said.crm), default.crm_entity)
    _check_targets(default.crm_entity, lines.values())
    return list(lines.values())


def _check_removal(where: str, said: FieldOverride, lines: Mapping[str, _Line]) -> None:
    if said.crm == KEY_COLUMN:
        raise ConfigError(f"{where} cannot be changed: the pair of {KEY_COLUMN} is how records are recognised.")
    if said.crm not in lines:
        raise ConfigError(f"{where} removes a pair that the default mapping does not have; delete the line.")


def _overridden(where: str, said: FieldOverride, line: _Line | None, crm_entity: Entity) -> _Line:
    if line is None:
        if said.marketing is None:
            raise ConfigError(f"{where} is not in the default mapping: say the Marketo field with marketing = '...'.")
        pair = DefaultPair(said.crm, said.marketing, native_type=said.create_as or "")
    elif said.marketing is not None and said.marketing != line.pair.marketing:
        pair = replace(line.pair, marketing=said.marketing, label="", native_type=said.create_as or "")
    else:
        pair = replace(line.pair, native_type=said.create_as or line.pair.native_type)
    if said.opt_out is not None:
        pair = replace(pair, opt_out=said.opt_out)
    if said.direction is not None:
        pair = replace(pair, direction=_allowed_direction(where, said.direction, crm_entity, pair))
    if said.transform is not None and said.transform not in TRANSFORM_NAMES:
        known = ", ".join(sorted(TRANSFORM_NAMES))
        raise ConfigError(f"{where} names the transform {said.transform!r}, which does not exist; known: {known}.")
    if pair.opt_out and said.transform == "opposite":
        raise ConfigError(f"{where} turns an opt-out round; an opt-out is true on both sides or on none.")
    return _Line(pair, said)


def _allowed_direction(where: str, wanted: Direction, crm_entity: Entity, pair: DefaultPair) -> Direction:
    if wanted is not Direction.TO_MARKETING and (pair.crm.startswith("@") or pair.parents):
        raise ConfigError(f"{where} can only go to_marketing.")
    return wanted


def _check_targets(crm_entity: Entity, lines: Iterable[_Line]) -> None:
    """Two columns that write one Marketo field would overwrite each other for ever."""
    seen: dict[str, str] = {}
    for line in lines:
        first = seen.setdefault(line.pair.marketing.lower(), line.pair.crm)
        if first != line.pair.crm:
            raise ConfigError(
                f"entities.{crm_entity}.fields maps both {first!r} and {line.pair.crm!r} to the Marketo field"
                f" {line.pair.marketing!r}; remove one of them (remove = true)."
            )


class _Resolver:
    """Takes the wanted pairs one by one and sorts them into mapped, narrowed, new and left out."""

    def __init__(
        self,
        default: DefaultMapping,
        crm: EntitySchema,
        marketing: EntitySchema | None,
        direction: Direction,
        related: Mapping[Entity, Related],
        ways: Ways,
        hidden: Container[str],
    ):
        self._default = default
        self._is_missing = marketing is None
        self._crm = {**crm.fields, **{info.name: info for info in VIRTUAL_FIELDS}}
        self._marketing = _Names(marketing.fields.values() if marketing else ())
        self._direction = direction
        self._pairs: list[FieldPair] = []
        self._new: list[NewField] = []
        self._columns: list[NewField] = []
        self._own: set[str] = set()
        self._left_out: list[LeftOut] = []
        self._narrowed: list[LeftOut] = []
        self._key_field = default.key_field
        self._related = related
        self._ways = ways
        self._hidden = hidden
        self._links: dict[str, FieldLink] = {}

    def add(self, line: _Line) -> None:
        if line.pair.crm == KEY_COLUMN and self._default.marketing_entity == PERSON:
            line = self._with_person_key(line)
        if "." in line.pair.crm:
            line = self._with_path(line)
        crm = self._crm.get(line.pair.crm)
        if line.through == "" and "." in line.pair.crm:
            return
        if crm is None and line.said.create_column_as is not None:
            self._columns.append(_new_column(line.said, line.said.create_column_as))
        if crm is None or not crm.is_readable:
            is_secured = crm is not None and crm.is_secured
            self._leave_out(line, *_missing_column(self._default.crm_entity, line, crm), is_permission=is_secured)
            return
        line = self._with_parent(line, crm)
        found = self._marketing.find(line.pair.marketing, line.pair.label)
        marketing = found or field_to_make(self._default, line.pair, crm)
        if marketing is not None and not found and marketing.name in self._hidden:
            reason = f"Marketo hides the field {marketing.name!r}"
            self._leave_out(line, reason, "Show it again under Admin > Field Management, or remove the pair.")
            return
        if marketing is None:
            self._leave_out(line, *missing_field(self._default, line.pair, crm))
            return
        transform = self._transform(line, crm, marketing)
        direction = self._direction_of(line, crm, marketing) if transform else None
        if transform is None or direction is None:
            return
        if line.pair.opt_out and (crm.kind, marketing.kind) != (FieldKind.BOOLEAN, FieldKind.BOOLEAN):
            raise ConfigError(
                f"entities.{self._default.crm_entity}.fields: {line.pair.crm} has opt_out = true, which is for yes/no"
                f" fields; it pairs {crm.native_type} with {marketing.native_type}. Take opt_out out."
            )
        if found is None:
            self._new.append(new_field(self._default, line.pair, marketing, line.link))
        if line.link is not None:
            self._links[line.pair.crm] = line.link
        if line.said.is_own:
            self._own.add(crm.name)
        pair = _field_pair(line, marketing.name, transform, direction)
        infos = (crm, marketing) if found else None
        self._pairs.append(replace(pair, may_be_hidden=crm.is_secured, infos=infos))

    def resolved(self, person_extras: Sequence[str] = (), columns: Sequence[NewField] = ()) -> ResolvedMapping:
        self._check_key()
        mapping = compile_mapping(
            self._default.crm_entity,
            self._default.marketing_entity,
            self._pairs,
            key_field=self._key_field,
            dedupe_field=self._default.dedupe_field,
            key_parts=self._default.key_parts,
            crm_extras=[name for name in self._default.crm_extras if self._is_readable(name)],
            marketing_extras=[found.name for name in person_extras if (found := self._marketing.find(name, ""))],
        )
        return ResolvedMapping(
            mapping,
            tuple(self._new),
            tuple(self._left_out),
            tuple(self._narrowed),
            new_columns=(*self._columns, *(column for column in columns if column.name not in self._crm)),
            new_object=self._new_object() if self._is_missing else None,
            own_columns=frozenset(self._own),
            related=Related(mapping, self._crm, self._links, self._default.is_custom),
        )

    def _new_object(self) -> NewObject:
        one, several = self._default.labels
        return NewObject(self._default.marketing_entity, one, several, tuple(self._new))

    def _with_parent(self, line: _Line, crm: FieldInfo) -> _Line:
        """A custom object's lookup becomes a link where Marketo can link to what it leads to; a role names a person."""
        if not self._default.is_custom and line.pair.native_type == LINK:
            return replace(line, link=FieldLink(PERSON, "id"))
        if not self._default.is_custom or line.pair.native_type:
            return line
        if line.through:
            return line if line.link is None else replace(line, pair=replace(line.pair, native_type=LINK))
        found = link_of(crm, self._related, self._default.key_field)
        if found is None:
            return line
        parents, link = found
        if self._has_link_like(link):
            reason = "a custom object has one link of this kind, so the lookup is shown as text"
            self._narrowed.append(self._note(line, reason, "List the lookup that is to be the link first."))
            return line
        return replace(line, pair=replace(line.pair, parents=parents, native_type=LINK), link=link)

    def _has_link_like(self, link: FieldLink) -> bool:
        """Marketo takes one link to a person or a company, and one to a custom object (marketo-rest 4.4)."""
        return any(_is_standard(link) == _is_standard(other) for other in self._links.values())

    def _with_path(self, line: _Line) -> _Line:
        """The line with what its path shows, whose values are of that column's kind; unchanged where it is left out."""
        if self._default.marketing_entity == PERSON:
            self._leave_out(
                line, "people show their own columns only", "Map the column in Dynamics, or remove the pair."
            )
            return line
        shown = find_shown(line.pair.crm, self._crm, self._related)
        if isinstance(shown, NotShown):
            self._leave_out(line, shown.reason, shown.remedy)
            return line
        link = shown.link if not line.pair.native_type else None
        if link is not None and self._has_link_like(link):
            self._leave_out(
                line,
                "a custom object has one link of this kind",
                "Show a column that is no link, or take one link out.",
            )
            return line
        self._crm[line.pair.crm] = shown.info
        pair = replace(line.pair, parents=(shown.parent,), direction=Direction.TO_MARKETING)
        return replace(line, pair=pair, link=link, through=shown.pair)

    def _with_person_key(self, line: _Line) -> _Line:
        """The standard key where the instance describes it, else a field of our own."""
        if not self._marketing.find(line.pair.marketing, ""):
            line = replace(line, pair=OWN_PERSON_KEY)
        self._key_field = line.pair.marketing
        return line

    def _check_key(self) -> None:
        lacking = set(self._default.key_parts) - {pair.marketing for pair in self._pairs}
        if lacking:
            reasons = ", ".join(f"{note.marketing_field}: {note.reason}" for note in self._left_out)
            raise ConfigError(
                f"A Dynamics {self._default.crm_entity} needs Marketo's {', '.join(sorted(lacking))} to become a"
                f" {self._default.marketing_entity}, which is known by them ({reasons or 'the pair was removed'})."
            )
        if not self._default.key_parts and not any(pair.crm == KEY_COLUMN for pair in self._pairs):
            reason = next((line.reason for line in self._left_out if line.crm_field == KEY_COLUMN), "it is not mapped")
            raise ConfigError(
                f"Marketo's field {self._key_field!r} cannot hold the key of a Dynamics {self._default.crm_entity}:"
                f" {reason}; without it records cannot be recognised."
            )

    def _is_readable(self, name: str) -> bool:
        return name in self._crm and self._crm[name].is_readable

    def _transform(self, line: _Line, crm: FieldInfo, marketing: FieldInfo) -> Transform | None:
        named = NAMED_TRANSFORMS.get(line.said.transform or "")
        if named is not None:
            return named
        if line.pair.native_type == LINK:
            return Identity()
        transform = transform_for(crm, marketing, self._ways_of(line.said))
        if isinstance(transform, Unpairable):
            self._leave_out(
                line, transform.reason, "Map the column to a Marketo field of a fitting type, or remove it."
            )
            return None
        return transform

    def _ways_of(self, said: FieldOverride) -> Ways:
        return replace(
            self._ways,
            language=said.language or self._ways.language,
            by_number=said.transform == BY_NUMBER,
            unknown_label=said.unknown_label,
            cuts=said.too_long is TooLong.CUT,
        )

    def _direction_of(self, line: _Line, crm: FieldInfo, marketing: FieldInfo) -> Direction | None:
        """The wanted direction without the ways that are closed; None (and left out) where no way is left."""
        wanted = [side for side in Side if line.pair.direction.allows(side)]
        allowed = [side for side in wanted if self._direction.allows(side)]
        if not allowed:
            reason = f"the pair goes {line.pair.direction} and the entity {self._direction}"
            self._leave_out(line, reason, f"Change entities.{self._default.crm_entity}.direction, or remove the pair.")
            return None
        closed = {side: why for side in allowed if (why := self._closed(side, crm, marketing))}
        ways = [side for side in allowed if side not in closed]
        for side in closed:
            is_permission = side is Side.CRM and crm.is_secured
            note = self._note(line, *closed[side], is_permission=is_permission)
            (self._narrowed if ways else self._left_out).append(note)
        return _direction_to(ways) if ways else None

    def _closed(self, side: Side, crm: FieldInfo, marketing: FieldInfo) -> tuple[str, str] | None:
        """Why nothing can be written to `side`, with the remedy."""
        if side is Side.CRM:
            if crm.is_writable:
                return None
            if crm.is_computed:
                return (
                    "Dynamics computes the column, so it only goes to Marketo, with the record's next change",
                    f"Bring what was computed since over with: tandem backfill {crm.name}",
                )
            if crm.is_secured:
                profile = "In Dynamics, add Tandem's user to a column security profile that may update"
                return (
                    "Tandem's user may not write the secured column, so it only goes to Marketo",
                    f"{profile} {self._default.crm_entity}.{crm.name}, or set direction = 'to_marketing'.",
                )
            return (
                "Tandem's user may not write the column, so it only goes to Marketo",
                f"Grant write access to {self._default.crm_entity}.{crm.name}, or set direction = 'to_marketing'.",
            )
        if self._default.marketing_entity == PERSON and marketing.name in COMPANY_FIELDS:
            return (
                "the field belongs to the person's company and is written with companies only",
                "Map the column to a field of the person.",
            )
        if not marketing.is_writable:
            return (
                "Marketo lets nobody write the field over its API",
                "Map the column to another field, or set direction = 'to_crm'.",
            )
        return None

    def _note(self, line: _Line, reason: str, remedy: str, *, is_permission: bool = False) -> LeftOut:
        return LeftOut(self._default.crm_entity, line.pair.crm, line.pair.marketing, reason, remedy, is_permission)

    def _leave_out(self, line: _Line, reason: str, remedy: str, *, is_permission: bool = False) -> None:
        self._left_out.append(self._note(line, reason, remedy, is_permission=is_permission))


class _Names:
    """Marketo's fields by name, whatever its case, or by label: labels are unique, so a field with ours is ours."""

    def __init__(self, fields: Iterable[FieldInfo]):
        self._by_name: dict[str, FieldInfo] = {}
        self._by_label: dict[str, FieldInfo] = {}
        for info in fields:
            self._by_name[info.name.lower()] = info
            self._by_label[info.label.lower()] = info

    def find(self, name: str, label: str) -> FieldInfo | None:
        return self._by_name.get(name.lower()) or (self._by_label.get(label.lower()) if label else None)


def _field_pair(line: _Line, marketing: str, transform: Transform, direction: Direction) -> FieldPair:
    return FieldPair(
        crm=line.pair.crm,
        marketing=marketing,
        transform=transform,
        direction=direction,
        winner=line.said.winner,
        first_link=line.said.first_link,
        opt_out=line.pair.opt_out,
        only_if_empty=line.said.only_if_empty,
        parents=line.pair.parents,
        parent_by=Side.MARKETING if line.link and _is_standard(line.link) and not line.through else Side.CRM,
        can_be_emptied=line.pair.can_be_emptied,
        through=line.through,
        watches=line.pair.watches,
    )


def _is_standard(link: FieldLink) -> bool:
    return link.entity in (PERSON, COMPANY)


def _direction_to(ways: Sequence[Side]) -> Direction:
    if len(ways) == len(Side):
        return Direction.BOTH
    return Direction.TO_CRM if ways[0] is Side.CRM else Direction.TO_MARKETING


def _new_column(said: FieldOverride, native_type: str) -> NewField:
    return NewField(said.crm, label_for(said.crm.partition("_")[2] or said.crm), native_type, is_key=said.is_key)


def _missing_column(entity: Entity, line: _Line, crm: FieldInfo | None) -> tuple[str, str]:
    name = line.pair.crm
    if crm is None and line.said.create_column_as is not None:
        return f"Dynamics has no column {name!r} on {entity} yet", "Make it with: tandem schema apply"
    if crm is None:
        where = "Install Marketo's Sales Insight solution" if name.startswith("mkt_") else "Create the column"
        return f"Dynamics has no column {name!r} on {entity}", f"{where} in Dynamics, or remove the pair."
    if crm.is_secured:
        profile = f"In Dynamics, add Tandem's user to a column security profile that may read {entity}.{name}"
        return "Tandem's user may not read the secured column", f"{profile}; it is filled with the next pass."
    return "Dynamics lets nobody read the column over its API", "Map another column, or remove the pair."
