"""Copies of an emulator's database in memory, by number: what a test goes back to between two runs."""

import sqlite3

from tandem_emulators.kit.errors import ControlError


class Snapshots:
    def __init__(self) -> None:
        self._taken: dict[int, sqlite3.Connection] = {}
        self._last_id = 0

    def numbers(self) -> list[int]:
        return sorted(self._taken)

    def new(self) -> tuple[int, sqlite3.Connection]:
        """The next number and an empty database for it; the caller fills it."""
        self._last_id += 1
        self._taken[self._last_id] = sqlite3.connect(":memory:", check_same_thread=False)
        return self._last_id, self._taken[self._last_id]

    def get(self, number: str) -> sqlite3.Connection:
        found = self._taken.get(int(number)) if number.isdecimal() else None
        if found is None:
            raise ControlError(f"There is no snapshot {number}.")
        return found

    def drop(self, number: str) -> None:
        self.get(number).close()
        del self._taken[int(number)]

    def close(self) -> None:
        for connection in self._taken.values():
            connection.close()
