"""Definitions as the tests send them, and what makes one quickly."""

from typing import Any
from uuid import uuid4

from tests.contract.dataverse.client import InProcess

CRM = "Microsoft.Dynamics.CRM."
# Headers with a point in their names, which the short form of the client's arguments cannot say.
MERGE = {"MSCRM.MergeLabels": "true"}
LEAD_COLUMNS = "EntityDefinitions(LogicalName='lead')/Attributes"


def label(text: str, **languages: str) -> dict[str, Any]:
    """`languages` are more texts, as `_1031="Hallo"`."""
    texts = {"_1033": text, **languages}
    return {"LocalizedLabels": [{"Label": words, "LanguageCode": int(lcid[1:])} for lcid, words in texts.items()]}


def column(kind: str, name: str, **properties: Any) -> dict[str, Any]:
    return {"@odata.type": f"{CRM}{kind}AttributeMetadata", "SchemaName": name, **properties}


def table(name: str, **properties: Any) -> dict[str, Any]:
    """The request of the sheet: schema name with prefix, labels, ownership, one primary name."""
    primary = column("String", "new_Name", IsPrimaryName=True, MaxLength=100, DisplayName=label("Name"))
    return {
        "@odata.type": f"{CRM}EntityMetadata",
        "SchemaName": name,
        "DisplayName": label("Bank"),
        "DisplayCollectionName": label("Banks"),
        "OwnershipType": "UserOwned",
        "HasActivities": False,
        "HasNotes": False,
        "IsActivity": False,
        "Attributes": [primary],
        **properties,
    }


def fresh(stem: str) -> str:
    return f"new_{stem}{uuid4().hex[:8]}"


def make_table(org: InProcess, **properties: Any) -> str:
    name = fresh("Bank")
    answer = org.api("POST", "EntityDefinitions", table(name, **properties))
    assert answer.status == 204, answer.raw
    return name.lower()


def make_column(org: InProcess, body: dict[str, Any], path: str = LEAD_COLUMNS) -> str:
    answer = org.api("POST", path, body)
    assert answer.status == 204, answer.raw
    return str(body["SchemaName"]).lower()


def cast(org: InProcess, name: str, kind: str, query: str = "") -> dict[str, Any]:
    return org.get(f"{LEAD_COLUMNS}(LogicalName='{name}')/{CRM}{kind}AttributeMetadata{query}").body
