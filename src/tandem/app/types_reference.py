"""The table of types, made from the transforms that the mapping really chooses.

``python -m tandem.app.types_reference`` prints the page ``docs/reference/types.md``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta, timezone
from typing import Final

from tandem.connectors.dynamics.schema import KINDS as CRM_KINDS
from tandem.connectors.marketo.schema import KINDS as MARKETING_KINDS
from tandem.core.choices import Choice, ChoiceNumber, Choices
from tandem.core.mapping import Transform
from tandem.core.moments import Moment
from tandem.core.schema import FieldInfo, FieldKind
from tandem.core.transforms import (
    INTEGER_MAX,
    TEXT_AREA_BYTES,
    UNSUPPORTED,
    Email,
    Number,
    Reference,
    Text,
    Unpairable,
    Ways,
    YesNo,
    transform_for,
)

PAGE_HEAD: Final = """# Types

What becomes of a value on its way, for every type of Dynamics column that can be paired with a type of Marketo field.
The two types choose; a pair may say otherwise with `transform`, `language`, `unknown_label` and `too_long`
([settings](settings.md)). Adobe publishes no such table for the native sync.

*Held* means: the field of that record waits and is named by `tandem status`, the rest of the record goes. What a side
makes of a value by itself (it trims, rounds, cuts) becomes that side's part of the agreement, is told once as
*narrowed* and never goes back and forth. An empty text and no value are one thing.

| Dynamics | Marketo | to Marketo | to Dynamics |
| --- | --- | --- | --- |
"""

PAGE_TAIL: Final = f"""
## Notes

- **Text lengths.** Lengths are what the two sides say of their fields. A Marketo text area takes {TEXT_AREA_BYTES:,}
  bytes, not characters, and is cut at the edge of a character. Where Dynamics holds more than Marketo shows, an edit of
  the shorter text is held: it would lose the rest. `too_long = "hold"` cuts nothing. Addresses, phone numbers and links
  are never cut.
- **Choices.** The label is that of Tandem's user, or of the language that `language` names (LCID, in `[crm]` or on the
  pair); a value that has no label in it is held. A label that was renamed still stands for its value, and the new one
  goes over in the slow lane. A text that is no label is held, or empties the column (`unknown_label = "empty"`); Tandem
  adds no options. `transform = "number"` carries the number as text, and nothing changes when a label does.
- **Several choices** are their labels with a semicolon between them, in the order of the numbers; in Marketo they may
  be typed in any order and case.
- **Two options.** Marketo has no empty one: unset reads as no there. An unset column stays unset until somebody says
  yes in Marketo.
- **Money** goes as its amount in the record's own currency. Marketo keeps one currency for the whole instance; for a
  common one map the column in the organisation's base currency (its name ends in `_base`), which Dynamics computes with
  the rate of the record's day, one way. `transactioncurrencyid` and `exchangerate` can be mapped beside it.
- **Days and times.** A time of behaviour *user local* is an instant. Where Marketo keeps a day, it is the day in
  `crm.time_zone`, and a day from Marketo is its midnight there. A time *independent of zones* stays what the clock on
  the wall showed, a *date only* stays that day. Seconds are whole.
- **Lookups** go as the GUID of the record they lead to, lower case; owners and companies as the key of the sales person
  or company. `ownerid.@name` is the name of that record, `campaignid.typecode` a column of it, which goes as its own
  type does; both to Marketo only ([Show what a lookup leads to](../how-to/show-lookups-by-name.md)).
- **Calculated, rollup and formula columns** are read like others and go to Marketo only. Dynamics does not tell that a
  computed value has changed, so it follows with the record's next change, or with `tandem backfill`.
"""

_OPTIONS: Final = {1: "One", 2: "Two"}
_TARGETS: Final = ("account",)
_SOMEWHERE: Final = timezone(timedelta(hours=1))


@dataclass(frozen=True, slots=True)
class _Column:
    """A kind of Dynamics column as the page names it."""

    name: str
    info: FieldInfo


def render_page() -> str:
    """The reference page, in Markdown."""
    rows = "".join(f"| {' | '.join(cells)} |\n" for cells in _rows())
    return PAGE_HEAD + rows + _unsupported() + PAGE_TAIL


def _columns() -> Iterator[_Column]:
    for native, kind in CRM_KINDS.items():
        length = {"String": 100, "Memo": 2_000}.get(native)
        info = FieldInfo("column", "Column", kind, native, max_length=length, choices=_OPTIONS, targets=_TARGETS)
        if native != "DateTime":
            yield _Column(native, info)
            continue
        yield _Column("DateTime, user local", info)
        yield _Column("DateTime, independent of zones", FieldInfo("c", "C", kind, native, is_zoneless=True))
        yield _Column("DateTime, date only", FieldInfo("c", "C", FieldKind.DATE, native))


def _fields() -> Iterator[FieldInfo]:
    for native, kind in MARKETING_KINDS.items():
        length = 255 if kind is FieldKind.TEXT and native not in ("text", "textarea") else None
        yield FieldInfo("field", "Field", kind, native, max_length=length)


def _rows() -> Iterator[tuple[str, str, str, str]]:
    """One for each way in which a kind of column crosses, with all the types of fields it does so with."""
    for column in _columns():
        ways: dict[tuple[str, str], list[str]] = {}
        for field in _fields():
            transform = transform_for(column.info, field, Ways(zone=_SOMEWHERE))
            if not isinstance(transform, Unpairable):
                ways.setdefault(_told(transform), []).append(field.native_type)
        for (there, back), types in ways.items():
            yield column.name, ", ".join(types), there, back
        if column.info.kind is FieldKind.CHOICE:
            by_number = transform_for(column.info, next(_fields()), Ways(by_number=True))
            assert isinstance(by_number, ChoiceNumber)
            yield f"{column.name} (by number)", "string", "its number", "the value of that number; another text is held"


def _told(transform: Transform) -> tuple[str, str]:
    match transform:
        case Text(cuts=True):
            room = f"{TEXT_AREA_BYTES:,} bytes" if transform.marketing_max_bytes else "the field's length"
            return f"the text, cut to {room} (told once)", "the text, cut to the column's length (told once)"
        case Text():
            return "the text; held if it is too long", "the text; held if it is too long"
        case Email():
            return "an address in ASCII; anything else is held", "the address; held if it is too long"
        case Choice():
            return "the label", "the value with that label, whatever its case; another text is held"
        case Choices():
            return "the labels, joined by `;`", "the values with these labels; another text is held"
        case YesNo():
            return "yes or no; unset is no", "yes or no"
        case Number():
            return _number(is_whole=transform.marketing_whole), _number(is_whole=transform.crm_whole)
        case Moment():
            return (
                _moment(transform, is_date=transform.crm_is_date, becomes_date=transform.marketing_is_date),
                _moment(transform, is_date=transform.marketing_is_date, becomes_date=transform.crm_is_date),
            )
        case Reference():
            return (
                "the GUID, or what Marketo calls the record; its name (`lookup.@name`); a field of it"
                " (`lookup.column`)",
                "one way",
            )
        case _:
            raise AssertionError(f"the page has no words for {type(transform).__name__}")


def _number(*, is_whole: bool) -> str:
    return f"the number; a fraction, or more than {INTEGER_MAX:,}, is held" if is_whole else "the number"


def _moment(transform: Moment, *, is_date: bool, becomes_date: bool) -> str:
    zone = "`crm.time_zone`" if transform.zone is _SOMEWHERE else "UTC"
    match is_date, becomes_date:
        case True, False:
            return f"midnight of that day in {zone}"
        case False, True:
            return f"its day in {zone}"
        case True, True:
            return "that day"
        case _:
            return "that instant" if transform.zone is _SOMEWHERE else "what the clock on the wall showed"


def _unsupported() -> str:
    reasons: Mapping[str, str] = UNSUPPORTED
    rows = "".join(f"| {native} | {reason} |\n" for native, reason in reasons.items())
    return f"\n## Types that are not carried\n\n| Dynamics | why |\n| --- | --- |\n{rows}"


if __name__ == "__main__":
    print(render_page(), end="")
