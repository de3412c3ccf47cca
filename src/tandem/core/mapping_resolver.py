"""From the default pairs, an operator's settings and both sides' schemas to the mapping that can really be used.

Nothing is dropped silently: a pair that cannot be carried is *left out* with its reason and remedy, one that can go
one way only is listed as *narrowed*, and a person field that the instance lacks becomes a *new field* and is mapped as
if it were there.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from tandem.core.default_mapping import KEY_COLUMN, OWN_PERSON_KEY, DefaultMapping
from tandem.core.errors import ConfigError
from tandem.core.left_out import LeftOut, missing_column, why_closed
from tandem.core.mapping import (
    AT_ITS_END,
    Direction,
    EntityMapping,
    FieldPair,
    Transform,
    Watch,
    compile_mapping,
)
from tandem.core.new_fields import LINK, field_to_make, label_for, missing_field, new_field
from tandem.core.record import COMPANY, PERSON, Entity, Side
from tandem.core.related import Related, find_shown, link_of, why_not_shown
from tandem.core.schema import EntitySchema, FieldInfo, FieldKind, FieldLink, NewField, NewObject
from tandem.core.transforms import Identity, TooLong, Unpairable, Ways, transform_for
from tandem.core.wanted_pairs import BY_NUMBER, NAMED_TRANSFORMS, FieldOverride, WantedPair, wanted_pairs

NEW_FIELDS_MAX: Final = 100
"""What Marketo's lead field API makes at most (marketo-rest 3.7)."""

VIRTUAL_FIELDS: Final = (
    FieldInfo(KEY_COLUMN, "Id", FieldKind.REFERENCE, "virtual", is_writable=False),
    FieldInfo("@type", "Type", FieldKind.TEXT, "virtual", is_writable=False),
    FieldInfo("@deleted", "Deleted", FieldKind.BOOLEAN, "virtual", is_writable=False),
    FieldInfo("@paused", "Paused", FieldKind.BOOLEAN, "virtual", is_writable=False),
)
"""What Tandem itself knows of every crm record; the crm connector supplies the values."""


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
    for line in wanted_pairs(default, overrides):
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
        self._ends: dict[str, None] = {}

    def add(self, line: WantedPair) -> None:
        if line.pair.crm == KEY_COLUMN and self._default.marketing_entity == PERSON:
            line = self._with_person_key(line)
        if "." in line.pair.crm:
            shown = self._with_path(line)
            if shown is None:
                return
            line = shown
        crm = self._crm.get(line.pair.crm)
        if crm is None and line.said.create_column_as is not None:
            self._columns.append(_new_column(line.said, line.said.create_column_as))
        if crm is None or not crm.is_readable:
            lacks_right = crm is not None and (crm.is_secured or bool(crm.shows))
            self._leave_out(line, *missing_column(self._default.crm_entity, line, crm), is_permission=lacks_right)
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
            self._new.append(new_field(self._default, marketing, line.link))
        if line.link is not None:
            self._links[line.pair.crm] = line.link
        if line.said.is_own:
            self._own.add(crm.name)
        pair = _field_pair(line, marketing.name, transform, direction)
        self._pairs.append(replace(pair, may_be_hidden=crm.is_secured, infos=(crm, found)))

    def resolved(self, person_extras: Sequence[str] = (), columns: Sequence[NewField] = ()) -> ResolvedMapping:
        self._check_key()
        mapping = compile_mapping(
            self._default.crm_entity,
            self._default.marketing_entity,
            self._pairs,
            key_field=self._key_field,
            dedupe_field=self._default.dedupe_field,
            key_parts=self._default.key_parts,
            crm_extras=[*(name for name in self._default.crm_extras if self._is_readable(name)), *self._ends],
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

    def _with_parent(self, line: WantedPair, crm: FieldInfo) -> WantedPair:
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

    def _with_path(self, line: WantedPair) -> WantedPair | None:
        """The line with what its path shows, whose values are of that column's kind; None where it is left out."""
        is_person = self._default.marketing_entity == PERSON
        shown = find_shown(line.pair.crm, self._crm, self._related) if not is_person else None
        if shown is None:
            return self._with_what_crm_shows(line)
        link = shown.link if not line.pair.native_type else None
        if link is not None and self._has_link_like(link):
            self._leave_out(
                line,
                "a custom object has one link of this kind",
                "Show a column that is no link, or take one link out.",
            )
            return None
        self._crm[line.pair.crm] = shown.info
        pair = replace(line.pair, parents=(shown.parent,), direction=Direction.TO_MARKETING)
        return replace(line, pair=pair, link=link, through=shown.pair)

    def _with_what_crm_shows(self, line: WantedPair) -> WantedPair | None:
        """A path that crm reads with the record, which is due when the row at its end moves."""
        info = self._crm.get(line.pair.crm)
        if info is None:
            self._leave_out(line, *why_not_shown(line.pair.crm, self._crm))
            return None
        at_its_end = f"{line.pair.crm.partition('.')[0]}.{AT_ITS_END}"
        self._ends[at_its_end] = None
        watches = tuple(Watch(at_its_end, entity, column) for entity, column in info.shows)
        return replace(line, pair=replace(line.pair, direction=Direction.TO_MARKETING, watches=watches))

    def _with_person_key(self, line: WantedPair) -> WantedPair:
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

    def _transform(self, line: WantedPair, crm: FieldInfo, marketing: FieldInfo) -> Transform | None:
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

    def _direction_of(self, line: WantedPair, crm: FieldInfo, marketing: FieldInfo) -> Direction | None:
        """The wanted direction without the ways that are closed; None (and left out) where no way is left."""
        wanted = [side for side in Side if line.pair.direction.allows(side)]
        allowed = [side for side in wanted if self._direction.allows(side)]
        if not allowed:
            reason = f"the pair goes {line.pair.direction} and the entity {self._direction}"
            self._leave_out(line, reason, f"Change entities.{self._default.crm_entity}.direction, or remove the pair.")
            return None
        closed = {side: why for side in allowed if (why := why_closed(side, self._default, crm, marketing))}
        ways = [side for side in allowed if side not in closed]
        for side in closed:
            is_permission = side is Side.CRM and crm.is_secured
            note = self._note(line, *closed[side], is_permission=is_permission)
            (self._narrowed if ways else self._left_out).append(note)
        return _direction_to(ways) if ways else None

    def _note(self, line: WantedPair, reason: str, remedy: str, *, is_permission: bool = False) -> LeftOut:
        return LeftOut(self._default.crm_entity, line.pair.crm, line.pair.marketing, reason, remedy, is_permission)

    def _leave_out(self, line: WantedPair, reason: str, remedy: str, *, is_permission: bool = False) -> None:
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


def _field_pair(line: WantedPair, marketing: str, transform: Transform, direction: Direction) -> FieldPair:
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
