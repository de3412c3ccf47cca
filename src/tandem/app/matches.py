"""Matches that wait for a person: shown by cause, settled for a whole group by rule, carried to a table and back.

Nothing is linked or merged here. A decision is stored with its match and makes the link due; the next pass plans it
again from both sides' present state, and asks anew what they no longer allow.
"""

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from tandem.app.build import open_state
from tandem.app.reports import MatchGroupLine, MatchLine, MatchReport, SettleReport
from tandem.app.system import SystemClock
from tandem.config.model import Config
from tandem.core.decisions import CREATE_TEXT, MERGE_TEXT, NEVER_TEXT, parse_decision
from tandem.core.errors import ConfigError
from tandem.core.match import TWO_PEOPLE_OF_A_MERGE
from tandem.core.plan import Candidate
from tandem.core.record import LinkNumber
from tandem.ports import MatchRow, Store

_PAGE: Final = 1_000
_SAMPLE: Final = 10

Choices: TypeAlias = dict[LinkNumber, tuple[MatchRow, str]]

COLUMNS: Final = ("match", "table", "record", "cause", "people", "decision")


def _lowest(candidates: Sequence[Candidate]) -> str:
    return min(candidates, key=lambda each: (len(each.id), each.id)).id


def _last_modified(candidates: Sequence[Candidate]) -> str | None:
    """None where two were changed at the same moment, or nobody knows when."""
    times = sorted((each.modified_at or "" for each in candidates), reverse=True)
    if not times[0] or times[:2] == times[:1] * 2:
        return None
    return next(each.id for each in candidates if each.modified_at == times[0])


RULES: Final[Mapping[str, Callable[[Sequence[Candidate]], str | None]]] = {
    "lowest-id": _lowest,
    "last-modified": _last_modified,
    CREATE_TEXT: lambda candidates: CREATE_TEXT,
    NEVER_TEXT: lambda candidates: NEVER_TEXT,
    MERGE_TEXT: lambda candidates: MERGE_TEXT,
}
"""What one rule decides for the candidates of one match; None where it cannot tell them apart."""


def matches(config: Config, limit: int, *, cause: str | None = None, only_open: bool = True) -> MatchReport:
    """The groups, the largest first, and the first matches of them."""
    store = open_state(config)
    try:
        groups = [MatchGroupLine(g.cause, g.size, g.count, g.decided) for g in store.count_matches()]
        groups.sort(key=lambda group: -group.count)
        _check_cause(cause, groups)
        rows = store.load_matches(limit, cause=cause, only_open=only_open)
        return MatchReport(tuple(groups), tuple(map(_line, rows)))
    finally:
        store.close()


def settle(config: Config, cause: str, rule: str, *, size: int | None = None, is_applied: bool = False) -> SettleReport:
    """Decide every open match of one group by one rule; without `is_applied` only the effect is shown.

    Raises:
        ConfigError: there is no such group, or the rule does not fit it.
    """
    store = open_state(config)
    try:
        _check_cause(cause, [MatchGroupLine(g.cause, g.size, g.count, g.decided) for g in store.count_matches()])
        _check_rule(cause, rule)
        decided: Choices = {}
        undecided = 0
        for row in _iter_open(store, cause, size):
            choice = RULES[rule](row.candidates) if row.candidates or rule in (CREATE_TEXT, NEVER_TEXT) else None
            undecided += choice is None
            if choice is not None:
                decided[row.link] = (row, choice)
        return _settled(store, decided, undecided, is_applied=is_applied)
    finally:
        store.close()


def export(config: Config, file: Path) -> int:
    """Every match, decided or not, as a row of a CSV file; how many."""
    store = open_state(config)
    try:
        with file.open("w", encoding="utf-8", newline="") as target:
            table = csv.writer(target)
            table.writerow(COLUMNS)
            count = 0
            for row in _iter_rows(store):
                people = " ".join(each.id for each in row.candidates)
                table.writerow([row.link, row.crm.entity, row.crm.id, row.cause, people, row.decision or ""])
                count += 1
            return count
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}.") from error
    finally:
        store.close()


def import_decisions(config: Config, file: Path, *, is_applied: bool = False) -> SettleReport:
    """Decide what the file's ``decision`` column says; an empty one leaves the match as it is.

    Raises:
        ConfigError: a line that is not understood, by its number and column; then nothing is decided.
    """
    store = open_state(config)
    try:
        known = {row.link: row for row in _iter_rows(store)}
        decided: Choices = {}
        for number, line in _lines_of(file):
            row = _row_named(known, line["match"], number)
            if line["record"].strip().lower() != row.crm.id:
                raise ConfigError(f"line {number}, column record: match {row.link} is about {row.crm.id}; export anew.")
            choice = _choice(row, line["decision"].strip().lower(), number)
            if choice and choice != row.decision:
                decided[row.link] = (row, choice)
        return _settled(store, decided, 0, is_applied=is_applied)
    finally:
        store.close()


def _settled(store: Store, decided: Choices, undecided: int, *, is_applied: bool) -> SettleReport:
    if is_applied:
        now = SystemClock().now()
        choices = [(link, choice) for link, (_, choice) in decided.items()]
        for start in range(0, len(choices), _PAGE):
            store.decide_matches(dict(choices[start : start + _PAGE]), now)
    effect = Counter(_effect(choice) for _, choice in decided.values())
    sample = [_line(row, choice) for row, choice in list(decided.values())[:_SAMPLE]]
    return SettleReport(dict(effect), undecided, tuple(sample), is_applied)


def _effect(choice: str) -> str:
    words = {
        CREATE_TEXT: "get a new person",
        NEVER_TEXT: "stay without a person",
        MERGE_TEXT: "have their two people merged",
    }
    return words.get(choice, "are linked to a person")


def _choice(row: MatchRow, text: str, number: int) -> str | None:
    people = {each.id for each in row.candidates}
    if not text:
        return None
    where = f"line {number}, column decision"
    if parse_decision(text) is None:
        raise ConfigError(f"{where}: {text!r} is no decision; write create, never, merge or the number of a person.")
    if text.isdecimal() and text not in people:
        raise ConfigError(f"{where}: person {text} is none of those who match: {' '.join(sorted(people))}.")
    if (text == MERGE_TEXT) != (row.cause == TWO_PEOPLE_OF_A_MERGE):
        fitting = "merge" if row.cause == TWO_PEOPLE_OF_A_MERGE else "create, never or the number of a person"
        raise ConfigError(f"{where}: {text!r} does not fit a match of this cause; write {fitting}.")
    return text


def _lines_of(file: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as source:
            table = csv.DictReader(source, strict=True)
            lacking = [name for name in COLUMNS if name not in (table.fieldnames or ())]
            if lacking:
                raise ConfigError(f"{file}, line 1: the column {lacking[0]} is missing; export the matches anew.")
            for line in table:
                yield table.line_num, {name: line[name] or "" for name in COLUMNS}
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is no CSV file in UTF-8: {error}.") from error


def _row_named(known: Mapping[LinkNumber, MatchRow], text: str, number: int) -> MatchRow:
    row = known.get(LinkNumber(int(text))) if text.strip().isdecimal() else None
    if row is None:
        raise ConfigError(f"line {number}, column match: there is no match {text!r} any more; export anew.")
    return row


def _check_cause(cause: str | None, groups: Sequence[MatchGroupLine]) -> None:
    causes = sorted({group.cause for group in groups})
    if cause is not None and cause not in causes:
        known = "; there are: " + ", ".join(causes) if causes else "; there are none"
        raise ConfigError(f"No match is held because of {cause!r}{known}.")


def _check_rule(cause: str, rule: str) -> None:
    if rule not in RULES:
        raise ConfigError(f"There is no rule {rule!r}; write one of {', '.join(RULES)}.")
    if (rule == MERGE_TEXT) != (cause == TWO_PEOPLE_OF_A_MERGE):
        fitting = MERGE_TEXT if cause == TWO_PEOPLE_OF_A_MERGE else ", ".join(set(RULES) - {MERGE_TEXT})
        raise ConfigError(f"The rule {rule!r} does not fit {cause!r}; write {fitting}.")


def _iter_open(store: Store, cause: str, size: int | None) -> Iterator[MatchRow]:
    return _iter_rows(store, cause=cause, size=size, only_open=True)


def _iter_rows(
    store: Store, *, cause: str | None = None, size: int | None = None, only_open: bool = False
) -> Iterator[MatchRow]:
    after = LinkNumber(0)
    while rows := store.load_matches(_PAGE, cause=cause, size=size, only_open=only_open, after=after):
        yield from rows
        after = rows[-1].link


def _line(row: MatchRow, choice: str | None = None) -> MatchLine:
    return MatchLine(
        match=int(row.link),
        entity=str(row.crm.entity),
        crm_id=row.crm.id,
        cause=row.cause,
        people=tuple(each.id for each in row.candidates),
        since=row.since,
        decision=choice or row.decision,
    )
