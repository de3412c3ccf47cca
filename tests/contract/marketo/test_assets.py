"""The asset calls that clients of a synchronisation make: fact sheet 3.8, 2.1 and 10."""

import json
import re
from typing import Any

import pytest

from tests.contract.marketo.client import Running

LISTS = "/rest/asset/v1/staticLists.json"
LIST = "/rest/asset/v1/staticList"
NOTHING = {"success": True, "errors": [], "warnings": ["No assets found for the given search criteria."]}


def make(marketo: Running, name: str, **fields: str) -> dict[str, Any]:
    folder = json.dumps({"id": 36, "type": "Folder"})
    [made] = marketo.form(LISTS, name=name, folder=folder, **fields).result
    return made


def nothing(body: dict[str, Any]) -> bool:
    return {name: value for name, value in body.items() if name != "requestId"} == NOTHING


def test_a_list_is_made_found_changed_and_deleted(marketo: Running) -> None:
    marketo.control("POST", "/clock", {"now": "2021-11-23T22:57:24+00:00", "frozen": True})
    marketo.sign_in()
    made = make(marketo, "Fair", description="Visitors")
    assert made["createdAt"] == "2021-11-23T22:57:24Z+0000"
    assert made["computedUrl"].endswith(f"marketo.com/#ST{made['id']}A1")
    assert (made["description"], made["folder"]) == ("Visitors", {"id": 36, "type": "Folder"})
    assert marketo.get(f"{LIST}/{made['id']}.json").result == [made]
    assert marketo.get(f"{LIST}/byName.json", name="Fair").result == [made]
    [changed] = marketo.form(f"{LIST}/{made['id']}.json", name="Fairs").result
    assert (changed["name"], changed["description"]) == ("Fairs", "Visitors")
    assert marketo.get("/rest/v1/lists.json", name="Fairs").result[0]["id"] == made["id"]
    assert marketo.call("POST", f"{LIST}/{made['id']}/delete.json").result == [{"id": made["id"]}]
    assert nothing(marketo.get(f"{LIST}/{made['id']}.json").body)


def test_the_envelope_names_errors_and_warnings_always(marketo: Running) -> None:
    make(marketo, "Fair")
    assert list(marketo.get(LISTS).body) == ["success", "errors", "requestId", "warnings", "result"]
    assert nothing(marketo.get(f"{LIST}/byName.json", name="Nobody").body)


def test_a_name_is_given_once(marketo: Running) -> None:
    make(marketo, "Fair")
    folder = json.dumps({"id": 36, "type": "Folder"})
    refused = ("709", "Static List with the same name already exists")
    answer = marketo.form(LISTS, name="Fair", folder=folder)
    assert answer.error == refused
    assert list(answer.body) == ["success", "errors", "requestId", "warnings"]
    other = make(marketo, "Other")
    assert marketo.form(f"{LIST}/{other['id']}.json", name="Fair").error == refused


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"folder": '{"id": 36, "type": "Folder"}'}, "1002"),
        ({"name": "X"}, "1002"),
        ({"name": "X", "folder": "36"}, "1003"),
        ({"name": "X", "folder": '{"id": 77, "type": "Folder"}'}, "710"),
    ],
)
def test_what_makes_no_list(marketo: Running, fields: dict[str, str], code: str) -> None:
    assert marketo.form(LISTS, **fields).error[0] == code


def test_browsing_goes_by_offset(marketo: Running) -> None:
    for number in range(25):
        make(marketo, f"L{number}")
    assert len(marketo.get(LISTS).result) == 20
    assert [each["name"] for each in marketo.get(LISTS, offset=23, maxReturn=200).result] == ["L23", "L24"]
    assert nothing(marketo.get(LISTS, offset=25).body)
    assert marketo.get(LISTS, maxReturn=201).error[0] == "1003"


def test_browsing_goes_by_time(marketo: Running) -> None:
    make(marketo, "Fair")
    assert nothing(marketo.get(LISTS, earliestUpdatedAt="2999-01-01T00:00:00Z").body)
    assert len(marketo.get(LISTS, earliestUpdatedAt="2001-01-01T00:00:00Z").result) == 1


def test_programs_are_read_as_assets(marketo: Running) -> None:
    values = {"name": "Webinar", "type": "Event", "channel": "Webinar"}
    number = marketo.control("POST", "/people/create", {"entity": "program", "values": values})["id"]
    [program] = marketo.get("/rest/asset/v1/programs.json", maxReturn=200, offset=0).result
    assert (program["id"], program["type"], program["channel"]) == (number, "Event", "Webinar")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\+0000", program["updatedAt"])
    assert program["url"].endswith(f"marketo.com/#PG{number}A1")
    assert program["folder"] == {"type": "Folder", "value": 11, "folderName": "Marketing Activities"}
    whole = [program | {"tags": [], "costs": []}]
    assert marketo.get(f"/rest/asset/v1/program/{number}.json").result == whole
    assert marketo.get("/rest/asset/v1/program/byName.json", name="Webinar").result == whole
    assert nothing(marketo.get("/rest/asset/v1/programs.json", offset=200, maxReturn=200).body)


def test_folders_can_be_found_to_put_lists_in(marketo: Running) -> None:
    [folder] = marketo.get("/rest/asset/v1/folder/byName.json", name="Group Lists").result
    assert folder["folderId"] == {"id": 36, "type": "Folder"}
    assert (folder["url"], folder["folderType"]) == (None, "Marketing Folder")
    assert marketo.get("/rest/asset/v1/folder/36.json", type="Folder").result == [folder]
    assert folder in marketo.get("/rest/asset/v1/folders.json").result


@pytest.mark.parametrize("path", ["segmentation", "smartLists"])
def test_what_there_is_none_of_is_a_warning(marketo: Running, path: str) -> None:
    assert nothing(marketo.get(f"/rest/asset/v1/{path}.json").body)
