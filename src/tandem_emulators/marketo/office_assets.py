"""What a person sets up in Marketo's screens and the API only uses: lists, partitions, programs, campaigns, forms,
and custom object types made in the admin area.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from tandem_emulators.kit.errors import ControlError
from tandem_emulators.marketo.campaigns import Campaign
from tandem_emulators.marketo.custom_object_schema import approved
from tandem_emulators.marketo.custom_objects import CustomField, CustomType, Version
from tandem_emulators.marketo.flow import Flows
from tandem_emulators.marketo.lists import create_list, find_list
from tandem_emulators.marketo.programs import CHANNELS, Program
from tandem_emulators.marketo.push import Form, create_form
from tandem_emulators.marketo.subscription import Subscription

Values = Mapping[str, Any]
T = TypeVar("T")


class NewList(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    description: str | None = None


class NewPartition(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    name: str
    description: str | None = None
    is_accessible: bool = True  # to the API user


class NewProgram(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    type: str = "Default"
    channel: str = "Content"
    description: str = ""


class NewCampaign(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """`list` says by name or id whom a batch campaign runs on; `program` where it belongs."""

    name: str
    type: str = "trigger"
    active: bool = True
    requestable: bool = True
    description: str | None = None
    program: str | int | None = None
    audience: str | int | None = msgspec.field(name="list", default=None)
    flow: list[dict[str, Any]] = []
    custom_objects: dict[str, list[str]] = {}


class NewForm(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    fields: list[str]
    program: str | int | None = None


class NewType(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Made by hand a type is approved at once, and its API name ends in `_c`, as those of the screens do (4.3)."""

    api_name: str
    display_name: str
    fields: list[CustomField]
    plural_name: str | None = None
    description: str | None = None
    is_crm_managed: bool = False


class Assets:
    def __init__(self, subscription: Subscription, flows: Flows) -> None:
        self._subscription = subscription
        self._flows = flows
        self.makers: dict[str, Callable[[Values, float], object]] = {
            "list": self._list,
            "partition": self._partition,
            "program": self._program,
            "campaign": self._campaign,
            "form": self._form,
            "customObjectType": self._type,
        }

    def _list(self, values: Values, now_s: float) -> int:
        new = _read(values, NewList)
        also = {"description": new.description} if new.description is not None else {}
        return create_list(self._subscription, new.name, now_s, **also)

    def _partition(self, values: Values, now_s: float) -> int:
        new = _read(values, NewPartition)
        if any(each.name == new.name for each in self._subscription.partitions.all()):
            raise ControlError(f"There is a partition {new.name!r} already.")
        return self._subscription.partitions.create(new.name, new.description, is_accessible=new.is_accessible)

    def _program(self, values: Values, now_s: float) -> int:
        new = _read(values, NewProgram)
        if new.channel not in CHANNELS:
            raise ControlError(f"A channel is one of {', '.join(CHANNELS)}, not {new.channel!r}.")
        if self._subscription.programs.find(new.name) is not None:
            raise ControlError(f"There is a program {new.name!r} already.")
        program = Program(name=new.name, type=new.type, channel=new.channel, description=new.description)
        return self._subscription.programs.create(program, int(now_s)).id

    def _campaign(self, values: Values, now_s: float) -> int:
        new = _read(values, NewCampaign)
        if new.type not in ("trigger", "batch"):
            raise ControlError("A campaign is of the type trigger or batch.")
        campaign = Campaign(
            name=new.name,
            type=new.type,
            active=new.active,
            requestable=new.requestable,
            description=new.description,
            program_id=self._program_id(new.program),
            list_id=self._list_id(new.audience),
            flow=[dict(step) for step in self._flows.check(new.flow)],
            custom_objects=new.custom_objects,
        )
        return self._subscription.campaigns.create(campaign, int(now_s)).id

    def _form(self, values: Values, now_s: float) -> int:
        new = _read(values, NewForm)
        known = (self._subscription.fields, self._subscription.programs.fields)
        for name in new.fields:
            if all(fields.find_exact(name) is None for fields in known):
                raise ControlError(f"There is no field {name!r} to put on a form.")
        form = Form(name=new.name, fields=new.fields, program_id=self._program_id(new.program))
        return create_form(self._subscription, form)

    def _type(self, values: Values, now_s: float) -> str:
        new = _read(values, NewType)
        api_name = new.api_name if new.api_name.endswith("_c") else f"{new.api_name}_c"
        types = self._subscription.custom_objects
        if types.find(api_name) is not None:
            raise ControlError(f"There is a custom object type {api_name!r} already.")
        fields = [self._linked(field) for field in new.fields]
        version = Version(new.display_name, new.plural_name, new.description, fields=fields)
        draft = CustomType(api_name, draft=version, is_crm_managed=new.is_crm_managed)
        types.save(approved(draft, int(now_s)))
        return api_name

    def _linked(self, field: CustomField) -> CustomField:
        if field.related_to is None:
            return field
        found = self._subscription.custom_objects.resolve_link(field.related_to)
        if found is None:
            raise ControlError(f"The field {field.name!r} links to nothing.")
        return msgspec.structs.replace(field, related_to=found[0], stored_type=found[1])

    def _program_id(self, wanted: str | int | None) -> int | None:
        if wanted is None:
            return None
        found = self._subscription.programs.find(wanted)
        if found is None:
            raise ControlError(f"There is no program {wanted!r}.")
        return found.id

    def _list_id(self, wanted: str | int | None) -> int | None:
        found = find_list(self._subscription, wanted)
        if found is None and wanted is not None:
            raise ControlError(f"There is no list {wanted!r}.")
        return found


def _read(values: Values, kind: type[T]) -> T:
    try:
        return msgspec.convert(dict(values), kind)
    except msgspec.ValidationError as error:
        raise ControlError(f"{error}.") from error
