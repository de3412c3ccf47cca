"""Texts that people review as a diff: what a command says, with ids and times replaced by names.

To accept a change, run the test with TANDEM_ACCEPT_GOLDEN=1 and read the diff before it is committed.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"

_RANDOM = {
    "<time>": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
    "<date>": re.compile(r"\d{4}-\d\d-\d\d"),
    "<guid>": re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
}
"""What no test chose, and the word for it."""


def check_golden(name: str, text: str) -> None:
    path = FOLDER / f"{name}.txt"
    if os.environ.get("TANDEM_ACCEPT_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def normalised(text: str, names: Mapping[str, str]) -> str:
    """`text` with each id of `names` as its name, times and other ids as one word, and its blocks (a line with the
    indented lines behind it) in order: new records have random ids, and the sides answer in the order of ids."""
    text = re.sub(r"^People in Marketo: .*\n", "", text, flags=re.MULTILINE)  # it counts what other tests left there
    for id_, name in names.items():
        is_number = id_.isdecimal()  # a number may also be a count
        pattern = rf"(?<=  for ){id_}$|(?<= and ){id_}(?=:)|(?<= person ){id_}(?=  for|\))" if is_number else id_
        text = re.sub(pattern, f"<{name}>", text, flags=re.MULTILINE)
    for word, random in _RANDOM.items():
        text = random.sub(word, text)
    blocks: list[str] = []
    for line in text.splitlines():
        if line.startswith(" ") and blocks:
            blocks[-1] += f"\n{line}"
        else:
            blocks.append(line)
    is_sum = re.compile(r"In (Dynamics|Marketo):|Linked without|Applying|Fields to create")
    return "\n".join(sorted(blocks, key=lambda block: (bool(is_sum.match(block)), block))) + "\n"


def without_users(text: str) -> str:
    """The seeded users become sales persons; they are not what the story is about, and the sums count them."""
    lines, is_user = [], False
    for line in text.splitlines(keepends=True):
        is_user = line.startswith("marketing create salesperson") or (is_user and line.startswith(" "))
        lines += [] if is_user else [line]
    return "".join(lines)
