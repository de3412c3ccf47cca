"""Choices: a number in Dynamics, in Marketo the label of one language or the number.

Two values under one label are not guessed apart: such a label does not come back. A label that a value had before it
was renamed still stands for it, so that people who carry the old one are neither changed nor lost.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from tandem.core.mapping import NotExpressibleError
from tandem.core.record import Value
from tandem.core.spelling import fitting, text_of

SEPARATOR: Final = ";"
"""Between the labels of a choice of several, as Marketo's own lists write them."""


class UnknownLabel(StrEnum):
    """What becomes of a text that is no label of the choice: the field is held, or it is empty in Dynamics."""

    HOLD = "hold"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Choice:
    """``former``: labels that values had before, the value of each; one that is in use now is not asked for here."""

    labels: Mapping[int, str]
    marketing_max: int | None = None
    former: Mapping[str, int] = field(default_factory=dict)
    unknown: UnknownLabel = UnknownLabel.HOLD
    _values: Mapping[str, tuple[int, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_values", _by_label(self.labels.items(), self.former))

    def to_marketing(self, value: Value) -> Value:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not self.labels.get(value):
            raise NotExpressibleError("the choice has no label for this value")
        return fitting(self.labels[value], self.marketing_max)

    def to_crm(self, value: Value) -> Value:
        label = text_of(value)
        return None if label is None else _value_of(label, self._values, self.unknown)


@dataclass(frozen=True, slots=True)
class ChoiceNumber:
    """The number itself, written as text (``transform = "number"``): nothing changes when a label does."""

    values: frozenset[int]
    marketing_max: int | None = None
    unknown: UnknownLabel = UnknownLabel.HOLD

    def to_marketing(self, value: Value) -> Value:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise NotExpressibleError("the value is no number of the choice")
        return fitting(str(value), self.marketing_max)

    def to_crm(self, value: Value) -> Value:
        text = text_of(value)
        if text is None:
            return None
        number = int(text) if text.strip().lstrip("-").isdecimal() and len(text) < 12 else None
        if number is None or number not in self.values:
            if self.unknown is UnknownLabel.EMPTY:
                return None
            raise NotExpressibleError("the text is none of the choice's numbers")
        return number


@dataclass(frozen=True, slots=True)
class Choices:
    """Several values of a choice: ``"2,3"`` in Dynamics, the labels in the order of the numbers in Marketo.

    A label with a semicolon in it could not be told from two, so values with one do not go over.
    """

    labels: Mapping[int, str]
    marketing_max: int | None = None
    former: Mapping[str, int] = field(default_factory=dict)
    unknown: UnknownLabel = UnknownLabel.HOLD
    _values: Mapping[str, tuple[int, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_values", _by_label(self.labels.items(), self.former))

    def to_marketing(self, value: Value) -> Value:
        numbers = _numbers_of(text_of(value))
        if not numbers:
            return None
        labels = [self.labels.get(number) for number in numbers]
        if not all(labels) or any(SEPARATOR in (label or "") for label in labels):
            raise NotExpressibleError("the choice has no label for one of the values, or one with a semicolon")
        return fitting(SEPARATOR.join(label or "" for label in labels), self.marketing_max)

    def to_crm(self, value: Value) -> Value:
        labels = [part.strip() for part in (text_of(value) or "").split(SEPARATOR)]
        found = {_value_of(label, self._values, self.unknown) for label in labels if label}
        numbers = sorted(number for number in found if number is not None)
        return ",".join(map(str, numbers)) or None


def _by_label(labels: Iterable[tuple[int, str]], former: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    values: dict[str, tuple[int, ...]] = {}
    for value, label in labels:
        values[label.casefold()] = (*values.get(label.casefold(), ()), value)
    return {label.casefold(): (value,) for label, value in former.items()} | values


def _value_of(label: str, values: Mapping[str, tuple[int, ...]], unknown: UnknownLabel) -> int | None:
    match values.get(label.casefold(), ()):
        case (found,):
            return found
        case ():
            if unknown is UnknownLabel.EMPTY:
                return None
            raise NotExpressibleError("the text is none of the choice's labels")
        case _:
            raise NotExpressibleError("several values of the choice have this label")


def _numbers_of(text: str | None) -> list[int]:
    parts = text.split(",") if text else []
    if not all(part.strip().lstrip("-").isdecimal() for part in parts):
        raise NotExpressibleError("the value is no list of numbers")
    return sorted({int(part) for part in parts})
