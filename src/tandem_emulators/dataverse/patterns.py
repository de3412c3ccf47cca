"""Patterns of LIKE as SQL Server reads them: `%`, `_`, `[a-c]` and `[^a-c]`, without regard to case.

The matcher goes back only to the last `%`, so that no pattern, however odd, takes more than length times length.
"""

from collections.abc import Callable
from functools import lru_cache

_Letter = Callable[[str], bool]


def matches(pattern: str, text: object) -> bool:
    """The SQL function behind patterns that LIKE of SQLite does not know."""
    if not isinstance(text, str):
        return False
    letters = _read(pattern.casefold())
    folded = text.casefold()
    at, position, restart, kept = 0, 0, -1, 0
    while position < len(folded):
        test = letters[at] if at < len(letters) else _nothing
        if test is None:
            restart, kept = at, position
            at += 1
        elif test(folded[position]):
            at += 1
            position += 1
        elif restart >= 0:
            kept += 1
            at, position = restart + 1, kept
        else:
            return False
    return all(test is None for test in letters[at:])


def is_plain(pattern: str) -> bool:
    """Whether LIKE of SQLite reads it alike."""
    return "[" not in pattern and pattern.isascii() and len(pattern) < 10_000


def _nothing(letter: str) -> bool:
    return False


@lru_cache(maxsize=256)
def _read(pattern: str) -> tuple[_Letter | None, ...]:
    found: list[_Letter | None] = []
    position = 0
    while position < len(pattern):
        letter = pattern[position]
        closing = pattern.find("]", position + 2) if letter == "[" else -1
        if closing > 0:
            found.append(_set_of(pattern[position + 1 : closing]))
            position = closing
        elif letter == "%":
            found += [] if found and found[-1] is None else [None]
        else:
            found.append((lambda _: True) if letter == "_" else letter.__eq__)
        position += 1
    return tuple(found)


def _set_of(text: str) -> _Letter:
    negated = text.startswith("^") and len(text) > 1
    rest = text[1:] if negated else text
    single: set[str] = set()
    ranges: list[tuple[str, str]] = []
    while rest:
        if len(rest) > 2 and rest[1] == "-":
            ranges.append((rest[0], rest[2]))
            rest = rest[3:]
        else:
            single.add(rest[0])
            rest = rest[1:]
    return lambda letter: (letter in single or any(low <= letter <= high for low, high in ranges)) != negated
