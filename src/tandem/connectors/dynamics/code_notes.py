"""What an operator does about each of Dataverse's codes. The meanings are those of the messages (``errors``)."""

from typing import Final

from tandem.connectors.dynamics.errors import ACCESS_REMEDIES, CODE_TEXTS, PRIVILEGE_DENIED, SECURED_COLUMN
from tandem.core.error_codes import CodeNote
from tandem.core.record import Side

_VALUE: Final = "Correct the value where it was typed; the next edit, or `tandem errors retry`, tries again."
_ROLE: Final = "Give the user's security role what `tandem check` names, at access level Organization."

_OTHER_MEANINGS: Final = {
    PRIVILEGE_DENIED: "the security role lacks a privilege",
    "0x80040225": "the user is disabled",
    "0x80072560": "the identity is no user of this environment",
    "0x80042f09": "the user has no security role",
    "0x8004a113": "the environment is in administration mode",
    "0x8004a104": "the environment is disabled",
    "0x80044352": "the change token has expired",
    "0x80072321": "too many requests at once",
    "0x80072322": "too many requests in five minutes",
    "0x80072326": "too much working time in five minutes",
    "0x80040265": "a plug-in or a flow of this environment refused the change",
}

_REMEDIES: Final = {
    "0x80044331": "Shorten the value in Marketo, or widen the column in Dynamics.",
    "0x8004431a": "Add the option to the choice in Dynamics, or correct the value in Marketo.",
    "0x80048408": "Let state and status be mapped together, or one way only.",
    "0x80060892": "Correct or merge the record that holds the key already.",
    "0x80040333": "Merge the duplicates, or set crm.suppress_duplicate_detection = true.",
    "0x80040231": "Give the new owner a security role, or map it to another one.",
    "0x80040519": "Reopen the lead in Dynamics; what waits is then written.",
    "0x80040265": "Read what the plug-in says, and correct the record or the plug-in.",
    PRIVILEGE_DENIED: _ROLE,
    "0x80048306": _ROLE,
    SECURED_COLUMN: "Add the user to a column security profile that may update the column.",
    "0x80044352": "Nothing: Tandem reads the table in full.",
}

_THROTTLED: Final = "Nothing: Tandem waits as long as Dynamics asks for, and tries again."


def code_notes() -> tuple[CodeNote, ...]:
    """Every code that Tandem knows of, in the order of the numbers."""
    meanings = CODE_TEXTS | _OTHER_MEANINGS
    return tuple(CodeNote(Side.CRM, code, meaning, _remedy(code)) for code, meaning in sorted(meanings.items()))


def _remedy(code: str) -> str:
    if code in _REMEDIES:
        return _REMEDIES[code]
    if code in ACCESS_REMEDIES:
        return f"{ACCESS_REMEDIES[code]}."
    return _THROTTLED if code.startswith("0x8007232") else _VALUE
