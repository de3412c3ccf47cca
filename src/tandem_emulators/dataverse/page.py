"""A page of an answer: its rows, and the links and annotations around them."""

from dataclasses import dataclass, field
from typing import Any

from tandem_emulators.dataverse.options import Preferences, QueryOptions
from tandem_emulators.dataverse.store import Row

_CRM = "Microsoft.Dynamics.CRM."
COUNT_MAX = 5000


@dataclass(slots=True)
class Page:
    """`rows` as JSON wants them, sealed ones or dicts, and the link that goes on from here, if any."""

    rows: list[Any]
    context: str
    count: int | None = None
    next_link: str | None = None
    delta_link: str | None = None
    annotations: Row = field(default_factory=dict)

    def as_dict(self) -> Row:
        body: Row = {"@odata.context": self.context}
        if self.count is not None:
            body["@odata.count"] = self.count
        body |= self.annotations
        if self.delta_link is not None:
            body["@odata.deltaLink"] = self.delta_link
        body["value"] = self.rows
        if self.next_link is not None:
            body["@odata.nextLink"] = self.next_link
        return body

    def annotate(self, name: str, value: object, preferences: Preferences) -> None:
        if preferences.wants(_CRM + name):
            self.annotations[f"@{_CRM}{name}"] = value

    def annotate_count(self, found: int | None, preferences: Preferences) -> None:
        """`found` is the number of rows up to one more than is ever told; -1 is told where nobody asked."""
        shown = -1 if found is None else min(found, COUNT_MAX)
        self.annotate("totalrecordcount", shown, preferences)
        self.annotate("totalrecordcountlimitexceeded", found is not None and found > COUNT_MAX, preferences)


def link(base: str, options: QueryOptions, name: str, value: str) -> str:
    kept = f"{options.kept}&" if options.kept else ""
    return f"{base}?{kept}{name}={value}"
