"""Settings of what Marketo may ask for at once, and of campaigns that follow Marketo."""

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, Strict, model_validator

from tandem.config.section import Section

_ADDRESS: Final = re.compile(r"(\[[0-9a-fA-F:]+\]|[\w.-]+):(\d{1,5})")


def _checked_address(text: str) -> str:
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found[2]) > 65_535:
        raise ValueError("must be a host and a port, such as 127.0.0.1:8600")
    return text


Address = Annotated[str, AfterValidator(_checked_address)]
Name = Annotated[str, Field(min_length=1)]
AssetId = Annotated[int, Strict(), Field(gt=0)]


class WebhooksConfig(Section):
    """What `tandem run` answers when a flow step of Marketo calls it."""

    listen: Address | None = Field(
        default=None,
        description="Host and port on which `tandem run` serves webhooks, such as 127.0.0.1:8600; unset: none."
        " Put a proxy with TLS in front of it. Callers send the secret webhook_secret.",
    )
    account: Literal["none", "company"] = Field(
        default="none",
        description="Account of a contact that is asked for: 'none', or 'company' for the one account that is the"
        " person's company by its key or its name. A call may say otherwise.",
    )

    @property
    def host_and_port(self) -> tuple[str, int]:
        assert self.listen is not None, "asked for only where it is set"
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


class RosterConfig(Section):
    """Members of a static list or of a program of Marketo."""

    list: AssetId | None = Field(default=None, description="Id of the Marketo static list whose members are meant.")
    program: AssetId | None = Field(default=None, description="Id of the Marketo program whose members are meant.")
    statuses: tuple[Name, ...] = Field(
        default=(), description="With program, the member statuses that count; unset: every one but 'Not in Program'."
    )
    interval_s: Annotated[float, Strict(), Field(gt=0)] = Field(
        default=300.0, description="Seconds between two looks at the members."
    )

    @model_validator(mode="after")
    def _names_one(self) -> "RosterConfig":
        if (self.list is None) == (self.program is None):
            raise ValueError("members are those of a list or of a program; set one of the two")
        if self.statuses and self.program is None:
            raise ValueError("statuses are those of a program's members; name a program")
        return self


class CreationConfig(RosterConfig):
    """People who are made in Dynamics because they are members in Marketo."""

    create_as: Literal["lead", "contact"] = Field(
        default="lead", description="What a member missing in Dynamics is made as."
    )


class CampaignConfig(RosterConfig):
    """A Dynamics campaign whose members follow a static list or a program of Marketo."""

    campaign: Name = Field(description="Name or id of the Dynamics campaign; it has to be active.")
    create_as: Literal["lead", "contact", False] = Field(
        default="lead", description="What a member missing in Dynamics is made as first; false to leave it out."
    )
    remove: Literal["own", "all", False] = Field(
        default="own",
        description="Who is taken out of the campaign on leaving: 'own' for those Tandem added, 'all' for whoever is"
        " no member in Marketo, false for nobody.",
    )
