"""Adobe's own definitions of the answers, and what is known to be wrong with them.

Every JSON answer that a contract test sees passes through `complaints`. Where a definition contradicts a recording or
the documentation, `DEFECTS` says so, member by member; nothing else is forgiven. Numbers are sections of the fact
sheet that the emulator is built after.
"""

import copy
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jsonschema

FOLDER = Path(__file__).parent / "data"
DATA: dict[str, Any] = json.loads((FOLDER / "swagger.json").read_text())
OTHERS: dict[str, Any] = json.loads((FOLDER / "swagger-assets.json").read_text())
"""Of the asset API and the identity service, as far as they are covered; `DATA` is records, activities and bulk."""

ABSENT = "required, but real answers leave it out"
UNLISTED = "in real answers, but not defined"
NULL = "null in real answers"
OTHER = "of another type or another value in real answers"


@dataclass(frozen=True)
class Defect:
    definition: str  # or * for every one
    members: str
    kind: str
    reason: str


DEFECTS = (
    Defect("*", "errors", ABSENT, "only a refusal has it (2.1)"),
    Defect("*", "warnings", ABSENT, "only when there are some (2.1)"),
    Defect("*", "result", ABSENT, "a refusal has none (2.2)"),
    Defect("asset.BrowseAllPrograms", "status type", OTHER, "Default and an empty status in the documented answers"),
    Defect("asset.Folder", "id", ABSENT, "a program's folder is a value with a name in the documented answers"),
    Defect("asset.Folder", "value folderName", UNLISTED, "in the documented answers of programs"),
    Defect("asset.FolderResponse", "url", NULL, "in the documented answers"),
    Defect("asset.FolderResponse", "parent", NULL, "the outermost folder has none"),
    Defect("asset.ProgramResponse", "status type", OTHER, "Default and an empty status in the documented answers"),
    Defect("asset.StaticListResponse", "url", ABSENT, "computedUrl stands for it in the documented answers (3.8)"),
    Defect("ActivityType", "primaryAttribute", ABSENT, "New Lead has none, nor do types known by name (5.2)"),
    Defect("Attribute", "value", OTHER, "texts and numbers, where an object is defined (5.3)"),
    Defect("Campaign", "createdAt name type updatedAt", ABSENT, "request and schedule answer with the id alone (10)"),
    Defect("CompanyResponse", "id", ABSENT, "a skipped record has none, and a query names its own fields (4.1)"),
    Defect("CustomActivity", "id leadId activityDate activityTypeId primaryAttributeValue attributes", ABSENT,
           "the definition is that of the request; the answer has id, marketoGUID and status, or errors (5.5)"),
    Defect("CustomObject", "marketoGUID", ABSENT, "a skipped record has none (4.1)"),
    Defect("FormResponse", "id", ABSENT, "a skipped record has none (2.3)"),
    Defect("ImportCustomObjectResponse", "operation", ABSENT, "not in the answer to an upload (6.2)"),
    Defect("ImportLeadResponse", "numOfLeadsProcessed", ABSENT, "nothing is processed before the job begins (6.1)"),
    Defect("ImportProgramMemberResponse", "message numOfLeadsProcessed numOfRowsFailed numOfRowsWithWarning", UNLISTED,
           "in the documented answers of its status (6.2)"),
    Defect("LeadChangeField", "oldValue newValue", NULL, "recorded for a value that was not there (5.3)"),
    Defect("ListOperationOutputData", "id", ABSENT, "a record that names no id is skipped without one (2.3)"),
    Defect("ObjectMetaData", "pluralName apiName status version", ABSENT, "types of the schema API have them (4.1)"),
    Defect("ObjectMetaData", "fields", ABSENT, "the list of types comes without them (4.3)"),
    Defect("ObjectMetaData", "name", UNLISTED, "in every documented describe answer but those of the schema API (4.1)"),
    Defect("ObjectMetaData", "idField createdAt updatedAt description", NULL, "in a draft never approved (4.4)"),
    Defect("NamedAccount", "marketoGUID", ABSENT, "a skipped record has none, a query names its own fields (4.1)"),
    Defect("NamedAccountList", "marketoGUID", ABSENT, "a skipped record has none (4.1)"),
    Defect("ProgramMember", "acquiredBy leadId membershipDate programId reachedSuccess", ABSENT,
           "a query names its own fields (3.8)"),
    Defect("ProgramMemberDeleteResponse", "leadId", ABSENT, "a skipped record has none (2.3)"),
    Defect("ProgramMemberStatusResponse", "leadId", ABSENT, "a skipped record has none (2.3)"),
    Defect("ProgramMemberStatusResponse", "status", OTHER, "created is a documented outcome (3.8)"),
    Defect("ProgramMembership", "id progressionStatusType updatedAt", UNLISTED, "in the documented answers (3.2)"),
)  # fmt: skip
# Records whose members are the fields that were asked for, or that the subscription has made.
OPEN = frozenset({"Lead", "CompanyResponse", "CustomObject", "NamedAccount", "ProgramMember", "SalesPerson"})


def operation_of(method: str, target: str, form: bytes) -> dict[str, Any] | None:
    """The operation of a request; `_method` counts wherever it stands (2.5)."""
    path, _, query = target.partition("?")
    stated = parse_qs(query).get("_method") or parse_qs(form[:10_000].decode("latin-1")).get("_method") or [method]
    verb = stated[0].upper() if method == "POST" else method
    return next((each for each in _by_method().get(verb, []) if _pattern(each["path"]).fullmatch(path)), None)


def complaints(definition: str, body: object) -> list[str]:
    return [f"{error.json_path}: {error.message[:200]}" for error in _validator(definition).iter_errors(body)]


@cache
def _validator(definition: str) -> jsonschema.Draft4Validator:
    return jsonschema.Draft4Validator({"$ref": f"#/definitions/{definition}", "definitions": mended_definitions()})


@cache
def _by_method() -> dict[str, list[dict[str, Any]]]:
    """Paths without parameters first, for they win."""
    found: dict[str, list[dict[str, Any]]] = {}
    for each in sorted(DATA["operations"] + OTHERS["operations"], key=lambda each: each["path"].count("{")):
        found.setdefault(each["method"], []).append(each)
    return found


@cache
def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)))


@cache
def mended_definitions() -> dict[str, Any]:
    """The definitions made strict, so that an unknown member is an error, and then mended by `DEFECTS`."""
    mended = copy.deepcopy(DATA["definitions"] | OTHERS["definitions"])
    for name, definition in mended.items():
        if "properties" in definition:
            definition["additionalProperties"] = name in OPEN
        for defect, member in _defects_of(name):
            _mend(definition, defect.kind, member)
    return dict(mended)


def _defects_of(name: str) -> Iterator[tuple[Defect, str]]:
    for defect in DEFECTS:
        if defect.definition in (name, "*"):
            for member in defect.members.split():
                yield defect, member


def _mend(definition: dict[str, Any], kind: str, member: str) -> None:
    if kind == ABSENT:
        required = [each for each in definition.get("required", []) if each != member]
        definition.pop("required", None)
        if required:
            definition["required"] = required
    elif kind == NULL:
        definition["properties"][member] = {"anyOf": [definition["properties"][member], {"type": "null"}]}
    else:
        definition["properties"][member] = {}
