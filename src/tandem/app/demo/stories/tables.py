"""Tables that an admin makes in Dynamics for a story, over the documented API; their columns have one prefix."""

from typing import Any, Final

from tandem.app.demo.stories.admin import Admin
from tandem.app.demo.stories.scene import Scene

_NS: Final = "Microsoft.Dynamics.CRM."


def _label(text: str) -> dict[str, Any]:
    return {"LocalizedLabels": [{"Label": text, "LanguageCode": 1033}]}


async def make_table(scene: Scene | Admin, name: str, *, is_tracked: bool = True) -> None:
    """A table ``new_<name>`` with a text column ``new_name``."""
    primary = {
        "@odata.type": f"{_NS}StringAttributeMetadata",
        "SchemaName": "new_Name",
        "IsPrimaryName": True,
        "MaxLength": 100,
        "FormatName": {"Value": "Text"},
        "RequiredLevel": {"Value": "None"},
        "DisplayName": _label("Name"),
    }
    table = {
        "@odata.type": f"{_NS}EntityMetadata",
        "SchemaName": f"new_{name.title()}",
        "DisplayName": _label(name.title()),
        "DisplayCollectionName": _label(f"{name.title()}s"),
        "OwnershipType": "UserOwned",
        "HasActivities": False,
        "HasNotes": False,
        "IsActivity": False,
        "ChangeTrackingEnabled": is_tracked,
        "Attributes": [primary],
    }
    await scene.web_api("POST", "EntityDefinitions", table)


async def make_lookup(scene: Scene | Admin, table: str, column: str, target: str) -> None:
    """A lookup column of `table` that leads to `target`."""
    relationship = {
        "@odata.type": f"{_NS}OneToManyRelationshipMetadata",
        "SchemaName": f"{target}_{table}_{column}",
        "ReferencedEntity": target,
        "ReferencingEntity": table,
        "Lookup": {
            "@odata.type": f"{_NS}LookupAttributeMetadata",
            "SchemaName": column,
            "DisplayName": _label(column),
        },
    }
    await scene.web_api("POST", "RelationshipDefinitions", relationship)


async def make_pairs(scene: Scene, name: str, left: str, right: str) -> None:
    """Many to many: a table of pairs called `name`, and a property of that name on both sides."""
    relationship = {
        "@odata.type": f"{_NS}ManyToManyRelationshipMetadata",
        "SchemaName": name,
        "IntersectEntityName": name,
        "Entity1LogicalName": left,
        "Entity2LogicalName": right,
    }
    await scene.web_api("POST", "RelationshipDefinitions", relationship)


async def set_name(scene: Scene, table: str) -> str:
    """Under which address the rows of a table are."""
    answer = await scene.web_api("GET", f"EntityDefinitions(LogicalName='{table}')?$select=EntitySetName")
    return str(answer["EntitySetName"])


async def put_together(scene: Scene, pairs: str, left: tuple[str, str], right: tuple[str, str]) -> None:
    """A person adds `right` (table, id) to what belongs to `left`."""
    row = f"{await set_name(scene, right[0])}({right[1]})"
    address = f"{scene.crm_service.fact('url')}/api/data/v9.2/{row}"
    place = f"{await set_name(scene, left[0])}({left[1]})/{pairs}/$ref"
    await scene.web_api("POST", place, {"@odata.id": address})


async def take_apart(scene: Scene, pairs: str, left: tuple[str, str], right: tuple[str, str]) -> None:
    await scene.web_api("DELETE", f"{await set_name(scene, left[0])}({left[1]})/{pairs}({right[1]})/$ref")
