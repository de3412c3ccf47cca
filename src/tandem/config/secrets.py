"""Secrets: from the environment, from a file that the environment names, or from the system's keyring. Never from
``tandem.toml``, and never in a representation, a log or a message."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tandem.config.model import Config
from tandem.core.errors import ConfigError

KEYRING_SERVICE: Final = "tandem"
SECRET_NAMES: Final = ("crm_client_secret", "crm_password", "marketing_client_secret", "notify_urls", "webhook_secret")
"""Names in the keyring; in the environment ``TANDEM_`` and upper case."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the two sides are signed in with; None where the configuration does not ask for it."""

    marketing_client_secret: str = field(repr=False)
    crm_client_secret: str | None = field(default=None, repr=False)
    crm_password: str | None = field(default=None, repr=False)


def load_secrets(config: Config, environment: Mapping[str, str] = os.environ) -> Secrets:
    """The secrets that `config` needs.

    Raises:
        ConfigError: one is missing, or its file cannot be read.
    """
    marketing = get_secret("marketing_client_secret", environment)
    if config.crm.auth == "client_secret":
        return Secrets(marketing, crm_client_secret=get_secret("crm_client_secret", environment))
    if config.crm.auth == "certificate":
        return Secrets(marketing)
    return Secrets(
        marketing,
        crm_client_secret=find_secret("crm_client_secret", environment),  # a public client has none
        crm_password=get_secret("crm_password", environment),
    )


def get_secret(name: str, environment: Mapping[str, str] = os.environ) -> str:
    """Raises ConfigError, saying where the secret may stand, when it is nowhere."""
    secret = find_secret(name, environment)
    if secret is None:
        raise ConfigError(f"The secret {name} is missing: give it in {place_of(name)}.")
    return secret


def find_secret(name: str, environment: Mapping[str, str] = os.environ) -> str | None:
    variable = variable_of(name)
    given, file = environment.get(variable), environment.get(f"{variable}_FILE")
    if given and file:
        raise ConfigError(f"Both {variable} and {variable}_FILE are set: keep one of them.")
    if file:
        return _from_file(f"{variable}_FILE", Path(file))
    return given or _from_keyring(name)


def variable_of(name: str) -> str:
    return f"TANDEM_{name.upper()}"


def place_of(name: str) -> str:
    """Where an operator may put this secret, for messages."""
    variable = variable_of(name)
    return f"{variable}, in a file named by {variable}_FILE, or with `keyring set {KEYRING_SERVICE} {name}`"


def _from_file(variable: str, path: Path) -> str:
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{variable} names a file that cannot be read: check its name and permissions.") from None
    if not secret:
        raise ConfigError(f"{variable} names an empty file: write the secret into it.")
    return secret


def _from_keyring(name: str) -> str | None:
    """None too where the machine has no keyring: servers rarely do."""
    import keyring  # here, because looking for a backend takes a moment that most commands can save
    from keyring.errors import KeyringError

    try:
        return keyring.get_password(KEYRING_SERVICE, name) or None
    except KeyringError:
        return None
