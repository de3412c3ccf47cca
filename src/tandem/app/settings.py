"""The settings as the command line sees them: loaded, or written for the first time."""

from collections.abc import Mapping
from pathlib import Path

from tandem.config.loading import load_config
from tandem.config.model import Config
from tandem.config.secrets import get_secret
from tandem.config.template import render_template
from tandem.core.errors import ConfigError

__all__ = ["Config", "load_config", "webhook_secret", "write_settings"]


def webhook_secret() -> str:
    """What callers of the webhooks must know. Raises: ConfigError."""
    return get_secret("webhook_secret")


def write_settings(path: Path, values: Mapping[str, object] | None = None, *, replaces: bool = False) -> None:
    """Write the commented settings file with `values` by dotted name (``crm.url``) filled in.

    Raises:
        ConfigError: the file is there already, or cannot be written.
    """
    try:
        with path.open("w" if replaces else "x", encoding="utf-8") as file:
            file.write(render_template(values))
    except FileExistsError as error:
        raise ConfigError(f"{path} exists already; --force replaces it.") from error
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written ({error.strerror}): check the name and its permissions."
        ) from error
