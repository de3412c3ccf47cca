"""What an emulator is to the kit: names an operation, may refuse it, carries it out, and can be steered.

`handle` is an ordinary function: one process, one event loop, so a request is applied as a whole or not at all and
two requests never interleave. Waiting (latency, delays) is the kit's business and happens around it.
"""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tandem_emulators.kit.clock import Clock
from tandem_emulators.kit.counters import Counters
from tandem_emulators.kit.errors import ControlError
from tandem_emulators.kit.faults import FaultRule, Faults
from tandem_emulators.kit.http import Reply, Request, json_reply
from tandem_emulators.kit.latency import Latency


@dataclass(frozen=True, slots=True)
class Options:
    """The command line of an emulator. `overlap` is the population of the other side; None means the same size."""

    people: int = 0
    seed: int = 1
    db: str | None = None
    latency_ms: float = 0.0
    limits: str = "published"
    overlap: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    app_certificate: str | None = None


class Emulator(ABC):
    """Subclass it, set `service` and `settings` (a dataclass of switches), and implement the abstract methods."""

    service: str
    settings: Any
    # Switches that take one of a few words.
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    # Switches that are numbers and make no sense below this one.
    least: ClassVar[Mapping[str, float]] = {}

    def __init__(self, options: Options) -> None:
        self.options = options
        self.clock = Clock()
        self.faults = Faults()
        self.counters = Counters()
        self.latency = Latency(options.latency_ms)
        self._postponed: list[tuple[float, Request, str]] = []

    @abstractmethod
    def announcement(self, url: str) -> dict[str, object]:
        """The first line on standard output, without `ca_file` and `control_url`."""

    @abstractmethod
    def operation(self, request: Request) -> str:
        """A stable dotted name such as `contacts.update`, by which faults, latency and counters know the request."""

    def admit(self, request: Request, operation: str) -> Reply | None:
        """A reply that refuses the request before it waits or runs (quotas, concurrency), or None."""
        return None

    @abstractmethod
    def handle(self, request: Request, operation: str) -> Reply: ...

    def finished(self, request: Request, operation: str, seconds: float) -> None:
        """Called after every request that was admitted, however it ended, with the time it took including latency."""
        return

    def postpone(self, request: Request, operation: str, delay_s: float) -> None:
        """Carry the request out that much later on the emulator's clock; nobody waits for its answer."""
        self._postponed.append((self.clock.timestamp() + delay_s, request, operation))
        self._postponed.sort(key=lambda each: each[0])

    def catch_up(self) -> None:
        """Carry out what has come due, each as of its own moment. Called before anything can look."""
        while self._postponed and self._postponed[0][0] <= self.clock.timestamp():
            due, request, operation = self._postponed.pop(0)
            with self.clock.standing_at(due):
                self.handle(request, operation)

    def settle(self) -> None:
        """Called on the event loop after every request, the control API's too: what waits may be started now."""
        return

    def fault_reply(self, rule: FaultRule) -> Reply:
        """The reply of an injected status or body; an emulator may give it its own error envelope."""
        status = rule.status if rule.action == "status" else 200
        body = rule.body if rule.body is not None else {"error": "injected fault"}
        return json_reply(body, status, rule.headers)

    def close(self) -> None:
        """Free what the emulator holds; called once when the server stops."""
        return

    # What the control API asks for. Each raises ControlError with a sentence where it cannot.

    def records(self, entity: str, *, after: str | None, limit: int, deleted: bool) -> Mapping[str, object]:
        raise ControlError(f"This emulator has no records of {entity!r}.")

    def person_action(self, action: str, arguments: Mapping[str, Any]) -> Mapping[str, object]:
        """`create`, `edit`, `delete`, `merge` or whatever else the emulator knows, as a person in its UI would."""
        raise ControlError(f"A person cannot {action} here.")

    def privileges(self) -> Mapping[str, object]:
        raise ControlError("This emulator has no privileges.")

    def change_privileges(self, change: Mapping[str, Any]) -> None:
        raise ControlError("This emulator has no privileges.")

    def control_action(self, path: str, method: str, arguments: Mapping[str, Any]) -> Mapping[str, object]:
        """Any other path under the control URL."""
        raise ControlError(f"There is no control operation {method} {path}.")

    def settings_changed(self, names: set[str]) -> None:
        """Called after the control API changed switches."""
        return

    def change_settings(self, values: Mapping[str, Any]) -> None:
        """Set switches by name. Text is converted to the switch's type, so that the command line can use it too."""
        known = {f.name: getattr(self.settings, f.name) for f in dataclasses.fields(self.settings)}
        converted = {name: _like(known, name, value) for name, value in values.items()}
        for name in converted.keys() & self.choices.keys():
            if converted[name] not in self.choices[name]:
                raise ControlError(f"Setting {name!r} is one of {', '.join(self.choices[name])}.")
        for name in converted.keys() & self.least.keys():
            if not converted[name] >= self.least[name]:
                raise ControlError(f"Setting {name!r} is at least {self.least[name]}.")
        for name, value in converted.items():
            setattr(self.settings, name, value)
        self.settings_changed(set(converted))


def _like(known: Mapping[str, Any], name: str, value: Any) -> Any:
    if name not in known:
        raise ControlError(f"There is no setting {name!r}; there are {', '.join(sorted(known))}.")
    model = known[name]
    try:
        if isinstance(model, bool):
            return value if isinstance(value, bool) else {"true": True, "false": False}[str(value).lower()]
        if isinstance(model, int | float) and value is not None:
            return type(model)(value)
    except (KeyError, ValueError, TypeError) as error:
        raise ControlError(f"Setting {name!r} takes a {type(model).__name__}, not {value!r}.") from error
    return value
