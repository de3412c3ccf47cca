"""The settings of one sync, as they stand in ``tandem.toml``.

Each field's description is its documentation: the commented template of ``tandem init`` and the settings reference are
made from it, and an error message quotes it as the remedy.
"""

from typing import Annotated, Final, Literal

from pydantic import Field, Strict, field_validator

from tandem.config.hooks import CampaignConfig, CreationConfig, WebhooksConfig
from tandem.config.section import Section
from tandem.config.sides import CrmConfig, MarketingConfig
from tandem.config.tables import CustomConfig, EntitiesConfig
from tandem.config.words import STORE_URL_DEFAULT, Count, Name, Seconds, StoreUrl
from tandem.core.policy import MergeRule


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
