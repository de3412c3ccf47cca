"""The settings of one sync, as they stand in ``tandem.toml``.

Each field's description is its documentation: the commented template of ``tandem init`` and the settings reference are
made from it, and an error message quotes it as the remedy.
"""

import re
from pathlib import Path
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, Strict, StrictBool, field_validator, model_validator

from tandem.config.hooks import CampaignConfig, CreationConfig, WebhooksConfig
from tandem.config.section import Section
from tandem.core.choices import UnknownLabel
from tandem.core.mapping import Direction, Winner
from tandem.core.mapping_resolver import TRANSFORM_NAMES
from tandem.core.policy import DEFAULT_PREFERENCE, DeleteRule, EditRule, LeaveRule, MergeRule
from tandem.core.transforms import TooLong

CALLS_PER_20_S: Final = 100
CALLS_AT_ONCE: Final = 10
"""What Marketo allows one subscription, all integrations together (marketo-rest 2)."""

NAME_LENGTH: Final = 100
"""Nobody publishes how long the API name of an object or a field may be (the native sync stops at 33, N44); what is
refused nevertheless, Marketo says when the type is made."""

_NAME: Final = re.compile(rf"[A-Za-z][A-Za-z0-9_]{{0,{NAME_LENGTH - 1}}}")

STORE_URL_DEFAULT: Final = "sqlite:///tandem.db"


def _checked_url(url: str) -> str:
    scheme, _, rest = url.partition("://")
    if scheme not in ("https", "http") or not rest or "?" in rest or "@" in rest:
        raise ValueError(
            "must be an address such as https://contoso.crm4.dynamics.com, without user, password or query"
        )
    return url.rstrip("/")


def _checked_store_url(url: str) -> str:
    if not url.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
        raise ValueError("must begin with sqlite:/// or postgresql://")
    return url


def _checked_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError("must be the name of a time zone that this machine knows, such as Europe/Berlin") from error
    return name


def _checked_transform(name: str) -> str:
    if name not in TRANSFORM_NAMES:
        raise ValueError(f"must be one of {', '.join(sorted(TRANSFORM_NAMES))}")
    return name


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(
            "must be a Marketo API name: letters, digits and underlines without accents, a letter first, at most"
            f" {NAME_LENGTH} characters; take a shorter one, it need not be the table's"
        )
    return name


Url = Annotated[str, AfterValidator(_checked_url)]
StoreUrl = Annotated[str, AfterValidator(_checked_store_url)]
ZoneName = Annotated[str, AfterValidator(_checked_zone)]
Language = Annotated[int, Strict(), Field(ge=1025, le=65535)]
TransformName = Annotated[str, AfterValidator(_checked_transform)]
Name = Annotated[str, Field(min_length=1)]
ObjectName = Annotated[str, AfterValidator(_checked_name)]
Share = Annotated[float, Strict(), Field(gt=0, le=1)]
Seconds = Annotated[float, Strict(), Field(gt=0)]
Count = Annotated[int, Strict(), Field(ge=0)]
Preference = Literal["active", "contact over lead", "last modified", "lowest id"]


class CrmConfig(Section):
    """Where Dynamics 365 is and as whom Tandem signs in."""

    url: Url = Field(description="Address of the environment, such as https://contoso.crm4.dynamics.com.")
    tenant_id: Name = Field(description="Directory (tenant) id of the app registration in Microsoft Entra.")
    client_id: Name = Field(description="Application (client) id of the app registration in Microsoft Entra.")
    auth: Literal["client_secret", "certificate", "password"] = Field(
        default="client_secret",
        description="How Tandem signs in: 'client_secret' or 'certificate' as an application user, 'password' as the"
        " user in username.",
    )
    certificate_file: Path | None = Field(
        default=None,
        description="With auth = 'certificate', the file with the private key and its certificate (PEM, no password);"
        " relative to this file.",
    )
    username: Name | None = Field(default=None, description="The user to sign in as, with auth = 'password' only.")
    authority: Url | None = Field(
        default=None,
        description="Address of the token service where it is not Microsoft's public one (national clouds).",
    )
    ca_file: Path | None = Field(
        default=None, description="File of certificates to trust besides the system's; relative to this file."
    )
    settle_s: Seconds = Field(
        default=120.0,
        description="Seconds after which a call without an answer can no longer change anything in Dynamics.",
    )
    language: Language | None = Field(
        default=None,
        description="Language whose labels choices go by in Marketo (LCID: 1033 is English, 1031 German); unset: that"
        " of Tandem's user.",
    )
    time_zone: ZoneName = Field(
        default="UTC",
        description="Where a time in Dynamics is a day, for Marketo fields that hold dates, such as Europe/Berlin.",
    )
    bypass_plugins: StrictBool = Field(
        default=False,
        description="true to leave out plug-ins and workflows when Tandem writes; needs the privilege"
        " prvBypassCustomBusinessLogic.",
    )
    bypass_flows: StrictBool = Field(
        default=False, description="true to start no Power Automate flows when Tandem writes."
    )
    suppress_duplicate_detection: StrictBool = Field(
        default=True,
        description="false to let duplicate detection rules refuse what Tandem writes, also updates of other columns.",
    )

    @model_validator(mode="after")
    def _password_has_a_user(self) -> "CrmConfig":
        if self.auth == "password" and self.username is None:
            raise ValueError("auth = 'password' needs username, the user to sign in as")
        if self.auth != "password" and self.username is not None:
            raise ValueError("username is used with auth = 'password' only; remove it or change auth")
        return self

    @model_validator(mode="after")
    def _certificate_has_a_file(self) -> "CrmConfig":
        if self.auth == "certificate" and self.certificate_file is None:
            raise ValueError("auth = 'certificate' needs certificate_file, the private key and its certificate")
        if self.auth != "certificate" and self.certificate_file is not None:
            raise ValueError("certificate_file is used with auth = 'certificate' only; remove it or change auth")
        return self


class PartitionConfig(Section):
    """Where in Marketo a person is made; the first rule that its record passes counts."""

    name: Name = Field(description="Name of the lead partition; its workspace comes with it.")
    when: Name = Field(description="Expression (CEL) over the columns of the lead or contact.")
    table: Literal["lead", "contact"] | None = Field(default=None, description="Only for this table; unset: for both.")


class MarketingConfig(Section):
    """Where Marketo Engage is, as whom Tandem signs in, and how much of its quota Tandem may use."""

    url: Url = Field(
        description="REST address of the subscription, such as https://123-abc-456.mktorest.com (Admin > Web Services)."
    )
    munchkin_id: Name = Field(description="Munchkin account id, such as 123-ABC-456 (Admin > Munchkin).")
    client_id: Name = Field(description="Client id of the LaunchPoint service of Tandem's API user.")
    daily_share: Share = Field(
        default=0.5,
        description="Share of the daily calls that Tandem may use; the rest is for others. Adobe advises 0.5.",
    )
    daily_calls: Count = Field(
        default=50_000, description="Calls a day the subscription has bought (Admin > Web Services shows them)."
    )
    reserve_calls: Count = Field(
        default=0,
        description="Calls of the day that stay for other tools: Tandem stops earlier where they have used much.",
    )
    rate_share: Share = Field(
        default=0.5, description="Share of the 100 calls in 20 seconds and of the 10 calls at once that Tandem may use."
    )
    ca_file: Path | None = Field(
        default=None, description="File of certificates to trust besides the system's; relative to this file."
    )
    changes_interval_s: Seconds = Field(default=15.0, description="Seconds between two looks at changed people.")
    merges_interval_s: Seconds = Field(
        default=30.0, description="Seconds between two looks at merged people and lists."
    )
    deletions_interval_s: Seconds = Field(default=60.0, description="Seconds between two looks at deleted people.")
    overlap_s: Annotated[float, Strict(), Field(ge=0)] = Field(
        default=3600.0, description="Seconds of the change log that are read twice, as Marketo may show a change late."
    )
    feed_lag_s: Annotated[float, Strict(), Field(ge=0)] = Field(
        default=10.0, description="Seconds after which a change surely stands in Marketo's change log."
    )
    settle_s: Seconds = Field(
        default=90.0,
        description="Seconds after which a call without an answer can no longer change anything in Marketo.",
    )

    max_people: Count | None = Field(
        default=None,
        description="How many people Marketo may hold before Tandem makes no more; unset: a tenth more than there were"
        " when Tandem first read them all.",
    )
    partitions: tuple[PartitionConfig, ...] = Field(
        default=(), description="Rules for the lead partition of new people; unset, or none passed: Marketo's default."
    )

    @property
    def calls_per_day(self) -> int:
        return max(1, int(self.daily_calls * self.daily_share))

    @property
    def calls_per_20_s(self) -> int:
        return max(1, int(CALLS_PER_20_S * self.rate_share))

    @property
    def calls_at_once(self) -> int:
        return max(1, int(CALLS_AT_ONCE * self.rate_share))


class FieldConfig(Section):
    """One pair of fields: changes the default pair of this Dynamics column, adds one, or removes it."""

    crm: Name = Field(description="Logical name of the Dynamics column.")
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
        " that the lookup leads to, whose table maps that column too."
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


class MatchingConfig(Section):
    """Who is who: leads and contacts in Dynamics are people in Marketo."""

    dedupe: tuple[Name, ...] = Field(
        default=("email",),
        description="Marketo fields that together make a record and a person the same one where neither carries the"
        " other's key; Marketo must be able to search one of them. [] matches by key alone.",
    )
    merged_in_crm: MergeRule = Field(
        default=MergeRule.HOLD,
        description="What a merge in Dynamics does where both records have a person: 'carry' merges the two people too"
        " (Marketo cannot undo it), 'hold' asks for it (tandem matches), 'ignore' lets both go on.",
    )
    merged_in_marketing: Literal[MergeRule.HOLD, MergeRule.CARRY] = Field(
        default=MergeRule.HOLD,
        description="What a merge in Marketo does where both people have a record: 'carry' merges the two records too"
        " (Dynamics cannot undo it), 'hold' leaves them apart and says so.",
    )


class RailsConfig(Section):
    """Limits of one pass: what would break one waits for a person, everything else goes on."""

    max_deletes: Count = Field(
        default=50, description="Deletions that one pass may carry over, if max_delete_share does not allow more."
    )
    max_delete_share: Annotated[float, Strict(), Field(ge=0, le=1)] = Field(
        default=0.02,
        description="Share of the linked records whose deletion one pass may carry over, if max_deletes is less.",
    )
    max_merges: Count = Field(
        default=50, description="Merges that one pass may carry over: neither side can take one back."
    )
    max_crm_updates: Count | None = Field(
        default=None, description="Records that one pass may change in Dynamics; unset: as many as there are."
    )


class StoreConfig(Section):
    """Where Tandem keeps its own state."""

    url: StoreUrl = Field(
        default=STORE_URL_DEFAULT,
        description="sqlite:///tandem.db (a path relative to this file) or postgresql://host/database.",
    )


class RunConfig(Section):
    """How ``tandem run`` goes on."""

    pass_interval_s: Seconds = Field(default=5.0, description="Seconds between the end of a pass and the next one.")
    id_sweep_interval_s: Seconds = Field(
        default=900.0,
        description="Seconds between two comparisons of ids, for tables whose changes Dynamics does not track: they"
        " find deletions, and what comes and goes in tables of pairs.",
    )
    compare_interval_s: Seconds = Field(
        default=86_400.0,
        description="Seconds between two comparisons of Marketo's objects where edited_in_marketing = 'enforce'; each"
        " reads all of them, 300 a call.",
    )
    refresh_interval_s: Seconds = Field(
        default=3600.0,
        description="Seconds after which `tandem run` looks at both sides' fields and its own rights anew, so that a"
        " column that was granted is filled.",
    )
    lease_s: Seconds = Field(
        default=120.0, description="Seconds after which another process may take over from a dead one."
    )
    history_days: Annotated[float, Strict(), Field(gt=0)] = Field(
        default=90.0,
        description="Days for which Tandem remembers what it wrote and its passes; conflicts and holds it keeps.",
    )


NoticeEvent = Literal["first_copy", "failures", "trouble", "backfill", "question"]
NOTICE_EVENTS: Final = ("first_copy", "failures", "trouble", "backfill", "question")


class NotifyConfig(Section):
    """Who is told of what, through the services that Apprise knows."""

    urls: tuple[Name, ...] = Field(
        default=(),
        description="Addresses of services as Apprise writes them, such as mailtos://user@example.com; those with a"
        " password belong into TANDEM_NOTIFY_URLS instead, with spaces between them.",
    )
    events: tuple[NoticeEvent, ...] = Field(
        default=NOTICE_EVENTS,
        description="What is told: the end of the first copy, a daily digest of refused writes, a side that is away or"
        " refuses access, the end of a backfill, a question of the guard.",
    )
    digest_every_h: Annotated[float, Strict(), Field(gt=0)] = Field(
        default=24.0, description="Hours between two digests of refused writes; without any there is none."
    )
    down_after_s: Seconds = Field(
        default=900.0, description="Seconds for which a side is away before somebody is told; refused access at once."
    )


class Config(Section):
    """All settings of one sync."""

    crm: CrmConfig = Field(description="Dynamics 365.")
    marketing: MarketingConfig = Field(description="Marketo Engage.")
    entities: EntitiesConfig = Field(default=EntitiesConfig(), description="The tables that are synced.")
    custom: tuple[CustomConfig, ...] = Field(
        default=(), description="Tables that become custom objects; one that names another comes after it."
    )

    @field_validator("custom")
    @classmethod
    def _tables_are_distinct(cls, tables: tuple[CustomConfig, ...]) -> tuple[CustomConfig, ...]:
        seen = {*EntitiesConfig.model_fields}
        for table in tables:
            if table.table in seen:
                raise ValueError(f"{table.table} is synced already; remove this table")
            seen.add(table.table)
        return tables

    matching: MatchingConfig = Field(default=MatchingConfig(), description="Who is who.")
    rails: RailsConfig = Field(default=RailsConfig(), description="Limits of one pass.")
    store: StoreConfig = Field(default=StoreConfig(), description="Tandem's own state.")
    run: RunConfig = Field(default=RunConfig(), description="The background process.")
    notify: NotifyConfig = Field(default=NotifyConfig(), description="Messages to people.")
    webhooks: WebhooksConfig = Field(default=WebhooksConfig(), description="Calls from flow steps of Marketo.")
    creations: tuple[CreationConfig, ...] = Field(
        default=(), description="Lists and programs of Marketo whose members are made in Dynamics."
    )
    campaigns: tuple[CampaignConfig, ...] = Field(
        default=(), description="Dynamics campaigns whose members follow Marketo."
    )
