"""Paging tokens: opaque base32 that only this subscription can read (2.6).

A token is a small struct, enciphered with a keyed four-round Feistel network over its two halves, so that it looks
like block-cipher output and a client cannot be tempted to look inside. A token that was tampered with, or that
belongs to another query, is refused with 1003. The token of a feed holds the moment it was given: how long it is good
for is a switch.
"""

import base64
import binascii
import hashlib
import struct
from dataclasses import dataclass

from tandem_emulators.marketo.errors import ApiError, invalid

_LAYOUT = struct.Struct(">3sBIqqq")  # check, kind, time, three numbers: 32 bytes, 56 characters of base32
_HALF = _LAYOUT.size // 2


@dataclass(frozen=True, slots=True)
class FeedToken:
    """A place in the activity log: commit order, plus the date a fresh token asks for (0 once the chain caught up)."""

    since_s: int
    committed_ms: int
    activity_id: int


@dataclass(frozen=True, slots=True)
class PositionToken:
    """A place in a result set, bound to the query it came from."""

    query: int
    after: int


class Tokens:
    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def write_feed(self, token: FeedToken, now_s: float) -> str:
        return self._write(1, min(max(int(now_s), 0), 2**32 - 1), token.since_s, token.committed_ms, token.activity_id)

    def read_feed(self, text: str, now_s: float, lifetime_s: float) -> FeedToken:
        given_s, *numbers = self._read(1, text)
        if 0 < lifetime_s <= now_s - given_s:
            raise _refused(text)
        return FeedToken(*numbers)

    def write_position(self, token: PositionToken) -> str:
        return self._write(2, 0, token.query, token.after, 0)

    def read_position(self, text: str | None, query: int) -> int:
        """Where the result set goes on; 0 for its beginning."""
        if not text:
            return 0
        _, found, after, _ = self._read(2, text)
        if found != query:
            raise _refused(text)
        return after

    def _write(self, kind: int, *numbers: int) -> str:
        check = hashlib.blake2b(repr((kind, numbers)).encode(), key=self._secret, digest_size=3).digest()
        return base64.b32encode(self._cipher(_LAYOUT.pack(check, kind, *numbers), (0, 1, 2, 3))).decode()

    def _read(self, kind: int, text: str) -> tuple[int, ...]:
        try:
            plain = self._uncipher(base64.b32decode(text))
            check, found, *numbers = _LAYOUT.unpack(plain)
        except (binascii.Error, ValueError, struct.error) as refusal:
            raise _refused(text) from refusal
        expected = hashlib.blake2b(repr((found, tuple(numbers))).encode(), key=self._secret, digest_size=3).digest()
        if found != kind or check != expected:
            raise _refused(text)
        return tuple(numbers)

    def _cipher(self, block: bytes, rounds: tuple[int, ...]) -> bytes:
        left, right = block[:_HALF], block[_HALF:]
        for number in rounds:
            left, right = right, _xor(left, self._round(number, right))
        return left + right

    def _uncipher(self, block: bytes) -> bytes:
        if len(block) != _LAYOUT.size:
            raise ValueError("a token of the wrong length")
        swapped = self._cipher(block[_HALF:] + block[:_HALF], (3, 2, 1, 0))
        return swapped[_HALF:] + swapped[:_HALF]

    def _round(self, number: int, half: bytes) -> bytes:
        return hashlib.blake2b(half, key=self._secret, salt=bytes([number]), digest_size=_HALF).digest()


def query_mark(*parts: object) -> int:
    """A number that stands for a query, so that its token fits no other."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=7).digest())


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one) ^ int.from_bytes(other)).to_bytes(len(one))


def _refused(text: str) -> ApiError:
    return invalid(f"Invalid token value: [{text}]")
