"""One transaction on one sync: what every query takes."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from typing import TypeAlias, TypeVar

from sqlalchemy import Connection, Table, select, update
from sqlalchemy.dialects.postgresql import Insert as PostgresqlInsert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert

from tandem.core.record import Entity, ReadNumber, Side
from tandem.store.rules import Names
from tandem.store.tables import shapes, syncs

Insert: TypeAlias = Callable[[Table], SqliteInsert | PostgresqlInsert]
"""An insert that knows ON CONFLICT: the databases spell it alike, SQLAlchemy has one class for each."""

T = TypeVar("T")

# Both databases take far more parameters; longer lists gain nothing.
CHUNK_SIZE = 2_000


def in_chunks(values: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(values)
    while chunk := list(islice(rest, CHUNK_SIZE)):
        yield chunk


@dataclass(slots=True)
class Shapes:
    """The shapes declared by ``use_mappings``, and the names of every shape met so far."""

    pairs: dict[Entity, int] = field(default_factory=dict)
    fields: dict[tuple[Side, Entity], int] = field(default_factory=dict)
    names: dict[int, Names] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Transaction:
    connection: Connection
    sync: int
    shapes: Shapes
    insert: Insert

    def next_read_number(self) -> ReadNumber:
        drawn = (
            update(syncs)
            .where(syncs.c.id == self.sync)
            .values(read_number=syncs.c.read_number + 1)
            .returning(syncs.c.read_number)
        )
        return ReadNumber(self.connection.execute(drawn).scalar_one())

    def names_of(self, shape: int) -> Names:
        known = self.shapes.names
        if shape not in known:
            names = self.connection.execute(select(shapes.c.names).where(shapes.c.id == shape)).scalar_one()
            known[shape] = tuple(json.loads(names))
        return known[shape]

    def ensure_shape(self, names: Names) -> int:
        text = json.dumps(names)
        digest = sha256(text.encode()).hexdigest()
        row = {"sync_id": self.sync, "digest": digest, "names": text}
        self.connection.execute(self.insert(shapes).on_conflict_do_nothing(), row)
        is_it = (shapes.c.sync_id == self.sync) & (shapes.c.digest == digest)
        shape = int(self.connection.execute(select(shapes.c.id).where(is_it)).scalar_one())
        self.shapes.names[shape] = names
        return shape
