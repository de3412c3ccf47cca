"""What a write of ours may set off in Dynamics: plug-ins and workflows, flows, duplicate detection.

All three are headers of the single write; the one around a batch does not pass them on (dataverse-web-api 2.2). Leaving
out custom logic needs a privilege of its own, and without it the service refuses the write: ``tandem check`` tries it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from tandem.connectors.dynamics.batch import Part

BYPASS_LOGIC: Final = "MSCRM.BypassBusinessLogicExecution"
SUPPRESS_FLOWS: Final = "MSCRM.SuppressCallbackRegistrationExpanderJob"
SUPPRESS_DUPLICATES: Final = "MSCRM.SuppressDuplicateDetection"

BYPASS_PRIVILEGE: Final = "prvBypassCustomBusinessLogic"


@dataclass(frozen=True, slots=True)
class SideEffects:
    """Which of them are left out. Duplicate detection is off for programs unless they ask for it; so it is here, since
    it refuses every update of a record that has a twin, whatever the update is about."""

    bypass_plugins: bool = False
    bypass_flows: bool = False
    suppress_duplicate_detection: bool = True

    @property
    def headers(self) -> Mapping[str, str]:
        headers = {SUPPRESS_DUPLICATES: str(self.suppress_duplicate_detection).lower()}
        if self.bypass_plugins:
            headers[BYPASS_LOGIC] = "CustomSync,CustomAsync"
        if self.bypass_flows:
            headers[SUPPRESS_FLOWS] = "true"
        return headers

    def on(self, part: Part) -> Part:
        """`part` with the headers, if it writes."""
        return part if part.method == "GET" else replace(part, headers={**part.headers, **self.headers})


USUAL: Final = SideEffects()
