"""The usual text of a code, for errors that are injected by their code alone."""

from functools import cache

import msgspec

from tandem_emulators.marketo.catalogue import load_json

_FILLED = {"606": "Max rate limit '100' exceeded with in '20' secs", "615": "Concurrent access limit '10' reached"}


class _Known(msgspec.Struct, rename="camel"):
    code: str
    documented_message: str
    observed_messages: list[str] = []


def message_of(code: str) -> str:
    return _FILLED.get(code) or _messages().get(code, "System error")


@cache
def _messages() -> dict[str, str]:
    known = msgspec.json.decode(load_json("error-codes.json"), type=dict[str, str | list[_Known]])["errors"]
    assert isinstance(known, list)
    return {
        each.code: each.observed_messages[0] if each.observed_messages else each.documented_message for each in known
    }
