"""Custom activity types as they are kept: for each a live version, and a draft of the next one (5.5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from tandem_emulators.marketo.store import Store

FIRST_ID = 100_001
_TABLE = """
CREATE TABLE IF NOT EXISTS activity_type (id INTEGER PRIMARY KEY, api_name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    live TEXT, draft TEXT, created_s INTEGER NOT NULL, updated_s INTEGER NOT NULL);
"""


class Attribute(msgspec.Struct, rename="camel", omit_defaults=True):
    api_name: str
    name: str
    data_type: str
    description: str = ""


class Version(msgspec.Struct, rename="camel", omit_defaults=True):
    """What a type says of itself, live or in draft."""

    name: str
    trigger_name: str
    filter_name: str
    primary_attribute: Attribute | None
    description: str = ""
    attributes: list[Attribute] = []


@dataclass(slots=True)
class ActivityType:
    id: int
    api_name: str
    live: Version | None
    draft: Version | None
    created_s: int
    updated_s: int

    @property
    def status(self) -> str:
        if self.live is None:
            return "draft"
        return "approved" if self.draft is None else "approved with draft"


class ActivityTypes:
    def __init__(self, store: Store) -> None:
        self._store = store
        store.db.executescript(_TABLE)

    def all(self) -> list[ActivityType]:
        return [_type(row) for row in self._store.rows("SELECT * FROM activity_type ORDER BY id")]

    def find(self, api_name: str) -> ActivityType | None:
        row = self._store.one("SELECT * FROM activity_type WHERE api_name = ?", (api_name,))
        return _type(row) if row else None

    def live(self, ids: Sequence[int]) -> dict[int, Version]:
        """The live versions of those of the ids that have one."""
        return {kind.id: kind.live for kind in self.all() if kind.id in ids and kind.live is not None}

    def add(self, api_name: str, draft: Version, now_s: int) -> ActivityType:
        number = max(FIRST_ID, self._store.number("SELECT max(id) FROM activity_type") + 1)
        kind = ActivityType(number, api_name, None, draft, now_s, now_s)
        self.save(kind)
        return kind

    def save(self, kind: ActivityType) -> None:
        versions = (None if each is None else msgspec.json.encode(each).decode() for each in (kind.live, kind.draft))
        self._store.run(
            "INSERT OR REPLACE INTO activity_type VALUES (?, ?, ?, ?, ?, ?)",
            (kind.id, kind.api_name, *versions, kind.created_s, kind.updated_s),
        )

    def delete(self, kind: ActivityType) -> None:
        self._store.run("DELETE FROM activity_type WHERE id = ?", (kind.id,))

    def is_used(self, kind: ActivityType) -> bool:
        return self._store.one("SELECT 1 FROM activity WHERE type_id = ? LIMIT 1", (kind.id,)) is not None


def _type(row: tuple[Any, ...]) -> ActivityType:
    number, api_name, live, draft, created_s, updated_s = row
    return ActivityType(number, api_name, _version(live), _version(draft), created_s, updated_s)


def _version(doc: str | None) -> Version | None:
    return None if doc is None else msgspec.json.decode(doc, type=Version)
