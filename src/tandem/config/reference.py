"""The list of all settings, made from the model: what the reference page and the template are rendered from.

``python -m tandem.config.reference`` prints the page ``docs/reference/settings.md``.
"""

import json
import types
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tandem.config.model import Config
from tandem.config.secrets import KEYRING_SERVICE, SECRET_NAMES, variable_of
from tandem.config.section import ASKED

PAGE_HEAD: Final = """# Settings

All settings of `tandem.toml`. A setting without a default must be given; an unknown one is refused. The file that
`tandem init` writes lists the same settings with their defaults.
"""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, or a whole table (``kind`` empty). ``names`` is its dotted path; ``in_list`` for a table that may be
    repeated, ``[[entities.contact.fields]]``."""

    names: tuple[str, ...]
    kind: str
    description: str
    default: Any = None
    is_required: bool = False
    in_list: bool = False

    @property
    def dotted(self) -> str:
        return ".".join(self.names)

    @property
    def is_table(self) -> bool:
        return not self.kind


def iter_settings(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[Setting]:
    """Every setting of `model`, each table before what is in it, in the order of the model."""
    for name, info in model.model_fields.items():
        names, inner = (*above, name), _inner_model(info.annotation)
        description = info.description or ""
        if inner is None:
            is_asked = info.is_required() or info.json_schema_extra == ASKED
            yield Setting(names, _kind(info.annotation), description, _default(info), is_asked)
        else:
            in_list = get_origin(info.annotation) is tuple
            yield Setting(names, "", description, is_required=info.is_required(), in_list=in_list)
            yield from iter_settings(inner, names)


def render_toml(value: Any) -> str:
    """A default as TOML spells it."""
    match value:
        case Enum():
            return render_toml(value.value)
        case bool():
            return "true" if value else "false"
        case str() | Path():  # JSON's escapes are TOML's, but for the one control character JSON leaves alone
            return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
        case tuple() | list():
            return f"[{', '.join(map(render_toml, value))}]"
        case _:
            return str(value)


def render_page() -> str:
    """The reference page, in Markdown."""
    parts = [PAGE_HEAD]
    for setting in iter_settings(Config):
        if setting.is_table:
            parts.append(f"\n## {_heading(setting)}\n\n{setting.description}\n")
            if _has_settings(setting):
                parts.append("\n| setting | type | default | meaning |\n| --- | --- | --- | --- |\n")
        else:
            parts.append(_row(setting))
    parts.append(_secrets())
    return "".join(parts)


def _has_settings(table: Setting) -> bool:
    return any(not inner.is_table and inner.names[:-1] == table.names for inner in iter_settings(Config))


def _heading(table: Setting) -> str:
    return f"`[[{table.dotted}]]`" if table.in_list else f"`[{table.dotted}]`"


def _row(setting: Setting) -> str:
    if setting.is_required:
        default = "required"
    else:
        default = "unset" if setting.default is None else f"`{render_toml(setting.default)}`"
    kind, meaning = (text.replace("|", "\\|") for text in (setting.kind, setting.description))
    return f"| `{setting.names[-1]}` | {kind} | {default} | {meaning} |\n"


def _secrets() -> str:
    rows = "".join(
        f"| `{name}` | `{variable_of(name)}` | `{variable_of(name)}_FILE` | `keyring set {KEYRING_SERVICE} {name}` |\n"
        for name in SECRET_NAMES
    )
    return (
        "\n## Secrets\n\nSecrets never stand in the file. The first of these places that has one is used; setting both"
        " variables of one secret is an error.\n\n| secret | variable | variable naming a file | keyring |\n"
        f"| --- | --- | --- | --- |\n{rows}"
    )


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    candidate = get_args(annotation)[0] if get_origin(annotation) is tuple else annotation
    return candidate if isinstance(candidate, type) and issubclass(candidate, BaseModel) else None


def _default(info: FieldInfo) -> Any:
    value = info.get_default(call_default_factory=False)
    return None if value is PydanticUndefined else value


_WORDS: Final[dict[Any, str]] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "file",
}


def _kind(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Literal:
        return " or ".join(f"`{render_toml(value)}`" for value in get_args(annotation))
    if origin in (Union, types.UnionType):
        return " or ".join(_kind(part) for part in get_args(annotation) if part is not type(None))
    if origin is tuple:
        return f"list of {_kind(get_args(annotation)[0])}"
    if hasattr(annotation, "__metadata__"):
        return _kind(get_args(annotation)[0])
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(f"`{render_toml(member)}`" for member in annotation)
    return _WORDS[annotation]


if __name__ == "__main__":
    print(render_page(), end="")
