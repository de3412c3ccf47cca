"""Odd definitions and odd questions about them are refused, never answered by a failure of the emulator."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.dataverse.client import InProcess
from tests.contract.dataverse.definitions import CRM, LEAD_COLUMNS, column, label, table

SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=20)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3)
)
# What a careless program sends: the wrong type in the right place.
CARELESS: list[Any] = [
    *(None, True, 0, -1, 2**70, 1.5, "", "x", "lead", [], {}, [1], [None], [["x"]]),
    *({"Value": None}, {"Value": [1]}, {"Value": {"a": 1}}, {"Options": None}),
    *({"LocalizedLabels": [None]}, {"LocalizedLabels": [{"LanguageCode": True, "Label": "x"}]}),
    *({"LocalizedLabels": [{"LanguageCode": 1033, "Label": None}]}, "#Microsoft.Dynamics.CRM.FileAttributeMetadata"),
]
OPTIONS = [{"Value": 1, "Label": label("One")}, {"Value": 2, "Label": label("Two")}]
LOOKUP = column("Lookup", "new_FuzzId", DisplayName=label("F"))
ONE_TO_MANY = {
    "@odata.type": f"{CRM}OneToManyRelationshipMetadata",
    "SchemaName": "new_fuzz_rel",
    "ReferencedEntity": "account",
    "ReferencingEntity": "lead",
    "Lookup": LOOKUP,
    "CascadeConfiguration": {"Delete": "RemoveLink"},
}
MANY_TO_MANY = {
    "@odata.type": f"{CRM}ManyToManyRelationshipMetadata",
    "SchemaName": "new_fuzz_pairs",
    "IntersectEntityName": "new_fuzz_pairs",
    "Entity1LogicalName": "lead",
    "Entity2LogicalName": "contact",
}
WHERE = {"EntityLogicalName": "lead", "AttributeLogicalName": "leadsourcecode", "OptionSetName": None}
# Requests that are right, each of which is bent somewhere before it is sent.
REQUESTS: list[tuple[str, str, Any]] = [
    ("POST", "EntityDefinitions", table("new_Fuzz")),
    ("POST", "CreateEntities", {"Entities": [table("new_Fuzz")]}),
    ("PUT", "EntityDefinitions(LogicalName='task')", {"DisplayName": label("Task"), "HasNotes": True}),
    ("POST", LEAD_COLUMNS, column("String", "new_FuzzText", MaxLength=10, RequiredLevel={"Value": "None"})),
    ("POST", LEAD_COLUMNS, column("Picklist", "new_FuzzPick", OptionSet={"IsGlobal": False, "Options": OPTIONS})),
    ("POST", LEAD_COLUMNS, column("DateTime", "new_FuzzTime", Format="DateOnly", DateTimeBehavior={"Value": "X"})),
    ("PUT", f"{LEAD_COLUMNS}(LogicalName='fax')", column("String", "Fax", MaxLength=50, DisplayName=label("Fax"))),
    ("POST", "EntityDefinitions(LogicalName='task')/Keys", {"SchemaName": "new_K", "KeyAttributes": ["subject"]}),
    ("POST", "RelationshipDefinitions", ONE_TO_MANY),
    ("POST", "RelationshipDefinitions", MANY_TO_MANY),
    ("PUT", "RelationshipDefinitions(SchemaName='account_primary_contact')", ONE_TO_MANY),
    ("POST", "CreateCustomerRelationships", {"Lookup": LOOKUP, "OneToManyRelationships": [ONE_TO_MANY, ONE_TO_MANY]}),
    ("POST", "GlobalOptionSetDefinitions", {"Name": "new_fuzz", "Options": OPTIONS, "DisplayName": label("F")}),
    ("POST", "InsertOptionValue", {**WHERE, "Label": label("Added"), "Value": 5}),
    ("POST", "InsertStatusValue", {**WHERE, "AttributeLogicalName": "statuscode", "StateCode": 0}),
    ("POST", "UpdateOptionValue", {**WHERE, "Value": 1, "Label": label("Other"), "MergeLabels": True}),
    ("POST", "OrderOption", {**WHERE, "Values": [1, 2]}),
    ("POST", "DeleteOptionValue", {**WHERE, "Value": 1}),
    ("POST", "ReactivateEntityKey", {"EntityLogicalName": "team", "EntityKeyLogicalName": "x"}),
    ("POST", "PublishXml", {"ParameterXml": "<x/>"}),
]


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[InProcess]:
    org = InProcess()
    assert org.sign_in().status == 200
    yield org
    org.close()


# One of these is read after each, so that what was taken cannot have spoilt them.
READS = ["EntityDefinitions", LEAD_COLUMNS, "RelationshipDefinitions", "GlobalOptionSetDefinitions", "leads?$top=1"]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where a body can be bent: every member of every object and list in it, and the whole."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, inner in members for place in places(inner, (*path, name)))]


def bent(body: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return value
    changed = copy.deepcopy(body)
    inner = changed
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    return changed


@given(data=st.data(), request=st.sampled_from(REQUESTS), value=st.sampled_from(CARELESS) | JSON)
def test_a_bent_definition_is_refused_or_taken(fuzzed: InProcess, data: Any, request: Any, value: Any) -> None:
    method, path, body = request
    changed = bent(body, data.draw(st.sampled_from(places(body))), value)
    answer = fuzzed.api(method, path, json.dumps(changed))
    assert answer.status < 500, (path, changed, answer.raw)
    read = data.draw(st.sampled_from(READS))
    assert fuzzed.get(read).status == 200, read


WORDS = ["LogicalName", "eq", "'lead'", "Attributes", "(", ")", "$select=", ";", ",", "/", "null", "Value", "and", "''"]
FRAGMENTS = st.lists(st.sampled_from(WORDS) | st.text(max_size=4), max_size=8).map(" ".join)
SETS = ["EntityDefinitions", "RelationshipDefinitions", "GlobalOptionSetDefinitions", LEAD_COLUMNS]


@given(
    path=st.sampled_from(SETS), option=st.sampled_from(["$filter", "$select", "$expand", "$orderby"]), text=FRAGMENTS
)
def test_an_odd_question_is_refused_or_answered(fuzzed: InProcess, path: str, option: str, text: str) -> None:
    odd = "".join(sign for sign in text if sign.isprintable() and sign not in "#&?")
    assert fuzzed.get(f"{path}?{option}={odd}").status < 500


@given(key=FRAGMENTS, rest=st.sampled_from(["", "/Attributes", "/Keys(x)", "/Attributes(x)/y", "/OptionSet"]))
def test_an_odd_path_is_refused(fuzzed: InProcess, key: str, rest: str) -> None:
    odd = "".join(sign for sign in key if sign.isprintable() and sign not in "#&?")
    for method in ("GET", "PUT", "DELETE", "POST", "PATCH"):
        assert fuzzed.api(method, f"EntityDefinitions({odd}){rest}", {}).status < 500


@given(query=JSON, stamp=st.text(max_size=20), kinds=st.text(max_size=10))
def test_odd_changes_of_metadata_are_refused_or_answered(fuzzed: InProcess, query: Any, stamp: str, kinds: str) -> None:
    odd = "".join(sign for sign in stamp + kinds if sign.isalnum())
    path = "RetrieveMetadataChanges(Query=@q,ClientVersionStamp=@s,DeletedMetadataFilters=@d)"
    text = json.dumps(query).replace("&", "").replace("#", "").replace("?", "")
    assert fuzzed.get(f"{path}?@q={text}&@s={odd}&@d={odd}").status < 500
