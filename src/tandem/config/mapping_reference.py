"""The table of the default mapping, made from the mapping itself.

``python -m tandem.config.mapping_reference`` prints the page ``docs/reference/mapping.md``.
"""

from typing import Final

from tandem.core.default_mapping import DEFAULT_MAPPINGS, OWN_PERSON_KEY, PERSON_KEY, DefaultMapping, DefaultPair
from tandem.core.mapping import Direction
from tandem.core.record import (
    ACCOUNT,
    CONNECTION,
    CONTACT,
    LEAD,
    OPPORTUNITY,
    OPPORTUNITY_CUSTOMER,
    TEAM,
    USER,
    Entity,
)

PAGE_HEAD: Final = f"""# Default mapping

The pairs that a sync starts with. They are those of Marketo's native Dynamics sync (Adobe Experience League, "Default
Dynamics Field Mapping"; rows N73 to N78), with the departures named in [Departures](../departures.md).
`[[entities.….fields]]` changes, adds and removes pairs ([settings](settings.md)).

A Marketo field with a type in the column *made as* is created by the first pass if the instance lacks it. A company's
field is not, as Marketo's API has no call for that: `tandem check` says what an admin has to create. A pair whose
Dynamics column does not exist is left out and named by `tandem check`.

`@id`, `@type` and `@deleted` are no columns: they are the record's GUID, the kind of record, and whether it is gone.
`{PERSON_KEY}` holds the key where the instance describes it; elsewhere it is `{OWN_PERSON_KEY.marketing}`, made as a
{OWN_PERSON_KEY.native_type} field. An *opt-out* moves only from no to yes. Opportunities have more such names, made of
several columns ([Show opportunities](../how-to/show-opportunities.md)). Names and columns of what a lookup leads to can
be added ([Show what a lookup leads to](../how-to/show-lookups-by-name.md)).
"""

_TITLES: Final[dict[Entity, str]] = {
    LEAD: "Leads to people",
    CONTACT: "Contacts to people",
    ACCOUNT: "Accounts to companies",
    USER: "Users to sales persons",
    TEAM: "Teams to sales persons",
    OPPORTUNITY: "Opportunities to opportunities",
    OPPORTUNITY_CUSTOMER: "Contacts that are an opportunity's customer to roles",
    CONNECTION: "Stakeholders of an opportunity to roles",
}
TABLE_HEAD: Final = "| Dynamics column | Marketo field | goes | made as | |\n| --- | --- | --- | --- | --- |\n"
_ARROWS: Final = {Direction.BOTH: "both ways", Direction.TO_MARKETING: "to Marketo", Direction.TO_CRM: "to Dynamics"}


def render_page() -> str:
    """The reference page, in Markdown."""
    return PAGE_HEAD + "".join(_section(title, DEFAULT_MAPPINGS[entity]) for entity, title in _TITLES.items())


def _section(title: str, mapping: DefaultMapping) -> str:
    rows = "".join(map(_row, mapping.pairs))
    return f"\n## {title}\n\n{TABLE_HEAD}{rows}"


def _row(pair: DefaultPair) -> str:
    made = f"{pair.native_type} *{pair.label}*" if pair.native_type else ""
    notes = ["opt-out"] if pair.opt_out else []
    if pair.parents:
        notes.append(f"only to a linked {' or '.join(pair.parents)}")
    if not pair.can_be_emptied:
        notes.append("cannot be emptied in Marketo")
    return f"| `{pair.crm}` | `{pair.marketing}` | {_ARROWS[pair.direction]} | {made} | {', '.join(notes)} |\n"


if __name__ == "__main__":
    print(render_page(), end="")
