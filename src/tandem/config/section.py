"""What every table of the settings file has in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of the file: what it does not know it refuses, and a read configuration never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")
