"""The cursor of Marketo's people: where each feed is, and how far a full read has come."""

import msgspec

from tandem.core.errors import CursorExpiredError
from tandem.core.record import Cursor, Side


class Chain(msgspec.Struct, frozen=True):
    """One feed's place: its token, the time (epoch seconds) up to which it was read, when it is due again."""

    token: str
    at: float
    due: float


class ExtractPlace(msgspec.Struct, frozen=True):
    """A full read by files, each of the people created in a window of time from ``since`` to ``until``.

    ``jobs`` are the exports of the window being read and of those after it; ``offset`` is the first byte of the file
    not read yet; ``polls`` counts looks in vain, ``failures`` jobs of this window that came to nothing.
    """

    since: float
    until: float
    window: int = 0
    jobs: tuple[str, ...] = ()
    offset: int = 0
    polls: int = 0
    failures: int = 0


class Place(msgspec.Struct, frozen=True):
    """The cursor. ``next`` is the first id of the full read not read yet, 0 once all are. ``again`` holds the tokens of
    a re-read of the overlap that is under way. ``extract`` is there while people are read by files."""

    next: int
    highest: int
    feeds: dict[str, Chain]
    again: dict[str, str]
    again_from: float
    again_due: float
    extract: ExtractPlace | None = None

    @property
    def is_full_read(self) -> bool:
        return self.next > 0 or self.extract is not None

    def as_cursor(self) -> Cursor:
        return Cursor(msgspec.json.encode(self).decode())


def parse_cursor(cursor: Cursor) -> Place:
    try:
        return msgspec.json.decode(cursor, type=Place)
    except msgspec.DecodeError:
        raise expired("The cursor of Marketo's people is not readable") from None


def expired(text: str) -> CursorExpiredError:
    return CursorExpiredError(f"{text}; everyone is read again.", side=Side.MARKETING, operation="changes")
