"""Every operation of Adobe's definition with whatever a client may send: never a 500, never a hang, always an envelope.

Paths, parameters and bodies are drawn from the definition itself, seasoned with values that mean something here, so
that the draws get past the first check. `test_robustness.py` looks at chosen calls more closely.
"""

import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.marketo.client import InProcess, check_answer
from tests.contract.marketo.swagger import DATA
from tests.contract.marketo.upload import BOUNDARY, upload

DEADLINE_MS = 10_000  # what hangs, hangs longer; what is slow on a busy machine does not
once = settings(
    max_examples=8,
    deadline=DEADLINE_MS,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
many = settings(once, max_examples=60)

# Things that are there, and things that are not.
names = st.sampled_from(
    ["email", "id", "car", "vin", "leadId", "1", "2", "0", "-1", "99", "1,2", "true", "CSV", "dedupeFields", "idField",
     "createOnly", "updateOnly", "name", "city", "On List", "Default", "2026-01-01T00:00:00Z", "programId", "13"]
)  # fmt: skip
texts = names | st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)
dates = st.fixed_dictionaries({}, optional={"startAt": texts, "endAt": texts})
cells = texts | st.sampled_from(['"', '""', '"a,b"', "two\nlines", "東京", "\r", "\t", ";", "\ufeff", "x" * 300])


@pytest.fixture(scope="module")
def busy() -> Any:
    """People, a list, a program, a campaign, a custom object and a custom activity type."""
    marketo = InProcess(people=20, settings={"activity_lag_s": "0", "import_rows_per_s": "100000"})
    marketo.sign_in()
    for entity, given_values in (("list", {"name": "L"}), ("program", {"name": "P"}), ("campaign", {"name": "C"})):
        marketo.control("POST", "/people/create", {"entity": entity, "values": given_values})
    schema = "/rest/v1/customobjects/schema"
    marketo.post(f"{schema}.json", {"apiName": "car", "displayName": "Car"})
    vin = {"name": "vin", "displayName": "VIN", "dataType": "string", "isDedupeField": True}
    link = {"name": "leadID", "displayName": "Lead", "dataType": "link", "relatedTo": {"name": "lead", "field": "id"}}
    marketo.post(f"{schema}/car/addField.json", {"input": [vin, link]})
    marketo.post(f"{schema}/car/approve.json")
    primary = {"apiName": "what", "name": "What"}
    kind = {"apiName": "car", "name": "Drive", "triggerName": "T", "filterName": "F", "primaryAttribute": primary}
    marketo.post("/rest/v1/activities/external/type.json", kind)
    marketo.call("POST", "/rest/v1/activities/external/type/car/approve.json")
    yield marketo
    marketo.close()


def bodies(definition: str, depth: int = 0) -> st.SearchStrategy[Any]:
    """A JSON value that looks like a definition, or does not."""
    properties = DATA["definitions"][definition].get("properties", {})
    members = {name: member(schema, depth + 1) for name, schema in properties.items()}
    open_members = st.dictionaries(names, values, max_size=4)
    shaped = st.fixed_dictionaries({}, optional=members)
    return st.builds(lambda one, other: {**other, **one}, shaped, open_members)


def member(schema: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
    if depth > 4:
        return values
    if "$ref" in schema:
        return bodies(schema["$ref"].rpartition("/")[2], depth) | values
    if schema.get("type") == "array":
        return st.lists(member(schema["items"], depth), max_size=3) | values
    of_type: st.SearchStrategy[Any] = {
        "integer": st.integers(-2, 30),
        "boolean": st.booleans(),
        "number": st.floats(allow_nan=False),
        "object": dates | values,
    }.get(schema.get("type", ""), texts)
    return of_type | values


OPERATIONS = sorted(DATA["operations"], key=lambda each: (each["path"], each["method"]))


def path_of(data: st.DataObject, operation: dict[str, Any]) -> str:
    path = str(operation["path"])
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            drawn = data.draw(texts.filter(lambda text: text.strip("./") != ""), label=parameter["name"])
            path = path.replace("{" + parameter["name"] + "}", quote(drawn, safe=""))
    return path


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: f"{each['method']} {each['path']}")
def test_any_request_gets_an_answer(busy: InProcess, operation: dict[str, Any]) -> None:
    stated = [each["name"] for each in operation["parameters"] if each["in"] == "query"]
    body_of = next((each["body"] for each in operation["parameters"] if "body" in each), None)
    has_file = any(each["in"] == "formData" for each in operation["parameters"])

    @once
    @given(data=st.data())
    def answered(data: st.DataObject) -> None:
        path = path_of(data, operation)
        query = data.draw(
            st.dictionaries(st.sampled_from([*stated, "_method", "batchSize"]), texts, max_size=5), label="query"
        )
        if has_file:
            check_answer(upload(busy, path, data.draw(st.binary(max_size=60)), form=query))
            return
        target = path + ("?" + urlencode(query) if query else "")
        headers = {"Authorization": f"Bearer {busy.token}", "Content-Type": "application/json"}
        body = None if body_of is None else json.dumps(data.draw(bodies(body_of), label="body")).encode()
        check_answer(busy.send(operation["method"], target, body, headers))

    answered()


@pytest.mark.parametrize("path", ["/bulk/v1/leads.json", "/bulk/v1/customobjects/car/import.json",
                                  "/bulk/v1/program/1/members/import.json"])  # fmt: skip
def test_any_file_is_imported_or_refused(busy: InProcess, path: str) -> None:
    header = st.lists(
        st.sampled_from(["email", "id", "vin", "leadID", "leadScore", "dateOfBirth", "company", " vin"]), max_size=5
    )

    @many
    @given(
        header=header,
        rows=st.lists(st.lists(cells, max_size=6), max_size=4),
        format_=st.sampled_from(["csv", "tsv", "ssv"]),
    )
    def imported(header: list[str], rows: list[list[str]], format_: str) -> None:
        delimiter = {"csv": ",", "tsv": "\t", "ssv": ";"}[format_]
        content = "\n".join(delimiter.join(row) for row in [header, *rows]).encode()
        answer = upload(busy, path, content, format=format_, programMemberStatus="Visited")
        check_answer(answer)
        busy.advance(3_600)
        busy.sign_in()
        if answer.body["success"]:
            number = answer.body["result"][0]["batchId"]
            base = {"bulk/v1/leads": f"/bulk/v1/leads/batch/{number}.json"}
            status = base.get(path[1:14]) or path.replace("/import.json", f"/import/{number}/status.json").replace(
                "program/1", "program"
            )
            [state] = busy.get(status).result
            assert state["status"] == "Complete"
            done = state.get("numOfLeadsProcessed", state.get("numOfObjectsProcessed"))
            assert done + state["numOfRowsFailed"] >= 1

    imported()


def test_any_multipart_body_is_taken_or_613(busy: InProcess) -> None:
    disposition = b'Content-Disposition: form-data; name="file"'
    marks = [f"--{BOUNDARY}".encode(), f"--{BOUNDARY}--".encode(), b"\r\n", b"\r\n\r\n"]
    piece = st.sampled_from([*marks, disposition, b'name="', b"email\na@b.example\n", b"\x00\xff"]) | st.binary(
        max_size=8
    )

    @many
    @given(
        pieces=st.lists(piece, max_size=10),
        kind=st.sampled_from(
            [
                f"multipart/form-data; boundary={BOUNDARY}",
                "multipart/form-data",
                "multipart/form-data; boundary=",
                "text/csv",
            ]
        ),
    )
    def answered(pieces: list[bytes], kind: str) -> None:
        headers = {"Authorization": f"Bearer {busy.token}", "Content-Type": kind}
        check_answer(busy.send("POST", "/bulk/v1/leads.json?format=csv", b"".join(pieces), headers))
        busy.advance(3_600)
        busy.sign_in()

    answered()


def test_any_extract_is_made_or_refused(busy: InProcess) -> None:
    """What is made runs to its end, whatever its filter says."""
    filters = st.dictionaries(
        st.sampled_from(["createdAt", "updatedAt", "staticListId", "staticListName", "activityTypeIds", "programId",
                         "programIds", "statusNames", "primaryAttributeValues"]),
        st.just({"startAt": "2026-11-01T00:00:00Z", "endAt": "2026-11-30T00:00:00Z"})
        | st.sampled_from([1, "L", [1], ["Visited"]])
        | values,
        min_size=1, max_size=2,
    )  # fmt: skip
    fields = st.lists(st.sampled_from(["email", "leadId", "vin", "statusName", "attributes", "nothing"]), max_size=3)

    @settings(many, max_examples=100)
    @given(
        base=st.sampled_from(["leads", "activities", "customobjects/car", "program/members"]),
        fields=fields,
        filter_=filters,
    )
    def extracted(base: str, fields: list[str], filter_: dict[str, Any]) -> None:
        answer = busy.post(f"/bulk/v1/{base}/export/create.json", {"fields": fields, "filter": filter_})
        check_answer(answer)
        if answer.body["success"]:
            number = answer.body["result"][0]["exportId"]
            check_answer(busy.call("POST", f"/bulk/v1/{base}/export/{number}/enqueue.json"))
            busy.advance(3_600)
            busy.sign_in()
            assert busy.get(f"/bulk/v1/{base}/export/{number}/file.json").status == 200

    extracted()
