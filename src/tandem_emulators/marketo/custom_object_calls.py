"""Custom objects as those see them who read and write records: the approved types, listed and described (4.3)."""

from collections.abc import Mapping
from typing import Any

from tandem_emulators.marketo.call import Call
from tandem_emulators.marketo.custom_object_input import check_licensed
from tandem_emulators.marketo.custom_objects import CustomType, Version
from tandem_emulators.marketo.envelope import Reply
from tandem_emulators.marketo.object_calls import shown_field
from tandem_emulators.marketo.people import iso
from tandem_emulators.marketo.subscription import Handler, Subscription


def list_objects(subscription: Subscription, call: Call) -> Reply:
    """The types that have records, as the calls on records name them: without their fields (4.3)."""
    check_licensed(subscription)
    names = {name.lower() for name in call.texts("names")}
    kinds = [kind for kind in subscription.custom_objects if kind.approved is not None]
    return Reply([head(kind) for kind in kinds if not names or kind.api_name.lower() in names])


def describe_object(subscription: Subscription, call: Call) -> Reply:
    records = subscription.custom_objects.records(call.path["customObjectName"])
    kind = records.kind
    fields = [shown_field(data, crm_managed=kind.crm_managed) for data in kind.fields]
    return Reply([head(subscription.custom_objects.get(kind.name)) | {"fields": fields}])


def head(kind: CustomType) -> dict[str, Any]:
    version = kind.approved
    assert version is not None, kind.api_name
    return {
        "name": kind.api_name,
        "displayName": version.display_name,
        "description": version.description or "",
        "createdAt": iso(kind.created_s),
        "updatedAt": iso(kind.updated_s),
        "idField": "marketoGUID",
        "dedupeFields": version.dedupe_names(),
        "searchableFields": version.searchable(),
        "relationships": relationships(version),
    }


def relationships(version: Version) -> list[dict[str, Any]]:
    """The links; the id of a person or a company is `Id` here (4.3)."""
    return [
        {
            "field": field.name,
            "type": "child",
            "relatedTo": {
                "name": _target_name(field.related_to.name),
                "field": "Id" if field.related_to.field == "id" else field.related_to.field,
            },
        }
        for field in version.links()
        if field.related_to is not None
    ]


def _target_name(name: str) -> str:
    return {"lead": "Lead", "company": "Company"}.get(name, name)


HANDLERS: Mapping[str, Handler] = {"customobjects.list": list_objects, "customobjects.describe": describe_object}
