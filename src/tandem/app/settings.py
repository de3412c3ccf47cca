"""The settings as the command line sees them: loaded, or written for the first time."""

from pathlib import Path

from tandem.config import Config, load_config, render_template
from tandem.core.errors import ConfigError

__all__ = ["Config", "load_config", "write_template"]


def write_template(path: Path, *, replaces: bool = False) -> None:
    """Write the commented settings file.

    Raises:
        ConfigError: the file is there already, or cannot be written.
    """
    try:
        with path.open("w" if replaces else "x", encoding="utf-8") as file:
            file.write(render_template())
    except FileExistsError as error:
        raise ConfigError(f"{path} exists already; --force replaces it.") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error
