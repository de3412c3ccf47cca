"""The control API under `/_emulator`: clock, faults, counters, settings, and a person at the keyboard.

Never counted, never slowed, never refused. It answers 400 and {"error": sentence} when asked for nonsense.
"""

import dataclasses
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from tandem_emulators.kit.emulator import Emulator
from tandem_emulators.kit.errors import ControlError
from tandem_emulators.kit.http import Reply, Request, json_reply

PREFIX = "/_emulator"

Handler = Callable[[Emulator, Request, Mapping[str, Any]], object]


def serve_control(emulator: Emulator, request: Request) -> Reply:
    path = request.path.removeprefix(PREFIX)
    emulator.catch_up()
    try:
        arguments = _arguments(request)
        handler = ROUTES.get((request.method, path))
        if handler is not None:
            return json_reply(handler(emulator, request, arguments))
        if request.method == "POST" and path.startswith("/people/"):
            return json_reply(emulator.person_action(path.removeprefix("/people/"), arguments))
        if request.method == "GET" and path.startswith("/records/"):
            return json_reply(_records(emulator, request, path.removeprefix("/records/")))
        return json_reply(emulator.control_action(path, request.method, arguments))
    except ControlError as error:
        return json_reply({"error": str(error)}, 400)


def _arguments(request: Request) -> Mapping[str, Any]:
    if not request.body:
        return {}
    try:
        return msgspec.json.decode(request.body, type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ControlError(f"The body must be a JSON object: {error}.") from error


def _health(emulator: Emulator, request: Request, arguments: Mapping[str, Any]) -> object:
    return {"status": "ok", "service": emulator.service}


def _counters(emulator: Emulator, request: Request, arguments: Mapping[str, Any]) -> object:
    return emulator.counters.as_dict()


def _reset_counters(emulator: Emulator, request: Request, arguments: Mapping[str, Any]) -> object:
    emulator.counters.reset()
    return emulator.counters.as_dict()


def _clock(emulator: Emulator, request: Request, arguments: Mapping[str, Any]) -> object:
    unknown = set(arguments) - {"now", "advance_s", "frozen"}
    if unknown:
        raise ControlError(f"The clock takes now, advance_s and frozen, not {', '.join(sorted(unknown))}.")
    try:
        if "frozen" in arguments:
            emulator.clock.freeze(bool(arguments["frozen"]))
        if "now" in arguments:
            emulator.clock.set(datetime.fromisoformat(str(arguments["now"])))
        if "advance_s" in arguments:
            emulator.clock.advance(float(arguments["advance_s"]))
        return {"now": emulator.clock.now().isoformat(), "frozen": emulator.clock.is_frozen}
    except (ValueError, TypeError, OverflowError) as error:
        raise ControlError(f"The clock takes an ISO time or a number of seconds: {error}.") from error


def _faults(emulator: Emulator, request: Request, arguments: Mapping[str, Any]) -> object:
    return {"faults": emulator.faults.as_list()}


def _add_fault(emulator: Emulator, request: Request, arguments: Mapping[str, Any]) -> object:
    return {"id": emulator.faults.add(dict(arguments))}


def _clear_faults(emulator: Emulator, request: Request, arguments: Mapping[str, Any]) -> object:
    emulator.faults.clear()
    return {"faults": []}


def _latency(emulator: Emulator, request: Request, arguments: Mapping[str, Any]) -> object:
    try:
        new = msgspec.convert(dict(arguments), _NewLatency)
    except msgspec.ValidationError as error:
        raise ControlError(f"Latency takes default_ms and operations: {error}.") from error
    if new.default_ms is not None:
        emulator.latency.default_ms = new.default_ms
    if new.operations is not None:
        emulator.latency.by_operation_ms = dict(new.operations)
    return emulator.latency.as_dict()


class _NewLatency(msgspec.Struct, forbid_unknown_fields=True):
    default_ms: float | None = None
    operations: dict[str, float] | None = None


def _settings(emulator: Emulator, request: Request, arguments: Mapping[str, Any]) -> object:
    if arguments:
        emulator.change_settings(arguments)
    return dataclasses.asdict(emulator.settings)


def _privileges(emulator: Emulator, request: Request, arguments: Mapping[str, Any]) -> object:
    if arguments:
        emulator.change_privileges(arguments)
    return emulator.privileges()


def _records(emulator: Emulator, request: Request, entity: str) -> object:
    query = dict(request.query())
    try:
        limit = int(query.get("limit", "5000"))
    except ValueError as error:
        raise ControlError("The limit of records is a whole number.") from error
    deleted = query.get("deleted", "false").lower() == "true"
    return emulator.records(entity, after=query.get("after") or None, limit=max(1, limit), deleted=deleted)


ROUTES: dict[tuple[str, str], Handler] = {
    ("GET", "/health"): _health,
    ("GET", "/counters"): _counters,
    ("POST", "/counters/reset"): _reset_counters,
    ("GET", "/clock"): _clock,
    ("POST", "/clock"): _clock,
    ("GET", "/faults"): _faults,
    ("POST", "/faults"): _add_fault,
    ("DELETE", "/faults"): _clear_faults,
    ("GET", "/latency"): _latency,
    ("POST", "/latency"): _latency,
    ("GET", "/settings"): _settings,
    ("POST", "/settings"): _settings,
    ("GET", "/privileges"): _privileges,
    ("POST", "/privileges"): _privileges,
}
