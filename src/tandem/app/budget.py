"""What was known of Marketo's day when the last pass ended, kept in the store for whoever asks (R12)."""

from typing import Final

import msgspec

from tandem.ports import Budget, Store

_SETTING: Final = "budget"


def save_budget(store: Store, budget: Budget | None) -> None:
    if budget is not None:
        store.save_setting(_SETTING, msgspec.json.encode(budget).decode())


def load_budget(store: Store) -> Budget | None:
    text = store.load_setting(_SETTING)
    return msgspec.json.decode(text, type=Budget) if text else None
