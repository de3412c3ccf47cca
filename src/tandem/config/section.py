"""What every table of the settings file has in common."""

from typing import Final

from pydantic import BaseModel, ConfigDict, JsonValue

ASKED: Final[dict[str, JsonValue]] = {"asked": True}
"""Marks a setting that nearly everybody must give: it is shown as a required one, though its default is to be unset."""


class Section(BaseModel):
    """A table of the file: what it does not know it refuses, and a read configuration never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")
