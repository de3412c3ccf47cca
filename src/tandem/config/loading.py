"""Reading ``tandem.toml``: either a checked Config, or one sentence that says which setting and what would be right."""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tandem.config.model import Config, StoreConfig
from tandem.config.reference import Setting, iter_settings
from tandem.config.secrets import SECRET_NAMES, place_of
from tandem.config.sides import CrmConfig, MarketingConfig
from tandem.core.errors import ConfigError

_SECRET_WORD: Final = re.compile(r"secret|password|token|api_?key", re.IGNORECASE)
_MUST: Final = re.compile(r"^.*? should ")
_SQLITE: Final = "sqlite:///"
_Side = TypeVar("_Side", CrmConfig, MarketingConfig)


def load_config(path: Path) -> Config:
    """The settings in `path`, file names in them made absolute.

    Raises:
        ConfigError: the file or a setting in it is wrong; the message names both and the remedy.
    """
    document = _read(path)
    _refuse_secrets(path, document)
    try:
        config = Config.model_validate(document)
    except ValidationError as error:
        raise ConfigError(_sentence(path, error.errors(include_url=False))) from None
    return _with_absolute_paths(config, path.absolute().parent)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"There is no settings file {path}: run tandem init, or name one with --config.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {_lower_first(str(error))}; correct the file there.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text: save it in that encoding.") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}): check the name and its permissions.") from None


def _refuse_secrets(path: Path, document: Mapping[str, Any]) -> None:
    for setting in _iter_keys(document, ()):
        if _SECRET_WORD.search(setting[-1]):
            name = next((name for name in SECRET_NAMES if name == "_".join(setting)), SECRET_NAMES[0])
            raise ConfigError(
                f"{path}: {'.'.join(setting)} is a secret, and secrets do not belong in this file: delete the line,"
                f" change the secret if others could read it, and give it in {place_of(name)}."
            )
    url = document.get("store", {}).get("url") if isinstance(document.get("store"), dict) else None
    if isinstance(url, str) and re.search(r"://[^/@]*:[^/@]+@", url):
        raise ConfigError(
            f"{path}: store.url holds a password, and secrets do not belong in this file: take it out and give it in"
            " PGPASSWORD or ~/.pgpass."
        )


def _iter_keys(table: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for key, value in table.items():
        yield (*above, key)
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict):
                yield from _iter_keys(inner, (*above, key))


def _sentence(path: Path, errors: Sequence[ErrorDetails]) -> str:
    more = f" ({len(errors) - 1} more after this one)" if len(errors) > 1 else ""
    return f"{path}: {_describe(errors[0])}{more}"


def _describe(error: ErrorDetails) -> str:
    place = tuple(error["loc"])
    name = _dotted(place)
    setting = _find_setting(place)
    remedy = setting.description if setting else ""
    match error["type"]:
        case "extra_forbidden":
            return f"{name} is not a setting; {_suggestion(place)}."
        case "missing" if setting and setting.is_table:
            return f"the section [{name}] is missing; add it, or let tandem init write the file anew."
        case "missing":
            return f"{name} is missing. {remedy}"
        case "string_too_short":
            return f"{name} is empty. {remedy}"
        case "model_type":
            return f"{name} must be a section, [{name}], with its settings below it."
        case "value_error":
            return f"{name}: {error['ctx']['error']}."
        case _:
            return f"{name} {_MUST.sub('must ', error['msg'])}. {remedy}".rstrip()


def _dotted(place: Sequence[int | str]) -> str:
    """``entities.contact.fields[2].winner``, counting from one as people do."""
    text = ""
    for part in place:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _find_setting(place: Sequence[int | str]) -> Setting | None:
    names = [part for part in place if isinstance(part, str)]
    return next((setting for setting in iter_settings(Config) if setting.names == tuple(names)), None)


def _suggestion(place: Sequence[int | str]) -> str:
    names = tuple(part for part in place if isinstance(part, str))
    siblings = [setting.names[-1] for setting in iter_settings(Config) if setting.names[:-1] == names[:-1]]
    close = difflib.get_close_matches(names[-1], siblings, n=1)
    if close:
        return f"did you mean {close[0]}"
    return f"known here: {', '.join(siblings)}" if siblings else "delete it"


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _with_absolute_paths(config: Config, folder: Path) -> Config:
    """File names in the settings are relative to the file they stand in, not to where the command runs."""
    return config.model_copy(
        update={
            "crm": _with_certificate(_with_ca_file(config.crm, folder), folder),
            "marketing": _with_ca_file(config.marketing, folder),
            "store": StoreConfig(url=_absolute_store(config.store.url, folder)),
        }
    )


def _with_ca_file(section: _Side, folder: Path) -> _Side:
    return section.model_copy(update={"ca_file": folder / section.ca_file}) if section.ca_file else section


def _with_certificate(section: CrmConfig, folder: Path) -> CrmConfig:
    if section.certificate_file is None:
        return section
    return section.model_copy(update={"certificate_file": folder / section.certificate_file})


def _absolute_store(url: str, folder: Path) -> str:
    name = url.removeprefix(_SQLITE)
    return url if name == url or name == ":memory:" else f"{_SQLITE}{folder / name}"
