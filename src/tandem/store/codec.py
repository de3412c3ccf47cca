"""How values are stored: MessagePack arrays, compact and exact in kind; UNKNOWN has a spelling of its own.

The places of an array are given by its shape, which the row names; nothing here knows a field's name.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from tandem.core.mapping import Winner
from tandem.core.plan import Conflict, ConflictKind, FieldWrite
from tandem.core.record import UNKNOWN, Base, Unknown, Value, Values

UNKNOWN_CODE = 0


def _encode_unknown(value: object) -> msgspec.msgpack.Ext:
    assert isinstance(value, Unknown), f"{type(value).__name__} is not a value"
    return msgspec.msgpack.Ext(UNKNOWN_CODE, b"")


def _decode_unknown(code: int, data: memoryview) -> Unknown:
    assert code == UNKNOWN_CODE, f"the store holds a value of unknown kind {code}"
    return UNKNOWN


_encode = msgspec.msgpack.Encoder(enc_hook=_encode_unknown).encode
_decode_values = msgspec.msgpack.Decoder(tuple[Any, ...]).decode
_decode_halves = msgspec.msgpack.Decoder(tuple[tuple[Any, ...], tuple[Any, ...]], ext_hook=_decode_unknown).decode
_decode_writes = msgspec.msgpack.Decoder(tuple[tuple[str, str, Any, Any, Any, str], ...]).decode
_decode_four = msgspec.msgpack.Decoder(tuple[Any, Any, Any, Any], ext_hook=_decode_unknown).decode
_decode_by_name = msgspec.msgpack.Decoder(dict[str, Any]).decode


def encode_values(values: Values) -> bytes:
    return _encode(values)


def decode_values(data: bytes) -> Values:
    return _decode_values(data)


def encode_base(base: Base) -> bytes:
    return _encode((base.crm, base.marketing))


def decode_base(data: bytes) -> Base:
    return Base(*_decode_halves(data))


def encode_writes(writes: tuple[FieldWrite, ...]) -> bytes:
    return _encode(tuple((w.pair, w.field, w.before, w.after, w.source, w.reason) for w in writes))


def decode_writes(data: bytes) -> tuple[FieldWrite, ...]:
    return tuple(FieldWrite(*parts) for parts in _decode_writes(data))


def encode_by_name(values: Mapping[str, Value] | None) -> bytes | None:
    return None if values is None else _encode(dict(values))


def decode_by_name(data: bytes | None) -> dict[str, Value] | None:
    return None if data is None else _decode_by_name(data)


def encode_conflict_values(conflict: Conflict) -> bytes:
    return _encode((conflict.base_crm, conflict.base_marketing, conflict.crm, conflict.marketing))


def decode_conflict(kind: str, field: str, values: bytes, winner: str, reason: str) -> Conflict:
    return Conflict(ConflictKind(kind), field, *_decode_four(values), Winner(winner), reason)
