"""Settings of the two sides: where they are, as whom Tandem signs in, and what it may use of them."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, Strict, StrictBool, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from tandem.config.section import ASKED, Section
from tandem.config.words import CALLS_AT_ONCE, CALLS_PER_20_S, Count, Language, Name, Seconds, Share, Url, ZoneName


def _is_adfs(authority: str | None) -> bool:
    """AD FS always answers under this path, and Microsoft's library tells it by that too."""
    return authority is not None and authority.rpartition("/")[2].lower() == "adfs"


class CrmConfig(Section):
    """Where Dynamics 365 is and as whom Tandem signs in."""

    url: Url = Field(
        description="Address of the environment, such as https://contoso.crm4.dynamics.com; on premises that of the"
        " organisation, such as https://contoso.example.com or https://crm.example.com/contoso."
    )
    authority: Url | None = Field(
        default=None,
        description="Address of the sign-in service where it is not Microsoft's public one: of a national cloud, or on"
        " premises of AD FS, such as https://adfs.example.com/adfs.",
    )
    tenant_id: Name | None = Field(
        default=None,
        validate_default=True,
        json_schema_extra=ASKED,
        description="Directory (tenant) id of the app registration in Microsoft Entra. With AD FS there is none: take"
        " the line out.",
    )
    client_id: Name = Field(
        description="Application (client) id of the app registration in Microsoft Entra, or of the client in AD FS."
    )
    auth: Literal["client_secret", "certificate", "password"] = Field(
        default="client_secret",
        description="How Tandem signs in: 'client_secret' or 'certificate' as an application user, 'password' as the"
        " user in username; with AD FS 'password'.",
    )
    certificate_file: Path | None = Field(
        default=None,
        description="With auth = 'certificate', the file with the private key and its certificate (PEM, no password);"
        " relative to this file.",
    )
    username: Name | None = Field(default=None, description="The user to sign in as, with auth = 'password' only.")
    api_version: Literal["v9.0", "v9.1", "v9.2"] | None = Field(
        default=None,
        description="Version of Dynamics' Web API; unset: v9.2, or v9.1 with AD FS. A server on premises has v9.0 and,"
        " from its release 9.1 on, v9.1.",
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

    @property
    def is_on_premises(self) -> bool:
        return _is_adfs(self.authority)

    @property
    def sign_in(self) -> Literal["adfs", "password", "client_credentials"]:
        if self.is_on_premises:
            return "adfs"
        return "password" if self.auth == "password" else "client_credentials"

    @property
    def web_api(self) -> str:
        return self.api_version or ("v9.1" if self.is_on_premises else "v9.2")

    @field_validator("tenant_id")
    @classmethod
    def _tenant_is_of_entra(cls, tenant_id: str | None, info: ValidationInfo) -> str | None:
        is_adfs = _is_adfs(info.data.get("authority"))
        if tenant_id is None and not is_adfs:
            raise PydanticCustomError("missing", "")
        if tenant_id is not None and is_adfs:
            raise ValueError("take the line out; authority is an AD FS, which has no tenants")
        return tenant_id

    @model_validator(mode="after")
    def _adfs_knows_people(self) -> "CrmConfig":
        if self.is_on_premises and self.auth != "password":
            raise ValueError(
                "auth must be 'password', with username, where authority is an AD FS: a server on premises knows"
                " people, no application users"
            )
        return self

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
    max_people: Count | None = Field(
        default=None,
        description="How many people Marketo may hold before Tandem makes no more; unset: a tenth more than there were"
        " when Tandem first read them all, so a small or empty subscription needs a number before its first copy.",
    )
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
        description="Seconds after which a call without an answer can no longer change anything in Marketo; a merge"
        " gets twice, a custom object a third more, as Marketo's own time limits do.",
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
