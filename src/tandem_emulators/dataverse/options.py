"""The query options and preferences of a request, checked for what the service knows."""

import re
from dataclasses import dataclass
from urllib.parse import unquote_plus

from tandem_emulators.dataverse import errors
from tandem_emulators.kit.http import Request

PAGE_SIZE_MAX = 5000
_KNOWN = frozenset({"$select", "$filter", "$orderby", "$top", "$count", "$skiptoken", "$deltatoken"})
_NOT_COVERED = frozenset({"$expand", "$apply", "fetchXml", "savedQuery", "userQuery", "sql"})


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """`kept` is the query string without skip and delta token, character by character as the client sent it."""

    select: tuple[str, ...] | None
    filter: str | None
    orderby: str | None
    top: int | None
    count: bool
    skiptoken: str | None
    deltatoken: str | None
    kept: str
    given: frozenset[str]

    def require_covered(self) -> None:
        for name in sorted(self.given & _NOT_COVERED):
            raise errors.not_covered(f"The query option {name}")


def parse_options(request: Request) -> QueryOptions:
    values: dict[str, str] = {}
    kept = []
    for part in request.query_string.split("&") if request.query_string else []:
        raw_name, _, raw_value = part.partition("=")
        name = unquote_plus(raw_name)
        if name.startswith("$") or name in _NOT_COVERED:
            _check_name(name, values)
            values[name] = unquote_plus(raw_value)
        if name not in ("$skiptoken", "$deltatoken"):
            kept.append(part)
    select = values.get("$select")
    names = tuple(dict.fromkeys(n.strip() for n in select.split(",") if n.strip())) if select is not None else ()
    return QueryOptions(
        select=names if names and names != ("*",) else None,
        filter=values.get("$filter"),
        orderby=values.get("$orderby"),
        top=_top(values.get("$top")),
        count=_flag(values.get("$count")),
        skiptoken=values.get("$skiptoken"),
        deltatoken=values.get("$deltatoken"),
        kept="&".join(kept),
        given=frozenset(values),
    )


def _check_name(name: str, values: dict[str, str]) -> None:
    if name not in _KNOWN | _NOT_COVERED:
        raise errors.query_error(f"The query parameter {name} is not supported.")
    if name in values:
        raise errors.query_error(
            f"Query option '{name}' was specified more than once, but it must be specified at most once."
        )


def _top(text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,9}", text.strip()):
        raise errors.query_error(
            f"Invalid value '{text}' for $top query option found. "
            "The $top query option requires a non-negative integer value."
        )
    return min(int(text), PAGE_SIZE_MAX)


def _flag(text: str | None) -> bool:
    if text is None:
        return False
    if text.strip().lower() not in ("true", "false"):
        raise errors.query_error(
            f"Invalid value '{text}' for $count query option found. Valid values are true and false."
        )
    return text.strip().lower() == "true"


@dataclass(frozen=True, slots=True)
class Preferences:
    page_size: int | None = None
    annotations: str | None = None
    track_changes: bool = False
    return_representation: bool = False
    continue_on_error: bool = False
    applied: str = ""

    def wants(self, annotation: str) -> bool:
        """Whether a named annotation was asked for, by name, by a prefix with `*`, or by `*`."""
        for pattern in (self.annotations or "").split(","):
            stem = pattern.strip()
            if stem == annotation or (stem.endswith("*") and annotation.startswith(stem[:-1])):
                return True
        return False


_PREFERENCE = re.compile(r'\s*([\w.-]+)\s*(?:=\s*("[^"]*"|[^,;]*))?\s*(?:,|;|$)')


def parse_preferences(header: str | None) -> Preferences:
    if not header:
        return Preferences()
    found: dict[str, str] = {}
    for name, value in _PREFERENCE.findall(header):
        found.setdefault(name.lower(), value.strip().strip('"'))
    size = found.get("odata.maxpagesize", "")
    page_size = min(int(size), PAGE_SIZE_MAX) if re.fullmatch(r"\d{1,9}", size) and int(size) > 0 else None
    parts = [f"odata.maxpagesize={page_size}"] if page_size else []
    if "odata.include-annotations" in found:
        parts.append(f'odata.include-annotations="{found["odata.include-annotations"]}"')
    if "odata.track-changes" in found:
        parts.append("odata.track-changes")
    if found.get("return") == "representation":
        parts.append("return=representation")
    return Preferences(
        page_size=page_size,
        annotations=found.get("odata.include-annotations"),
        track_changes="odata.track-changes" in found,
        return_representation=found.get("return") == "representation",
        continue_on_error="odata.continue-on-error" in found,
        applied=",".join(parts),
    )
