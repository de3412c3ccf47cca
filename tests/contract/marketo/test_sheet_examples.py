"""The recorded examples, literal texts and limits of the fact sheet that no other file of these tests states.

Each table names its section; what it expects is the sheet's word, so a difference is the emulator's mistake.
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from tandem_emulators.marketo.log import DAY_S, is_kept
from tests.contract.marketo.client import InProcess, Running
from tests.contract.marketo.upload import upload

ACTIVITIES = "/rest/v1/activities.json"
CHANGES = "/rest/v1/activities/leadchanges.json"
LEADS = "/rest/v1/leads.json"
PARTITIONS = "/rest/v1/leads/partitions.json"
TOKEN = "/identity/oauth/token"


@pytest.fixture(scope="module")
def still() -> Iterator[Running]:
    """For what leaves nothing behind: one emulator serves them all."""
    marketo = InProcess()
    marketo.sign_in()
    yield marketo
    marketo.close()


def named(entry: dict[str, Any]) -> dict[str, Any]:
    return {item["name"]: item["value"] for item in entry["attributes"]}


class TestIdentity:
    """1.2."""

    def credentials(self, marketo: Running, **also: str) -> str:
        keys = {name: marketo.access[name] for name in ("client_id", "client_secret")}
        return urlencode({"grant_type": "client_credentials", **keys, **also})

    def test_the_recorded_headers(self, still: Running) -> None:
        headers = still.send("GET", f"{TOKEN}?{self.credentials(still)}").headers
        expected = {
            "server": "nginx",
            "content-type": "application/json;charset=UTF-8",
            "cache-control": "no-store",
            "pragma": "no-cache",
            "x-xss-protection": "1; mode=block",
            "x-frame-options": "DENY",
            "x-content-type-options": "nosniff",
        }
        assert {name: headers.get(name) for name in expected} == expected

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_parameters_in_the_query_and_a_partner_id(self, still: Running, method: str) -> None:
        answer = still.send(method, f"{TOKEN}?{self.credentials(still, partner_id='p1')}")
        assert answer.body["access_token"] == still.token

    def test_it_costs_nothing(self, marketo: Running) -> None:
        for _ in range(3):
            marketo.sign_in()
        assert marketo.get("/rest/v1/stats/usage.json").result[0]["total"] == 0


# 2.2; where a number stands in a text it is that of the published limit.
TEXTS = {
    "502": "Bad Gateway",
    "601": "Access token invalid",
    "602": "Access token expired",
    "603": "Access denied",
    "604": "Request timed out",
    "606": "Max rate limit '100' exceeded with in '20' secs",
    "607": "Daily quota reached",
    "608": "API Temporarily Unavailable",
    "609": "Invalid JSON",
    "610": "Requested resource not found",
    "611": "System error",
    "612": "Invalid Content Type",
    "613": "Invalid Multipart Request",
    "614": "Invalid Subscription",
    "615": "Concurrent access limit '10' reached",
    "616": "Invalid subscription type",
    "713": "Transient Error",
    "1016": "There are 10 imports currently being processed. Please try again later",
    "1018": "CRM Enabled",
    "1019": "Import in progress",
    "1029": "Too many jobs in queue",
}

TIMEOUTS = {
    "leads.get": 30,
    "leads.describe": 30,
    "leads.sync": 90,
    "leads.query": 60,
    "lists.leads": 60,
    "leads.merge": 180,
    "leads.associate": 60,
    "leads.partitions.update": 60,
    "leads.push": 90,
    "activities.pagingtoken": 300,
    "customactivities.add": 90,
    "companies.sync": 60,
    "companies.delete": 60,
    "opportunities.sync": 60,
    "opportunities.delete": 60,
    "roles.sync": 60,
    "roles.delete": 60,
    "salespersons.sync": 60,
    "salespersons.delete": 60,
    "customobjects.sync": 120,
    "customobjects.delete": 60,
    "namedaccounts.sync": 120,
    "namedaccounts.delete": 60,
}


class TestEnvelope:
    """2.1, 2.2, 2.4 to 2.6."""

    @pytest.mark.parametrize("code", TEXTS)
    def test_an_injected_code_has_its_literal_text(self, still: Running, code: str) -> None:
        still.control("POST", "/faults", {"operation": "leads.partitions", "action": "body", "body": {"code": code}})
        assert still.get(PARTITIONS).error == (code, TEXTS[code])

    def test_the_order_of_members(self, marketo: Running) -> None:
        for number in range(3):
            marketo.create(email=f"p{number}@b.example")
        page = marketo.get(LEADS, filterType="id", filterValues="1,2,3", batchSize=2).body
        assert [name for name in page if name != "moreResult"] == ["requestId", "result", "success", "nextPageToken"]
        feed = marketo.get(CHANGES, nextPageToken=marketo.start_of_feed(), fields="city").body
        assert list(feed) == ["requestId", "result", "success", "nextPageToken", "moreResult"]
        asset = marketo.get("/rest/asset/v1/folder/byName.json", name="Group Lists").body
        assert list(asset) == ["success", "errors", "requestId", "warnings", "result"]

    def test_an_asset_call_without_a_hit(self, still: Running) -> None:
        body = still.get("/rest/asset/v1/staticLists.json").body
        assert body["warnings"] == ["No assets found for the given search criteria."]
        assert (body["success"], body["errors"], "result" in body) == (True, [], False)

    @pytest.mark.parametrize("operation", TIMEOUTS)
    def test_the_published_timeouts(self, still: Running, operation: str) -> None:
        assert still.control("GET", "/settings")["timeouts"][operation] == TIMEOUTS[operation]

    @pytest.mark.parametrize("code", ["601", "602", "604", "605", "608", "611"])
    def test_some_refusals_are_not_charged(self, marketo: Running, code: str) -> None:
        marketo.control("POST", "/faults", {"operation": "leads.partitions", "action": "body", "body": {"code": code}})
        assert marketo.get(PARTITIONS).error[0] == code
        assert marketo.get("/rest/v1/stats/usage.json").result[0]["total"] == 0

    def test_tokens_are_base32_of_whole_blocks(self, marketo: Running) -> None:
        for number in range(2):
            marketo.create(email=f"p{number}@b.example")
        page = marketo.get(LEADS, filterType="id", filterValues="1,2", batchSize=1).body["nextPageToken"]
        for token in (page, marketo.start_of_feed()):
            assert re.fullmatch(r"[A-Z2-7]+=*", token)
            assert len(token) in (32, 56, 80)

    def test_booleans_may_come_from_python(self, marketo: Running) -> None:
        winner, loser = (marketo.create(email=f"{name}@b.example") for name in "ab")
        answer = marketo.post(f"/rest/v1/leads/{winner}/merge.json", leadId=loser, mergeInCRM="False")
        assert answer.body["success"] is True

    def test_usage_has_the_documented_members(self, still: Running) -> None:
        still.get(PARTITIONS)
        for path in ("usage", "usage/last7days"):
            day = still.get(f"/rest/v1/stats/{path}.json").result[0]
            assert list(day) == ["date", "total", "users"]
            assert set(day["users"][0]) == {"userId", "count"}
            assert re.fullmatch(r"\d{4}-\d\d-\d\d", day["date"])


FILTER_TYPES = (
    "cookies", "email", "facebookId", "id", "leadPartitionId", "linkedInId", "sfdcAccountId", "sfdcContactId",
    "sfdcLeadId", "sfdcLeadOwnerId", "sfdcOpptyId", "twitterId",
)  # fmt: skip
DEFAULTS = ["id", "email", "firstName", "lastName", "createdAt", "updatedAt"]


class TestLeads:
    """3."""

    def test_the_recorded_item_of_describe(self, still: Running) -> None:
        items = still.get("/rest/v1/leads/describe.json").result
        [email] = [item for item in items if item.get("rest", {}).get("name") == "email"]
        assert email | {"id": 56} == {
            "id": 56,
            "displayName": "Email Address",
            "dataType": "email",
            "length": 255,
            "rest": {"name": "email", "readOnly": False},
            "soap": {"name": "Email", "readOnly": False},
        }

    def test_the_other_describe(self, still: Running) -> None:
        [described] = still.get("/rest/v1/leads/describe2.json").result
        assert described["name"] == "API Lead"
        assert all(isinstance(each, list) for each in described["searchableFields"])
        assert {name for field in described["fields"] for name in field} == {
            "name", "displayName", "dataType", "length", "updateable", "crmManaged",
        }  # fmt: skip

    @pytest.mark.parametrize("name", FILTER_TYPES)
    def test_the_documented_filter_types(self, still: Running, name: str) -> None:
        assert still.get(LEADS, filterType=name, filterValues="1").body["success"] is True
        assert [name] in still.get("/rest/v1/leads/describe2.json").result[0]["searchableFields"]

    def test_default_fields_and_times_without_milliseconds(self, marketo: Running) -> None:
        number = marketo.create(email="a@b.example")
        lead = marketo.lead(number)
        assert sorted(lead) == sorted(DEFAULTS)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", lead["createdAt"])
        assert lead["updatedAt"] >= lead["createdAt"]

    def test_the_partition_there_always_is(self, still: Running) -> None:
        assert still.get(PARTITIONS).result == [
            {"id": 1, "name": "Default", "description": "Initial system lead partition"}
        ]

    def test_ids_ascend_from_one_without_gap_and_are_never_used_again(self, marketo: Running) -> None:
        """8."""
        results = marketo.sync(*({"email": f"p{number}@b.example"} for number in range(3)))
        assert [result["id"] for result in results] == [1, 2, 3]
        marketo.post("/rest/v1/leads/delete.json", {"input": [{"id": 3}]})
        assert marketo.create(email="new@b.example") == 4

    @pytest.mark.parametrize(
        ("fields", "shown"),
        [("email,leadScore,unsubscribed,createdAt", {"leadScore": None, "unsubscribed": False})],
    )
    def test_what_is_empty_is_null_and_a_flag_is_false(
        self, marketo: Running, fields: str, shown: dict[str, object]
    ) -> None:
        lead = marketo.lead(marketo.create(email="a@b.example"), fields)
        assert {name: lead[name] for name in shown} == shown

    @pytest.mark.parametrize("path", ["/rest/v1/lists/{}/leads.json", "/rest/v1/list/{}/leads.json"])
    def test_a_list_is_queried_as_clients_do(self, marketo: Running, path: str) -> None:
        """10: node-marketo repeats the id in the form; adding somebody twice is `added` twice (3.8)."""
        number = marketo.create(email="a@b.example")
        chosen = marketo.control("POST", "/people/create", {"entity": "list", "values": {"name": "L"}})["id"]
        for _ in range(2):
            added = marketo.post(f"/rest/v1/lists/{chosen}/leads.json", id=number).result
            assert added == [{"id": number, "status": "added"}]
        found = marketo.form(path.format(chosen), listId=chosen, _method="GET").result
        assert [lead["id"] for lead in found] == [number]

    def test_lists_take_repeated_ids(self, marketo: Running) -> None:
        people = [marketo.create(email=f"{name}@b.example") for name in "abc"]
        chosen = marketo.control("POST", "/people/create", {"entity": "list", "values": {"name": "L"}})["id"]
        path = f"/rest/v1/lists/{chosen}/leads.json"
        marketo.post(path, id=people[:2])
        removed = marketo.call("DELETE", path, id=people).result
        assert [each["status"] for each in removed] == ["removed", "removed", "skipped"]
        assert removed[2]["reasons"] == [{"code": "1015", "message": "Lead not in list"}]


# 5.4
KEPT_90_DAYS = (
    "Change Data Value", "Change Score", "Add to List", "Visit Webpage", "Click Link", "Sync Lead to SFDC",
    "Sync Lead to Microsoft", "Sync Lead Updates to SFDC", "Request Campaign", "Send Email", "Email Delivered",
)  # fmt: skip


class TestActivities:
    """5."""

    @pytest.mark.parametrize("name", KEPT_90_DAYS)
    def test_what_is_kept_ninety_days(self, still: Running, name: str) -> None:
        [number] = [kind["id"] for kind in still.get("/rest/v1/activities/types.json").result if kind["name"] == name]
        now_s = 1_800_000_000
        assert is_kept(number, now_s - 90 * DAY_S, now_s)
        assert not is_kept(number, now_s - 91 * DAY_S, now_s)

    def test_the_recorded_attributes_of_a_new_lead(self, still: Running) -> None:
        types = {kind["name"]: kind for kind in still.get("/rest/v1/activities/types.json").result}
        assert {attribute["name"] for attribute in types["New Lead"]["attributes"]} == {
            "Created Date", "Source Type", "List Name", "Form Name", "Lead Source", "SFDC Type", "API Method Name",
            "Modifying User", "Request Id",
        }  # fmt: skip

    def test_a_new_lead_tells_who_made_it(self, marketo: Running) -> None:
        """Somebody made by hand is a `New lead`, one made over the API says by which call (5.3)."""
        by_hand = marketo.control("POST", "/people/create", {"entity": "person", "values": {"lastName": "Bee"}})["id"]
        by_call = marketo.create(email="a@b.example")
        entries, _ = marketo.activities(marketo.start_of_feed(), 12)
        told = {entry["leadId"]: named(entry) for entry in entries}
        assert (told[by_hand]["Source Type"], told[by_call]["Source Type"]) == ("New lead", "Web service API")
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", told[by_call]["Created Date"])
        assert {"API Method Name", "Modifying User", "Request Id"} <= set(told[by_call])
        assert not {"API Method Name", "Request Id"} & set(told[by_hand])

    @pytest.mark.parametrize(
        "parameters",
        [
            {"activityTypeIds": ",".join(map(str, (1, 2, 3, 6, 7, 12, 13, 22, 24, 25)))},
            {"activityTypeIds": ["12", "13"]},
            {"activityTypeIds": "13", "leadIds": ",".join(map(str, range(1, 31)))},
            {"activityTypeIds": "24", "assetIds": "1"},
            {"activityTypeIds": "13", "batchSize": 300},
        ],
    )
    def test_as_many_as_the_limits_let(self, still: Running, parameters: dict[str, object]) -> None:
        answer = still.get(ACTIVITIES, nextPageToken=still.start_of_feed(), **parameters)
        assert answer.body["moreResult"] is False
        assert answer.result == []

    def test_a_page_has_three_hundred_and_no_more(self, marketo: Running) -> None:
        marketo.sync(*({"email": f"p{number}@b.example"} for number in range(300)))
        marketo.create(email="last@b.example")
        body = marketo.get(
            ACTIVITIES, nextPageToken=marketo.start_of_feed(), activityTypeIds="12", batchSize=1_000
        ).body
        assert (len(body["result"]), body["moreResult"]) == (300, True)


# 4.1: base, id field, key, what can be searched by
OBJECTS: list[tuple[str, str, list[str], set[tuple[str, ...]]]] = [
    ("companies", "id", ["externalCompanyId"], {("externalCompanyId",), ("id",), ("company",)}),
    (
        "opportunities",
        "marketoGUID",
        ["externalOpportunityId"],
        {("externalOpportunityId",), ("marketoGUID",)},
    ),
    (
        "opportunities/roles",
        "marketoGUID",
        ["externalOpportunityId", "leadId", "role"],
        {("externalOpportunityId", "leadId", "role"), ("marketoGUID",), ("leadId",), ("externalOpportunityId",)},
    ),
    ("salespersons", "id", ["externalSalesPersonId"], {("email",), ("id",), ("externalSalesPersonId",)}),
]
KEYED = [("companies", "externalCompanyId", {}), ("opportunities", "externalOpportunityId", {"name": "Deal"}),
         ("salespersons", "externalSalesPersonId", {}), ("namedaccounts", "name", {})]  # fmt: skip
LENGTHS = [
    ("companies", "externalCompanyId", 100), ("opportunities", "externalOpportunityId", 50),
    ("opportunities/roles", "role", 50), ("salespersons", "externalSalesPersonId", 255),
    ("opportunities", "marketoGUID", 36),
]  # fmt: skip


def codes(result: dict[str, Any]) -> list[str]:
    return [reason["code"] for reason in result["reasons"]]


class TestObjects:
    """4.1."""

    @pytest.mark.parametrize(("base", "id_field", "key", "searchable"), OBJECTS)
    def test_describe(
        self, still: Running, base: str, id_field: str, key: list[str], searchable: set[tuple[str, ...]]
    ) -> None:
        [kind] = still.get(f"/rest/v1/{base}/describe.json").result
        assert (kind["idField"], kind["dedupeFields"]) == (id_field, key)
        assert {tuple(each) for each in kind["searchableFields"]} == searchable
        assert {"name", "displayName", "createdAt", "updatedAt"} <= set(kind)

    @pytest.mark.parametrize(("base", "name", "length"), LENGTHS)
    def test_lengths(self, still: Running, base: str, name: str, length: int) -> None:
        [kind] = still.get(f"/rest/v1/{base}/describe.json").result
        assert {field["name"]: field.get("length") for field in kind["fields"]}[name] == length

    @pytest.mark.parametrize(("base", "key", "also"), KEYED)
    def test_the_rules_they_share(self, marketo: Running, base: str, key: str, also: dict[str, str]) -> None:
        path, delete = f"/rest/v1/{base}.json", f"/rest/v1/{base}/delete.json"

        def sync(*values: str, **body: object) -> list[dict[str, Any]]:
            return marketo.post(path, {"input": [{key: value, **also} for value in values], **body}).result

        first, second = sync("k1", "k2")
        assert [(each["seq"], each["status"]) for each in (first, second)] == [(0, "created"), (1, "created")]
        assert codes(sync("k1", action="createOnly")[0]) == ["1017"]
        assert "1036" in [
            code for each in sync("k3", "k3") for code in codes(each | {"reasons": each.get("reasons", [])})
        ]
        wrong = {"input": [{key: "k1", **also}], "dedupeBy": "yoyoto"}
        assert marketo.post(path, wrong).error == ("1003", "Invalid dedupeBy 'yoyoto' value")
        by_id = {"input": [{key: "k1", **also}], "dedupeBy": "idField"}
        assert marketo.post(path, by_id).error[0] == "1003"
        for filter_type, value in (("dedupeFields", "k2"), ("idField", second.get("marketoGUID", second.get("id")))):
            [found] = marketo.get(path, filterType=filter_type, filterValues=value).result
            assert (found["seq"], found[key]) == (0, "k2")
            assert {"createdAt", "updatedAt"} <= set(found)
        assert (
            marketo.post(delete, {"deleteBy": "dedupeFields", "input": [{key: "k1"}]}).result[0]["status"] == "deleted"
        )
        assert codes(marketo.post(delete, {"input": [{key: "k1"}]}).result[0]) == ["1013"]

    @pytest.mark.parametrize("base", ["companies", "opportunities", "namedaccounts"])
    def test_field_metadata(self, still: Running, base: str) -> None:
        fields = still.get(f"/rest/v1/{base}/schema/fields.json").result
        [one] = still.get(f"/rest/v1/{base}/schema/fields/{fields[0]['name']}.json").result
        assert one == fields[0]
        assert {"displayName", "name", "dataType", "isHidden", "isCustom", "isApiCreated"} <= set(one)

    def test_an_unknown_sales_person(self, still: Running) -> None:
        record = {"externalOpportunityId": "o", "name": "Deal", "externalSalesPersonId": "nobody"}
        [refused] = still.post("/rest/v1/opportunities.json", {"input": [record]}).result
        assert codes(refused) == ["718"]


LOOKUPS = (
    "id", "cookies", "email", "twitterId", "facebookId", "linkedInId", "sfdcAccountId", "sfdcContactId", "sfdcLeadId",
    "sfdcLeadOwnerId", "sfdcOpptyId",
)  # fmt: skip
FAMILIES = ("leads", "activities", "program/members")


class TestBulk:
    """6."""

    @pytest.mark.parametrize("name", LOOKUPS)
    def test_the_documented_lookup_fields(self, marketo: Running, name: str) -> None:
        content = f"{name},lastName\n1,Bee\n".encode()
        [job] = upload(marketo, "/bulk/v1/leads.json", content, format="csv", lookupField=name).result
        assert job["status"] == "Queued"

    def test_a_second_import_into_a_list_has_its_text(self, marketo: Running) -> None:
        chosen = marketo.control("POST", "/people/create", {"entity": "list", "values": {"name": "L"}})["id"]
        content, path = b"email\na@b.example\n", "/bulk/v1/leads.json"
        upload(marketo, path, content, format="csv", listId=chosen)
        assert upload(marketo, path, content, format="csv", listId=chosen).error == ("1019", "Import in progress")

    @pytest.mark.parametrize("family", FAMILIES)
    def test_jobs_of_the_last_days_are_asked_for_by_repeated_states(self, still: Running, family: str) -> None:
        states = ["Created", "Queued", "Processing", "Cancelled", "Completed", "Failed"]
        assert still.get(f"/bulk/v1/{family}/export.json", status=states).result == []

    def test_a_client_may_send_a_batch_size_with_everything(self, marketo: Running) -> None:
        """10: Airbyte's source."""
        body = {"fields": ["id"], "format": "CSV", "filter": {"createdAt": {
            "startAt": "2023-01-01T00:00:00Z", "endAt": "2023-01-31T00:00:00Z"}}}  # fmt: skip
        [made] = marketo.post("/bulk/v1/leads/export/create.json", body, batchSize=300).result
        assert made["status"] == "Created"
        assert "queuedAt" not in made
        path = f"/bulk/v1/leads/export/{made['exportId']}"
        [queued] = marketo.post(f"{path}/enqueue.json", batchSize=300).result
        assert queued["status"] == "Queued"
        early = marketo.get(f"{path}/file.json", batchSize=300)
        assert (early.status, early.headers["content-type"].startswith("text/plain")) == (404, True)

    def test_the_daily_volume_is_told_in_megabytes(self, marketo: Running) -> None:
        marketo.set(export_quota_bytes=1_000_000)
        marketo.sync(*({"email": f"p{number}@b.example", "mktoPersonNotes": "x" * 20_000} for number in range(49)))
        marketo.sync(*({"email": f"q{number}@b.example", "mktoPersonNotes": "x" * 20_000} for number in range(3)))
        now = marketo.control("GET", "/clock")["now"][:10]
        body = {"fields": ["mktoPersonNotes"], "filter": {"createdAt": {
            "startAt": f"{now}T00:00:00Z", "endAt": f"{now}T23:59:59Z"}}}  # fmt: skip
        [made] = marketo.post("/bulk/v1/leads/export/create.json", body).result
        marketo.post(f"/bulk/v1/leads/export/{made['exportId']}/enqueue.json")
        marketo.advance(120)
        [done] = marketo.get(f"/bulk/v1/leads/export/{made['exportId']}/status.json").result
        assert done["fileSize"] > 1_000_000
        refused = marketo.post("/bulk/v1/leads/export/create.json", body)
        assert refused.error == ("1029", "Export daily quota 1MB exceeded.")


# 10: what the readers of assets ask for, with what they send along
ASKED = [
    ("/rest/asset/v1/programs.json", {"maxReturn": 200, "offset": 0, "earliestUpdatedAt": "2023-01-01T00:00:00Z",
                                      "latestUpdatedAt": "2023-01-31T00:00:00Z"}),
    ("/rest/asset/v1/segmentation.json", {"maxReturn": 200, "offset": 0}),
    ("/rest/v1/campaigns.json", {"batchSize": 300}),
    ("/rest/v1/lists.json", {"batchSize": 300}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "parameters"), ASKED)
def test_what_readers_ask_for(still: Running, path: str, parameters: dict[str, object]) -> None:
    body = still.get(path, **parameters).body
    assert body["success"] is True
    assert "nextPageToken" not in body
    if "asset" in path:
        assert body["warnings"] == ["No assets found for the given search criteria."]


def test_twenty_five_losers_are_not_too_many(marketo: Running) -> None:
    """3.5."""
    winner, *losers = (each["id"] for each in marketo.sync(*({"email": f"p{n}@b.example"} for n in range(26))))
    answer = marketo.post(f"/rest/v1/leads/{winner}/merge.json", leadIds=",".join(map(str, losers)))
    assert set(answer.body) == {"requestId", "success"}
    [entry], _ = marketo.activities(marketo.start_of_feed(), 32)
    assert named(entry)["Merge IDs"] == losers


def test_errors_of_a_week(marketo: Running) -> None:
    """2.4."""
    marketo.get("/rest/v1/nothing.json")
    week = marketo.get("/rest/v1/stats/errors/last7days.json").result
    assert [set(day) for day in week] == [{"date", "total", "errors"}] * 7
    assert week[0]["errors"] == [{"errorCode": "610", "count": 1}]


def test_an_address_that_is_not_ascii_is_refused(marketo: Running) -> None:
    """3.3, 8."""
    [refused] = marketo.sync({"email": "jäne@b.example"})
    assert refused == {
        "status": "skipped",
        "reasons": [{"code": "1003", "message": "Invalid value for field 'email' and value 'jäne@b.example'"}],
    }
