"""Custom activity types: a live version, a draft of the next one, and the calls that move between them (5.5).

Every edit goes to the draft; approving makes it live. Once activities of a type exist, what smart lists are built on
(its names and its primary attribute) stays as it is.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from tandem_emulators.marketo.activity_types import ActivityType, ActivityTypes, Attribute, Version
from tandem_emulators.marketo.call import Call
from tandem_emulators.marketo.envelope import Reply
from tandem_emulators.marketo.errors import ApiError, invalid, missing_parameter
from tandem_emulators.marketo.people import iso
from tandem_emulators.marketo.subscription import Handler, Subscription

TYPES_MAX = 10
ATTRIBUTES_MAX = 20
DATA_TYPES = (
    "string", "boolean", "integer", "float", "link", "email", "currency", "date", "datetime", "phone", "text",
)  # fmt: skip
_API_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9]{1,255}")
_DISPLAY_NAME = re.compile(r"(?=.*[^\W\d_])[\w ]{1,255}")
_NAMES = ("name", "triggerName", "filterName")


def list_types(subscription: Subscription, call: Call) -> Reply:
    return Reply([_head(kind, kind.live or kind.draft) for kind in _types(subscription).all()])


def describe(subscription: Subscription, call: Call) -> Reply:
    kind = _get(subscription, call)
    version = kind.draft if str(call.text("draft")).lower() == "true" else kind.live
    if version is None:
        raise _not_found()
    return Reply([_shown(kind, version)])


def create(subscription: Subscription, call: Call) -> Reply:
    body = call.body()
    api_name = _named(body, "apiName", _API_NAME)
    types = _types(subscription)
    if types.find(api_name) is not None:
        raise invalid(f"Invalid value for field 'apiName' and value '{api_name}'")
    if len(types.all()) >= TYPES_MAX:
        raise ApiError("1027", "Max Activity Type Limit Reached")
    primary = body.get("primaryAttribute")
    if not isinstance(primary, dict):
        raise missing_parameter("primaryAttribute")
    draft = Version(
        name=_named(body, "name", _DISPLAY_NAME),
        trigger_name=_text(body, "triggerName"),
        filter_name=_text(body, "filterName"),
        primary_attribute=_attribute({"dataType": "string", **primary}),
        description=_optional(body, "description"),
    )
    _check_unique(subscription, api_name, draft)
    kind = types.add(api_name, draft, int(call.now_s))
    return Reply([_shown(kind, draft)])


def update(subscription: Subscription, call: Call) -> Reply:
    kind, body = _get(subscription, call), call.body()
    draft = _draft(kind)
    for member, name in zip(("name", "trigger_name", "filter_name"), _NAMES, strict=True):
        if body.get(name) is not None:
            setattr(draft, member, _named(body, name, _DISPLAY_NAME) if name == "name" else _text(body, name))
    if body.get("description") is not None:
        draft.description = _optional(body, "description")
    stated = body.get("primaryAttribute")
    if isinstance(stated, dict):
        before = msgspec.to_builtins(draft.primary_attribute) if draft.primary_attribute else {"dataType": "string"}
        draft.primary_attribute = _attribute({**before, **stated})
    _check_unique(subscription, kind.api_name, draft)
    return _saved(subscription, call, kind, draft)


def approve(subscription: Subscription, call: Call) -> Reply:
    kind = _get(subscription, call)
    if kind.draft is None or kind.draft.primary_attribute is None:
        raise invalid(f"Custom activity type '{kind.api_name}' has no draft that can be approved")
    kind.live, kind.draft, kind.updated_s = kind.draft, None, int(call.now_s)
    _types(subscription).save(kind)
    return Reply([_shown(kind, kind.live)])


def discard(subscription: Subscription, call: Call) -> Reply:
    kind = _get(subscription, call)
    if kind.draft is None or kind.live is None:
        raise invalid(f"Custom activity type '{kind.api_name}' has no draft that can be discarded")
    kind.draft, kind.updated_s = None, int(call.now_s)
    _types(subscription).save(kind)
    return Reply([_shown(kind, kind.live)])


def delete(subscription: Subscription, call: Call) -> Reply:
    kind = _get(subscription, call)
    if _types(subscription).is_used(kind):
        raise ApiError("1022", "Object in use")
    _types(subscription).delete(kind)
    return Reply([{**_head(kind, kind.live or kind.draft), "status": "deleted"}])


def create_attributes(subscription: Subscription, call: Call) -> Reply:
    kind = _get(subscription, call)
    draft = _draft(kind)
    for stated in _stated_attributes(call):
        added = _attribute(stated)
        if any(each.api_name == added.api_name for each in _every(draft)):
            raise invalid(f"Invalid value for field 'apiName' and value '{added.api_name}'")
        if stated.get("isPrimary") is True:
            _set_primary(draft, added)
        else:
            draft.attributes.append(added)
    if len(draft.attributes) > ATTRIBUTES_MAX:
        raise ApiError("1028", "Max field limit reached")
    return _saved(subscription, call, kind, draft)


def update_attributes(subscription: Subscription, call: Call) -> Reply:
    kind = _get(subscription, call)
    draft = _draft(kind)
    for stated in _stated_attributes(call):
        _update_attribute(draft, stated)
    return _saved(subscription, call, kind, draft)


def delete_attributes(subscription: Subscription, call: Call) -> Reply:
    kind = _get(subscription, call)
    draft = _draft(kind)
    for stated in _stated_attributes(call):
        name = _text(stated, "apiName")
        if all(each.api_name != name for each in draft.attributes):
            raise invalid(f"Invalid value for field 'apiName' and value '{name}'")
        draft.attributes = [each for each in draft.attributes if each.api_name != name]
    return _saved(subscription, call, kind, draft)


def _update_attribute(draft: Version, stated: Mapping[str, Any]) -> None:
    """Change one attribute; `isPrimary` moves it in and out of the first place, which must be free for it."""
    name = _text(stated, "apiName")
    found = next((each for each in _every(draft) if each.api_name == name), None)
    if found is None:
        raise invalid(f"Invalid value for field 'apiName' and value '{name}'")
    changed = _attribute({**msgspec.to_builtins(found), **stated})
    was_primary = draft.primary_attribute is not None and draft.primary_attribute.api_name == name
    becomes_primary = stated.get("isPrimary", was_primary) is True
    if was_primary:
        draft.primary_attribute = None
    if becomes_primary:
        draft.attributes = [each for each in draft.attributes if each.api_name != name]
        _set_primary(draft, changed)
    elif was_primary:
        draft.attributes.append(changed)
    else:
        draft.attributes = [changed if each.api_name == name else each for each in draft.attributes]


def _set_primary(draft: Version, attribute: Attribute) -> None:
    if draft.primary_attribute is not None:
        raise invalid("There may only be one primary attribute at a time")
    draft.primary_attribute = attribute


def _saved(subscription: Subscription, call: Call, kind: ActivityType, draft: Version) -> Reply:
    if kind.live is not None and _types(subscription).is_used(kind) and _fixed(draft) != _fixed(kind.live):
        raise ApiError("1022", "Object in use")
    kind.draft, kind.updated_s = draft, int(call.now_s)
    _types(subscription).save(kind)
    return Reply([_shown(kind, draft)])


def _fixed(version: Version) -> tuple[object, ...]:
    return version.name, version.trigger_name, version.filter_name, version.primary_attribute


def _draft(kind: ActivityType) -> Version:
    """The draft to edit: a copy of the live version where there is none yet."""
    version = kind.draft or kind.live
    assert version is not None
    return msgspec.convert(msgspec.to_builtins(version), Version)


def _every(draft: Version) -> list[Attribute]:
    return draft.attributes + ([draft.primary_attribute] if draft.primary_attribute else [])


def _check_unique(subscription: Subscription, api_name: str, draft: Version) -> None:
    """Names of triggers and filters are unique over all types."""
    for kind in _types(subscription).all():
        for version in (kind.live, kind.draft):
            if version is None or kind.api_name.lower() == api_name.lower():
                continue
            if version.trigger_name == draft.trigger_name or version.filter_name == draft.filter_name:
                raise invalid(f"Invalid value for field 'triggerName' and value '{draft.trigger_name}'")


def _stated_attributes(call: Call) -> list[dict[str, Any]]:
    stated = call.body().get("attributes")
    if not stated:
        raise missing_parameter("attributes")
    if not isinstance(stated, list) or not all(isinstance(each, dict) for each in stated):
        raise invalid("Invalid value for field 'attributes'")
    return stated


def _attribute(stated: Mapping[str, Any]) -> Attribute:
    data_type = _text(stated, "dataType")
    if data_type not in DATA_TYPES:
        raise invalid(f"Invalid value for field 'dataType' and value '{data_type}'")
    return Attribute(
        api_name=_named(stated, "apiName", _API_NAME),
        name=_text(stated, "name"),
        data_type=data_type,
        description=_optional(stated, "description"),
    )


def _named(stated: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    value = _text(stated, name)
    if not pattern.fullmatch(value):
        raise invalid(f"Invalid value for field '{name}' and value '{value}'")
    return value


def _text(stated: Mapping[str, Any], name: str) -> str:
    value = stated.get(name)
    if value is None or value == "":
        raise missing_parameter(name)
    if not isinstance(value, str) or len(value) > 255:
        raise invalid(f"Invalid value for field '{name}' and value '{str(value)[:100]}'")
    return value


def _optional(stated: Mapping[str, Any], name: str) -> str:
    value = stated.get(name)
    return value if isinstance(value, str) else ""


def _head(kind: ActivityType, version: Version | None) -> dict[str, Any]:
    """What a list of types tells; a type that was never live has neither id nor times, as documented."""
    assert version is not None
    shown: dict[str, Any] = {} if kind.live is None else {"id": kind.id}
    shown |= {"apiName": kind.api_name, "name": version.name, "description": version.description}
    shown |= {"triggerName": version.trigger_name, "filterName": version.filter_name}
    if kind.live is not None:
        shown |= {"createdAt": iso(kind.created_s), "updatedAt": iso(kind.updated_s)}
    return shown | {"status": kind.status}


def _shown(kind: ActivityType, version: Version) -> dict[str, Any]:
    shown = _head(kind, version)
    if version.primary_attribute is not None:
        shown["primaryAttribute"] = msgspec.to_builtins(version.primary_attribute)
    if version.attributes:
        shown["attributes"] = msgspec.to_builtins(version.attributes)
    return shown


def _get(subscription: Subscription, call: Call) -> ActivityType:
    kind = _types(subscription).find(call.path["apiName"])
    if kind is None:
        raise _not_found()
    return kind


def _not_found() -> ApiError:
    return ApiError("1013", "Object not found")


def _types(subscription: Subscription) -> ActivityTypes:
    return subscription.activity_types


HANDLERS: dict[str, Handler] = {
    "customactivities.types.list": list_types,
    "customactivities.types.describe": describe,
    "customactivities.types.create": create,
    "customactivities.types.update": update,
    "customactivities.types.approve": approve,
    "customactivities.types.discard": discard,
    "customactivities.types.delete": delete,
    "customactivities.attributes.create": create_attributes,
    "customactivities.attributes.update": update_attributes,
    "customactivities.attributes.delete": delete_attributes,
}
