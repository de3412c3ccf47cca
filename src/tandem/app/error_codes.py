"""The table of both sides' error codes, as `tandem errors` explains them.

``python -m tandem.app.error_codes`` prints the page ``docs/reference/errors.md``.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final

from tandem.connectors.dynamics import code_notes as dynamics
from tandem.connectors.marketo import code_notes as marketo
from tandem.core.error_codes import CodeNote
from tandem.core.record import Side

PAGE_HEAD: Final = """# Error codes

What the two sides answer when they refuse a write or a call, what it means, and what to do. `tandem errors list` shows
the refused writes that wait, with these remedies; `tandem errors retry` plans them again.
"""

_TITLES: Final = {Side.CRM: "Dynamics", Side.MARKETING: "Marketo"}


@cache
def code_table() -> Mapping[tuple[Side, str], CodeNote]:
    return {(note.side, note.code): note for note in (*dynamics.code_notes(), *marketo.code_notes())}


def render_page() -> str:
    """The reference page, in Markdown."""
    parts = [PAGE_HEAD]
    for side, title in _TITLES.items():
        parts.append(f"\n## {title}\n\n| code | meaning | remedy |\n| --- | --- | --- |\n")
        notes = [note for note in code_table().values() if note.side is side]
        parts += [f"| `{note.code}` | {note.meaning} | {note.remedy} |\n" for note in notes]
    return "".join(parts)


if __name__ == "__main__":
    print(render_page(), end="")
