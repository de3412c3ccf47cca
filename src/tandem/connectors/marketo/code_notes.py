"""What an operator does about each of Marketo's codes. The meanings are those of the messages (``errors``)."""

from typing import Final

from tandem.connectors.marketo.errors import MEANINGS, REMEDIES
from tandem.core.error_codes import CodeNote
from tandem.core.record import Side

_OURS: Final = "Nothing on your side is wrong; report it with what `tandem --debug` prints."
_VALUE: Final = "Correct the value where it was typed; the next edit, or `tandem errors retry`, tries again."
_ADDRESS: Final = "Compare marketing.url with Admin > Web Services, and look at proxies on the way."
_RETRIED: Final = "Nothing: Tandem tries again by itself, later and slower."

_OTHER_MEANINGS: Final = {
    "500": "Marketo failed on the way",
    "502": "a gateway of Marketo failed on the way",
    "601": "the access token is not valid",
    "602": "the access token has expired",
    "603": "access is denied",
    "604": "the call ran into Marketo's own time limit",
    "606": "more than 100 calls in 20 seconds, by all programs together",
    "607": "the subscription's calls of today are used up, by all programs together",
    "608": "the API is not available for the moment",
    "611": "Marketo failed inside",
    "614": "the subscription is not reachable for the moment",
    "615": "more than 10 calls at once, by all programs together",
    "713": "Marketo failed for the moment",
    "719": "a lock was waited for in vain",
    "1014": "the record could not be taken this time",
    "1016": "too many imports are waiting",
    "1019": "an import is already under way",
    "1029": "too many jobs, or the volume of extracts of today is used up",
    "import": "a bulk import did not take the row",
    "skipped": "the record was left out",
}

_REMEDIES: Final = {
    "600": _ADDRESS,
    "601": "Compare marketing.client_id and its secret with LaunchPoint; Tandem signs in again by itself.",
    "602": _RETRIED,
    "603": "Admin > Users & Roles > Roles: give the API-only user's role what `tandem check` names. Else look at"
    " Admin > IP Allowlists.",
    "607": "Wait until midnight, US Central time, or lower marketing.daily_share of the other programs; `tandem status`"
    " shows the forecast.",
    "605": _OURS,
    "609": _OURS,
    "610": _ADDRESS,
    "612": _OURS,
    "613": _OURS,
    "616": "Ask Adobe for the licence, or take the tables that need it out of the settings.",
    "701": "Fill the field that Marketo demands, in Dynamics or by a default in Marketo.",
    "703": "Ask Adobe to switch the feature on, or take the tables that need it out of the settings.",
    "718": "Let the users be synced (entities.systemuser), then `tandem errors retry`.",
    "1001": _VALUE,
    "1002": "Fill the field that Marketo demands, or take its demand back in Field Management.",
    "1003": _VALUE,
    "1004": "Nothing: the person is looked up by its id, and what became of it is carried out.",
    "1005": "Nothing: the person that is there is looked up and linked.",
    "1006": "Make the field in Marketo, or `tandem schema apply`; then `tandem errors retry --code 1006`.",
    "1007": "Merge the people in Marketo, or settle which one is meant.",
    "1008": "Give the API-only user's role access to the lead partition's workspace.",
    "1009": "Say the lead partition in the settings.",
    "1010": "Move the person, or change the rule that chooses the partition.",
    "1011": "Map the column to another field.",
    "1013": "What the record names is gone in Marketo: let it be made again, then `tandem errors retry --code 1013`.",
    "1015": "Nothing: the person has left the list already.",
    "1017": "Nothing: the record that is there is looked up and linked.",
    "1018": "The native CRM sync is switched on in this subscription and locks these records. Tandem needs a"
    " subscription without it; the two cannot share companies, opportunities and sales persons.",
    "1021": "Map the column to a field of the person; company fields are written with the company.",
    "1022": "Take the record out of use in Marketo first.",
    "1026": "Ask Adobe for the licence of custom objects, or take the [[custom]] tables out of the settings.",
    "1028": "Take fields out of the mapping, or retire fields in Marketo.",
    "1035": "The next read falls back to another way; if it stays, report it.",
    "1036": "Nothing: the two records are planned apart.",
    "import": _VALUE,
    "skipped": "Look at the record in Marketo, then `tandem errors retry`.",
}


def code_notes() -> tuple[CodeNote, ...]:
    """Every code that Tandem knows of, in the order of the numbers."""
    meanings = REMEDIES | MEANINGS | _OTHER_MEANINGS
    return tuple(
        CodeNote(Side.MARKETING, code, meaning, _REMEDIES.get(code, _RETRIED))
        for code, meaning in sorted(meanings.items(), key=lambda item: item[0].zfill(6))
    )
