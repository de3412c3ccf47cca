"""What every answer of the service carries besides its content: headers, cookies, and the form of a refusal.

Which web server answered is part of that: the ARRAffinity cookie names it, and a client that sends the cookie back
comes to the same server, with the same budget (sheet 2.3, 2.4, 7.1).
"""

import hashlib
import re
from collections.abc import Mapping
from uuid import uuid4

import msgspec

from tandem_emulators.dataverse.api import JSON
from tandem_emulators.dataverse.errors import ODataError
from tandem_emulators.dataverse.options import parse_preferences
from tandem_emulators.kit.http import Reply, Request

_ERROR_DETAILS = "Microsoft.PowerApps.CDS."
_HELP_LINK = "http://go.microsoft.com/fwlink/?LinkID=398563&error=Microsoft.Crm.CrmException%3a"
_AFFINITY = re.compile(r"(?:^|;)\s*ARRAffinity=([0-9a-f]{64})")
_A_YEAR = "max-age=31536000; includeSubDomains"


class WebServers:
    """The servers behind one address. A caller without a cookie is sent to the next one in turn."""

    def __init__(self, organization_id: str) -> None:
        self._organization_id = organization_id
        self._turn = 0

    def cookie_of(self, server: int) -> str:
        return hashlib.sha256(f"{self._organization_id}/{server}".encode()).hexdigest()

    def choose(self, request: Request, servers: int) -> int:
        found = _AFFINITY.search(request.headers.get("cookie", ""))
        for server in range(servers) if found else ():
            if found and self.cookie_of(server) == found[1]:
                return server
        self._turn += 1
        return (self._turn - 1) % max(1, servers)


def refusal(error: ODataError, headers: Mapping[str, str]) -> Reply:
    """The error object; with its details where the caller asked for annotations."""
    body: dict[str, object] = {"code": error.code, "message": error.message}
    preferences = parse_preferences(headers.get("prefer"))
    details = {
        "ErrorDetails.OperationStatus": "0",
        "ErrorDetails.SubErrorCode": "-2146233088",
        "HelpLink": f"{_HELP_LINK}{error.code.removeprefix('0x')}&client=platform",
        "TraceText": "",
        "InnerError.Message": error.message,
    }
    wanted = {name: text for name, text in details.items() if preferences.wants(_ERROR_DETAILS + name)}
    body |= {f"@{_ERROR_DETAILS}{name}": text for name, text in wanted.items()}
    reply = Reply(error.status, msgspec.json.encode({"error": body}), {**JSON, "req_id": str(uuid4())})
    if error.retry_after_s is not None:
        reply.headers["retry-after"] = str(error.retry_after_s)
    return reply


def dress(reply: Reply, *, secure: bool, server_cookie: str) -> Reply:
    """The headers and cookies of section 2.3. Over plain http a `secure` cookie would never come back."""
    request_id = reply.headers.get("req_id") or str(uuid4())
    reply.headers |= {
        "cache-control": "no-cache",
        "allow": "OPTIONS,GET,HEAD,POST",
        "public": "OPTIONS,GET,HEAD,POST",
        "req_id": request_id,
        "x-ms-service-request-id": request_id,
        "authactivityid": str(uuid4()),
        "crm.serviceid": "framework",
        "x-source": f"{uuid4().int:039}{uuid4().int:039}",
        "timing-allow-origin": "*",
    }
    if secure:
        reply.headers["strict-transport-security"] = _A_YEAR
    mark = "; secure" if secure else ""
    reply.cookies += [
        f"ARRAffinity={server_cookie}; path=/{mark}; HttpOnly",
        f"ReqClientId={uuid4()}; path=/{mark}; HttpOnly",
    ]
    return reply
