"""What the parts of the memory store stand on: its state, and the two things that the store itself does with it."""

from typing import TYPE_CHECKING

from tandem.core.record import Lane, LinkNumber

if TYPE_CHECKING:
    from tandem.store.memory import MemoryState


class MemoryPart:
    """A part of ``MemoryStore``, in a module of its own."""

    state: "MemoryState"

    def _writable(self) -> "MemoryState":
        raise AssertionError("the store says whether it may be written")

    def _make_due(self, number: LinkNumber, lane: Lane = Lane.NORMAL) -> None:
        raise AssertionError("the store keeps what is due")
