"""What a refused sign-in means: the number that the sign-in service names, and what an admin does about it.

Microsoft Entra lists its numbers (AADSTS) beside the error. AD FS, which companies run themselves in front of a server
on premises, puts its own (MSIS) into the description and nowhere else. Their texts are never shown: they may name the
user. Remedies are sentences without their full stop.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Refusals:
    """``prefix`` stands before the number in the error's code; ``nobody`` is the code and the remedy where no sign-in
    service was found at the address."""

    prefix: str
    remedies: Mapping[int, str]
    nobody: tuple[str, str]

    def number(self, answer: Mapping[str, Any], listed: list[int]) -> int | None:
        """The first number with a remedy, else the first one at all. `listed` are those of the HTTP body, which the
        library may have kept to itself."""
        told = re.findall(rf"\b{self.prefix}(\d+)", str(answer.get("error_description")))
        numbers = [*(answer.get("error_codes") or listed), *map(int, told)]
        return next((n for n in numbers if n in self.remedies), numbers[0] if numbers else None)


_TENANT: Final = "The tenant was not found. Check crm.tenant_id (Entra > Overview > Tenant ID)"

ENTRA: Final = Refusals(
    "AADSTS",
    {
        50034: "The user of crm.username is not in this tenant. Check crm.username and crm.tenant_id",
        50053: "The account of crm.username is locked after too many attempts. Wait, or have an admin unlock it",
        50055: "The password of crm.username has expired. Set a new one in TANDEM_CRM_PASSWORD",
        50057: "The account of crm.username is disabled. Have an Entra admin enable it",
        50076: 'The account needs multi-factor sign-in, which a program cannot do. Use auth = "client_secret"',
        50079: 'The account must enrol for multi-factor sign-in, which a program cannot. Use auth = "client_secret"',
        50126: "The user name or password is wrong. Check crm.username and TANDEM_CRM_PASSWORD",
        65001: "The app has no consent in this tenant. Have an Entra admin grant it the Dynamics CRM permission",
        70011: "The scope was refused. Check crm.url",
        700016: "The app of crm.client_id is not registered in this tenant. Check crm.client_id and crm.tenant_id",
        90002: _TENANT,
        500011: "The environment is not known to this tenant. Check crm.url",
        7000215: "The client secret is wrong. Set TANDEM_CRM_CLIENT_SECRET to the secret's value, not to its id",
        7000218: "The app wants a client secret. Set TANDEM_CRM_CLIENT_SECRET",
        700024: "The certificate's statement came too early or too late. Set this machine's clock",
        700027: "The certificate of crm.certificate_file has expired or is not the app's. Register it for the app",
        7000222: "The client secret has expired. Create a new one in the app registration and set"
        " TANDEM_CRM_CLIENT_SECRET",
    },
    ("AADSTS90002", _TENANT),
)

ADFS: Final = Refusals(
    "MSIS",
    {
        9602: "AD FS knows no relying party by the address of crm.url. Check crm.url, or have the AD FS admin update"
        " the relying party of Dynamics from its metadata",
        9605: "The client of crm.client_id may not ask for tokens of Dynamics. Have the AD FS admin grant it:"
        " Grant-AdfsApplicationPermission, with the relying party's identifier and the scope openid",
        9607: "AD FS knows no client of that id. Check crm.client_id, or have the AD FS admin register it",
        9611: "This AD FS gives no tokens for a password, as that of Windows Server 2012 R2. It takes one of Windows"
        " Server 2016 or later",
        9622: "The client secret is wrong or missing. Set TANDEM_CRM_CLIENT_SECRET; where the client is a public one,"
        " leave it out",
        9659: "The user name or password is wrong, or the account is locked, disabled or its password has expired: AD"
        " FS does not say which. Check crm.username and TANDEM_CRM_PASSWORD",
    },
    ("discovery", "No AD FS of Windows Server 2016 or later answers there. Check crm.authority"),
)
"""Numbers as clients of AD FS report them; Microsoft publishes no list."""
