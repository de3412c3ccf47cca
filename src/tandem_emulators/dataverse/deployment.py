"""Where the organisation is served: in Microsoft's cloud, or by a server on premises.

A server on premises has the Web API of its own release only, answers under two addresses (one of the organisation
alone, for the internet, and one with the organisation's name in the path), and knows nothing of what the cloud came
with later or needs for its many tenants: bulk messages, service protection, environments.
"""

import re

from tandem_emulators.dataverse.organization import Organization
from tandem_emulators.dataverse.settings import Settings

_CLOUD_RELEASE, _SERVER_RELEASE = "9.2.24104.198", "9.1.32.7"
_CLOUD_VERSIONS, _SERVER_VERSIONS = "[012]", "[01]"

CLOUD_MESSAGES = frozenset({"CreateMultiple", "UpdateMultiple", "UpsertMultiple", "DeleteMultiple", "Restore"})


class Deployment:
    def __init__(self, organization: Organization, settings: Settings) -> None:
        self.is_on_premises = settings.on_premises
        self.release = _SERVER_RELEASE if settings.on_premises else _CLOUD_RELEASE
        self._settings = settings
        inside = f"/{organization.url_name}"
        self._before = {"internet": "", "inside": inside, "both": f"(?:{inside})?"}
        self._versions = _SERVER_VERSIONS if settings.on_premises else _CLOUD_VERSIONS

    def is_api(self, path: str) -> bool:
        return re.match(f"{self._prefix}/api/data/", path) is not None

    def serves(self, path: str) -> bool:
        """Whether the path begins with a service root of this release."""
        return re.match(rf"{self._prefix}/api/data/v9\.{self._versions}/", path) is not None

    @property
    def _prefix(self) -> str:
        return self._before[self._settings.addresses] if self.is_on_premises else ""
