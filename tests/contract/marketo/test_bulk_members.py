"""Bulk import and extract of program members and custom objects: fact sheet 6.2 and 6.3, with the documented files."""

from pathlib import Path
from typing import Any

import pytest

from tests.contract.marketo.client import Answer, Running
from tests.contract.marketo.conftest import Start
from tests.contract.marketo.upload import upload

CARS = "/bulk/v1/customobjects/car_c"
MEMBERS = "/bulk/v1/program/members"
LANNISTERS = b"""firstName,lastName,email,title,company,leadScore
Joanna,Lannister,Joanna@Lannister.com,Lannister,House Lannister,0
Tywin,Lannister,Tywin@Lannister.com,Lannister,House Lannister,0
"""
THREE_CARS = b"""color,make,model,vin
red,bmw,2002,WBA4R7C55HK895912
yellow,bmw,320i,WBA4R7C30HK896061
blue,bmw,325i,WBS3U9C52HP970604
"""


@pytest.fixture
def program(marketo: Running) -> int:
    values = {"name": "Fair", "channel": "List Import"}
    number: int = marketo.control("POST", "/people/create", {"entity": "program", "values": values})["id"]
    return number


@pytest.fixture
def cars(marketo: Running) -> Running:
    """The documented type `car_c`, keyed by its vin, linked to people."""
    fields = [
        {"name": "vin", "displayName": "VIN", "dataType": "string", "isDedupeField": True},
        {
            "name": "leadID",
            "displayName": "Lead ID",
            "dataType": "link",
            "relatedTo": {"name": "Lead", "field": "Id"},
        },
        *({"name": name, "displayName": name.title(), "dataType": "string"} for name in ("color", "make", "model")),
        {"name": "sourceId", "displayName": "Source ID", "dataType": "integer"},
    ]
    schema = "/rest/v1/customobjects/schema"
    marketo.post(f"{schema}.json", {"apiName": "car_c", "displayName": "Car", "action": "createOnly"})
    assert marketo.post(f"{schema}/car_c/addField.json", {"input": fields}).body["success"] is True
    assert marketo.post(f"{schema}/car_c/approve.json").body["success"] is True
    return marketo


def bring_in(marketo: Running, program: int, content: bytes, status: str = "On List") -> dict[str, Any]:
    path = f"/bulk/v1/program/{program}/members/import.json"
    [job] = upload(marketo, path, content, format="csv", programMemberStatus=status).result
    assert job == {"batchId": job["batchId"], "importId": str(job["batchId"]), "status": "Queued"}
    marketo.advance(100)
    [state] = marketo.get(f"{MEMBERS}/import/{job['batchId']}/status.json").result
    return state


def import_cars(marketo: Running, content: bytes) -> dict[str, Any]:
    [job] = upload(marketo, f"{CARS}/import.json", content, format="csv").result
    assert job == {"batchId": job["batchId"], "status": "Queued", "objectApiName": "car_c"}
    marketo.advance(100)
    [state] = marketo.get(f"{CARS}/import/{job['batchId']}/status.json").result
    return state


def members(marketo: Running, program: int) -> list[dict[str, Any]]:
    return marketo.get(f"/rest/v1/leads/programs/{program}.json").result


def extracted(marketo: Running, base: str, **body: Any) -> bytes:
    made = marketo.post(f"{base}/export/create.json", body).result[0]["exportId"]
    marketo.call("POST", f"{base}/export/{made}/enqueue.json")
    marketo.advance(60)
    answer = marketo.get(f"{base}/export/{made}/file.json")
    assert answer.status == 200
    return answer.raw


class TestMemberImport:
    def test_the_documented_file_makes_members(self, marketo: Running, program: int) -> None:
        state = bring_in(marketo, program, LANNISTERS)
        assert state == {
            "batchId": state["batchId"],
            "importId": str(state["batchId"]),
            "status": "Complete",
            "numOfLeadsProcessed": 2,
            "numOfRowsFailed": 0,
            "numOfRowsWithWarning": 0,
            "message": "Import succeeded, 2 records imported (2 members)",
        }
        found = members(marketo, program)
        assert [each["firstName"] for each in found] == ["Joanna", "Tywin"]
        assert {each["membership"]["progressionStatus"] for each in found} == {"On List"}
        told, _ = marketo.activities(marketo.start_of_feed(), 104)
        assert len(told) == 2

    def test_the_documented_failure(self, marketo: Running, program: int) -> None:
        head = b"firstName,lastName,email,title,company,leadScore"
        row = b"Aerys,Targaryen,Aerys@Targaryen.com,Targaryen,House Targaryen,TEXT_VALUE_IN_INTEGER_FIELD"
        state = bring_in(marketo, program, head + b"\n" + row + b"\n")
        assert state["message"] == "Import completed with errors, 0 records imported (0 members), 1 failed"
        failures = marketo.get(f"{MEMBERS}/import/{state['batchId']}/failures.json").raw
        reason = b"Invalid data type in field Lead Score"
        assert failures == head + b",Import Failure Reason\n" + row + b"," + reason + b"\n"
        assert marketo.get(f"{MEMBERS}/import/{state['batchId']}/warnings.json").status == 404

    def test_the_documented_warning(self, marketo: Running, program: int) -> None:
        head = b"firstName,lastName,email,title,company,leadScore"
        row = b"Aerys,Targaryen,INVALID_EMAIL,Targaryen,House Targaryen,0"
        state = bring_in(marketo, program, head + b"\n" + row + b"\n")
        assert state["message"] == "Import succeeded, 1 records imported (1 members), 1 warning."
        warnings = marketo.get(f"{MEMBERS}/import/{state['batchId']}/warnings.json").raw
        assert warnings == head + b",Import Warning Reason\n" + row + b",Invalid email address\n"

    def test_a_member_does_not_go_back_and_its_own_fields_are_columns(self, marketo: Running, program: int) -> None:
        bring_in(marketo, program, b"email,registrationCode\na@b.example,R1\n", status="Influenced")
        bring_in(marketo, program, b"email,registrationCode\na@b.example,R2\n", status="On List")
        [member] = members(marketo, program)
        assert member["membership"]["progressionStatus"] == "Influenced"
        content = extracted(marketo, MEMBERS, fields=["email", "registrationCode"], filter={"programId": program})
        assert content == b"email,registrationCode\na@b.example,R2\n"

    def test_what_is_refused_at_once(self, marketo: Running, program: int) -> None:
        path = f"/bulk/v1/program/{program}/members/import.json"
        assert upload(marketo, path, LANNISTERS, format="csv").error[0] == "1002"
        unknown = upload(marketo, path, LANNISTERS, format="csv", programMemberStatus="Attended")
        assert unknown.error[0] == "1003"
        nowhere = "/bulk/v1/program/99/members/import.json"
        assert upload(marketo, nowhere, LANNISTERS, format="csv", programMemberStatus="On List").error[0] == "1013"

    def test_imports_of_all_kinds_share_the_queue(self, cars: Running, program: int) -> None:
        answers: list[Answer] = []
        for _ in range(5):
            answers.append(upload(cars, f"{CARS}/import.json", THREE_CARS, format="csv"))
            answers.append(upload(cars, "/bulk/v1/leads.json", LANNISTERS, format="csv"))
        assert all(answer.body["success"] for answer in answers)
        path = f"/bulk/v1/program/{program}/members/import.json"
        last = upload(cars, path, LANNISTERS, format="csv", programMemberStatus="On List")
        assert last.error[0] == "1016"


class TestObjectImport:
    def test_the_documented_cars(self, cars: Running) -> None:
        state = import_cars(cars, THREE_CARS)
        assert state == {
            "batchId": state["batchId"],
            "operation": "import",
            "status": "Complete",
            "objectApiName": "car_c",
            "numOfObjectsProcessed": 3,
            "numOfRowsFailed": 0,
            "numOfRowsWithWarning": 0,
            "importTime": "1 second(s)",
            "message": "Import succeeded, 3 records imported (3 members)",
        }
        [car] = cars.get("/rest/v1/customobjects/car_c.json", filterType="vin", filterValues="WBA4R7C30HK896061",
                         fields="color,model").result  # fmt: skip
        assert (car["color"], car["model"]) == ("yellow", "320i")

    def test_the_documented_header_with_a_stray_space(self, cars: Running) -> None:
        state = import_cars(cars, THREE_CARS.replace(b"vin", b" vin"))
        assert state["numOfObjectsProcessed"] == 0
        assert state["message"] == "Import completed with errors, 0 records imported (0 members), 3 failed"
        failures = cars.get(f"{CARS}/import/{state['batchId']}/failures.json").raw
        assert failures == (
            b"color,make,model, vin,Import Failure Reason\n"
            b"red,bmw,2002,WBA4R7C55HK895912,missing.dedupe.fields\n"
            b"yellow,bmw,320i,WBA4R7C30HK896061,missing.dedupe.fields\n"
            b"blue,bmw,325i,WBS3U9C52HP970604,missing.dedupe.fields\n"
        )

    def test_a_decimal_in_an_integer_field_fails_its_row(self, cars: Running) -> None:
        state = import_cars(cars, b"vin,sourceId\nA,1.5\nB,2\n")
        assert (state["numOfObjectsProcessed"], state["numOfRowsFailed"]) == (1, 1)
        failures = cars.get(f"{CARS}/import/{state['batchId']}/failures.json").raw
        assert b"A,1.5,Invalid data type in field Source ID" in failures

    def test_the_same_key_twice_is_one_record(self, cars: Running) -> None:
        assert import_cars(cars, b"vin,color\nA,red\nA,blue\n")["message"].endswith("(1 members)")
        found = cars.get("/rest/v1/customobjects/car_c.json", filterType="vin", filterValues="A", fields="color")
        assert [car["color"] for car in found.result] == ["blue"]

    def test_an_unknown_object_is_refused(self, cars: Running) -> None:
        path = "/bulk/v1/customobjects/boat_c/import.json"
        assert upload(cars, path, THREE_CARS, format="csv").error[0] == "1013"


class TestMemberExtract:
    @pytest.fixture
    def filled(self, marketo: Running, program: int) -> Running:
        bring_in(marketo, program, b"email,firstName\na@b.example,Ann\n", status="Influenced")
        bring_in(marketo, program, b"email,firstName\nc@b.example,Cid\n")
        return marketo

    def test_member_and_person_side_by_side(self, filled: Running, program: int) -> None:
        fields = ["firstName", "program", "statusName", "reachedSuccess", "leadId", "title", "unsubscribed"]
        assert extracted(filled, MEMBERS, fields=fields, filter={"programId": program}).decode().splitlines() == [
            "firstName,program,statusName,reachedSuccess,leadId,title,unsubscribed",
            "Ann,Fair,Influenced,1,1,null,0",
            "Cid,Fair,On List,0,2,null,0",
        ]

    def test_several_programs_put_their_id_first(self, filled: Running, program: int) -> None:
        content = extracted(filled, MEMBERS, fields=["email"], filter={"programIds": [program]})
        assert content.splitlines() == [b"programId,email", b"1,a@b.example", b"1,c@b.example"]

    @pytest.mark.parametrize(
        ("also", "left"),
        [
            ({"statusNames": ["On List"]}, ["c@b.example"]),
            ({"isExhausted": True}, []),
            ({"isExhausted": False}, ["a@b.example", "c@b.example"]),
            ({"nurtureCadence": "paused"}, []),
            ({"updatedAt": {"startAt": "2001-01-01T00:00:00Z", "endAt": "2001-01-31T00:00:00Z"}}, []),
        ],
    )
    def test_filters_are_anded(self, filled: Running, program: int, also: dict[str, Any], left: list[str]) -> None:
        content = extracted(filled, MEMBERS, fields=["email"], filter={"programId": program} | also)
        assert content.decode().splitlines() == ["email", *left]

    @pytest.mark.parametrize(
        ("filter_", "code"),
        [
            ({"statusNames": ["On List"]}, "1003"),
            ({"programId": 1, "programIds": [1]}, "1003"),
            ({"programIds": list(range(1, 12))}, "1003"),
            ({"programId": 77}, "1013"),
            ({"programId": 1, "statusNames": ["Attended"]}, "1003"),
            ({"programId": 1, "isExhausted": "maybe"}, "1003"),
            ({"programId": 1, "nurtureCadence": "slow"}, "1003"),
            ({"programId": 1, "shoeSize": 44}, "1003"),
        ],
    )
    def test_what_cannot_be(self, filled: Running, filter_: dict[str, Any], code: str) -> None:
        body = {"fields": ["email"], "filter": filter_}
        assert filled.post(f"{MEMBERS}/export/create.json", body).error[0] == code


class TestObjectExtract:
    @pytest.fixture
    def sold(self, cars: Running) -> Running:
        """Two cars, one of them with somebody on the list of buyers."""
        buyer, other = (cars.create(email=f"{name}@b.example") for name in "ab")
        chosen = cars.control("POST", "/people/create", {"entity": "list", "values": {"name": "Car Buyers"}})["id"]
        cars.post(f"/rest/v1/lists/{chosen}/leads.json", {"input": [{"id": buyer}]})
        inputs = [
            {"leadID": buyer, "color": "Pearl White", "make": "Tesla", "vin": "5YJSA1E41FF156789"},
            {"leadID": other, "color": "Fusion Red", "make": "Tesla", "vin": "SFGRC3C41FF154321"},
        ]
        assert cars.post("/rest/v1/customobjects/car_c.json", {"input": inputs}).result[0]["status"] == "created"
        return cars

    def test_the_cars_of_a_list_of_people(self, sold: Running) -> None:
        content = extracted(sold, CARS, fields=["leadID", "color", "model"], filter={"staticListName": "Car Buyers"})
        assert content == b"leadID,color,model\n1,Pearl White,null\n"

    def test_the_cars_changed_in_a_time(self, sold: Running) -> None:
        today = sold.control("GET", "/clock")["now"][:10]
        day = {"startAt": f"{today}T00:00:00Z", "endAt": f"{today}T23:59:59Z"}
        assert len(extracted(sold, CARS, fields=["vin"], filter={"updatedAt": day}).splitlines()) == 3
        past = {"startAt": "2001-01-01T00:00:00Z", "endAt": "2001-01-31T00:00:00Z"}
        assert extracted(sold, CARS, fields=["vin"], filter={"updatedAt": past}) == b"vin\n"

    @pytest.mark.parametrize(
        ("fields", "filter_", "code"),
        [
            (["shoeSize"], {"staticListName": "Car Buyers"}, "1003"),
            (["vin"], {"staticListName": "Nobody"}, "1003"),
            (["vin"], {"smartListId": 1}, "1035"),
            (["vin"], {"createdAt": {}}, "1003"),
        ],
    )
    def test_what_cannot_be(self, sold: Running, fields: list[str], filter_: dict[str, Any], code: str) -> None:
        assert sold.post(f"{CARS}/export/create.json", {"fields": fields, "filter": filter_}).error[0] == code

    def test_an_object_without_a_link_to_people_has_no_extract(self, cars: Running) -> None:
        schema = "/rest/v1/customobjects/schema"
        cars.post(f"{schema}.json", {"apiName": "edge", "displayName": "Edge", "action": "createOnly"})
        field = {"name": "key", "displayName": "Key", "dataType": "string", "isDedupeField": True}
        cars.post(f"{schema}/edge/addField.json", {"input": [field]})
        cars.post(f"{schema}/edge/approve.json")
        body = {"fields": ["key"], "filter": {"updatedAt": {}}}
        assert cars.post("/bulk/v1/customobjects/edge/export/create.json", body).error[0] == "1003"
        assert cars.post("/bulk/v1/customobjects/none/export/create.json", body).error[0] == "1013"


def test_a_restart_without_the_object_gives_the_import_up(start: Start, tmp_path: Path) -> None:
    schema = "/rest/v1/customobjects/schema"
    first = start(db=str(tmp_path / "m.db"), settings={"import_start_s": "3600"})
    first.post(f"{schema}.json", {"apiName": "car_c", "displayName": "Car"})
    vin = {"name": "vin", "displayName": "VIN", "dataType": "string", "isDedupeField": True}
    first.post(f"{schema}/car_c/addField.json", {"input": [vin]})
    first.post(f"{schema}/car_c/approve.json")
    [job] = upload(first, f"{CARS}/import.json", THREE_CARS, format="csv").result
    assert first.post(f"{schema}/car_c/delete.json").body["success"] is True
    first.close()
    again = start(db=str(tmp_path / "m.db"))
    [state] = again.get(f"{CARS}/import/{job['batchId']}/status.json").result
    assert (state["status"], state["message"]) == ("Failed", "Import failed: Object not found")
