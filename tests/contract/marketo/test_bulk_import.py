"""Bulk import of people: fact sheet 6.1, with Adobe's documented examples as recorded there."""

from typing import Any

import pytest

from tests.contract.marketo.client import Answer, Running
from tests.contract.marketo.conftest import Start
from tests.contract.marketo.upload import upload

LEADS = "/bulk/v1/leads.json"
HEAD = b"email,firstName,lastName\n"


def started(answer: Answer) -> int:
    [job] = answer.result
    assert job["status"] == "Queued"
    assert job["importId"] == str(job["batchId"])
    assert set(job) == {"batchId", "importId", "status"}
    number: int = job["batchId"]
    return number


def finished(marketo: Running, content: bytes, **parameters: Any) -> dict[str, Any]:
    number = started(upload(marketo, LEADS, content, **({"format": "csv"} | parameters)))
    marketo.advance(100)
    [status] = marketo.get(f"/bulk/v1/leads/batch/{number}.json").result
    return status


def find(marketo: Running, email: str, *fields: str) -> list[dict[str, Any]]:
    chosen = {"fields": ",".join(fields)} if fields else {}
    return marketo.get("/rest/v1/leads.json", filterType="email", filterValues=email, **chosen).result


def test_a_documented_file_of_three_is_imported(marketo: Running) -> None:
    content = (
        b"firstName,lastName,email,company\nAble,Baker,ablebaker@marketo.com,Marketo\n"
        b"Charlie,Dog,charliedog@marketo.com,Marketo\nEasy,Fox,easyfox@marketo.com,Marketo\n"
    )
    status = finished(marketo, content)
    assert status["status"] == "Complete"
    assert status["numOfLeadsProcessed"] == 3
    assert (status["numOfRowsFailed"], status["numOfRowsWithWarning"]) == (0, 0)
    assert status["message"] == "Import succeeded, 3 records imported (3 members)"
    [lead] = find(marketo, "easyfox@marketo.com", "firstName", "lastName", "company")
    assert (lead["firstName"], lead["lastName"], lead["company"]) == ("Easy", "Fox", "Marketo")


def test_a_row_with_a_text_in_an_integer_field_fails_alone(marketo: Running) -> None:
    content = b"email,leadScore\na@b.example,5\nc@b.example,7\nAerys@Targaryen.com,TEXT_VALUE_IN_INTEGER_FIELD\n"
    status = finished(marketo, content)
    assert status["message"] == "Import completed with errors, 2 records imported (2 members), 1 failed"
    failures = marketo.get(f"/bulk/v1/leads/batch/{status['batchId']}/failures.json")
    assert failures.raw == (
        b"email,leadScore,Import Failure Reason\n"
        b"Aerys@Targaryen.com,TEXT_VALUE_IN_INTEGER_FIELD,Invalid data type in field Lead Score\n"
    )
    assert find(marketo, "Aerys@Targaryen.com") == []
    assert marketo.get(f"/bulk/v1/leads/batch/{status['batchId']}/warnings.json").status == 404


def test_an_address_that_is_none_is_imported_with_a_warning(marketo: Running) -> None:
    status = finished(marketo, b"firstName,email\nAerys,INVALID_EMAIL\n")
    assert status["message"] == "Import succeeded, 1 records imported (1 members), 1 warning."
    assert status["numOfRowsWithWarning"] == 1
    warnings = marketo.get(f"/bulk/v1/leads/batch/{status['batchId']}/warnings.json")
    assert warnings.raw == b"firstName,email,Import Warning Reason\nAerys,INVALID_EMAIL,Invalid email address\n"
    assert warnings.headers["content-type"] == "text/csv;charset=UTF-8"
    [lead] = find(marketo, "INVALID_EMAIL", "firstName")
    assert lead["firstName"] == "Aerys"


def test_a_header_with_a_stray_space_has_no_key(marketo: Running) -> None:
    status = finished(marketo, b"firstName, email\nA,a@b.example\n")
    failures = marketo.get(f"/bulk/v1/leads/batch/{status['batchId']}/failures.json").raw
    assert failures == b"firstName, email,Import Failure Reason\nA,a@b.example,missing.dedupe.fields\n"


@pytest.mark.parametrize(("name", "delimiter"), [("csv", ","), ("tsv", "\t"), ("ssv", ";"), ("CSV", ",")])
def test_the_formats_differ_in_their_delimiter(marketo: Running, name: str, delimiter: str) -> None:
    content = f"email{delimiter}city\na@b.example{delimiter}A,b;c\n"
    quoted = content.replace("A,b;c", '"A,b;c"')
    assert finished(marketo, quoted.encode(), format=name)["numOfLeadsProcessed"] == 1
    assert find(marketo, "a@b.example", "city")[0]["city"] == "A,b;c"


def test_failures_come_in_the_format_of_the_upload(marketo: Running) -> None:
    status = finished(marketo, b"email\tleadScore\na@b.example\tx\n", format="tsv")
    failures = marketo.get(f"/bulk/v1/leads/batch/{status['batchId']}/failures.json").raw
    assert failures.splitlines()[0] == b"email\tleadScore\tImport Failure Reason"


@pytest.mark.parametrize("value", ['say "hi"', "two\nlines", "two\r\nlines", "日本語", "a,b", "Zoë ❤", " spaced "])
def test_cells_survive_quotes_line_breaks_and_any_script(marketo: Running, value: str) -> None:
    cell = '"' + value.replace('"', '""') + '"'
    finished(marketo, f"email,address\na@b.example,{cell}\n".encode())
    assert find(marketo, "a@b.example", "address")[0]["address"] == value


def test_a_byte_order_mark_and_a_missing_last_line_break_do_no_harm(marketo: Running) -> None:
    assert finished(marketo, b"\xef\xbb\xbfemail,city\r\na@b.example,X")["numOfLeadsProcessed"] == 1
    assert find(marketo, "a@b.example", "city")[0]["city"] == "X"


def test_known_people_are_updated_and_new_ones_told_as_list_import(marketo: Running) -> None:
    number = marketo.create(email="a@b.example", city="Old")
    token = marketo.changes(marketo.start_of_feed(), "city")[1]
    finished(marketo, b"email,city\nA@b.example,New\nnew@b.example,Y\n")
    changed, created = sorted(marketo.changes(token, "city")[0], key=lambda entry: -entry["activityTypeId"])
    assert changed["fields"][0]["newValue"] == "New"
    assert changed["leadId"] == number
    attributes = {item["name"]: item["value"] for item in created["attributes"]}
    assert (created["activityTypeId"], attributes["Source Type"]) == (12, "List import")
    assert {"name": "Source", "value": "List import"} in changed["attributes"]


def test_by_id_it_only_updates(marketo: Running) -> None:
    number = marketo.create(email="a@b.example")
    status = finished(marketo, f"id,city\n{number},X\n999999,Y\nx,Z\n".encode(), lookupField="id")
    assert (status["numOfLeadsProcessed"], status["numOfRowsFailed"]) == (1, 2)
    assert marketo.lead(number, "city")["city"] == "X"
    failures = marketo.get(f"/bulk/v1/leads/batch/{status['batchId']}/failures.json").raw
    assert b"999999,Y,Lead not found" in failures


def test_parameters_may_be_form_fields(marketo: Running) -> None:
    number = marketo.create(email="a@b.example")
    answer = upload(marketo, LEADS, f"id,city\n{number},X\n".encode(), form={"format": "csv", "lookupField": "id"})
    started(answer)
    marketo.advance(100)
    assert marketo.lead(number, "city")["city"] == "X"


def test_members_of_a_list_are_made_with_the_import(marketo: Running) -> None:
    chosen = marketo.control("POST", "/people/create", {"entity": "list", "values": {"name": "L"}})["id"]
    finished(marketo, HEAD + b"a@b.example,A,B\nc@b.example,C,D\n", listId=chosen)
    assert len(marketo.get(f"/rest/v1/lists/{chosen}/leads.json").result) == 2


def test_links_to_company_and_sales_person_are_columns(marketo: Running) -> None:
    marketo.post("/rest/v1/companies.json", {"input": [{"externalCompanyId": "c", "company": "Acme"}]})
    status = finished(marketo, b"email,externalCompanyId\na@b.example,c\nx@b.example,nobody\n")
    assert status["numOfRowsFailed"] == 1
    assert find(marketo, "a@b.example", "company")[0]["company"] == "Acme"


@pytest.mark.parametrize(("cells", "left"), [("kept", "Old"), ("cleared", None)])
def test_what_a_blank_cell_does_is_a_switch(marketo: Running, cells: str, left: str | None) -> None:
    marketo.set(import_blank_cells=cells)
    marketo.create(email="a@b.example", city="Old")
    finished(marketo, b"email,city\na@b.example,\n")
    assert find(marketo, "a@b.example", "city")[0]["city"] == left


def test_new_people_go_to_the_partition_that_is_named(marketo: Running) -> None:
    marketo.control("POST", "/people/create", {"entity": "partition", "values": {"name": "Europe"}})
    marketo.create(email="old@b.example")
    status = finished(marketo, HEAD + b"new@b.example,A,B\nold@b.example,C,D\n", partitionName="Europe")
    [new] = find(marketo, "new@b.example", "leadPartitionId")
    assert new["leadPartitionId"] != 1
    failures = marketo.get(f"/bulk/v1/leads/batch/{status['batchId']}/failures.json").raw.decode()
    assert [line.split(",")[0] for line in failures.splitlines()] == ["email", "old@b.example"]


def test_a_person_who_is_there_twice_fails_its_row(marketo: Running) -> None:
    for _ in range(2):
        marketo.sync({"email": "twin@b.example"}, action="createDuplicate")
    status = finished(marketo, HEAD + b"twin@b.example,A,B\n")
    failures = marketo.get(f"/bulk/v1/leads/batch/{status['batchId']}/failures.json").raw
    assert b"twin@b.example,A,B,Multiple lead match lookup criteria" in failures


@pytest.mark.parametrize("row", [b"a@b.example", b"a@b.example,A,B,C,D"])
def test_a_row_may_be_shorter_or_longer_than_the_header(marketo: Running, row: bytes) -> None:
    assert finished(marketo, HEAD + row + b"\n")["numOfLeadsProcessed"] == 1


def test_rows_count_as_records_written(marketo: Running) -> None:
    finished(marketo, HEAD + b"a@b.example,A,B\nc@b.example,C,D\n")
    assert marketo.control("GET", "/counters")["records_written"] == 2


class TestRefused:
    @pytest.mark.parametrize("content", [b"", b"\n\n", b"email,firstName\n"])
    def test_a_file_without_a_row(self, marketo: Running, content: bytes) -> None:
        assert upload(marketo, LEADS, content, format="csv").error == ("1003", "Empty file")

    @pytest.mark.parametrize(
        ("parameters", "code"),
        [
            ({}, "1002"),
            ({"format": "xls"}, "1003"),
            ({"format": "csv", "lookupField": "city"}, "1011"),
            ({"format": "csv", "lookupField": "shoeSize"}, "1006"),
            ({"format": "csv", "listId": "77"}, "1003"),
            ({"format": "csv", "partitionName": "Europe"}, "1008"),
        ],
    )
    def test_a_parameter(self, marketo: Running, parameters: dict[str, Any], code: str) -> None:
        assert upload(marketo, LEADS, HEAD + b"a@b.example,A,B\n", **parameters).error[0] == code

    def test_another_content_type_and_a_broken_multipart_body(self, marketo: Running) -> None:
        assert marketo.post(LEADS, {"x": 1}, format="csv").error == ("612", "Invalid Content Type")
        headers = {"Authorization": f"Bearer {marketo.token}", "Content-Type": "multipart/form-data; boundary=b"}
        for body in (b"", b"--b\r\n", b"--b\r\nno header\r\n--b--", b'--b\r\nX: name="other"\r\n\r\nx\r\n--b--'):
            answer = marketo.send("POST", LEADS + "?format=csv", body, headers)
            assert answer.error == ("613", "Invalid Multipart Request"), body

    def test_ten_megabytes_are_taken_and_a_byte_more_is_413(self, marketo: Running) -> None:
        row = b"a@b.example,A,"
        full = HEAD + row + b"x" * (10_000_000 - len(HEAD) - len(row))
        started(upload(marketo, LEADS, full, format="csv"))
        assert upload(marketo, LEADS, full + b"x", format="csv").status == 413

    def test_the_eleventh_job_at_once(self, marketo: Running) -> None:
        for _ in range(10):
            started(upload(marketo, LEADS, HEAD + b"a@b.example,A,B\n", format="csv"))
        assert upload(marketo, LEADS, HEAD + b"a@b.example,A,B\n", format="csv").error == (
            "1016",
            "There are 10 imports currently being processed. Please try again later",
        )
        marketo.advance(100)
        started(upload(marketo, LEADS, HEAD + b"a@b.example,A,B\n", format="csv"))

    def test_a_second_import_into_the_same_list(self, marketo: Running) -> None:
        chosen = marketo.control("POST", "/people/create", {"entity": "list", "values": {"name": "L"}})["id"]
        started(upload(marketo, LEADS, HEAD + b"a@b.example,A,B\n", format="csv", listId=chosen))
        assert upload(marketo, LEADS, HEAD + b"a@b.example,A,B\n", format="csv", listId=chosen).error[0] == "1019"

    def test_an_unknown_batch(self, marketo: Running) -> None:
        assert marketo.get("/bulk/v1/leads/batch/77.json").error[0] == "1013"
        assert marketo.get("/bulk/v1/leads/batch/77/failures.json").status == 404


class TestTime:
    @pytest.fixture
    def slow(self, marketo: Running) -> Running:
        """A hundred rows a second, ten seconds after the upload, on a clock that stands."""
        marketo.control("POST", "/clock", {"frozen": True})
        marketo.set(import_start_s=10, import_rows_per_s=100)
        return marketo

    def rows(self, count: int, name: str = "p") -> bytes:
        return HEAD + b"".join(f"{name}{number}@b.example,A,B\n".encode() for number in range(count))

    def status(self, marketo: Running, number: int) -> dict[str, Any]:
        [found] = marketo.get(f"/bulk/v1/leads/batch/{number}.json").result
        return found

    def test_a_job_is_queued_then_importing_then_complete(self, slow: Running) -> None:
        number = started(upload(slow, LEADS, self.rows(1_000), format="csv"))
        slow.advance(9)
        assert self.status(slow, number)["status"] == "Queued"
        slow.advance(6)
        half = self.status(slow, number)
        assert (half["status"], half["numOfLeadsProcessed"]) == ("Importing", 500)
        assert "message" not in half
        assert len(find(slow, "p499@b.example")) == 1
        assert find(slow, "p500@b.example") == []
        slow.advance(5)
        assert self.status(slow, number)["status"] == "Complete"
        assert len(find(slow, "p999@b.example")) == 1

    def test_a_row_has_the_time_at_which_it_landed(self, slow: Running) -> None:
        slow.control("POST", "/clock", {"now": "2026-03-02T12:00:00+00:00"})
        slow.sign_in()
        upload(slow, LEADS, self.rows(1_000), format="csv")
        slow.advance(1_000)
        assert find(slow, "p0@b.example")[0]["createdAt"] == "2026-03-02T12:00:10Z"
        assert find(slow, "p999@b.example")[0]["createdAt"] == "2026-03-02T12:00:19Z"

    def test_two_work_at_once_and_the_third_waits(self, slow: Running) -> None:
        jobs = [started(upload(slow, LEADS, self.rows(count), format="csv")) for count in (1_000, 2_000, 100)]
        slow.advance(15)
        assert [self.status(slow, job)["status"] for job in jobs] == ["Importing", "Importing", "Queued"]
        slow.advance(5.5)
        assert [self.status(slow, job)["status"] for job in jobs] == ["Complete", "Importing", "Importing"]
        slow.advance(1)
        assert [self.status(slow, job)["status"] for job in jobs] == ["Complete", "Importing", "Complete"]

    def test_a_batch_is_known_for_seven_days(self, slow: Running) -> None:
        number = started(upload(slow, LEADS, self.rows(1), format="csv"))
        slow.advance(7 * 86_400 - 10)
        slow.sign_in()
        assert self.status(slow, number)["status"] == "Complete"
        slow.advance(20)
        assert slow.get(f"/bulk/v1/leads/batch/{number}.json").error[0] == "1013"


def test_a_list_that_goes_away_fails_the_import_into_it(marketo: Running) -> None:
    chosen = marketo.control("POST", "/people/create", {"entity": "list", "values": {"name": "L"}})["id"]
    number = started(upload(marketo, LEADS, HEAD + b"a@b.example,A,B\n", format="csv", listId=chosen))
    marketo.call("POST", f"/rest/asset/v1/staticList/{chosen}/delete.json")
    marketo.advance(100)
    [status] = marketo.get(f"/bulk/v1/leads/batch/{number}.json").result
    assert (status["status"], status["message"]) == ("Failed", "Import failed: Object not found")
    assert find(marketo, "a@b.example") == []


def test_a_restart_takes_an_unfinished_job_up_again(start: Start, tmp_path: Any) -> None:
    marketo = start(db=str(tmp_path / "m.db"), settings={"import_start_s": "3600"})
    number = started(upload(marketo, LEADS, HEAD + b"a@b.example,A,B\n", format="csv"))
    marketo.close()
    again = start(db=str(tmp_path / "m.db"))
    again.advance(7_200)
    again.sign_in()
    [status] = again.get(f"/bulk/v1/leads/batch/{number}.json").result
    assert (status["status"], status["numOfLeadsProcessed"]) == ("Complete", 1)
    assert len(find(again, "a@b.example")) == 1
