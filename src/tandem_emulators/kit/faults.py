"""Rules that make chosen operations fail in a chosen way: skip some matching calls, then strike a number of times."""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Annotated, Any

import msgspec

from tandem_emulators.kit.errors import ControlError

ACTIONS = ("status", "delay", "drop_before", "drop_after", "reset", "body", "apply_late")


@dataclass(slots=True)
class FaultRule:
    """`times` is None for a fault that never ends. `hits` counts how often it has struck."""

    id: int
    operation: str
    action: str = "status"
    skip: int = 0
    times: int | None = 1
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    delay_s: float = 0.0
    hits: int = 0

    def as_dict(self) -> dict[str, object]:
        shown = {name: getattr(self, name) for name in self.__slots__}
        return {**shown, "remaining": None if self.times is None else self.times - self.hits}


class _NewRule(msgspec.Struct, forbid_unknown_fields=True):
    operation: str
    action: str = "status"
    skip: int = 0
    times: int | None = 1
    status: Annotated[int, msgspec.Meta(ge=200, le=599)] = 503
    headers: dict[str, str] = {}
    body: Any = None
    delay_s: float = 0.0


class Faults:
    def __init__(self) -> None:
        self._rules: dict[int, FaultRule] = {}
        self._last_id = 0

    def add(self, definition: dict[str, Any]) -> int:
        try:
            new = msgspec.convert(definition, _NewRule)
        except msgspec.ValidationError as error:
            raise ControlError(f"A fault rule is not understood: {error}.") from error
        if new.action not in ACTIONS:
            raise ControlError(f"A fault action is one of {', '.join(ACTIONS)}, not {new.action!r}.")
        self._last_id += 1
        self._rules[self._last_id] = FaultRule(id=self._last_id, **msgspec.structs.asdict(new))
        return self._last_id

    def clear(self) -> None:
        self._rules.clear()

    def as_list(self) -> list[dict[str, object]]:
        return [rule.as_dict() for rule in self._rules.values()]

    def take(self, operation: str) -> FaultRule | None:
        """The rule that strikes this call, if any. Each matching call is taken off the rule's `skip` first."""
        for rule in self._rules.values():
            if rule.times is not None and rule.hits >= rule.times:
                continue
            if not fnmatchcase(operation, rule.operation):
                continue
            if rule.skip > 0:
                rule.skip -= 1
                continue
            rule.hits += 1
            return rule
        return None
