"""Files of rows: comma, tab or semicolon between the cells, quoted as RFC 4180 says (6.1)."""

import csv
import io
from collections.abc import Iterable, Sequence

from tandem_emulators.marketo.errors import invalid

DELIMITERS = {"csv": ",", "tsv": "\t", "ssv": ";"}
CSV_HEADERS = {"content-type": "text/csv;charset=UTF-8"}
_CELL_MAX = 16_000_000  # a whole import file may be one cell

csv.field_size_limit(_CELL_MAX)


def checked_format(stated: str) -> str:
    """The format in lower case, as imports spell it; extracts spell it in upper case.

    Raises:
        ApiError: 1003, there is no such format.
    """
    name = stated.lower()
    if name not in DELIMITERS:
        raise invalid(f"Invalid format '{stated}'")
    return name


def parse_rows(content: bytes, format_name: str) -> list[list[str]]:
    """The rows that are not blank, the header first.

    Raises:
        ApiError: 1003, the file cannot be read as rows.
    """
    text = content.decode("utf-8-sig", "replace")
    try:
        found = list(csv.reader(io.StringIO(text, newline=""), delimiter=DELIMITERS[format_name]))
    except csv.Error as error:
        raise invalid(f"Invalid file: {error}") from error
    return [row for row in found if any(cell != "" for cell in row)]


def render_rows(rows: Iterable[Sequence[str]], format_name: str) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=DELIMITERS[format_name], lineterminator="\n").writerows(rows)
    return out.getvalue().encode()
