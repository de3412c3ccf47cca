"""Lead partitions: which there are, and which of them the API user may see (3.2)."""

from dataclasses import dataclass
from typing import Any

from tandem_emulators.marketo.errors import ApiError
from tandem_emulators.marketo.store import Store

DEFAULT = 1


@dataclass(frozen=True, slots=True)
class Partition:
    id: int
    name: str
    description: str | None
    is_accessible: bool


class Partitions:
    def __init__(self, store: Store) -> None:
        self._store = store
        if store.one("SELECT 1 FROM partition") is None:
            self.create("Default", "Initial system lead partition")

    def create(self, name: str, description: str | None = None, *, is_accessible: bool = True) -> int:
        sql = "INSERT INTO partition (name, description, is_accessible) VALUES (?, ?, ?)"
        return self._store.run(sql, (name, description, is_accessible))

    def all(self) -> list[Partition]:
        rows = self._store.rows("SELECT id, name, description, is_accessible FROM partition ORDER BY id")
        return [Partition(number, name, text, bool(accessible)) for number, name, text, accessible in rows]

    def get(self, name: Any) -> Partition:
        """One that the API user may use; its refusal is the same whether it is missing or forbidden.

        Raises:
            ApiError: 1009, no name; 1008, no such partition for this user.
        """
        if name is None or name == "":
            raise ApiError("1009", "Partition name must be specified")
        found = self.find(name)
        if found is None:
            raise ApiError("1008", f"Access denied to partition '{name}'")
        return found

    def find(self, name: Any) -> Partition | None:
        """One that the API user may use."""
        return next((each for each in self.all() if each.name == name and each.is_accessible), None)
