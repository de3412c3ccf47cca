"""One request with what has been found out about it, and the small things that every answer needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.options import Preferences, QueryOptions, parse_options, parse_preferences
from tandem_emulators.dataverse.security import Caller
from tandem_emulators.dataverse.terms import Terms
from tandem_emulators.kit.http import Reply, Request

JSON = {"content-type": "application/json; odata.metadata=minimal", "odata-version": "4.0"}


@dataclass(frozen=True, slots=True)
class Call:
    """`root` is the service root as the client sees it; `references` are the rows made earlier in its change set."""

    request: Request
    caller: Caller
    root: str
    segments: tuple[str, ...]
    references: Mapping[str, str]
    in_batch: bool

    @property
    def preferences(self) -> Preferences:
        return parse_preferences(self.request.headers.get("prefer"))

    @property
    def options(self) -> QueryOptions:
        return parse_options(self.request)

    @property
    def terms(self) -> Terms:
        suppressed = self.request.headers.get("mscrm.suppressduplicatedetection", "true").strip().lower()
        return Terms(self.references, detects_duplicates=suppressed == "false")

    @property
    def conditions(self) -> tuple[str | None, str | None]:
        """`If-Match` and `If-None-Match`; the word null, which clients send to keep caches out, is no condition."""
        values = (self.request.headers.get(name, "").strip() for name in ("if-match", "if-none-match"))
        must_match, must_not_match = (value if value and value != "null" else None for value in values)
        return must_match, must_not_match

    def allow(self, *methods: str) -> None:
        if self.request.method not in methods:
            raise errors.method_not_allowed(self.request.method)


def json_reply(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(status, msgspec.json.encode(body), {**JSON, **(headers or {})})


def no_content(headers: Mapping[str, Any] | None = None) -> Reply:
    return Reply(204, headers={"odata-version": "4.0", **(headers or {})})


def applied(preferences: Preferences) -> dict[str, str]:
    return {"preference-applied": preferences.applied} if preferences.applied else {}
