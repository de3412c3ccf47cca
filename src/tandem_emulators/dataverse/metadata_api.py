"""The part of the Web API that is about definitions: reading them, changing them, and the messages that do so.

Changes are refused inside a change set, whose rollback could not take back a published table.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from tandem_emulators.dataverse import errors, schema_errors
from tandem_emulators.dataverse.csdl import render_csdl
from tandem_emulators.dataverse.deployment import CLOUD_MESSAGES
from tandem_emulators.dataverse.errors import ODataError
from tandem_emulators.dataverse.metadata import SETS, Metadata, parse_key, split_segment
from tandem_emulators.dataverse.metadata_changes import MetadataChanges
from tandem_emulators.dataverse.options import parse_preferences
from tandem_emulators.dataverse.payload import decode_body
from tandem_emulators.dataverse.schema import BASE_LANGUAGE, Column, Schema, Table
from tandem_emulators.dataverse.schema_changes import SchemaChanges
from tandem_emulators.dataverse.schema_choices import ChoiceWriter
from tandem_emulators.dataverse.schema_keys import KeyBuilder
from tandem_emulators.dataverse.schema_relationships import RelationshipWriter
from tandem_emulators.dataverse.schema_writes import SchemaWriter
from tandem_emulators.dataverse.security import Caller, Security
from tandem_emulators.dataverse.settings import Settings
from tandem_emulators.dataverse.store import Row
from tandem_emulators.kit.clock import Clock
from tandem_emulators.kit.http import Reply, Request

Body = Mapping[str, Any]

_JSON = {"content-type": "application/json; odata.metadata=minimal", "odata-version": "4.0"}
_NO_CONTENT = {"odata-version": "4.0"}
METADATA_FUNCTION = "RetrieveMetadataChanges"
METADATA_ACTIONS = (
    "CreateEntities",
    "CreateCustomerRelationships",
    "InsertOptionValue",
    "InsertStatusValue",
    "UpdateOptionValue",
    "UpdateStateValue",
    "DeleteOptionValue",
    "OrderOption",
    "ReactivateEntityKey",
    "PublishXml",
    "PublishAllXml",
)
_ACTION_PRIVILEGES = {
    **dict.fromkeys(METADATA_ACTIONS, "prvWriteOptionSet"),
    "CreateEntities": "prvCreateEntity",
    "CreateCustomerRelationships": "prvCreateRelationship",
    "ReactivateEntityKey": "prvWriteEntityKey",
    "PublishXml": "prvPublishCustomization",
    "PublishAllXml": "prvPublishCustomization",
}
_VERBS = {"POST": "Create", "PUT": "Write", "DELETE": "Delete"}
_CUSTOMIZED = {
    "EntityDefinitions": "Entity",
    "RelationshipDefinitions": "Relationship",
    "GlobalOptionSetDefinitions": "OptionSet",
    "Attributes": "Attribute",
    "Keys": "EntityKey",
}
METADATA_NAMES = frozenset({*SETS, *METADATA_ACTIONS, METADATA_FUNCTION, "$metadata"})


@dataclass
class MetadataApi:
    schema: Schema
    changes: SchemaChanges
    metadata: Metadata
    writer: SchemaWriter
    keys: KeyBuilder
    changed: MetadataChanges
    settings: Settings
    clock: Clock
    _csdl: dict[tuple[int, bool], bytes] = field(default_factory=dict)
    # The tables before a change and the time until which unhurried reads show them.
    _stale: tuple[float, Schema] | None = None

    def __post_init__(self) -> None:
        self.relations = RelationshipWriter(self.writer)
        self.choices = ChoiceWriter(self.changes)

    def handle(self, request: Request, caller: Caller, segments: Sequence[str], root: str) -> Reply:
        name = split_segment(segments[0])[0]
        if name in ("$metadata", METADATA_FUNCTION, *METADATA_ACTIONS) and len(segments) > 1:
            raise errors.segment_not_found(segments[1])
        if name == "$metadata":
            _allow(request, "GET")
            return self._document(request)
        if name == METADATA_FUNCTION:
            _allow(request, "GET")
            return _json(self.changed.retrieve(_parameters(segments[0], request), root))
        if name in METADATA_ACTIONS:
            _allow(request, "POST")
            self.writer.security.require_customizing(caller, _ACTION_PRIVILEGES[name])
            return self._changing(request, lambda: self._act(name, request, root))
        if request.method == "GET":
            seen = Metadata(self._seen(request), self.metadata.is_secured, self.settings.global_choices_apart)
            body = self._served(seen, segments, request, root)
            if self.settings.user_language != BASE_LANGUAGE:
                _speak(body, self.settings.user_language)
            return _json(body)
        _allow(request, "POST", "PUT", "DELETE")
        self.writer.security.require_customizing(caller, _privilege(request.method, segments))
        return self._changing(request, lambda: self._write(request, segments, root))

    def _document(self, request: Request) -> Reply:
        asked = parse_preferences(request.headers.get("prefer")).annotations is not None
        annotated = asked or dict(request.query()).get("annotations", "").lower() == "true"
        key = (self.schema.version, annotated)
        if key not in self._csdl:
            without = CLOUD_MESSAGES if self.settings.on_premises else frozenset[str]()
            self._csdl = {key: render_csdl(self.schema, annotated=annotated, without=without)}
        return Reply(200, self._csdl[key], {"content-type": "application/xml", "odata-version": "4.0"})

    # Reading what may be stale, and changing.

    def _served(self, seen: Metadata, segments: Sequence[str], request: Request, root: str) -> Row:
        """A definition that is not there has the code of the switch, which the documentation does not tell."""
        try:
            return seen.serve(segments, dict(request.query()), root)
        except ODataError as error:
            if (error.status, error.code) != (404, errors.NO_DEFINITION):
                raise
            raise replace(error, code=self.settings.missing_definition_code) from error

    def _seen(self, request: Request) -> Schema:
        strong = request.headers.get("consistency", "").lower() == "strong"
        if self._stale is None or strong or self.clock.timestamp() >= self._stale[0]:
            return self.schema
        return self._stale[1]

    def _changing(self, request: Request, change: Callable[[], Reply]) -> Reply:
        if self.changes.store.connection.in_transaction:
            raise schema_errors.not_in_changeset()
        self._check_solution(request)
        before = self.schema.copy()
        try:
            with self.changes.store.transaction():
                reply = change()
        except BaseException:
            if self.schema.version != before.version:
                self.schema.go_back_to(before)
            raise
        if self.settings.metadata_cache_s > 0:
            self._stale = (self.clock.timestamp() + self.settings.metadata_cache_s, before)
        return reply

    def _check_solution(self, request: Request) -> None:
        """A change may name the unmanaged solution that it belongs to, which must be there."""
        name = request.headers.get("mscrm.solutionuniquename") or dict(request.query()).get("SolutionUniqueName")
        if name and name not in self.settings.solutions.split(","):
            raise errors.ODataError(404, "0x80040217", f"Solution With UniqueName = {name} Does Not Exist")

    # Messages.

    def _act(self, name: str, request: Request, root: str) -> Reply:
        body = decode_body("", request.body) if request.body.strip() else {}
        context = f"{root}$metadata#Microsoft.Dynamics.CRM.{name}Response"
        match name:
            case "CreateEntities":
                return _json({"@odata.context": context, **self._create_tables(body)})
            case "CreateCustomerRelationships":
                column, relations = self.relations.create_customer(body)
                ids = [relation["MetadataId"] for relation in relations]
                return _json({"@odata.context": context, "AttributeId": column["MetadataId"], "RelationshipIds": ids})
            case "InsertOptionValue" | "InsertStatusValue":
                return _json({"@odata.context": context, "NewOptionValue": self.choices.insert(body)})
            case "ReactivateEntityKey":
                self.keys.reactivate(body.get("EntityLogicalName"), body.get("EntityKeyLogicalName"))
            case "PublishXml":
                if not isinstance(body.get("ParameterXml"), str):
                    raise errors.invalid_argument("Required parameter 'ParameterXml' is missing.")
            case "UpdateOptionValue" | "UpdateStateValue":
                self.choices.update_option(body)
            case "DeleteOptionValue":
                self.choices.delete_option(body)
            case "OrderOption":
                self.choices.order(body)
        return Reply(204, headers=dict(_NO_CONTENT))

    def _create_tables(self, body: Body) -> dict[str, Any]:
        given = body.get("Entities")
        if not isinstance(given, list) or not given or not all(isinstance(one, dict) for one in given):
            raise errors.invalid_argument("Required parameter 'Entities' is missing.")
        tables = [self.writer.create_table(one) for one in given]
        ids = [table.metadata["MetadataId"] for table in tables]
        columns = [
            attribute["MetadataId"]
            for table in tables
            for attribute in table.metadata["Attributes"]
            if attribute.get("IsCustomAttribute")
        ]
        return {"EntityIds": ids, "AttributeIds": columns}

    # Definitions.

    def _write(self, request: Request, segments: Sequence[str], root: str) -> Reply:
        """What was made is named under the path that the client used."""
        name, key = split_segment(segments[0])
        url = f"{root}{segments[0]}"
        handlers = {
            "EntityDefinitions": self._write_table,
            "RelationshipDefinitions": self._write_relation,
            "GlobalOptionSetDefinitions": self._write_choice,
        }
        return handlers[name](request, key, segments[1:], url)

    def _write_table(self, request: Request, key: str | None, rest: Sequence[str], url: str) -> Reply:
        if key is None:
            _allow(request, "POST")
            return self._created(url, self.writer.create_table(_body(request)).metadata)
        table = self.metadata.table(key)
        if not rest:
            _allow(request, "PUT", "DELETE")
            if request.method == "PUT":
                self.writer.update_table(table, _body(request), merge=_merges(request))
            else:
                self.writer.delete_table(table)
            return Reply(204, headers=dict(_NO_CONTENT))
        part, part_key = split_segment(rest[0])
        if part == "Attributes":
            return self._write_column(request, table, part_key, f"{url}/Attributes")
        if part == "Keys":
            return self._write_key(request, table, part_key, f"{url}/Keys")
        raise errors.method_not_allowed(request.method)

    def _write_column(self, request: Request, table: Table, key: str | None, url: str) -> Reply:
        if key is None:
            _allow(request, "POST")
            return self._created(url, self.writer.create_column(table, _body(request)))
        _allow(request, "PUT", "DELETE")
        column = self._column(table, key)
        if request.method == "PUT":
            self.writer.update_column(table, column, _body(request), merge=_merges(request))
        else:
            self.writer.delete_column(table, column)
        return Reply(204, headers=dict(_NO_CONTENT))

    def _column(self, table: Table, key: str) -> Column:
        wanted = parse_key(key, "AttributeMetadata")
        for column in table.columns.values():
            if wanted.names(column.metadata):
                return column
        raise errors.no_column(wanted.value, table.name)

    def _write_key(self, request: Request, table: Table, key: str | None, url: str) -> Reply:
        if key is None:
            _allow(request, "POST")
            return self._created(url, self.keys.create(table, _body(request)))
        _allow(request, "DELETE")
        wanted = parse_key(key, "EntityKeyMetadata")
        self.keys.delete(table, self.keys.find(table, wanted.property, wanted.value))
        return Reply(204, headers=dict(_NO_CONTENT))

    def _write_relation(self, request: Request, key: str | None, rest: Sequence[str], url: str) -> Reply:
        if key is None:
            _allow(request, "POST")
            body = _body(request)
            kind = str(body.get("@odata.type", "")).lstrip("#").rpartition(".")[2].removeprefix("Complex")
            if kind == "ManyToManyRelationshipMetadata":
                return self._created(url, self.relations.create_many_to_many(body))
            if kind == "OneToManyRelationshipMetadata":
                return self._created(url, self.relations.create_one_to_many(body))
            raise schema_errors.bad_definition(f"The type of a relationship is not valid: '{body.get('@odata.type')}'.")
        _allow(request, "PUT", "DELETE")
        wanted = parse_key(key, "RelationshipMetadataBase")
        relation = self.relations.find(wanted.property, wanted.value)
        if request.method == "PUT":
            self.relations.update(relation, _body(request))
        else:
            self.relations.delete(relation)
        return Reply(204, headers=dict(_NO_CONTENT))

    def _write_choice(self, request: Request, key: str | None, rest: Sequence[str], url: str) -> Reply:
        if key is None:
            _allow(request, "POST")
            return self._created(url, self.choices.create(_body(request)))
        _allow(request, "PUT", "DELETE")
        wanted = parse_key(key, "OptionSetMetadataBase")
        choice = self.choices.find(wanted.property, wanted.value)
        if request.method == "PUT":
            self.choices.update(choice, _body(request), merge=_merges(request))
        else:
            self.choices.delete(choice)
        return Reply(204, headers=dict(_NO_CONTENT))

    def _created(self, url: str, made: Body) -> Reply:
        entity = f"{url}({made['MetadataId']})"
        return Reply(204, headers={**_NO_CONTENT, "odata-entityid": entity, "location": entity})


def build_metadata_api(changes: SchemaChanges, security: Security, settings: Settings, clock: Clock) -> MetadataApi:
    """All of it over one store."""
    metadata = Metadata(changes.schema, security.is_secured)
    return MetadataApi(
        schema=changes.schema,
        changes=changes,
        metadata=metadata,
        writer=SchemaWriter(changes, security),
        keys=KeyBuilder(changes, clock, settings),
        changed=MetadataChanges(metadata, changes, clock, changes.remembered_days),
        settings=settings,
        clock=clock,
    )


def _body(request: Request) -> dict[str, Any]:
    return decode_body("", request.body)


def _merges(request: Request) -> bool:
    return request.headers.get("mscrm.mergelabels", "").lower() == "true"


def _privilege(method: str, segments: Sequence[str]) -> str:
    """What it takes to do this to the last part of the path that is a definition."""
    names = [split_segment(segment)[0] for segment in segments[:2]]
    what = [_CUSTOMIZED[name] for name in names if name in _CUSTOMIZED][-1]
    return f"prv{_VERBS[method]}{what}"


def _speak(value: Any, language: int) -> None:
    """Make the text in this language the user's own wherever a label has one."""
    if isinstance(value, list):
        for one in value:
            _speak(one, language)
    elif isinstance(value, dict):
        own = [one for one in value.get("LocalizedLabels") or () if one["LanguageCode"] == language]
        if own:
            value["UserLocalizedLabel"] = own[0]
        for one in value.values():
            _speak(one, language)


def _parameters(segment: str, request: Request) -> dict[str, str]:
    """Parameters of a function: named in the parentheses, their values there or under an alias in the query."""
    aliases = dict(parse_qsl(request.query_string, keep_blank_values=True))
    found = {}
    for part in (split_segment(segment)[1] or "").split(",") if "(" in segment else ():
        name, _, value = part.partition("=")
        found[name.strip()] = aliases.get(value, "") if value.startswith("@") else value
    return found


def _allow(request: Request, *methods: str) -> None:
    if request.method not in methods:
        raise errors.method_not_allowed(request.method)


def _json(body: object) -> Reply:
    return Reply(200, msgspec.json.encode(body), dict(_JSON))
