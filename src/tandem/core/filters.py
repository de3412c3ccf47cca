"""Which records are synced: an expression over a record's fields, in CEL (the Common Expression Language).

It is compiled once. Only the fields it names are handed over, so that its cost does not grow with the mapping. Where
it has no answer for a record (``estimatedvalue > 1000`` of an empty value), the record does not pass.
"""

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import cel

from tandem.core.errors import ConfigError
from tandem.core.record import Value

NATIVE: Final = "synctomkto"
"""Stands for the native sync's own filter (N94-N96): a record without a No in ``new_synctomkto`` is synced."""

NATIVE_TRAP: Final = "synctomkto_native"
"""The same with the native sync's trap: a record with an empty column is copied once and then no more (N97)."""

NATIVE_COLUMN: Final = "new_synctomkto"

_PRESETS: Final = {NATIVE: f"{NATIVE_COLUMN} != false", NATIVE_TRAP: f"{NATIVE_COLUMN} != false"}

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
    if text in _PRESETS:
        if NATIVE_COLUMN not in known:
            return None
        text = _PRESETS[text]
    try:
        program = cel.compile(text)
    except ValueError as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"{setting} is not an expression: {reason}") from None
    names = tuple(sorted(names_in(text)))
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(
            f"{setting} names {', '.join(unknown)}, which the record does not have{_hint(unknown, known)}"
        )
    return RecordFilter(text, names, program.execute)


def compile_filter_to_keep(text: str, known: Collection[str], setting: str) -> RecordFilter | None:
    """What a record that is linked already must pass, where that is another filter than the first one."""
    if text != NATIVE_TRAP or NATIVE_COLUMN not in known:
        return None
    return compile_filter(f"{NATIVE_COLUMN} == true", known, setting)


def columns_of(text: str) -> set[str]:
    """The fields that a filter of the settings needs to be read."""
    return names_in(_PRESETS.get(text, text))


def _hint(unknown: Collection[str], known: Collection[str]) -> str:
    by_folded = {name.lower(): name for name in known}
    near = [found for name in unknown for found in difflib.get_close_matches(name.lower(), by_folded, n=1)]
    return f"; did you mean {', '.join(by_folded[name] for name in near)}?" if near else "."


def names_in(text: str) -> set[str]:
    """The fields an expression names: every word that is no text, no call and no member of another."""
    return set(_NAME.findall(_TEXT.sub("''", text))) - _WORDS


def fields_of(filters: Iterable[RecordFilter | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for one in filters if one for name in one.fields))
