"""The features that the settings ask for, with their rights: what `tandem check` tries, and a page for admins.

``python -m tandem.app.permissions`` prints the page ``docs/how-to/permissions.md``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from tandem.config.model import Config
from tandem.config.policies import default_mappings, directions, field_overrides
from tandem.core.permissions import (
    ACTIVITY,
    COMPANY,
    CUSTOM_OBJECT,
    CUSTOM_OBJECT_TYPE,
    NEW_FIELDS,
    OPPORTUNITY,
    PERSON,
    SALES_PERSON,
    Feature,
    Right,
    rights,
)
from tandem.core.policy import DeleteRule, MergeRule
from tandem.core.record import CONTACT, LEAD, Side
from tandem.core.wanted_pairs import paths_wanted

CUSTOM_TABLE: Final = "<custom table>"
"""In the page, where the settings name the table."""
SHOWN_TABLE: Final = "<table that a lookup leads to>"
"""In the page; which one that is, Dynamics tells."""
SHOWN: Final = "shown"


@dataclass(frozen=True, slots=True)
class _Line:
    """A feature and whether the settings ask for it."""

    feature: Feature
    is_wanted: Callable[[Config], bool]


def _always(config: Config) -> bool:
    return True


def _writes_to_crm(config: Config) -> bool:
    return any(directions(config)[entity].allows(Side.CRM) for entity in (LEAD, CONTACT))


def _creates_in_crm(config: Config) -> bool:
    return bool(config.entities.lead.create_in_crm or config.entities.contact.create_in_crm)


def _deletes_in_crm(config: Config) -> bool:
    sections = (config.entities.lead, config.entities.contact)
    return any(section.deleted_in_marketing is DeleteRule.PROPAGATE for section in sections)


def _merges_in_crm(config: Config) -> bool:
    return config.matching.merged_in_marketing is MergeRule.CARRY


def _has_opportunities(config: Config) -> bool:
    return config.entities.opportunity.enabled


def _has_stakeholders(config: Config) -> bool:
    return config.entities.opportunity.enabled and config.entities.connection.enabled


def _has_custom_tables(config: Config) -> bool:
    return bool(config.custom)


def _shows_lookups(config: Config) -> bool:
    defaults, overrides = default_mappings(config), field_overrides(config)
    return any(paths_wanted(defaults[entity], said) for entity, said in overrides.items())


def _serves_webhooks(config: Config) -> bool:
    return config.webhooks.listen is not None


def _has_campaigns(config: Config) -> bool:
    return bool(config.campaigns) or _serves_webhooks(config)


def _leaves_out_plugins(config: Config) -> bool:
    return config.crm.bypass_plugins


_TABLE: Final = (
    _Line(
        Feature(
            "people",
            "Leads and contacts become people",
            rights("Read", "lead", "contact", "systemuser"),
            (PERSON, ACTIVITY),
        ),
        _always,
    ),
    _Line(
        Feature("back", "What people change in Marketo goes back to Dynamics", rights("Write", "lead", "contact")),
        _writes_to_crm,
    ),
    _Line(
        Feature(
            "created",
            "People known only to Marketo become leads (create_in_crm)",
            rights("Create", "lead"),
        ),
        _creates_in_crm,
    ),
    _Line(
        Feature(
            "deleted",
            "Deletions in Marketo are carried to Dynamics (deleted_in_marketing = 'propagate')",
            rights("Delete", "lead", "contact"),
        ),
        _deletes_in_crm,
    ),
    _Line(
        Feature(
            "merged",
            "People merged in Marketo have their records merged (matching.merged_in_marketing = 'carry')",
            rights("Write", "lead", "contact"),
        ),
        _merges_in_crm,
    ),
    _Line(Feature("accounts", "Accounts become companies", rights("Read", "account"), (COMPANY,)), _always),
    _Line(
        Feature(
            "owners", "Users and teams become sales persons", rights("Read", "systemuser", "team"), (SALES_PERSON,)
        ),
        _always,
    ),
    _Line(
        Feature("opportunities", "Opportunities", rights("Read", "opportunity"), (OPPORTUNITY,)),
        _has_opportunities,
    ),
    _Line(
        Feature(
            "roles",
            "Roles of people in opportunities, from connections",
            rights("Read", "connection", "connectionrole"),
            (OPPORTUNITY,),
        ),
        _has_stakeholders,
    ),
    _Line(
        Feature("custom", "Custom tables become custom objects", rights("Read", CUSTOM_TABLE), (CUSTOM_OBJECT,)),
        _has_custom_tables,
    ),
    _Line(
        Feature(
            SHOWN,
            "Columns of what a lookup leads to are shown (crm = 'lookup.column')",
            rights("Read", SHOWN_TABLE),
            is_required=False,
        ),
        _shows_lookups,
    ),
    _Line(
        Feature("fields", "Fields that the mapping needs are made in Marketo", (), (NEW_FIELDS,), is_required=False),
        _always,
    ),
    _Line(
        Feature(
            "types",
            "Custom object types are made in Marketo (tandem schema apply)",
            (),
            (CUSTOM_OBJECT_TYPE,),
            is_required=False,
        ),
        _has_custom_tables,
    ),
    _Line(
        Feature(
            "asked",
            "Flow steps of Marketo ask by webhook: people made, owners changed, tasks (webhooks.listen)",
            (
                *rights("Create", "lead", "contact", "task"),
                *rights("Read", "task"),
                *rights("Assign", "lead", "contact"),
                *rights("Append", "contact", "task"),
                *rights("AppendTo", "account", "lead", "contact"),
            ),
            is_required=False,
        ),
        _serves_webhooks,
    ),
    _Line(
        Feature(
            "campaigns",
            "Campaigns follow lists and programs of Marketo, and flow steps (campaigns, webhooks.listen)",
            (
                *rights("Read", "campaign", "list", "listmember"),
                *rights("Create", "list"),
                *rights("Write", "list"),
                *rights("Append", "campaign"),
                *rights("AppendTo", "list"),
            ),
            is_required=False,
        ),
        _has_campaigns,
    ),
    _Line(
        Feature(
            "plugins",
            "Plug-ins and workflows are left out (crm.bypass_plugins)",
            (Right("", "prvBypassCustomBusinessLogic"),),
        ),
        _leaves_out_plugins,
    ),
)


def features_in_use(config: Config, shown: Iterable[str] = ()) -> tuple[Feature, ...]:
    """What the settings ask for, with the tables they name, and those that lookups are `shown` of."""
    tables = {CUSTOM_TABLE: tuple(table.table for table in config.custom), SHOWN_TABLE: tuple(shown)}
    return tuple(_named(line.feature, tables) for line in _TABLE if line.is_wanted(config))


def _named(feature: Feature, tables: Mapping[str, tuple[str, ...]]) -> Feature:
    crm: list[Right] = []
    for right in feature.crm:
        crm += rights(right.kind, *tables.get(right.table, (right.table,)))
    return Feature(feature.name, feature.title, tuple(crm), feature.marketing, feature.is_required)


# --- the page


PAGE_HEAD: Final = """# Permissions

The least roles that each thing Tandem does takes. The same table stands behind `tandem check`, which tries what your
settings ask for and names what is missing.

- **Dynamics**: an application user of its own, with one security role of its own. Every privilege at access level
  *Organization*: change tracking demands it for reading, and records of every business unit are written. Nothing is
  installed in Dynamics: no solution, no plug-in, no language setting, no mailbox. Multi-factor sign-in of people can
  stay on.
- **Marketo**: an API-only user of its own, with one role of its own; the permissions stand under *Access API*.
- **Columns under column security** take a profile besides the role. A column that Tandem's user may not read is left
  out and named by `tandem check`; the rest goes on. Once the profile allows it, the next pass fills it for everybody.
- A privilege that is no longer needed can be taken back at any time; `tandem check` says what then stops.

"""


def render_page() -> str:
    """The page, in Markdown."""
    return PAGE_HEAD + "".join(_rows())


def _rows() -> Iterator[str]:
    yield "| what Tandem does | Dynamics privileges | Marketo permissions | without them |\n| --- | --- | --- | --- |\n"
    for line in _TABLE:
        feature = line.feature
        crm = ", ".join(f"`{right.name}`" for right in feature.crm) or "none"
        marketing = ", ".join(feature.marketing) or "none"
        without = "the sync does not start" if feature.is_required else "the rest goes on"
        yield f"| {feature.title} | {crm} | {marketing} | {without} |\n"


if __name__ == "__main__":
    print(render_page(), end="")
