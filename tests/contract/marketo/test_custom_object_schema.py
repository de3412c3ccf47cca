"""The custom object schema API: types in drafts, fields, approval: fact sheet 4.4 and Adobe's own walk-through."""

from typing import Any

import pytest

from tests.contract.marketo.client import Answer, Running

SCHEMA = "/rest/v1/customobjects/schema"
VIN = {"name": "vin", "displayName": "VIN", "dataType": "string", "isDedupeField": True}
LEAD_LINK = {
    "name": "leadID",
    "displayName": "Lead ID",
    "dataType": "link",
    "description": "Link field to Lead object",
    "relatedTo": {"name": "lead", "field": "id"},
}
YEAR = {"name": "year", "displayName": "Year", "dataType": "integer"}
STANDARD_FIELDS = [
    {
        "name": "marketoGUID",
        "displayName": "Marketo GUID",
        "dataType": "string",
        "length": 36,
        "updateable": False,
        "crmManaged": False,
    },
    {
        "name": "createdAt",
        "displayName": "Created At",
        "dataType": "datetime",
        "updateable": False,
        "crmManaged": False,
    },
    {
        "name": "updatedAt",
        "displayName": "Updated At",
        "dataType": "datetime",
        "updateable": False,
        "crmManaged": False,
    },
]


def bad(attribute: str, value: str) -> tuple[str, str]:
    return "1003", f"Invalid value for field '{attribute}' and value '{value}'"


def lacks(name: str) -> tuple[str, str]:
    return "1002", f"Missing value for the required parameter '{name}'"


def a_field(name: str = "x", shown: str = "X", kind: str = "string", **also: object) -> dict[str, Any]:
    return {"name": name, "displayName": shown, "dataType": kind, **also}


def link(name: str, field: str) -> dict[str, Any]:
    return a_field(kind="link", relatedTo={"name": name, "field": field})


def make(marketo: Running, name: str = "car", shown: str = "Car", **also: object) -> Answer:
    return marketo.post(f"{SCHEMA}.json", {"apiName": name, "displayName": shown, **also})


def add(marketo: Running, *fields: dict[str, Any], name: str = "car") -> Answer:
    return marketo.post(f"{SCHEMA}/{name}/addField.json", {"input": list(fields)})


def step(marketo: Running, what: str, name: str = "car") -> Answer:
    return marketo.post(f"{SCHEMA}/{name}/{what}.json")


def describe(marketo: Running, name: str = "car", **parameters: str) -> dict[str, Any]:
    [found] = marketo.get(f"{SCHEMA}/{name}/describe.json", **parameters).result
    return found


def a_car(marketo: Running, *fields: dict[str, Any]) -> None:
    for answer in (make(marketo), add(marketo, *(fields or (LEAD_LINK, VIN, YEAR))), step(marketo, "approve")):
        assert answer.result == []


class TestDrafts:
    def test_a_new_draft_has_the_standard_fields_and_no_key(self, marketo: Running) -> None:
        assert make(marketo, description="Commerce happens", action="createOnly").result == []
        draft = describe(marketo)
        assert draft["fields"] == STANDARD_FIELDS
        head = {name: draft[name] for name in ("state", "apiName", "displayName", "description")}
        assert head == {"state": "draft", "apiName": "car", "displayName": "Car", "description": "Commerce happens"}
        assert (draft["idField"], draft["createdAt"], draft["updatedAt"]) == (None, None, None)
        assert (draft["dedupeFields"], draft["searchableFields"], draft["relationships"]) == ([], [[]], [])

    def test_an_approved_type_has_its_key_its_link_and_its_times(self, marketo: Running) -> None:
        a_car(marketo)
        car = describe(marketo, state="approved")
        assert (car["state"], car["version"], car["idField"]) == ("approved", "approved", "marketoGUID")
        assert car["createdAt"] == car["updatedAt"] is not None
        assert car["dedupeFields"] == ["vin"]
        assert car["searchableFields"] == [["vin"], ["marketoGUID"], ["leadID"]]
        assert car["relationships"] == [
            {"field": "leadID", "type": "child", "relatedTo": {"name": "Lead", "field": "Id"}}
        ]
        shown = {field["name"]: field for field in car["fields"]}
        assert shown["leadID"]["dataType"] == "integer"
        assert shown["vin"] == {
            "name": "vin",
            "displayName": "VIN",
            "dataType": "string",
            "length": 255,
            "updateable": True,
            "crmManaged": False,
        }

    def test_a_change_of_an_approved_type_waits_in_a_draft(self, marketo: Running) -> None:
        a_car(marketo)
        assert add(marketo, {"name": "color", "displayName": "Color", "dataType": "string"}).result == []
        names = {state: _names(describe(marketo, state=state)) for state in ("approved", "draft")}
        assert "color" not in names["approved"]
        assert "color" in names["draft"]
        assert describe(marketo)["state"] == "approvedWithDraft"
        assert step(marketo, "approve").result == []
        assert "color" in _names(describe(marketo, state="approved"))
        assert marketo.get(f"{SCHEMA}/car/describe.json", state="draft").error == ("1013", "Object not found")

    def test_a_discarded_draft_leaves_the_approved_version(self, marketo: Running) -> None:
        a_car(marketo)
        add(marketo, {"name": "color", "displayName": "Color", "dataType": "string"})
        assert step(marketo, "discardDraft").result == []
        assert describe(marketo)["state"] == "approved"
        assert "color" not in _names(describe(marketo))

    def test_an_approved_type_cannot_be_discarded(self, marketo: Running) -> None:
        a_car(marketo)
        assert step(marketo, "discardDraft").error == ("1048", "Custom Object Discard Draft Failed")

    def test_a_type_never_approved_goes_with_its_draft(self, marketo: Running) -> None:
        make(marketo)
        assert step(marketo, "discardDraft").result == []
        assert marketo.get(f"{SCHEMA}/car/describe.json").error == ("1013", "Object not found")

    def test_without_a_draft_there_is_nothing_to_approve(self, marketo: Running) -> None:
        a_car(marketo)
        assert step(marketo, "approve").error[0] == "1003"

    def test_the_list_filters_by_name_and_state(self, marketo: Running) -> None:
        a_car(marketo)
        make(marketo, "house", "House")
        everything = marketo.get(f"{SCHEMA}.json").result
        assert [(kind["apiName"], kind["state"]) for kind in everything] == [("car", "approved"), ("house", "draft")]
        assert [kind["apiName"] for kind in marketo.get(f"{SCHEMA}.json", names="house,boat").result] == ["house"]
        assert [kind["apiName"] for kind in marketo.get(f"{SCHEMA}.json", state="draft").result] == ["house"]
        assert marketo.get(f"{SCHEMA}.json", state="approvedWithDraft").result == []
        assert marketo.get(f"{SCHEMA}.json", state="born").error[0] == "1003"

    def test_an_update_needs_the_name_only(self, marketo: Running) -> None:
        make(marketo)
        body = {"action": "updateOnly", "apiName": "car", "description": "No really", "pluralName": "Cars"}
        assert marketo.post(f"{SCHEMA}.json", body).result == []
        assert (describe(marketo)["description"], describe(marketo)["pluralName"]) == ("No really", "Cars")

    @pytest.mark.parametrize(
        ("body", "error"),
        [
            ({"displayName": "Car"}, lacks("apiName")),
            ({"apiName": "boat"}, lacks("displayName")),
            ({"apiName": "a-b", "displayName": "B"}, bad("apiName", "a-b")),
            ({"apiName": "b", "displayName": "B!"}, bad("displayName", "B!")),
            ({"apiName": "car", "displayName": "Car", "action": "createOnly"}, ("1017", "Object already exists")),
            ({"apiName": "boat", "displayName": "car"}, ("1017", "Object already exists")),
            ({"apiName": "company", "displayName": "Own"}, ("1017", "Object already exists")),
            ({"apiName": "boat", "action": "updateOnly"}, ("1013", "Object not found")),
            ({"apiName": "b", "displayName": "B", "action": "put"}, ("1003", "Invalid value 'put' for 'action'")),
        ],
    )
    def test_a_type_that_cannot_be_is_refused(
        self, marketo: Running, body: dict[str, object], error: tuple[str, str]
    ) -> None:
        make(marketo)
        assert marketo.post(f"{SCHEMA}.json", body).error == error

    def test_ten_types_are_the_most(self, marketo: Running) -> None:
        for number in range(10):
            assert make(marketo, f"t{number}", f"T{number}").result == []
        assert make(marketo, "t10", "T10").error[0] == "1003"


class TestFields:
    @pytest.mark.parametrize(
        ("field", "error"),
        [
            ({"displayName": "X", "dataType": "string"}, lacks("name")),
            ({"name": "x", "dataType": "string"}, lacks("displayName")),
            ({"name": "x", "displayName": "X"}, lacks("dataType")),
            (a_field(kind="score"), bad("dataType", "score")),
            (a_field("x y"), bad("name", "x y")),
            (a_field("VIN"), ("1003", "Field 'VIN' already exists")),
            (a_field("marketoGUID"), ("1003", "Field 'marketoGUID' already exists")),
            (a_field(shown="vin"), ("1003", "A field with the displayName 'vin' already exists")),
            (a_field(kind="link"), lacks("relatedTo")),
            (link("boat", "id"), ("1003", "Invalid link to field 'id' of object 'boat'")),
            (link("company", "site"), ("1003", "Invalid link to field 'site' of object 'company'")),
            (
                a_field(relatedTo={"name": "lead", "field": "id"}),
                ("1003", "relatedTo can only be used with dataType 'link'"),
            ),
        ],
    )
    def test_a_field_that_cannot_be_is_refused_with_all_its_neighbours(
        self, marketo: Running, field: dict[str, Any], error: tuple[str, str]
    ) -> None:
        make(marketo)
        add(marketo, VIN)
        assert add(marketo, YEAR, field).error == error
        assert "year" not in _names(describe(marketo))

    def test_fifty_fields_are_the_most(self, marketo: Running) -> None:
        make(marketo)
        assert add(marketo, *_plain(50)).result == []
        assert add(marketo, YEAR).error == ("1028", "Max field limit reached: 50")

    def test_twenty_more_fields_after_the_first_approval(self, marketo: Running) -> None:
        a_car(marketo, VIN)
        assert add(marketo, *_plain(20)).result == []
        assert add(marketo, YEAR).error == ("1028", "Max field limit reached: 21")
        assert step(marketo, "approve").result == []
        assert add(marketo, YEAR).error == ("1028", "Max field limit reached: 21")

    def test_three_dedupe_fields_are_the_most(self, marketo: Running) -> None:
        make(marketo)
        keys = [field | {"isDedupeField": True} for field in _plain(4)]
        assert add(marketo, *keys).error[0] == "1003"
        assert add(marketo, *keys[:3]).result == []

    def test_a_field_of_a_draft_is_updated(self, marketo: Running) -> None:
        make(marketo)
        add(marketo, {"name": "title", "displayName": "Title", "dataType": "string"})
        path = f"{SCHEMA}/car/title/updateField.json"
        assert marketo.post(path, {"displayName": "Very Long Title", "dataType": "text"}).result == []
        field = {field["name"]: field for field in describe(marketo)["fields"]}["title"]
        assert (field["displayName"], field["dataType"], field["length"]) == ("Very Long Title", "text", 2000)
        assert marketo.post(path.replace("title", "nose"), {}).error == ("1006", "Field 'nose' not found")
        assert marketo.post(path, {"shape": "round"}).error == ("1011", "Field 'shape' not supported")

    def test_fields_are_deleted_by_name(self, marketo: Running) -> None:
        make(marketo)
        add(marketo, VIN, YEAR)
        assert marketo.post(f"{SCHEMA}/car/deleteField.json", {"input": [{"name": "year"}]}).result == []
        assert _names(describe(marketo)) == ["marketoGUID", "createdAt", "updatedAt", "vin"]
        answer = marketo.post(f"{SCHEMA}/car/deleteField.json", {"input": [{"name": "year"}]})
        assert answer.error == ("1006", "Field 'year' not found")

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("addField", {"input": [LEAD_LINK | {"name": "other", "displayName": "Other"}]}),
            ("addField", {"input": [{"name": "k", "displayName": "K", "dataType": "string", "isDedupeField": True}]}),
            ("deleteField", {"input": [{"name": "vin"}]}),
            ("deleteField", {"input": [{"name": "leadID"}]}),
            ("year/updateField", {"isDedupeField": True}),
            ("year/updateField", {"dataType": "boolean"}),
        ],
    )
    def test_links_keys_and_kinds_are_frozen_by_approval(
        self, marketo: Running, path: str, body: dict[str, Any]
    ) -> None:
        a_car(marketo)
        assert marketo.post(f"{SCHEMA}/car/{path}.json", body).error[0] == "1003"
        assert describe(marketo)["state"] == "approved"

    def test_the_display_name_is_frozen_by_approval(self, marketo: Running) -> None:
        a_car(marketo)
        body = {"action": "updateOnly", "apiName": "car", "displayName": "Motor"}
        assert marketo.post(f"{SCHEMA}.json", body).error[0] == "1003"

    def test_the_data_types(self, marketo: Running) -> None:
        types = [
            "string",
            "boolean",
            "integer",
            "float",
            "link",
            "email",
            "currency",
            "date",
            "datetime",
            "phone",
            "text",
        ]
        assert marketo.get(f"{SCHEMA}/fieldDataTypes.json").body["result"] == types


class TestStructures:
    def test_a_key_is_needed_for_approval(self, marketo: Running) -> None:
        make(marketo)
        add(marketo, YEAR, LEAD_LINK)
        assert step(marketo, "approve").error[0] == "1003"
        assert describe(marketo)["state"] == "draft"

    def test_many_to_many_with_an_edge_and_a_bridge(self, marketo: Running) -> None:
        """Adobe's courses: the edge is approved first; a bridge needs no key of its own."""
        key = {"name": "courseID", "displayName": "Course ID", "dataType": "string", "isDedupeField": True}
        to_course = a_field("courseID", "Course ID", "link", relatedTo={"field": "courseID", "name": "course"})
        make(marketo, "course", "Course")
        add(marketo, key, name="course")
        make(marketo, "enrollment", "Enrollment")
        too_early = add(marketo, LEAD_LINK, to_course, name="enrollment")
        assert too_early.error == ("1003", "Invalid link to field 'courseID' of object 'course'")
        step(marketo, "approve", "course")
        assert add(marketo, LEAD_LINK, to_course, name="enrollment").result == []
        assert step(marketo, "approve", "enrollment").result == []
        assert [each["field"] for each in describe(marketo, "enrollment")["relationships"]] == ["leadID", "courseID"]
        assert [each["name"] for each in marketo.get(f"{SCHEMA}/linkableObjects.json").result] == [
            "lead",
            "company",
            "course",
        ]

    def test_an_object_with_a_link_cannot_be_linked_to(self, marketo: Running) -> None:
        a_car(marketo)
        make(marketo, "trip", "Trip")
        assert add(marketo, link("car", "vin"), name="trip").error == (
            "1003",
            "Invalid link to field 'vin' of object 'car'",
        )

    def test_one_link_to_a_standard_object(self, marketo: Running) -> None:
        make(marketo)
        other = {"name": "c", "displayName": "C", "dataType": "link", "relatedTo": {"name": "company", "field": "Id"}}
        assert add(marketo, LEAD_LINK, other).error[0] == "1003"

    def test_linkable_fields_of_leads_go_by_their_display_names(self, marketo: Running) -> None:
        lead, company = marketo.get(f"{SCHEMA}/linkableObjects.json").result
        email = {"name": "Email Address", "displayName": "Email Address", "dataType": "email"}
        assert (lead["name"], lead["displayName"]) == ("lead", "Lead")
        assert email in lead["fields"]
        assert {"name": "Id", "displayName": "Id", "dataType": "integer"} in lead["fields"]
        assert company == {
            "name": "company",
            "displayName": "Company",
            "fields": [{"name": "Id", "displayName": "Id", "dataType": "integer"}],
        }

    def test_a_link_by_display_name_is_a_link(self, marketo: Running) -> None:
        make(marketo)
        field = LEAD_LINK | {"relatedTo": {"name": "Lead", "field": "Email Address"}}
        assert add(marketo, field, VIN).result == []
        assert describe(marketo)["relationships"][0]["relatedTo"] == {"name": "Lead", "field": "email"}


class TestTheEnd:
    def test_a_deleted_type_is_gone_with_its_records(self, marketo: Running) -> None:
        a_car(marketo)
        marketo.post("/rest/v1/customobjects/car.json", {"input": [{"vin": "1"}]})
        assert step(marketo, "delete").result == []
        assert marketo.get("/rest/v1/customobjects.json").result == []
        a_car(marketo)
        query = {"filterType": "vin", "filterValues": "1"}
        assert marketo.get("/rest/v1/customobjects/car.json", **query).result == []

    def test_a_type_in_use_stays(self, marketo: Running) -> None:
        a_car(marketo)
        campaign = {"name": "Has car", "customObjects": {"car": ["vin"]}}
        made = marketo.control("POST", "/people/create", {"entity": "campaign", "values": campaign})["id"]
        assert step(marketo, "delete").error == ("1022", "Object in use")
        assert marketo.get(f"{SCHEMA}/car/dependentAssets.json").result == [
            {
                "assetType": "Smart Campaign",
                "assetId": made,
                "assetName": "Has car (Smart List)",
                "usedFields": ["vin"],
            }
        ]

    def test_a_type_that_another_links_to_stays(self, marketo: Running) -> None:
        a_car(marketo, VIN)
        make(marketo, "trip", "Trip")
        add(marketo, link("car", "vin"), name="trip")
        assert step(marketo, "delete").error == ("1022", "Object in use")


class TestEntitlement:
    def test_without_the_entitlement_it_is_616(self, marketo: Running) -> None:
        marketo.set(custom_object_schema_api=False)
        assert make(marketo).error == ("616", "Invalid subscription type")
        assert marketo.get(f"{SCHEMA}.json").error[0] == "616"
        assert marketo.get("/rest/v1/customobjects.json").result == []

    def test_it_needs_its_own_permission(self, marketo: Running) -> None:
        marketo.control("POST", "/privileges", {"revoke": ["Read-Write Custom Object Type"]})
        assert make(marketo).error == ("603", "Access denied")
        assert marketo.get(f"{SCHEMA}.json").result == []

    def test_types_made_by_hand_end_in_c_and_are_approved(self, marketo: Running) -> None:
        values = {"apiName": "car", "displayName": "Car", "fields": [VIN, LEAD_LINK]}
        made = marketo.control("POST", "/people/create", {"entity": "customObjectType", "values": values})
        assert made == {"id": "car_c"}
        assert describe(marketo, "car_c")["state"] == "approved"

    def test_a_type_from_the_crm_is_not_ours_to_change(self, marketo: Running) -> None:
        values = {"apiName": "deal", "displayName": "Deal", "fields": [VIN], "isCrmManaged": True}
        marketo.control("POST", "/people/create", {"entity": "customObjectType", "values": values})
        assert all(field["crmManaged"] for field in describe(marketo, "deal_c")["fields"])
        assert add(marketo, YEAR, name="deal_c").error == ("1018", "CRM Enabled")
        write = marketo.post("/rest/v1/customobjects/deal_c.json", {"input": [{"vin": "1"}]})
        assert write.error == ("1018", "CRM Enabled")


def _names(kind: dict[str, Any]) -> list[str]:
    return [field["name"] for field in kind["fields"]]


def _plain(count: int) -> list[dict[str, Any]]:
    return [{"name": f"f{number}", "displayName": f"F{number}", "dataType": "string"} for number in range(count)]
