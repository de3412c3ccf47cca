"""The settings of a scene: the stage's own, with a story's tables laid over them, as a ``tandem.toml``."""

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from tandem.config.reference import render_toml


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Tables are merged; any other value of `above` takes the place of the one below."""
    result = dict(below)
    for name, value in above.items():
        under = result.get(name)
        result[name] = merged(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return result


def parse(text: str) -> dict[str, Any]:
    return tomllib.loads(text)


def render(document: Mapping[str, Any]) -> str:
    return "\n".join(_table(document, ())) + "\n"


def _table(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    """First the values of a table, then the tables in it, as TOML wants it."""
    inner = {name: value for name, value in table.items() if _is_table(value) or _is_list_of_tables(value)}
    yield from (f"{_key(name)} = {_value(value)}" for name, value in table.items() if name not in inner)
    for name, value in inner.items():
        place = (*path, _key(name))
        for each in [value] if _is_table(value) else value:
            yield f"[{'.'.join(place)}]" if _is_table(value) else f"[[{'.'.join(place)}]]"
            yield from _table(each, place)


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping)


def _is_list_of_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_table, value))


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else render_toml(name)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(name)} = {_value(each)}" for name, each in value.items()) + "}"
    return f"[{', '.join(map(_value, value))}]" if isinstance(value, list) else render_toml(value)
