"""Where an organisation is: the origin that its tokens are for, and the path where its Web API begins.

An environment of the cloud has a host of its own. A server on premises has one for each organisation too where it is
open to the internet (``https://contoso.example.com``); inside the company the organisation stands in the path
(``https://crm.example.com/contoso``), and tokens are for the server.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from tandem.core.errors import ConfigError

CLOUD_VERSION: Final = "v9.2"
_THIS_MACHINE: Final = ("127.0.0.1", "localhost", "::1")
_ORGANIZATION: Final = re.compile(r"/[\w-]+")


@dataclass(frozen=True, slots=True)
class Address:
    origin: str
    root: str


def parse_address(url: str, *, is_on_premises: bool, api_version: str) -> Address:
    """Raises: ConfigError."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment:
        raise ConfigError("crm.url must be the environment's address, such as https://contoso.crm.dynamics.com.")
    if path and not is_on_premises:
        raise ConfigError("crm.url must end behind the environment's host, as in https://contoso.crm.dynamics.com.")
    if path and not _ORGANIZATION.fullmatch(path):
        raise ConfigError(
            "crm.url must end behind the host, or behind the organisation's name, as in https://crm.example.com/contoso."
        )
    if parts.scheme == "http" and parts.hostname not in _THIS_MACHINE:
        raise ConfigError("crm.url must start with https:// unless it is on this machine.")
    return Address(f"{parts.scheme}://{parts.netloc}", f"{path}/api/data/{api_version}/")
