"""Log events with nothing of a person in them.

Every event is ``noun.past_verb`` with fields. Only fields of a known name pass, and of their texts only what cannot be
an e-mail address, a phone number or a token; everything else becomes its type's name. So a careless call site costs a
detail, never a leak. The same holds for exceptions, whose messages are dropped: their type and place stay.
"""

import logging
import re
import sys
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Literal, TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

SAFE_KEYS: Final = frozenset(
    {
        # what structlog adds
        "event", "level", "timestamp",
        # where we are
        "run", "run_id", "side", "entity", "link", "crm_entity", "marketing_entity", "holder", "fence", "service",
        "version", "library", "place", "setting",
        # what happened
        "kind", "state", "operation", "action", "actions", "phase", "rail", "field", "fields", "pair", "pairs",
        "is_first_copy", "is_full_read", "is_last", "code", "status", "method", "attempt", "attempts", "request_id",
        "error_type", "error_at", "signal",
        # how much and how long
        "count", "counts", "rows", "records", "pages", "changes", "calls", "crm_calls", "marketing_calls",
        "conflicts", "held", "held by guard", "linked", "links", "undecided", "ignored", "left_out", "new_fields",
        "narrowed", "applied", "rejected", "unknown", "withdrawn", "waiting", "done", "budget_left", "lag_s",
        "took_ms", "took_s", "wait_s", "retry_after_s", "interval_s", "complete_until", "since",
    }
)  # fmt: skip
"""Names under which no call site puts what a person typed. A new one is added here, with a thought."""

EventFormat = Literal["console", "json"]

_EVENT: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_COUNTER: Final = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)+")
_HARMLESS: Final = re.compile(
    r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"  # an id
    r"|\b[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}\b"  # a random one, as one word
    r"|\b[0-9a-f]{1,6}#[0-9a-f]{8,16}\b"  # Marketo's id of a request
    r"|\b0x[0-9a-f]{8}\b"  # a code of Dynamics
    r"|\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?)?"  # a time
)
_TELLING: Final = re.compile(
    r"@"  # an address
    r"|\d(?:[ ().\-/]*\d){6,}"  # a phone number
    r"|[A-Za-z0-9_\-+/=~]{33,}"  # a token or secret
    r"|(?i:bearer|secret|password|token)\b"
)
_TEXT_MAX: Final = 200


def configure(
    event_format: EventFormat = "console", level: str = "info", stream: TextIO | None = None, *, colors: bool = False
) -> None:
    """Send events of at least `level` to `stream` (standard error as it is then), lines of text or of JSON."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=_processors(event_format, colors=colors),
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=lambda *_: structlog.PrintLogger(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )
    _adopt_library_logs(threshold)


def get_logger(**bound: object) -> FilteringBoundLogger:
    """A logger with these fields on every event: ``get_logger(run_id=run_id).info("pass.ended", took_ms=84)``."""
    return cast(FilteringBoundLogger, structlog.get_logger(**bound))


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The event without anything that could be a person's or a secret."""
    return {key: _safe(value) if _is_known(key, value) else _type_name(value) for key, value in event.items()}


def name_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """An event that is not ``noun.past_verb`` may be a sentence with values in it: only its place stays."""
    if not _EVENT.fullmatch(str(event.get("event", ""))):
        event["event"] = "event.misnamed"
    return event


def reduce_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The exception's type and place; never its message, which may quote a record."""
    info = event.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["error_type"] = type(error).__name__
        event["error_at"] = _places(error.__traceback__)
    event.pop("stack_info", None)
    return event


def _processors(event_format: EventFormat, *, colors: bool) -> list[Processor]:
    renderer: Processor = (
        structlog.processors.JSONRenderer(sort_keys=False)
        if event_format == "json"
        else structlog.dev.ConsoleRenderer(colors=colors)
    )
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        reduce_exception,
        name_event,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
        renderer,
    ]


def _is_known(key: str, value: object) -> bool:
    """Yes and no tell nothing of anybody, and neither does a number under a dotted name, which is a counter's."""
    if value is None or isinstance(value, bool):
        return True
    return key in SAFE_KEYS or (isinstance(value, int | float) and _COUNTER.fullmatch(key) is not None)


def _places(trace: TracebackType | None) -> list[str]:
    frames = traceback.extract_tb(trace)
    return [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames[-5:]]


def _safe(value: object) -> object:
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return value if _is_harmless(value) else _type_name(value)
        case Mapping():
            return {_safe(key): _safe(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_safe(item) for item in value]
        case _:
            return _type_name(value)


def _is_harmless(text: str) -> bool:
    return len(text) <= _TEXT_MAX and not _TELLING.search(_HARMLESS.sub(" ", text))


def _type_name(value: object) -> str:
    return f"<{type(value).__name__}>"


class _LibraryLogs(logging.Handler):
    """What libraries log, as events: who and where, without their sentence, which may quote a request."""

    def emit(self, record: logging.LogRecord) -> None:
        log = get_logger(library=record.name, place=f"{record.module}:{record.lineno}")
        if record.exc_info and record.exc_info[1]:
            log = log.bind(error_type=type(record.exc_info[1]).__name__)
        log.log(record.levelno, "library.spoke")


def _adopt_library_logs(threshold: int) -> None:
    """Libraries speak from WARNING on; below that they tell of every request."""
    root = logging.getLogger()
    root.handlers = [handler for handler in root.handlers if not isinstance(handler, _LibraryLogs)]
    root.addHandler(_LibraryLogs(max(threshold, logging.WARNING)))


configure()
