"""New columns and alternate keys, over the metadata API.

Everything is checked before anything is sent, and what is there already is left as it is, so that a run that was cut
short is simply run again. The service takes one change of a table at a time, so they go one after the other. A key's
index is built by a job of the service; until it is active the key does not exist for anybody.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from tandem.connectors.dynamics.client import DynamicsClient
from tandem.connectors.dynamics.schema import Table, load_table, parse_metadata
from tandem.core.errors import RejectedError, RemoteError, TransientError, UnknownOutcomeError
from tandem.core.record import Entity, Side
from tandem.core.schema import NewField
from tandem.ports import Clock

KEY_LENGTH_MAX: Final = 450
"""An index entry takes 900 bytes, two for each character."""

ENGLISH: Final = 1033
_POLL_S: Final = 2.0
_POLLS_MAX: Final = 300
_NAME: Final = re.compile(r"[a-z][a-z0-9]{1,7}_[a-z][a-z0-9_]*")
_RESERVED: Final = "mscrm"
_NS: Final = "Microsoft.Dynamics.CRM."

_DETAILS: Final[Mapping[str, Mapping[str, Any]]] = {
    "String": {"FormatName": {"Value": "Text"}, "MaxLength": 100},
    "Memo": {"Format": "TextArea", "MaxLength": 2000},
    "Integer": {"Format": "None", "MinValue": -2147483648, "MaxValue": 2147483647},
    "Decimal": {"MinValue": -100000000000.0, "MaxValue": 100000000000.0, "Precision": 4},
    "Double": {"MinValue": -100000000000.0, "MaxValue": 100000000000.0, "Precision": 5},
    "DateTime": {"Format": "DateAndTime", "DateTimeBehavior": {"Value": "UserLocal"}},
    "Boolean": {"DefaultValue": False},
}
"""By native type: what a definition says beside its name and labels. Other types need choices or targets to be made."""


class _Key(msgspec.Struct):
    name: str = msgspec.field(name="LogicalName")
    columns: list[str] = msgspec.field(name="KeyAttributes")
    status: str = msgspec.field(name="EntityKeyIndexStatus", default="Pending")


class _Keys(msgspec.Struct):
    value: list[_Key]


class _Language(msgspec.Struct):
    code: int = msgspec.field(name="languagecode", default=ENGLISH)


class _Organization(msgspec.Struct):
    value: list[_Language]


async def create_columns(client: DynamicsClient, clock: Clock, entity: Entity, fields: Sequence[NewField]) -> None:
    """Return once the columns can be written and their keys are active.

    Raises:
        RejectedError: a name or type that cannot be, before anything was sent; or what the service refused.
    """
    for new in fields:
        _check(entity, new)
    await _Maker(client, clock, entity).make(fields)


def _check(entity: Entity, new: NewField) -> None:
    what = f"The column {new.name} of {entity} cannot be made"
    if not _NAME.fullmatch(new.name) or new.name.startswith(_RESERVED):
        raise _refused(
            entity,
            f"{what}: its name must begin with your publisher's prefix and an underline, in small letters, such as "
            "new_marketoid (Power Apps > Solutions > Publishers)",
        )
    if new.native_type not in _DETAILS:
        raise _refused(
            entity,
            f"{what}: Tandem makes no columns of type {new.native_type}. Add it in Power Apps (Tables > Columns), or "
            "take it out of the mapping",
        )
    if new.is_key and new.native_type == "String" and (new.max_length or 0) > KEY_LENGTH_MAX:
        raise _refused(entity, f"{what}: a key holds at most {KEY_LENGTH_MAX} characters")


def _refused(entity: Entity, text: str) -> RejectedError:
    return RejectedError(f"{text}.", side=Side.CRM, operation=f"create columns of {entity}", code="schema")


class _Maker:
    def __init__(self, client: DynamicsClient, clock: Clock, entity: Entity) -> None:
        self._client = client
        self._clock = clock
        self._entity = entity
        self._root = f"EntityDefinitions(LogicalName='{entity}')"
        self._operation = f"create columns of {entity}"

    async def make(self, fields: Sequence[NewField]) -> None:
        missing = _missing(await load_table(self._client, self._entity), fields)
        if missing:
            language = await self._language()
            for new in missing:
                await self._create(new, language)
            await self._publish()
        for new in fields:
            if new.is_key:
                await self._ensure_key(new)

    async def _create(self, new: NewField, language: int) -> None:
        try:
            await self._post(f"{self._root}/Attributes", definition(new, language))
        except (RejectedError, UnknownOutcomeError) as error:
            # Somebody else may have made it meanwhile, or the answer was lost.
            if _missing(await load_table(self._client, self._entity), [new]):
                raise _undone(error) from error

    async def _publish(self) -> None:
        """New columns can be written without it; people and forms see them only after it. Twice does no harm."""
        xml = f"<importexportxml><entities><entity>{self._entity}</entity></entities></importexportxml>"
        try:
            await self._post("PublishXml", {"ParameterXml": xml})
        except UnknownOutcomeError as error:
            raise _undone(error) from error

    async def _ensure_key(self, new: NewField) -> None:
        key = await self._find_key(new)
        if key is None:
            await self._create_key(new)
        for _ in range(_POLLS_MAX):
            if key is not None and key.status == "Active":
                return
            if key is not None and key.status == "Failed":
                raise _refused(
                    self._entity,
                    f"The key {key.name} of {self._entity} could not be built: two records share a value. "
                    "Make them differ, then reactivate the key in Power Apps (Tables > Keys)",
                )
            await self._clock.sleep(_POLL_S)
            key = await self._find_key(new)
        raise TransientError(
            f"The key of {new.name} on {self._entity} is still being built; run this again later.",
            side=Side.CRM,
            operation=self._operation,
            code="key",
        )

    async def _create_key(self, new: NewField) -> None:
        label = _label(f"{new.label} Key", await self._language())
        body = {"SchemaName": f"{new.name}_key", "DisplayName": label, "KeyAttributes": [new.name]}
        try:
            await self._post(f"{self._root}/Keys", body)
        except (RejectedError, UnknownOutcomeError) as error:
            # Somebody else may have made it meanwhile, or the answer was lost.
            if await self._find_key(new) is None:
                raise _undone(error) from error

    async def _find_key(self, new: NewField) -> _Key | None:
        path = f"{self._root}/Keys?$select=LogicalName,KeyAttributes,EntityKeyIndexStatus"
        (answer,) = await self._client.get_fresh(self._operation, [path])
        keys = parse_metadata(answer, _Keys, self._operation).value
        return next((key for key in keys if key.columns == [new.name]), None)

    async def _language(self) -> int:
        """The organisation's base language: labels in one that is not installed are refused."""
        try:
            rows = await self._client.get_json(self._operation, "organizations?$select=languagecode", _Organization)
        except RejectedError:
            return ENGLISH
        return rows.value[0].code if rows.value else ENGLISH

    async def _post(self, path: str, body: Mapping[str, Any]) -> None:
        await self._client.post(self._operation, path, msgspec.json.encode(body))


def _missing(table: Table, fields: Sequence[NewField]) -> list[NewField]:
    return [new for new in fields if new.name not in table.columns]


def _undone(error: RemoteError) -> RemoteError:
    """Making columns again is harmless, so an answer that was lost is no more than a reason to try again."""
    if not isinstance(error, UnknownOutcomeError):
        return error
    return TransientError(str(error), side=error.side, operation=error.operation, code=error.code)


def definition(new: NewField, language: int) -> dict[str, Any]:
    """What the metadata API takes for a new column."""
    body: dict[str, Any] = {
        "@odata.type": f"{_NS}{new.native_type}AttributeMetadata",
        "SchemaName": new.name,
        "DisplayName": _label(new.label, language),
        "RequiredLevel": {
            "Value": "None",
            "CanBeChanged": True,
            "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings",
        },
        **_DETAILS[new.native_type],
    }
    if new.max_length is not None and "MaxLength" in body:
        body["MaxLength"] = new.max_length
    if new.native_type == "Boolean":
        body["OptionSet"] = {
            "@odata.type": f"{_NS}BooleanOptionSetMetadata",
            "TrueOption": {"Value": 1, "Label": _label("Yes", language)},
            "FalseOption": {"Value": 0, "Label": _label("No", language)},
        }
    return body


def _label(text: str, language: int) -> dict[str, Any]:
    localized = {"@odata.type": f"{_NS}LocalizedLabel", "Label": text, "LanguageCode": language}
    return {"@odata.type": f"{_NS}Label", "LocalizedLabels": [localized]}
