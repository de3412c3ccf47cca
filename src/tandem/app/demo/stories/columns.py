"""What an admin of Dynamics does with columns in a story, and what both sides show of a contact."""

from typing import Any, Final

from tandem.app.demo.stories.scene import Scene

ENGLISH: Final = 1033
GERMAN: Final = 1031


def pairs_of_contacts(*lines: str) -> str:
    """Settings that map columns of contacts; each line is what a pair says."""
    return "".join(f"[[entities.contact.fields]]\n{line}\n" for line in lines)


def labelled(*texts: tuple[int, str]) -> dict[str, Any]:
    named = [
        {"@odata.type": "Microsoft.Dynamics.CRM.LocalizedLabel", "Label": text, "LanguageCode": language}
        for language, text in texts
    ]
    return {"@odata.type": "Microsoft.Dynamics.CRM.Label", "LocalizedLabels": named}


async def add_column(
    scene: Scene, name: str, kind: str = "String", *, entity: str = "contact", **definition: Any
) -> None:
    """An admin's new column."""
    column = {
        "@odata.type": f"Microsoft.Dynamics.CRM.{kind}AttributeMetadata",
        "SchemaName": name,
        "DisplayName": labelled((ENGLISH, name)),
        "RequiredLevel": {"Value": "None"},
        **({"MaxLength": 100} if kind == "String" else {}),
        **definition,
    }
    await scene.web_api("POST", f"EntityDefinitions(LogicalName='{entity}')/Attributes", column)


async def delete_column(scene: Scene, name: str, *, entity: str = "contact") -> None:
    path = f"EntityDefinitions(LogicalName='{entity}')/Attributes(LogicalName='{name}')"
    await scene.web_api("DELETE", path)


def options(*labels: tuple[tuple[int, str], ...]) -> dict[str, Any]:
    options = [{"Value": value, "Label": labelled(*texts)} for value, texts in enumerate(labels, start=1)]
    return {
        "@odata.type": "Microsoft.Dynamics.CRM.OptionSetMetadata",
        "IsGlobal": False,
        "OptionSetType": "Picklist",
        "Options": options,
    }


def yes_or_no() -> dict[str, Any]:
    return {
        "@odata.type": "Microsoft.Dynamics.CRM.BooleanOptionSetMetadata",
        "TrueOption": {"Value": 1, "Label": labelled((ENGLISH, "Yes"))},
        "FalseOption": {"Value": 0, "Label": labelled((ENGLISH, "No"))},
    }


async def field_of(scene: Scene, contact: str, field: str) -> Any:
    return (await scene.person_of(contact) or {}).get(field)


async def person_id(scene: Scene, contact: str) -> int:
    return int((await scene.get_person_of(contact))["id"])


async def columns_of(scene: Scene, entity: str) -> set[str]:
    """The names of a table's columns, as its metadata has them."""
    path = f"EntityDefinitions(LogicalName='{entity}')/Attributes?$select=LogicalName"
    return {column["LogicalName"] for column in (await scene.web_api("GET", path))["value"]}


async def column_of(scene: Scene, id_: str, name: str, *, entity: str = "contact") -> Any:
    return (await scene.crm_record(entity, id_) or {}).get(name)
