"""What a mapping may show of other tables: links to their counterparts in Marketo, and paths to their columns.

A link field of a custom object leads to a person, a company, or a custom object without links of its own, one of each
kind (marketo-rest 4.4). So a child of a child cannot name its parent by a link: it links to the person that a path
(``lookup.column``) leads to, column by column through tables that are synced themselves, and names its parent by key.
Where a path leads elsewhere, or the record is a person, Dynamics is asked what stands at its end.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tandem.core.mapping import EntityMapping
from tandem.core.record import ACCOUNT, COMPANY, CONTACT, LEAD, PERSON, Entity
from tandem.core.schema import FieldInfo, FieldLink

LINKED_BY: Final[Mapping[Entity, FieldLink]] = {
    LEAD: FieldLink(PERSON, "id"),
    CONTACT: FieldLink(PERSON, "id"),
    ACCOUNT: FieldLink(COMPANY, "id"),
}
"""What a custom object names a record of these tables by: Marketo's own id, which outlives a change of the key."""


@dataclass(frozen=True, slots=True)
class Related:
    """A table that is synced: its mapping, its columns, and which of them are links (by column or path)."""

    mapping: EntityMapping
    columns: Mapping[str, FieldInfo]
    links: Mapping[str, FieldLink] = field(default_factory=dict)
    is_custom: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """Where a path leads: the table at the end of its lookup, the pair there, and what its values are."""

    parent: Entity
    pair: str
    info: FieldInfo
    link: FieldLink | None


def find_shown(path: str, columns: Mapping[str, FieldInfo], related: Mapping[Entity, Related]) -> Shown | None:
    """What `path` (``lookup.column``; the column may be a path itself) shows of a table that is synced before this
    one, where its lookup leads to one such table, which maps the column."""
    name, _, rest = path.partition(".")
    lookup = columns.get(name)
    parents = [Entity(target) for target in lookup.targets if target in related] if lookup else []
    if len(parents) != 1:
        return None
    there = related[parents[0]]
    pair = next((pair for pair in there.mapping.pairs if pair.crm == rest), None)
    info = there.columns.get(rest)
    return None if pair is None or info is None else Shown(parents[0], pair.name, info, there.links.get(rest))


def why_not_shown(path: str, columns: Mapping[str, FieldInfo]) -> tuple[str, str]:
    """Why `path` leads to nothing, and the remedy."""
    name, _, rest = path.partition(".")
    lookup = columns.get(name)
    if lookup is None or not lookup.targets:
        return f"{name} is no lookup of the table", "Begin the path with the lookup's logical name."
    tables = " or ".join(lookup.targets)
    if "." in rest:
        remedy = f"Map {rest} in the settings of {tables}, above this table, or end the path at its first column."
        return f"{name} leads to {tables}, which maps no {rest} before this", remedy
    return (
        f"{rest} is no column of {tables} that can be read and is of one type",
        "Correct the name, or remove the pair.",
    )


def link_of(
    lookup: FieldInfo, related: Mapping[Entity, Related], key_field: str
) -> tuple[tuple[Entity, ...], FieldLink] | None:
    """The tables that a lookup leads to and the link that shows it: all its targets must be one thing in Marketo (a
    lead and a contact are)."""
    targets = tuple(Entity(name) for name in lookup.targets)
    links = {LINKED_BY.get(target) or _edge_of(related.get(target), key_field) for target in targets}
    link = links.pop() if len(links) == 1 else None
    return (targets, link) if link is not None else None


def _edge_of(there: Related | None, key_field: str) -> FieldLink | None:
    if there is None or not there.is_custom or there.links:
        return None
    return FieldLink(there.mapping.marketing_entity, key_field)
