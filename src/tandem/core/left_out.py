"""What is said of a pair that cannot be carried, or not both ways: the reason, and what can be done about it."""

from dataclasses import dataclass

from tandem.core.default_mapping import COMPANY_FIELDS, DefaultMapping
from tandem.core.permissions import rights
from tandem.core.record import PERSON, Entity, Side
from tandem.core.schema import FieldInfo
from tandem.core.wanted_pairs import WantedPair


@dataclass(frozen=True, slots=True)
class LeftOut:
    crm_entity: Entity
    crm_field: str
    marketing_field: str
    reason: str
    remedy: str
    is_permission: bool = False
    """Whether a right of Tandem's own user is what is missing."""


def missing_column(entity: Entity, line: WantedPair, crm: FieldInfo | None) -> tuple[str, str]:
    name = line.pair.crm
    if crm is None and line.said.create_column_as is not None:
        return f"Dynamics has no column {name!r} on {entity} yet", "Make it with: tandem schema apply"
    if crm is None:
        where = "Install Marketo's Sales Insight solution" if name.startswith("mkt_") else "Create the column"
        return f"Dynamics has no column {name!r} on {entity}", f"{where} in Dynamics, or remove the pair."
    if crm.shows:
        tables = [str(table) for table, _ in crm.shows]
        needed = ", ".join(right.name for right in rights("Read", *tables))
        remedy = f"Grant {needed} at access level Organization, or remove the pair."
        return f"Tandem's user may not read {' or '.join(tables)}", remedy
    if crm.is_secured:
        profile = f"In Dynamics, add Tandem's user to a column security profile that may read {entity}.{name}"
        return "Tandem's user may not read the secured column", f"{profile}; it is filled with the next pass."
    return "Dynamics lets nobody read the column over its API", "Map another column, or remove the pair."


def why_closed(side: Side, default: DefaultMapping, crm: FieldInfo, marketing: FieldInfo) -> tuple[str, str] | None:
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
                f"{profile} {default.crm_entity}.{crm.name}, or set direction = 'to_marketing'.",
            )
        return (
            "Tandem's user may not write the column, so it only goes to Marketo",
            f"Grant write access to {default.crm_entity}.{crm.name}, or set direction = 'to_marketing'.",
        )
    if default.marketing_entity == PERSON and marketing.name in COMPANY_FIELDS:
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
