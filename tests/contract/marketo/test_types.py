"""Every field type's accepted and refused values: fact sheet 8, with the recorded texts of 2.3."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.marketo.client import InProcess, Running

REFUSED = object()
TYPES = (
    "boolean", "currency", "date", "datetime", "email", "float", "integer", "percent", "phone", "score", "string",
    "url",
)  # fmt: skip
BIG = 2**31 - 1

# type, what is written, what reads back
TABLE: list[tuple[str, object, object]] = [
    ("string", "text", "text"),
    ("string", " kept as sent ", " kept as sent "),
    ("string", "É日本😀'\"<b>", "É日本😀'\"<b>"),
    ("string", "x" * 255, "x" * 255),
    ("string", "x" * 256, REFUSED),
    ("string", 12, "12"),
    ("string", True, "true"),
    ("string", ["x"], REFUSED),
    ("string", {"x": 1}, REFUSED),
    ("email", "Jane.Doe+tag@Shop.example", "Jane.Doe+tag@Shop.example"),
    ("email", "bademail", REFUSED),
    ("email", "a@b", REFUSED),
    ("email", "jäne@shop.example", REFUSED),
    ("email", "a b@shop.example", REFUSED),
    ("email", "a" * 243 + "@b.example.com", REFUSED),
    ("email", 5, REFUSED),
    ("phone", "+1 (555) 010-99", "+1 (555) 010-99"),
    ("phone", "anything", "anything"),
    ("phone", 5550199, "5550199"),
    ("url", "https://shop.example/a?b=c", "https://shop.example/a?b=c"),
    ("url", "airbyte.io", "airbyte.io"),
    ("url", "x" * 256, REFUSED),
    ("integer", 14, 14),
    ("integer", "14", 14),
    ("integer", " -7 ", -7),
    ("integer", 14.0, 14),
    ("integer", 14.1, REFUSED),
    ("integer", "14.1", REFUSED),
    ("integer", "14c", REFUSED),
    ("integer", BIG, BIG),
    ("integer", BIG + 1, REFUSED),
    ("integer", -BIG - 2, REFUSED),
    ("integer", True, REFUSED),
    ("score", 50, 50),
    ("score", "50", 50),
    ("score", 1.5, REFUSED),
    ("percent", 100, 100),
    ("percent", "100", 100),
    ("percent", "100%", REFUSED),
    ("percent", 12.5, REFUSED),
    ("float", 14.1, 14.1),
    ("float", "1.5e3", 1500.0),
    ("float", "14c", REFUSED),
    ("float", "1,5", REFUSED),
    ("float", False, REFUSED),
    ("currency", 9.99, 9.99),
    ("currency", "9.99", 9.99),
    ("currency", "14c", REFUSED),
    ("currency", "$5", REFUSED),
    ("boolean", True, True),
    ("boolean", "true", True),
    ("boolean", "FALSE", False),
    ("boolean", 1, True),
    ("boolean", "other", REFUSED),
    ("boolean", 2, REFUSED),
    ("boolean", None, False),
    ("boolean", "", False),
    ("date", "2026-02-28", "2026-02-28"),
    ("date", "2026-02-29", REFUSED),
    ("date", "02/28/2026", REFUSED),
    ("date", "2026-02-28T00:00:00Z", REFUSED),
    ("datetime", "2023-01-26T18:46:48Z", "2023-01-26T18:46:48Z"),
    ("datetime", "2023-01-26T18:46:48.000Z", "2023-01-26T18:46:48Z"),
    ("datetime", "2023-01-26T18:46:48.999Z", "2023-01-26T18:46:48Z"),
    ("datetime", "2023-01-26T13:46:48-05:00", "2023-01-26T18:46:48Z"),
    ("datetime", "yesterday", REFUSED),
    ("datetime", "2023-13-01T00:00:00Z", REFUSED),
    ("datetime", 1_674_758_808, REFUSED),
    *((kind, None, None) for kind in TYPES if kind != "boolean"),
    *((kind, "", None) for kind in TYPES if kind != "boolean"),
]  # fmt: skip


@pytest.fixture(scope="module")
def typed() -> Iterator[Running]:
    """One person with a custom field of each type, and a value in each."""
    marketo = InProcess()
    marketo.sign_in()
    fields = [{"name": f"f_{kind}", "displayName": f"F {kind}", "dataType": kind} for kind in TYPES]
    marketo.post("/rest/v1/leads/schema/fields.json", {"input": fields})
    marketo.create(email="a@b.example")
    yield marketo
    marketo.close()


def write(marketo: Running, name: str, value: object) -> dict[str, Any]:
    record = {"email": "a@b.example", name: value}
    [result] = marketo.post("/rest/v1/leads.json", {"input": [record], "action": "updateOnly"}).result
    return result


@pytest.mark.parametrize(("kind", "value", "stored"), TABLE)
def test_what_a_type_takes_and_how_it_reads_back(typed: Running, kind: str, value: object, stored: object) -> None:
    name = f"f_{kind}"
    before = typed.lead(1, name)[name]
    result = write(typed, name, value)
    after = typed.lead(1, name)[name]
    if stored is REFUSED:
        assert result["status"] == "skipped"
        assert result["reasons"][0]["code"] == "1003"
        assert after == before
    else:
        assert result == {"id": 1, "status": "updated"}
        assert after == stored
        assert type(after) is type(stored)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("boolean", "other"), ("email", "bademail"), ("integer", 14.1), ("percent", "100%"), ("datetime", "yesterday")],
)
def test_the_recorded_text_of_a_refusal(typed: Running, kind: str, value: object) -> None:
    [reason] = write(typed, f"f_{kind}", value)["reasons"]
    assert reason == {"code": "1003", "message": f"Invalid value for field 'f_{kind}' and value '{value}'"}


def test_describe_names_the_types_and_the_lengths(typed: Running) -> None:
    described = {field["rest"]["name"]: field for field in typed.get("/rest/v1/leads/describe.json").result}
    shown = {kind: (described[f"f_{kind}"]["dataType"], described[f"f_{kind}"].get("length")) for kind in TYPES}
    long = {"email": 255, "phone": 255, "string": 255, "url": 255}
    assert shown == {kind: ("integer" if kind == "score" else kind, long.get(kind)) for kind in TYPES}


@pytest.mark.parametrize(
    ("name", "length"), [("postalCode", 255), ("sicCode", 40), ("externalCompanyId", 50), ("salutation", 255)]
)
def test_standard_fields_have_their_own_lengths(typed: Running, name: str, length: int) -> None:
    described = {field["rest"]["name"]: field for field in typed.get("/rest/v1/leads/describe.json").result}
    assert described[name]["length"] == length


@pytest.mark.parametrize(("size", "status"), [(30_000, "updated"), (30_001, "skipped")])
def test_a_text_area_holds_30_000_bytes(typed: Running, size: int, status: str) -> None:
    """Bytes, not characters: two of them for an umlaut."""
    half, odd = divmod(size, 2)
    assert write(typed, "mktoPersonNotes", "ü" * half + "x" * odd)["status"] == status


def test_too_long_is_cut_where_the_switch_says_so(typed: Running) -> None:
    typed.set(over_length="truncate")
    assert write(typed, "f_string", "x" * 300)["status"] == "updated"
    assert typed.lead(1, "f_string") == {"f_string": "x" * 255}
    typed.set(over_length="reject")


def test_blanks_at_the_ends_go_where_the_switch_says_so(typed: Running) -> None:
    typed.set(whitespace="trimmed")
    write(typed, "f_string", "  kept  inside ")
    assert typed.lead(1, "f_string") == {"f_string": "kept  inside"}
    typed.set(whitespace="kept")


def test_an_empty_text_stays_where_the_switch_says_so(typed: Running) -> None:
    typed.set(empty_string="kept")
    write(typed, "f_string", "")
    assert typed.lead(1, "f_string") == {"f_string": ""}
    typed.set(empty_string="clears")


@pytest.mark.parametrize("name", ["mktoName", "createdAt", "updatedAt", "contactCompany", "inferredCompany", "ecids"])
def test_read_only_fields_are_refused(typed: Running, name: str) -> None:
    assert write(typed, name, "x")["reasons"] == [{"code": "1011", "message": f"Field '{name}' not supported"}]


def test_changes_are_told_as_display_texts(typed: Running) -> None:
    """Booleans with a capital, moments in the subscription's zone without saying so, nothing for nothing (5.3)."""
    token = typed.start_of_feed()
    fresh = typed.create(email="told@b.example")
    values = {"f_boolean": True, "f_datetime": "2023-01-26T18:46:00Z", "f_float": 2.0, "f_integer": 7}
    typed.sync({"id": fresh, **values}, action="updateOnly", lookupField="id")
    entries, _ = typed.changes(token, *values)
    told = {each["name"]: (each["oldValue"], each["newValue"])
            for entry in entries if entry["leadId"] == fresh for each in entry["fields"]}  # fmt: skip
    assert told == {
        "f_boolean": ("False", "True"),
        "f_datetime": (None, "2023-01-26 12:46:00"),
        "f_float": (None, "2"),
        "f_integer": (None, "7"),
    }
