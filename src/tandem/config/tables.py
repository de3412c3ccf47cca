"""Settings of the tables that are synced: their rules, and the pairs of fields."""

from typing import Final, Literal

from pydantic import Field, StrictBool, model_validator

from tandem.config.section import Section
from tandem.config.words import Language, Name, ObjectName, Preference, TransformName
from tandem.core.choices import UnknownLabel
from tandem.core.mapping import Direction, Winner
from tandem.core.policy import DEFAULT_PREFERENCE, DeleteRule, EditRule, LeaveRule
from tandem.core.transforms import TooLong


class FieldConfig(Section):
    """One pair of fields: changes the default pair of this Dynamics column, adds one, or removes it."""

    crm: Name = Field(
        description="Logical name of the Dynamics column; lookup.column is a column of the record that a lookup leads"
        " to, lookup.@name its name."
    )
    marketing: Name | None = Field(
        default=None, description="REST name of the Marketo field; needed for a column not mapped."
    )
    direction: Direction | None = Field(default=None, description="'both', 'to_marketing' or 'to_crm'.")
    winner: Winner | None = Field(
        default=None, description="Who prevails when both sides changed it: 'crm', 'marketing', 'newest' or 'hold'."
    )
    first_link: Winner | None = Field(
        default=None, description="Who prevails when two existing records meet: 'crm', 'marketing', 'newest' or 'hold'."
    )
    transform: TransformName | None = Field(
        default=None,
        description="'as_is', 'opposite' (yes becomes no) or 'number' (a choice goes by its number, not its label)"
        " instead of the transform of the two types.",
    )
    language: Language | None = Field(
        default=None,
        description="Language whose labels a choice goes by (LCID: 1033 is English, 1031 German); unset: crm.language.",
    )
    unknown_label: UnknownLabel = Field(
        default=UnknownLabel.HOLD,
        description="What becomes of a text in Marketo that is no label of the choice: 'hold' the field, or 'empty' the"
        " column in Dynamics.",
    )
    too_long: TooLong = Field(
        default=TooLong.CUT,
        description="What becomes of a text the other side has no room for: 'cut' to what fits, or 'hold' the field.",
    )
    opt_out: StrictBool | None = Field(default=None, description="true for a field whose yes must never be weakened.")
    only_if_empty: StrictBool = Field(
        default=False, description="true to fill the field where it is empty and never replace it."
    )
    create_as: (
        Literal[
            "boolean", "currency", "date", "datetime", "email", "float", "integer", "percent", "phone", "score",
            "string", "url",
        ]
        | None
    ) = Field(default=None, description="Type with which a missing Marketo person field is made.")  # fmt: skip
    create_column_as: Literal["String", "Memo", "Integer", "Decimal", "Double", "Boolean", "DateTime"] | None = Field(
        default=None, description="Type with which `tandem schema apply` makes the Dynamics column where it is missing."
    )
    is_key: StrictBool = Field(
        default=False, description="true to make an alternate key over the column that create_column_as makes."
    )
    is_own: StrictBool = Field(
        default=False,
        description="true for a Dynamics column that nobody but Tandem writes: it is then written in bulk.",
    )
    remove: StrictBool = Field(default=False, description="true to take the default pair of this column out.")


_WINNER: Final = (
    "Who prevails when both sides changed a field: 'crm', 'marketing', 'hold', or 'newest' (where it is proved; else"
    " it is held)."
)


class EntityConfig(Section):
    """The rules of one Dynamics table; unset ones follow the native sync's documented behaviour."""

    direction: Direction = Field(
        default=Direction.BOTH, description="Which way values may go: 'both', 'to_marketing' or 'to_crm'."
    )
    winner: Winner = Field(default=Winner.CRM, description=_WINNER)
    first_link: Winner | None = Field(
        default=None,
        description="Who prevails when two existing records meet: 'crm', 'marketing', 'newest', 'hold'; unset: the"
        " winner.",
    )
    create_in_marketing: StrictBool = Field(
        default=True, description="Whether records known only to Dynamics are made in Marketo."
    )
    create_in_crm: Literal[False, "lead"] = Field(
        default=False, description="'lead' to make a lead of each person known only to Marketo; false to make none."
    )
    create_in_crm_filter: Name | None = Field(
        default=None,
        description="With create_in_crm, an expression over the person's fields that says who is made.",
    )
    filter: Name | None = Field(
        default=None,
        description="Expression (CEL) over the record's columns that says which records are synced; 'synctomkto' is the"
        " native sync's filter, 'synctomkto_native' the same with its trap (an empty column copies a record once)."
        " A record that leaves it is paused. Unset: all.",
    )
    deleted_in_crm: DeleteRule = Field(
        default=DeleteRule.FLAG,
        description="What a deletion in Dynamics does: 'flag' the person, 'propagate' (delete it too), 'ignore'.",
    )
    deleted_in_marketing: DeleteRule = Field(
        default=DeleteRule.IGNORE,
        description="What a deletion in Marketo does: 'flag' the record in Dynamics, 'propagate' (delete it too),"
        " 'ignore', 'recreate' (make it again from Dynamics).",
    )
    prefer: tuple[Preference, ...] = Field(
        default=DEFAULT_PREFERENCE,  # type: ignore[arg-type]  # the same words, as plain text
        description="Rules, in order, that choose among several records and people that match by their dedupe key; []"
        " holds them for a person. Who carries a record's key comes before any rule.",
    )
    fields: tuple[FieldConfig, ...] = Field(default=(), description="Changes to the pairs of fields.")

    @model_validator(mode="after")
    def _filter_has_something_to_choose(self) -> "EntityConfig":
        if self.create_in_crm_filter and not self.create_in_crm:
            raise ValueError("create_in_crm_filter chooses who is made in Dynamics; it needs create_in_crm = 'lead'")
        return self


class PersonConfig(EntityConfig):
    """Leads and contacts: both sides write them."""

    filter_to_crm: Name | None = Field(
        default=None,
        description="Expression (CEL) over the person's fields that says whose edits go to Dynamics; unset: all.",
    )
    on_leave: LeaveRule = Field(
        default=LeaveRule.KEEP,
        description="What becomes of a person whose record leaves the filter: 'keep' it as it is, 'flag' it (field"
        " Tandem Paused), 'remove' (delete it; it is made again when the record enters again).",
    )
    deleted_in_marketing_column: Name | None = Field(
        default=None,
        description="With deleted_in_marketing = 'flag', the yes/no column of the table that is set;"
        " `tandem schema apply` makes it.",
    )

    @model_validator(mode="after")
    def _flag_has_a_column(self) -> "PersonConfig":
        if (self.deleted_in_marketing is DeleteRule.FLAG) != (self.deleted_in_marketing_column is not None):
            raise ValueError("deleted_in_marketing = 'flag' and deleted_in_marketing_column need each other")
        return self

    @model_validator(mode="after")
    def _something_comes_back(self) -> "PersonConfig":
        if self.filter_to_crm and self.direction is Direction.TO_MARKETING:
            raise ValueError("filter_to_crm says whose edits go to Dynamics; with direction = 'to_marketing' none do")
        return self

    @model_validator(mode="after")
    def _leaving_needs_a_filter(self) -> "PersonConfig":
        if self.on_leave is not LeaveRule.KEEP and self.filter is None:
            raise ValueError("on_leave says what becomes of who leaves the filter; it needs filter")
        return self


class LeadConfig(PersonConfig):
    winner: Winner = Field(default=Winner.MARKETING, description=_WINNER)


_EDITED: Final = (
    "What becomes of a value edited in Marketo: 'overwrite' (the record's next change in Dynamics replaces it), 'keep'"
    " (until Dynamics changes that value) or 'enforce' (put back every run.compare_interval_s)."
)


class OneWayConfig(EntityConfig):
    """Accounts, users and teams: Dynamics owns them."""

    direction: Literal[Direction.TO_MARKETING] = Field(
        default=Direction.TO_MARKETING, description="Only 'to_marketing': Dynamics owns these records."
    )
    create_in_crm: Literal[False] = Field(default=False, description="Only false: these records are made in Dynamics.")
    deleted_in_crm: Literal[DeleteRule.IGNORE, DeleteRule.PROPAGATE] = Field(
        default=DeleteRule.IGNORE,
        description="What a deletion in Dynamics does: 'propagate' (delete it in Marketo too) or 'ignore'.",
    )
    deleted_in_marketing: Literal[DeleteRule.IGNORE] = Field(
        default=DeleteRule.IGNORE, description="Only 'ignore': Dynamics owns these records."
    )
    edited_in_marketing: EditRule = Field(default=EditRule.OVERWRITE, description=_EDITED)


class OpportunityConfig(OneWayConfig):
    """Opportunities and who takes part in them: Dynamics owns them, and what is deleted there is deleted in Marketo."""

    enabled: StrictBool = Field(
        default=False, description="true to sync these; `tandem init` writes true into the settings of a new sync."
    )
    deleted_in_crm: Literal[DeleteRule.IGNORE, DeleteRule.PROPAGATE] = Field(
        default=DeleteRule.PROPAGATE,
        description="What a deletion in Dynamics does: 'propagate' (delete it in Marketo too) or 'ignore'.",
    )
    deleted_in_marketing: Literal[DeleteRule.RECREATE, DeleteRule.IGNORE] = Field(  # type: ignore[assignment]
        default=DeleteRule.RECREATE,
        description="What a deletion in Marketo does: 'recreate' (it is made again from Dynamics) or 'ignore'.",
    )


class RoleConfig(OpportunityConfig):
    """Who takes part in an opportunity. A role has no key of its own: another person or role is another record."""

    enabled: StrictBool = Field(
        default=True, description="Whether these are synced, where opportunities are ([entities.opportunity])."
    )
    deleted_in_marketing: Literal[DeleteRule.RECREATE] = Field(
        default=DeleteRule.RECREATE, description="Only 'recreate': a role that Dynamics knows is made again."
    )


class EntitiesConfig(Section):
    """The tables that are synced, each with its rules."""

    lead: LeadConfig = Field(default=LeadConfig(), description="Leads, which become people.")
    contact: PersonConfig = Field(default=PersonConfig(), description="Contacts, which become people.")
    account: OneWayConfig = Field(default=OneWayConfig(), description="Accounts, which become companies.")
    systemuser: OneWayConfig = Field(default=OneWayConfig(), description="Users, who become sales persons.")
    team: OneWayConfig = Field(default=OneWayConfig(), description="Teams, which become sales persons too.")
    opportunity: OpportunityConfig = Field(
        default=OpportunityConfig(), description="Opportunities, which become opportunities."
    )
    opportunitycustomer: RoleConfig = Field(
        default=RoleConfig(), description="Contacts that are an opportunity's customer, which become roles."
    )
    connection: RoleConfig = Field(
        default=RoleConfig(), description="Stakeholders of opportunities (connections), which become roles."
    )


class CustomFieldConfig(Section):
    """One column of the table and the custom object's field that shows it."""

    crm: Name = Field(
        description="Logical name of the Dynamics column, or a path: lookup.column shows a column of the record"
        " that the lookup leads to, lookup.@name its name."
    )
    marketing: ObjectName = Field(description="API name of the custom object's field.")
    create_as: (
        Literal["boolean", "currency", "date", "datetime", "email", "float", "integer", "phone", "string", "text"]
        | None
    ) = Field(
        default=None,
        description="Type with which a missing field is made; unset: by the column's type, and a lookup of leads,"
        " contacts or accounts becomes a link.",
    )


class CustomConfig(Section):
    """A Dynamics table that becomes a Marketo custom object, one way."""

    table: Name = Field(description="Logical name of the Dynamics table, such as new_event.")
    object: ObjectName = Field(
        description="API name of the Marketo custom object; `tandem schema apply` makes one that is missing."
    )
    label: Name | None = Field(default=None, description="What one is called in Marketo; unset: made from the name.")
    plural_label: Name | None = Field(default=None, description="What several are called; unset: label with an s.")
    create_in_marketing: StrictBool = Field(
        default=True, description="Whether records known only to Dynamics are made in Marketo."
    )
    filter: Name | None = Field(
        default=None, description="Expression (CEL) over the record's columns that says which are synced; unset: all."
    )
    deleted_in_crm: Literal[DeleteRule.IGNORE, DeleteRule.PROPAGATE] = Field(
        default=DeleteRule.PROPAGATE,
        description="What a deletion in Dynamics does: 'propagate' (delete it in Marketo too) or 'ignore'.",
    )
    edited_in_marketing: EditRule = Field(default=EditRule.OVERWRITE, description=_EDITED)
    fields: tuple[CustomFieldConfig, ...] = Field(default=(), description="The columns to show.")
