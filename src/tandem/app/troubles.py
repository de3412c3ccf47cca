"""What is wrong with the settings of a running process: it stands in the store, for `tandem status` to tell."""

from typing import Final

from tandem.app.build import open_state
from tandem.config.model import Config
from tandem.ports import Store

_SETTING: Final = "settings_trouble"


def note_trouble(config: Config, text: str) -> None:
    store = open_state(config)
    try:
        store.save_setting(_SETTING, text)
    finally:
        store.close()


def forget_trouble(store: Store) -> None:
    if store.load_setting(_SETTING):
        store.save_setting(_SETTING, "")


def load_trouble(store: Store) -> str | None:
    return store.load_setting(_SETTING) or None
