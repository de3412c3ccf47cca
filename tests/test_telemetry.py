"""No personal value and no secret gets into a log line, whatever a call site does (R11)."""

import ast
import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from tandem import telemetry
from tandem.telemetry import SAFE_KEYS, EventFormat, configure, get_logger
from tests.ground.repository import ROOT


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = list(logging.getLogger().handlers)
    yield
    structlog.contextvars.clear_contextvars()
    configure()
    logging.getLogger().handlers = root


def logged(log: Callable[[], object], event_format: EventFormat = "json", level: str = "info") -> str:
    stream = io.StringIO()
    configure(event_format, level, stream)
    log()
    return stream.getvalue()


def logged_event(log: Callable[[], object]) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(logged(log))
    return event


def test_an_event_is_one_line_of_json_with_its_fields() -> None:
    event = logged_event(lambda: get_logger(side="crm").info("action.applied", kind="update", took_ms=84))
    assert event.pop("timestamp").endswith("Z")
    assert event == {"event": "action.applied", "level": "info", "side": "crm", "kind": "update", "took_ms": 84}


def test_an_event_is_readable_on_a_console() -> None:
    line = logged(lambda: get_logger().info("pass.ended", counts={"update": 3}), "console")
    assert "pass.ended" in line
    assert "update" in line
    assert line.count("\n") == 1


def test_events_below_the_level_are_not_written() -> None:
    assert logged(lambda: get_logger().debug("page.read"), level="info") == ""
    assert logged(lambda: get_logger().debug("page.read"), level="debug") != ""


def test_events_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json")
    get_logger().info("pass.ended")
    written = capsys.readouterr()
    assert written.out == ""
    assert json.loads(written.err)["event"] == "pass.ended"


def test_ids_names_times_and_counts_stay_readable() -> None:
    fields: dict[str, object] = {
        "run_id": "0f8fad5b-d9cb-469f-a165-70867728950e",
        "holder": "0f8fad5bd9cb469fa16570867728950e",
        "request_id": "e42b#14272073578",
        "entity": "contact",
        "fields": ["emailaddress1", "telephone1"],
        "complete_until": "2026-11-22T14:19:31Z",
        "since": "2026-11-22 14:19:31",
        "counts": {"applied.marketing.create.person": 1234567890},
        "is_last": True,
        "code": "1005",
    }
    event = logged_event(lambda: get_logger().info("pass.ended", **fields))
    assert {name: event[name] for name in fields} == fields


PERSONAL = [
    "ann.lee@example.com",
    "Ann Lee <ann.lee@example.com>",
    "+49 (0)30 1234-5678",
    "0171 234 56 78",
    "00441632960961",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.abc",
    "Bearer abc",
    "client_secret=hunter2",
    "5f2c8e9ab7d64c01a9f3d2e1b0c4a5f6e7d8c9b0a1f2e3d4:sjst",
    "12 Main Street, Springfield " * 10,
]


@pytest.mark.parametrize("value", PERSONAL)
@pytest.mark.parametrize("wrap", [str, lambda text: [text], lambda text: {"value": text}, lambda text: {text: 1}])
def test_what_looks_personal_or_secret_is_dropped_even_under_a_known_name(
    value: str, wrap: Callable[[str], object]
) -> None:
    line = logged(lambda: get_logger().info("action.applied", kind=wrap(value)))
    assert value not in line
    assert "<str>" in line


@given(
    st.sampled_from(
        ["name", "email", "value", "before", "after", "message", "error", "reason", "url", "body", "headers"]
    ),
    st.text("abcdefghijklmnopqrstuvwxyz", min_size=12, max_size=16)
    | st.integers(10**9, 10**12)
    | st.lists(st.just("Springfield"), min_size=1),
)
def test_nothing_passes_under_a_name_that_is_not_known(name: str, value: object) -> None:
    assert name not in SAFE_KEYS
    event = logged_event(lambda: get_logger().info("action.applied", **{name: value}))
    assert event[name] == f"<{type(value).__name__}>"


def test_a_code_of_dynamics_is_no_phone_number() -> None:
    assert logged_event(lambda: get_logger().info("action.refused", code="0x80040220"))["code"] == "0x80040220"


def test_a_passes_counters_pass_and_a_persons_number_does_not() -> None:
    counts: dict[str, Any] = {"read.crm.contact": 5000, "applied.marketing.create.person": 300, "held by guard": 1}
    counts["applied.crm.create-task"] = 2
    event = logged_event(lambda: get_logger().info("pass.finished", error=True, mobile=491711234567, **counts))
    assert {name: event[name] for name in counts} == counts
    assert (event["error"], event["mobile"]) == (True, "<int>")


def test_each_call_site_names_its_fields_as_they_pass() -> None:
    """A field under another name would be its type's name for ever."""
    calls = [
        (file.name, node)
        for file in sorted((ROOT / "src" / "tandem").rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_log(node.func.value)
    ]
    named = {(file, word.arg) for file, call in calls for word in call.keywords if word.arg is not None}
    assert len(named) > 20
    assert {(file, name) for file, name in named if name not in SAFE_KEYS} == {("sync_pass.py", "error")}  # yes or no


def _is_log(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("log", "logger")


def test_a_sentence_in_place_of_an_event_is_dropped() -> None:
    line = logged(lambda: get_logger().info("could not write Ann Lee"))
    assert "Ann" not in line
    assert "event.misnamed" in line


def test_a_formatted_event_is_dropped() -> None:
    line = logged(lambda: get_logger().info("written %s", "Springfield"))
    assert "Springfield" not in line


@pytest.mark.parametrize("event_format", ["json", "console"])
def test_an_exception_leaves_its_type_and_place_but_no_message(event_format: EventFormat) -> None:
    def fail() -> None:
        try:
            raise ValueError("Ann Lee")
        except ValueError:
            get_logger().exception("pass.failed")

    line = logged(fail, event_format)
    assert "Ann" not in line
    assert "ValueError" in line
    assert "test_telemetry.py" in line


def test_an_object_shows_its_type_only() -> None:
    class Contact:
        def __repr__(self) -> str:
            return "Contact(Ann)"

    line = logged(lambda: get_logger().info("link.made", link=Contact()))
    assert "Ann" not in line
    assert "<Contact>" in line


def test_context_bound_elsewhere_is_redacted_too() -> None:
    def log() -> None:
        structlog.contextvars.bind_contextvars(person="Ann", run_id="run")
        get_logger().info("pass.ended")

    event = logged_event(log)
    assert (event["person"], event["run_id"]) == ("<str>", "run")


def test_what_a_library_logs_keeps_its_place_and_loses_its_sentence() -> None:
    event = logged_event(lambda: logging.getLogger("aiohttp.client").warning("GET /leads?filterValues=%s", "Ann"))
    assert (event["event"], event["library"], event["level"]) == ("library.spoke", "aiohttp.client", "warning")
    assert "Ann" not in str(event)


def test_a_librarys_exception_leaves_its_type() -> None:
    def fail() -> None:
        try:
            raise ValueError("Ann Lee")
        except ValueError:
            logging.getLogger("library").exception("while writing Ann Lee")

    event = logged_event(fail)
    assert event["error_type"] == "ValueError"
    assert "Ann" not in str(event)


def test_setting_up_twice_does_not_double_library_events() -> None:
    configure("json")
    assert logged(lambda: logging.getLogger("x").error("y")).count("\n") == 1


def test_importing_the_module_is_enough_to_be_safe() -> None:
    assert telemetry.redact in structlog.get_config()["processors"]
