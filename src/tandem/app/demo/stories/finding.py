"""Something that the judge found wrong: about one column of a record, or about the record as a whole."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    crm_id: str
    field: str | None
    what: str

    def __str__(self) -> str:
        return f"{self.what}: {self.crm_id}" + (f" {self.field}" if self.field else "")
