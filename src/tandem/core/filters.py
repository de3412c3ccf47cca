"""Which records are synced: an expression over a record's fields, in CEL (the Common Expression Language).

It is compiled once. Only the fields it names are handed over, so that its cost does not grow with the mapping. Where
it has no answer for a record (``estimatedvalue > 1000`` of an empty value), the record does not pass.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import cel

from tandem.core.errors import ConfigError
from tandem.core.record import Value

NATIVE: Final = "synctomkto"
"""Stands for the native sync's own filter (N94-N96): a record without a No in ``new_synctomkto`` is synced."""

NATIVE_COLUMN: Final = "new_synctomkto"

_TEXT: Final = re.compile(r"r?'(?:[^'\\]|\\.)*'|r?\"(?:[^\"\\]|\\.)*\"")
_NAME: Final = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?!\s*\(|\w)")
_WORDS: Final = frozenset({"true", "false", "null", "in"})


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """A compiled expression. Two are equal if their texts are."""

    text: str
    fields: tuple[str, ...]
    _run: Callable[[dict[str, Value]], object] = field(repr=False, compare=False)

    def passes(self, values: Mapping[str, Value]) -> bool:
        """Whether a record with these values is synced."""
        try:
            return self._run({name: values.get(name) for name in self.fields}) is True
        except (TypeError, ValueError, RuntimeError):
            return False


def compile_filter(text: str, known: Collection[str], setting: str) -> RecordFilter | None:
    """The filter of `setting`, over the fields `known`; None where the native filter's column does not exist, since
    then everything is synced (N96).

    Raises:
        ConfigError: no CEL, or a field that is not known.
    """
    if text == NATIVE:
        if NATIVE_COLUMN not in known:
            return None
        text = f"{NATIVE_COLUMN} != false"
    try:
        program = cel.compile(text)
    except ValueError as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"{setting} is not an expression: {reason}") from None
    names = tuple(sorted(names_in(text)))
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(f"{setting} names {', '.join(unknown)}, which the record does not have.")
    return RecordFilter(text, names, program.execute)


def names_in(text: str) -> set[str]:
    """The fields an expression names: every word that is no text, no call and no member of another."""
    return set(_NAME.findall(_TEXT.sub("''", text))) - _WORDS


def fields_of(filters: Iterable[RecordFilter | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for one in filters if one for name in one.fields))
