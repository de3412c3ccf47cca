"""What the calls about custom object types share: the type a call is about, and the attributes that bodies state."""

import re
from collections.abc import Mapping
from typing import Any

from tandem_emulators.marketo.call import Call
from tandem_emulators.marketo.custom_objects import CustomType
from tandem_emulators.marketo.errors import ApiError, invalid, missing_parameter
from tandem_emulators.marketo.subscription import Subscription

STATES = ("draft", "approved", "approvedWithDraft")
API_NAME = re.compile(r"[A-Za-z0-9_]{1,255}")
DISPLAY_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ ]{0,254}")


def kind_of(subscription: Subscription, call: Call) -> CustomType:
    check_entitled(subscription)
    return subscription.custom_objects.get(call.path["apiName"])


def own_kind(subscription: Subscription, call: Call) -> CustomType:
    kind = kind_of(subscription, call)
    check_own(kind)
    return kind


def check_own(kind: CustomType) -> None:
    if kind.is_crm_managed:
        raise ApiError("1018", "CRM Enabled")


def check_licensed(subscription: Subscription) -> None:
    if not subscription.settings.custom_objects:
        raise ApiError("1026", "Custom object not enabled")


def check_entitled(subscription: Subscription) -> None:
    if not subscription.settings.custom_object_schema_api:
        raise ApiError("616", "Invalid subscription type")


def stated_state(call: Call) -> str | None:
    state = call.text("state")
    if state is not None and state not in STATES:
        raise bad("state", state)
    return state


def name_of(raw: Mapping[str, Any], attribute: str, form: re.Pattern[str]) -> str:
    value = raw.get(attribute)
    if value is None or value == "":
        raise missing_parameter(attribute)
    if not isinstance(value, str) or not form.fullmatch(value):
        raise bad(attribute, value)
    return value


def text_of(raw: Mapping[str, Any], attribute: str, present: str | None) -> str | None:
    value = raw.get(attribute)
    if value is not None and not isinstance(value, str):
        raise bad(attribute, value)
    return present if value is None else value


def flag_of(raw: Mapping[str, Any], attribute: str, present: bool) -> bool:
    value = raw.get(attribute)
    if value is not None and not isinstance(value, bool):
        raise bad(attribute, value)
    return present if value is None else value


def bad(attribute: str, value: Any) -> ApiError:
    return invalid(f"Invalid value for field '{attribute}' and value '{value}'")
