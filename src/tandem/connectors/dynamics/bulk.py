"""CreateMultiple and UpdateMultiple: many records in one transaction, for writes that need no version.

All or nothing: one bad record undoes the message, and the answer does not say which one it was. So the halves of a
failed message go in the next call, and so on until the bad record is alone and has an answer of its own. Every round is
one batch, however many messages failed in the one before: two hundred records take nine calls at the most.

A create's answer holds only ids, so the same call reads back what the service made of the values. An update by these
messages concerns columns that nobody else writes: what was sent is what is there.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Final

from tandem.connectors.dynamics.batch import Part, PartAnswer
from tandem.connectors.dynamics.client import fault_of
from tandem.connectors.dynamics.errors import Fault, again
from tandem.connectors.dynamics.reader import COMPARISONS_MAX, FILTER_LENGTH_MAX
from tandem.connectors.dynamics.single import SingleWrites, check_privilege
from tandem.connectors.dynamics.wire import filter_chunks, render_equals
from tandem.core.errors import RemoteError, UnknownOutcomeError
from tandem.core.plan import ActionKind
from tandem.core.record import Presence, RecordId
from tandem.ports import Reading, WriteResult, Written

_MESSAGES: Final = {ActionKind.CREATE: "CreateMultiple", ActionKind.UPDATE: "UpdateMultiple"}
_PREFIX: Final = "Microsoft.Dynamics.CRM."

Send = Callable[[Sequence[Part]], Awaitable[list[PartAnswer]]]
"""One batch with continue-on-error."""

Piece = range
"""The records of one message, by their numbers among the writes."""


class NoBulkMessageError(Exception):
    """The table does not have the message; nothing was written."""


class BulkWrite:
    """One write call, from the message for all records down to the bad ones alone."""

    def __init__(self, singles: SingleWrites, send: Send) -> None:
        self._singles = singles
        self._send = send
        self._everybody = range(len(singles.writes))
        self._shape = singles.shapes.of(singles.table, {name for write in singles.writes for name in write.values})
        self._results: dict[int, WriteResult] = {}
        self._faults: dict[int, Fault | None] = {}

    async def run(self) -> list[WriteResult]:
        """The results in the order of the writes.

        Raises:
            NoBulkMessageError: send them one by one.
            AccessError: the role lacks the privilege for every record.
            UnknownOutcomeError: a call got no answer; earlier ones may have written.
        """
        pieces: list[Piece] = [self._everybody]
        while pieces:
            pieces = await self._round(pieces)
        check_privilege([self._faults.get(number) for number in self._everybody], self._singles.operation)
        return [self._results[number] for number in self._everybody]

    async def _round(self, pieces: Sequence[Piece]) -> list[Piece]:
        """One call; what is still to be sent after it."""
        parts = [self._parts(piece) for piece in pieces]
        try:
            answers = iter(await self._send([part for own in parts for part in own]))
        except UnknownOutcomeError:
            raise
        except RemoteError:
            if not any(isinstance(result, Written) for result in self._results.values()):
                raise
            # Some are written, so it cannot be said that the call failed: the rest is planned again.
            for piece in pieces:
                self._settle(piece, again(self._singles.kind))
            return []
        return [half for piece, own in zip(pieces, parts, strict=True) for half in self._take(piece, answers, len(own))]

    def _take(self, piece: Piece, answers: Iterator[PartAnswer], count: int) -> Sequence[Piece]:
        """Keep what the answers to one piece say; its halves where it failed as a whole."""
        first, *reads = islice(answers, count)
        fault = fault_of(first)
        self._faults.update(dict.fromkeys(piece, fault))
        if len(piece) == 1:
            self._results[piece[0]] = self._singles.result(piece[0], first)
        elif fault is None:
            self._results.update(self._written(piece, reads))
        elif fault.is_throttled:
            self._settle(piece, again(self._singles.kind))
        elif fault.is_unknown_resource:
            raise NoBulkMessageError
        else:
            middle = len(piece) // 2
            return [piece[:middle], piece[middle:]]
        return []

    def _settle(self, piece: Piece, result: WriteResult) -> None:
        self._results.update(dict.fromkeys(piece, result))

    # --- what is sent

    def _parts(self, piece: Piece) -> list[Part]:
        """A record that is alone goes as a conditional write of its own."""
        if len(piece) == 1:
            return [self._singles.part(piece[0])]
        table, kind = self._singles.table, self._singles.kind
        items = b",".join(self._target(number) for number in piece)
        path = f"{table.set_name}/{_PREFIX}{_MESSAGES[kind]}"
        body = b'{"Targets":[' + items + b"]}"
        message = Part("POST", path, {"Content-Type": "application/json"}, body, items=len(piece))
        return [message, *(self._reads(piece) if kind is ActionKind.CREATE else [])]

    def _target(self, number: int) -> bytes:
        table = self._singles.table
        named = {"@odata.type": f"{_PREFIX}{table.entity}", table.primary_id: self._singles.id(number)}
        return self._singles.body(number, named)

    def _reads(self, piece: Piece) -> list[Part]:
        table = self._singles.table
        comparisons = (render_equals(table, "@id", self._singles.id(number)) for number in piece)
        chains = filter_chunks(comparisons, count_max=COMPARISONS_MAX, length_max=FILTER_LENGTH_MAX)
        return [Part("GET", f"{table.set_name}?$select={self._shape.select}&$filter={chain}") for chain in chains]

    # --- what came of it

    def _written(self, piece: Piece, reads: Sequence[PartAnswer]) -> dict[int, WriteResult]:
        """They are written, whatever became of reading them back."""
        read: dict[RecordId, Reading] = {}
        for answer in reads:
            with suppress(RemoteError):
                page = self._shape.parse_page(answer.body, "written records")
                read.update((reading.id, reading) for reading in page.readings)
        return {number: self._as_read(number, read.get(self._singles.id(number))) for number in piece}

    def _as_read(self, number: int, reading: Reading | None) -> Written:
        id_ = self._singles.id(number)
        if reading is None or reading.presence is not Presence.PRESENT:
            return Written(id_)
        values = dict(zip(self._shape.fields, reading.values, strict=True))
        sent = self._singles.writes[number].values
        return Written(id_, reading.version, {name: values[name] for name in sent if name in values})
