"""Bulk extract of people and activities: fact sheet 6.3."""

import csv
import hashlib
import io
import json
import re
from typing import Any

import pytest

from tests.contract.marketo.client import Answer, Running

LEADS = "/bulk/v1/leads/export"
ACTIVITIES = "/bulk/v1/activities/export"
NOON = "2023-01-20T12:00:00+00:00"
JANUARY = {"startAt": "2023-01-01T00:00:00Z", "endAt": "2023-01-31T00:00:00Z"}


@pytest.fixture
def january(marketo: Running) -> Running:
    marketo.control("POST", "/clock", {"now": NOON, "frozen": True})
    marketo.sign_in()
    return marketo


def create(marketo: Running, base: str = LEADS, **body: Any) -> Answer:
    default: dict[str, Any] = {"filter": {"createdAt": JANUARY}}
    if base == LEADS:
        default["fields"] = ["firstName", "lastName"]
    return marketo.post(f"{base}/create.json", default | body)


def job(marketo: Running, base: str, export_id: str, call: str = "status") -> dict[str, Any]:
    path = f"{base}/{export_id}/{call}.json"
    answer = marketo.get(path) if call == "status" else marketo.call("POST", path)
    [found] = answer.result
    return found


def extracted(marketo: Running, base: str = LEADS, **body: Any) -> list[dict[str, str]]:
    """The rows of the file of a job that has run."""
    [made] = create(marketo, base, **body).result
    job(marketo, base, made["exportId"], "enqueue")
    marketo.advance(60)
    assert job(marketo, base, made["exportId"])["status"] == "Completed"
    answer = marketo.get(f"{base}/{made['exportId']}/file.json")
    return list(csv.DictReader(io.StringIO(answer.raw.decode(), newline="")))


def test_a_documented_job_from_creation_to_file(january: Running) -> None:
    january.create(email="a@b.example", firstName="Ann", lastName='O"Neil')
    names = {"firstName": "First Name", "lastName": "Last Name"}
    [made] = create(january, format="CSV", columnHeaderNames=names).result
    export_id = made["exportId"]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", export_id)
    assert made == {
        "exportId": export_id,
        "format": "CSV",
        "status": "Created",
        "createdAt": "2023-01-20T12:00:00Z",
    }
    january.advance(60)
    queued = job(january, LEADS, export_id, "enqueue")
    assert (queued["status"], queued["queuedAt"]) == ("Queued", "2023-01-20T12:01:00Z")
    january.advance(60)
    done = job(january, LEADS, export_id)
    content = b'First Name,Last Name\nAnn,"O""Neil"\n'
    assert done == {
        "exportId": export_id,
        "format": "CSV",
        "status": "Completed",
        "createdAt": "2023-01-20T12:00:00Z",
        "queuedAt": "2023-01-20T12:01:00Z",
        "startedAt": "2023-01-20T12:01:02Z",
        "finishedAt": "2023-01-20T12:01:12Z",
        "numberOfRecords": 1,
        "fileSize": len(content),
        "fileChecksum": "sha256:" + hashlib.sha256(content).hexdigest(),
    }
    file = january.get(f"{LEADS}/{export_id}/file.json")
    assert (file.status, file.raw) == (200, content)
    assert file.headers["content-type"] == "text/csv;charset=UTF-8"
    assert "content-encoding" not in file.headers


def test_the_status_is_told_anew_once_a_minute(january: Running) -> None:
    export_id = create(january).result[0]["exportId"]
    job(january, LEADS, export_id, "enqueue")
    january.advance(59)
    assert job(january, LEADS, export_id)["status"] == "Queued"
    january.advance(1)
    assert job(january, LEADS, export_id)["status"] == "Completed"


def test_a_job_is_queued_then_processing_then_completed(january: Running) -> None:
    january.set(export_status_refresh_s=0)
    export_id = create(january).result[0]["exportId"]
    assert january.get(f"{LEADS}/{export_id}/file.json").status == 404
    job(january, LEADS, export_id, "enqueue")
    january.advance(1)
    assert job(january, LEADS, export_id)["status"] == "Queued"
    january.advance(1)
    at_work = job(january, LEADS, export_id)
    assert (at_work["status"], at_work["startedAt"]) == ("Processing", "2023-01-20T12:00:02Z")
    assert "numberOfRecords" not in at_work
    answer = january.get(f"{LEADS}/{export_id}/file.json")
    assert (answer.status, answer.headers["content-type"]) == (404, "text/plain")
    january.advance(10)
    assert job(january, LEADS, export_id)["status"] == "Completed"


def test_a_file_holds_what_there_was_when_its_job_began(january: Running) -> None:
    january.set(export_status_refresh_s=0)
    january.create(email="early@b.example", firstName="Early")
    export_id = create(january).result[0]["exportId"]
    january.create(email="between@b.example", firstName="Between")
    job(january, LEADS, export_id, "enqueue")
    january.advance(2)
    january.create(email="late@b.example", firstName="Late")
    january.advance(10)
    content = january.get(f"{LEADS}/{export_id}/file.json").raw
    assert content == b"firstName,lastName\nEarly,null\nBetween,null\n"


def test_a_list_that_goes_away_fails_the_extract_of_it(january: Running) -> None:
    chosen = january.control("POST", "/people/create", {"entity": "list", "values": {"name": "L"}})["id"]
    export_id = create(january, filter={"staticListId": chosen}).result[0]["exportId"]
    job(january, LEADS, export_id, "enqueue")
    january.call("POST", f"/rest/asset/v1/staticList/{chosen}/delete.json")
    january.advance(60)
    failed = job(january, LEADS, export_id)
    assert (failed["status"], "fileSize" in failed) == ("Failed", False)
    assert failed["errorMsg"] == f"Invalid value for field 'staticListId' and value '{chosen}'"
    assert january.get(f"{LEADS}/{export_id}/file.json").status == 404


@pytest.mark.parametrize(("header", "content"), [(True, b"firstName,lastName\n"), (False, b"")])
def test_no_row_is_still_a_header_unless_the_switch_says_otherwise(
    january: Running, header: bool, content: bytes
) -> None:
    january.set(export_empty_header=header)
    export_id = create(january).result[0]["exportId"]
    job(january, LEADS, export_id, "enqueue")
    january.advance(60)
    told = job(january, LEADS, export_id)
    assert (told["numberOfRecords"], told["fileSize"]) == (0, len(content))
    assert january.get(f"{LEADS}/{export_id}/file.json").raw == content


@pytest.mark.parametrize(("name", "delimiter"), [("CSV", ","), ("TSV", "\t"), ("SSV", ";")])
def test_formats_differ_in_their_delimiter(january: Running, name: str, delimiter: str) -> None:
    january.create(email="a@b.example", firstName="A")
    export_id = create(january, format=name).result[0]["exportId"]
    job(january, LEADS, export_id, "enqueue")
    january.advance(60)
    assert (
        january.get(f"{LEADS}/{export_id}/file.json").raw.decode()
        == f"firstName{delimiter}lastName\nA{delimiter}null\n"
    )


def test_values_are_texts_as_recorded(january: Running) -> None:
    january.create(email="a@b.example", leadScore=7, unsubscribed=True, dateOfBirth="1980-05-01", city="Łódź, \n東京")
    fields = ["id", "createdAt", "leadScore", "unsubscribed", "dateOfBirth", "city", "title", "doNotCall"]
    [row] = extracted(january, fields=fields)
    assert row["createdAt"] == "2023-01-20T12:00:00Z"
    assert (row["leadScore"], row["unsubscribed"], row["doNotCall"]) == ("7", "true", "false")
    assert (row["dateOfBirth"], row["city"], row["title"]) == ("1980-05-01", "Łódź, \n東京", "null")


class TestFilters:
    def test_created_at_counts_both_ends(self, january: Running) -> None:
        january.create(email="a@b.example", firstName="At noon")
        only = {"startAt": NOON, "endAt": NOON}
        assert len(extracted(january, filter={"createdAt": only})) == 1
        before = {"startAt": "2023-01-20T11:00:00Z", "endAt": "2023-01-20T11:59:59Z"}
        assert extracted(january, filter={"createdAt": before}) == []

    def test_a_time_without_zone_is_utc_and_others_are_converted(self, january: Running) -> None:
        january.create(email="a@b.example")
        assert len(extracted(january, filter={"createdAt": {"startAt": "2023-01-20T12:00:00", "endAt": NOON}})) == 1
        local = {"startAt": "2023-01-20T06:00:00-06:00", "endAt": "2023-01-20T06:00:00-06:00"}
        assert len(extracted(january, filter={"createdAt": local})) == 1

    def test_updated_at_is_the_last_change_of_any_field(self, january: Running) -> None:
        field = {"name": "shoe", "displayName": "Shoe", "dataType": "string"}
        january.post("/rest/v1/leads/schema/fields.json", {"input": [field]})
        january.create(email="a@b.example", firstName="A")
        january.advance(3600)
        january.sign_in()
        january.sync({"email": "a@b.example", "shoe": "44"})
        assert january.lead(1, "updatedAt")["updatedAt"] == "2023-01-20T12:00:00Z"
        at_one = {"startAt": "2023-01-20T13:00:00Z", "endAt": "2023-01-20T13:00:00Z"}
        assert len(extracted(january, filter={"updatedAt": at_one})) == 1
        assert extracted(january, filter={"updatedAt": {"startAt": NOON, "endAt": NOON}}) == []

    def test_a_list_by_id_or_name(self, january: Running) -> None:
        number = january.create(email="a@b.example", firstName="A")
        january.create(email="c@b.example")
        chosen = january.control("POST", "/people/create", {"entity": "list", "values": {"name": "Fair"}})["id"]
        january.post(f"/rest/v1/lists/{chosen}/leads.json", {"input": [{"id": number}]})
        assert [row["firstName"] for row in extracted(january, filter={"staticListId": chosen})] == ["A"]
        assert [row["firstName"] for row in extracted(january, filter={"staticListName": "Fair"})] == ["A"]

    @pytest.mark.parametrize(
        ("filter_", "code"),
        [
            ({}, "1002"),
            ({"createdAt": JANUARY, "staticListId": 1}, "1003"),
            ({"shoeSize": 1}, "1003"),
            ({"createdAt": {"startAt": "2023-01-01T00:00:00Z"}}, "1002"),
            ({"createdAt": {"startAt": "2023-01-01T00:00:00Z", "endAt": "2023-02-01T00:00:01Z"}}, "1003"),
            ({"createdAt": {"startAt": "2023-01-02T00:00:00Z", "endAt": "2023-01-01T00:00:00Z"}}, "1003"),
            ({"createdAt": {"startAt": "soon", "endAt": "later"}}, "1003"),
            ({"staticListId": 77}, "1003"),
        ],
    )
    def test_what_cannot_be_is_refused_at_creation(self, january: Running, filter_: dict[str, Any], code: str) -> None:
        assert create(january, filter=filter_).error[0] == code

    def test_thirty_one_days_are_not_too_many(self, january: Running) -> None:
        range_ = {"startAt": "2023-01-01T00:00:00Z", "endAt": "2023-02-01T00:00:00Z"}
        assert create(january, filter={"createdAt": range_}).body["success"] is True

    def test_filters_that_not_every_subscription_has(self, january: Running) -> None:
        text = "Unsupported filter type for target subscription: "
        assert create(january, filter={"smartListId": 1}).error == ("1035", text + "smartListId")
        assert create(january, filter={"updatedAt": JANUARY}).body["success"] is True
        january.set(lead_export_updated_at=False)
        assert create(january, filter={"updatedAt": JANUARY}).error == ("1035", text + "updatedAt")

    def test_unknown_fields_are_all_named(self, january: Running) -> None:
        answer = create(january, fields=["firstName", "siteX", "billingX"])
        assert answer.error == ("1003", "Invalid fields [siteX, billingX]")
        assert create(january, fields=[]).error[0] == "1002"
        assert create(january, format="XML").error[0] == "1003"


class TestRanges:
    @pytest.fixture
    def path(self, january: Running) -> str:
        january.create(email="a@b.example", firstName="Ann", lastName="Bee")
        export_id = create(january).result[0]["exportId"]
        job(january, LEADS, export_id, "enqueue")
        january.advance(60)
        return f"{LEADS}/{export_id}/file.json"

    @pytest.mark.parametrize(
        ("range_", "start", "end"),
        [
            ("bytes=0-0", 0, 0),
            ("bytes=5-9", 5, 9),
            ("bytes=20-", 20, 26),
            ("bytes=-3", 24, 26),
            ("bytes=10-999", 10, 26),
        ],
    )
    def test_a_part_of_the_file(self, january: Running, path: str, range_: str, start: int, end: int) -> None:
        whole = january.get(path).raw
        assert len(whole) == 27
        headers = {"Authorization": f"Bearer {january.token}", "Range": range_}
        part = january.send("GET", path, headers=headers)
        assert (part.status, part.raw) == (206, whole[start : end + 1])
        assert part.headers["content-range"] == f"bytes {start}-{end}/27"
        assert part.headers["accept-ranges"] == "bytes"
        assert part.headers["content-length"] == str(end - start + 1)

    def test_a_part_beyond_the_end(self, january: Running, path: str) -> None:
        headers = {"Authorization": f"Bearer {january.token}", "Range": "bytes=27-30"}
        answer = january.send("GET", path, headers=headers)
        assert (answer.status, answer.headers["content-range"]) == (416, "bytes */27")

    @pytest.mark.parametrize("range_", ["bytes 0-1", "rows=0-1", "bytes=-", "bytes=x-y"])
    def test_what_is_no_range_gets_the_whole(self, january: Running, path: str, range_: str) -> None:
        headers = {"Authorization": f"Bearer {january.token}", "Range": range_}
        assert january.send("GET", path, headers=headers).status == 200

    def test_the_file_is_kept_for_seven_days_and_the_status_for_thirty(self, january: Running, path: str) -> None:
        january.advance(7 * 86_400 - 120)
        january.sign_in()
        assert january.get(path).status == 200
        january.advance(120)
        assert january.get(path).status == 404
        status = path.replace("file", "status")
        assert january.get(status).result[0]["status"] == "Completed"
        january.advance(23 * 86_400)
        january.sign_in()
        assert january.get(status).error[0] == "1013"


class TestQueue:
    def test_ten_wait_and_the_eleventh_is_refused(self, january: Running) -> None:
        for _ in range(10):
            job(january, LEADS, create(january).result[0]["exportId"], "enqueue")
        last = create(january).result[0]["exportId"]
        assert january.call("POST", f"{LEADS}/{last}/enqueue.json").error == ("1029", "Too many jobs in queue")
        january.advance(12)
        job(january, LEADS, last, "enqueue")

    def test_families_share_the_queue(self, january: Running) -> None:
        for _ in range(10):
            job(january, ACTIVITIES, create(january, ACTIVITIES).result[0]["exportId"], "enqueue")
        last = create(january).result[0]["exportId"]
        assert january.call("POST", f"{LEADS}/{last}/enqueue.json").error[0] == "1029"

    def test_two_run_at_once(self, january: Running) -> None:
        january.set(export_status_refresh_s=0)
        ids = [create(january).result[0]["exportId"] for _ in range(4)]
        for export_id in ids:
            job(january, LEADS, export_id, "enqueue")
        january.advance(5)
        running = [job(january, LEADS, export_id)["status"] for export_id in ids]
        assert running == ["Processing", "Processing", "Queued", "Queued"]
        assert job(january, LEADS, ids[2], "cancel")["status"] == "Cancelled"
        january.advance(10)
        running = [job(january, LEADS, export_id)["status"] for export_id in ids]
        assert running == ["Completed", "Completed", "Cancelled", "Processing"]

    def test_a_queued_job_cannot_be_queued_again(self, january: Running) -> None:
        export_id = create(january).result[0]["exportId"]
        job(january, LEADS, export_id, "enqueue")
        assert january.call("POST", f"{LEADS}/{export_id}/enqueue.json").error == ("1029", "Job already queued")

    def test_a_running_job_always_finishes(self, january: Running) -> None:
        january.set(export_status_refresh_s=0)
        export_id = create(january).result[0]["exportId"]
        job(january, LEADS, export_id, "enqueue")
        january.advance(3)
        assert job(january, LEADS, export_id, "cancel")["status"] == "Processing"
        january.advance(10)
        assert job(january, LEADS, export_id)["status"] == "Completed"

    def test_the_daily_volume_ends_at_midnight_in_chicago(self, january: Running) -> None:
        january.set(export_quota_bytes=20)
        waiting = create(january).result[0]["exportId"]
        january.create(email="a@b.example", firstName="Ann", lastName="Bee")
        extracted(january)
        refused = ("1029", "Export daily quota 0MB exceeded.")
        assert create(january).error == refused
        assert january.call("POST", f"{LEADS}/{waiting}/enqueue.json").error == refused
        january.control("POST", "/clock", {"now": "2023-01-21T06:00:00+00:00"})
        january.sign_in()
        job(january, LEADS, waiting, "enqueue")

    def test_the_text_of_the_usual_quota(self, january: Running) -> None:
        """Clients look for `Export daily quota 500MB exceeded.`"""
        assert january.control("GET", "/settings")["export_quota_bytes"] == 500_000_000


class TestOwners:
    def test_a_job_is_its_users_own(self, january: Running) -> None:
        export_id = create(january).result[0]["exportId"]
        other = january.control("POST", "/services", {"user": "other@example.com"})
        mine, january.access = january.access, january.access | other
        january.sign_in()
        assert january.get(f"{LEADS}/{export_id}/status.json").error[0] == "1013"
        assert january.get(f"{LEADS}.json").result == []
        january.access = mine
        january.sign_in()
        assert [each["exportId"] for each in january.get(f"{LEADS}.json").result] == [export_id]

    def test_the_list_goes_by_status_and_pages(self, january: Running) -> None:
        ids = [create(january).result[0]["exportId"] for _ in range(3)]
        job(january, LEADS, ids[1], "enqueue")
        job(january, LEADS, ids[2], "cancel")
        by_status = [
            january.get(f"{LEADS}.json", status=status).result
            for status in ("Created", "queued", "Cancelled", "canceled")
        ]
        assert [[each["exportId"] for each in found] for found in by_status] == [[ids[0]], [ids[1]], [ids[2]], [ids[2]]]
        several = january.get(f"{LEADS}.json", status=["Created", "Queued"]).result
        assert [each["exportId"] for each in several] == ids[:2]
        first = january.get(f"{LEADS}.json", batchSize=2).body
        rest = january.get(f"{LEADS}.json", batchSize=2, nextPageToken=first["nextPageToken"]).body
        assert [each["exportId"] for each in first["result"] + rest["result"]] == ids
        assert "nextPageToken" not in rest
        assert january.get(f"{LEADS}.json", status="lost").error[0] == "1003"

    def test_the_list_goes_back_seven_days(self, january: Running) -> None:
        create(january)
        january.advance(7 * 86_400)
        january.sign_in()
        assert january.get(f"{LEADS}.json").result == []


class TestActivities:
    def test_every_column_by_default(self, january: Running) -> None:
        january.create(email="a@b.example", firstName="Ann", leadScore=1)
        january.sync({"email": "a@b.example", "leadScore": 5})
        new, changed, score = extracted(january, ACTIVITIES, fields=None)
        assert list(new) == [
            "marketoGUID", "leadId", "activityDate", "activityTypeId", "campaignId", "primaryAttributeValueId",
            "primaryAttributeValue", "attributes",
        ]  # fmt: skip
        assert (new["activityTypeId"], new["leadId"], new["primaryAttributeValue"]) == ("12", "1", "Ann")
        assert (new["campaignId"], new["activityDate"]) == ("null", "2023-01-20T12:00:00Z")
        assert (changed["activityTypeId"], score["activityTypeId"]) == ("13", "22")
        assert json.loads(changed["attributes"])["New Value"] == "5"

    def test_chosen_types_and_columns(self, january: Running) -> None:
        january.create(email="a@b.example", city="Old")
        january.sync({"email": "a@b.example", "city": "New"})
        filter_ = {"createdAt": JANUARY, "activityTypeIds": [13]}
        rows = extracted(january, ACTIVITIES, filter=filter_, fields=["leadId", "actionResult"])
        assert rows == [{"leadId": "1", "actionResult": "succeeded"}]

    def test_primary_attributes_by_id_and_by_text(self, january: Running) -> None:
        january.create(email="a@b.example")
        january.sync({"email": "a@b.example", "city": "X", "title": "Y"})
        base = {"createdAt": JANUARY, "activityTypeIds": [13, 22]}
        for also in ({"primaryAttributeValueIds": [64]}, {"primaryAttributeValues": ["City"]}):
            [row] = extracted(january, ACTIVITIES, filter=base | also)
            assert row["primaryAttributeValue"] == "City"

    @pytest.mark.parametrize(
        "also",
        [
            {"activityTypeIds": [37]},
            {"primaryAttributeValueIds": [64]},
            {"activityTypeIds": [13, 24], "primaryAttributeValueIds": [64]},
            {"activityTypeIds": [12], "primaryAttributeValues": ["x"]},
            {"activityTypeIds": [13], "primaryAttributeValueIds": [64], "primaryAttributeValues": ["City"]},
            {"activityTypeIds": [13], "primaryAttributeValueIds": list(range(51))},
            {"activityTypeIds": ["x"]},
            {"smartListId": 1},
        ],
    )
    def test_what_cannot_be_chosen(self, january: Running, also: dict[str, Any]) -> None:
        assert create(january, ACTIVITIES, filter={"createdAt": JANUARY} | also).error[0] == "1003"

    def test_the_date_range_is_required(self, january: Running) -> None:
        assert create(january, ACTIVITIES, filter={"activityTypeIds": [13]}).error[0] == "1002"

    def test_deletions_are_left_out_and_so_is_what_is_not_committed(self, january: Running) -> None:
        number = january.create(email="a@b.example")
        january.post("/rest/v1/leads/delete.json", id=number)
        january.set(activity_lag_s=3600)
        january.create(email="c@b.example")
        assert [row["activityTypeId"] for row in extracted(january, ACTIVITIES)] == ["12"]
