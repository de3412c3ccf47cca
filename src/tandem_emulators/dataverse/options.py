"""What a request asks of its answer: query options from the URL and preferences from the `Prefer` header.

Both are read once into plain values, checked for what the service knows.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import unquote_plus

from tandem_emulators.dataverse import errors
from tandem_emulators.kit.http import Request

PAGE_SIZE_MAX = 5000
_SYSTEM = frozenset(
    {"$select", "$filter", "$orderby", "$top", "$count", "$expand", "$apply", "$skiptoken", "$deltatoken"}
)
_WHOLE_QUERIES = frozenset({"fetchXml", "savedQuery", "userQuery", "sql"})
_EXPAND_OPTIONS = frozenset({"$select", "$filter", "$orderby", "$top", "$expand"})
_NESTING_MAX = 20


@dataclass(frozen=True, slots=True)
class Expand:
    """One navigation property to be expanded; `is_ref` asks for references only."""

    name: str
    is_ref: bool = False
    select: tuple[str, ...] | None = None
    filter: str | None = None
    orderby: str | None = None
    top: int | None = None
    expands: tuple["Expand", ...] = ()
    text: str = ""

    @property
    def size(self) -> int:
        return 1 + sum(item.size for item in self.expands)


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """`kept` is the query string without skip and delta token, character by character as the client sent it."""

    select: tuple[str, ...] | None = None
    filter: str | None = None
    orderby: str | None = None
    top: int | None = None
    count: bool = False
    expands: tuple[Expand, ...] = ()
    apply: str | None = None
    skiptoken: str | None = None
    deltatoken: str | None = None
    whole_query: tuple[str, str] | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    kept: str = ""
    given: frozenset[str] = frozenset()


def parse_options(request: Request) -> QueryOptions:
    values: dict[str, str] = {}
    aliases: dict[str, str] = {}
    kept = []
    for part in request.query_string.split("&") if request.query_string else []:
        raw_name, _, raw_value = part.partition("=")
        name = unquote_plus(raw_name)
        if name.startswith("@"):
            aliases[name] = unquote_plus(raw_value)
        elif name.startswith("$") or name in _WHOLE_QUERIES:
            _check_name(name, values)
            values[name] = unquote_plus(raw_value)
        if name not in ("$skiptoken", "$deltatoken"):
            kept.append(part)
    return QueryOptions(
        select=_names(values.get("$select")),
        filter=values.get("$filter"),
        orderby=values.get("$orderby"),
        top=_top(values.get("$top")),
        count=_flag(values.get("$count")),
        expands=parse_expand(values.get("$expand")),
        apply=values.get("$apply"),
        skiptoken=values.get("$skiptoken"),
        deltatoken=values.get("$deltatoken"),
        whole_query=next(((name, values[name]) for name in sorted(_WHOLE_QUERIES) if name in values), None),
        aliases=aliases,
        kept="&".join(kept),
        given=frozenset(values),
    )


def _check_name(name: str, values: dict[str, str]) -> None:
    if name == "$skip":
        raise errors.query_error("Skip Clause is not supported in CRM")
    if name not in _SYSTEM | _WHOLE_QUERIES:
        raise errors.query_error(f"The query parameter {name} is not supported.")
    if name in values:
        raise errors.query_error(
            f"Query option '{name}' was specified more than once, but it must be specified at most once."
        )


def _names(text: str | None) -> tuple[str, ...] | None:
    names = tuple(dict.fromkeys(n.strip() for n in (text or "").split(",") if n.strip()))
    return names if names and names != ("*",) else None


def _top(text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text.strip()):
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


# What is expanded.


def parse_expand(text: str | None, depth: int = 0) -> tuple[Expand, ...]:
    if text is None or not text.strip():
        return ()
    if depth > _NESTING_MAX:
        raise errors.query_error("The query exceeds the maximum $expand depth.")
    return tuple(_expand(item.strip(), depth) for item in split_outside(text, ","))


def _expand(text: str, depth: int) -> Expand:
    found = re.fullmatch(r"(\w+)(/\$ref)?(?:\((.*)\))?", text, re.DOTALL)
    if found is None:
        _bad_expand(text)
    given: dict[str, str] = {}
    for option in split_outside(found[3] or "", ";"):
        name, equals, value = option.strip().partition("=")
        if not name:
            continue
        if not equals or name.strip() not in _EXPAND_OPTIONS:
            raise errors.query_error(f"Term '{option.strip()[:60]}' is not valid in a $select or $expand expression.")
        given[name.strip()] = value
    return Expand(
        name=found[1],
        is_ref=found[2] is not None,
        select=_names(given.get("$select")),
        filter=given.get("$filter"),
        orderby=given.get("$orderby"),
        top=_top(given.get("$top")),
        expands=parse_expand(given.get("$expand"), depth + 1),
        text="&".join(f"{name}={value}" for name, value in given.items()),
    )


def _bad_expand(text: str) -> NoReturn:
    if re.match(r"\w+/\w", text):
        raise errors.query_error(
            "Found a path traversing multiple navigation properties. Please rephrase the query such that each expand "
            "path contains only type segments and navigation properties."
        )
    raise errors.query_error(f"Term '{text[:60]}' is not valid in a $select or $expand expression.")


def split_outside(text: str, separator: str) -> list[str]:
    """Parts between separators that stand outside of quotes, parentheses and brackets."""
    parts: list[str] = []
    depth = start = 0
    quoted = False
    for position, letter in enumerate(text):
        if letter == "'":
            quoted = not quoted
        elif quoted:
            continue
        elif letter in "([":
            depth += 1
        elif letter in ")]":
            depth -= 1
        elif letter == separator and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    return [*parts, text[start:]]


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
