"""The few asset calls that a synchronisation's clients make: static lists, and reading folders and programs (3.8, 10).

Assets have habits of their own: form bodies, `offset` and `maxReturn`, dates with two zones, and where there is
nothing to list a success without `result` whose warning clients test literally.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from tandem_emulators.marketo.call import Call, as_integer
from tandem_emulators.marketo.envelope import Reply
from tandem_emulators.marketo.errors import ApiError, invalid
from tandem_emulators.marketo.lists import create_list
from tandem_emulators.marketo.people import iso
from tandem_emulators.marketo.programs import Program
from tandem_emulators.marketo.store import decode, encode
from tandem_emulators.marketo.subscription import Handler, Subscription

NOTHING = "No assets found for the given search criteria."
RETURN_DEFAULT, RETURN_MAX = 20, 200
FOLDERS = {1: "Default", 11: "Marketing Activities", 36: "Group Lists"}
GROUP_LISTS = {"id": 36, "type": "Folder"}
_EPOCH = "1970-01-01T00:00:00Z"


def _found(results: Sequence[Mapping[str, Any]]) -> Reply:
    return Reply(list(results)) if results else Reply(warnings=(NOTHING,))


def browse_lists(subscription: Subscription, call: Call) -> Reply:
    rows = list(subscription.store.rows("SELECT id, created_s, updated_s, doc FROM list ORDER BY id"))
    folder = _folder(call) if call.text("folder") else None
    shown = [_list(row) for row in rows if _is_recent(call, row[2])]
    return _found(_page(call, [each for each in shown if folder is None or each["folder"] == folder]))


def get_list(subscription: Subscription, call: Call) -> Reply:
    return _found([_list(row) for row in _rows(subscription, "id = ?", call.path_integer("id"))])


def list_by_name(subscription: Subscription, call: Call) -> Reply:
    return _found([_list(row) for row in _rows(subscription, "json_extract(doc, '$.name') = ?", call.required("name"))])


def create(subscription: Subscription, call: Call) -> Reply:
    name, folder = call.required("name"), _folder(call)
    if folder["id"] not in FOLDERS:
        raise ApiError("710", "Parent Folder Not Found")
    _check_name_is_free(subscription, name)
    also = {"description": call.text("description")} if call.text("description") else {}
    number = create_list(subscription, name, call.now_s, **also, folder=folder)
    return _found([_list(row) for row in _rows(subscription, "id = ?", number)])


def update(subscription: Subscription, call: Call) -> Reply:
    number, created_s, _, doc = _row(subscription, call)
    values = decode(doc)
    name = call.text("name")
    if name is not None and name != values["name"]:
        _check_name_is_free(subscription, name)
        values["name"] = name
    if call.text("description") is not None:
        values["description"] = call.text("description")
    kept = (int(call.now_s), encode(values).decode(), number)
    subscription.store.run("UPDATE list SET updated_s = ?, doc = ? WHERE id = ?", kept)
    return Reply([_list((number, created_s, kept[0], kept[1]))])


def delete(subscription: Subscription, call: Call) -> Reply:
    number = _row(subscription, call)[0]
    subscription.store.run("DELETE FROM list_member WHERE list_id = ?", (number,))
    subscription.store.run("DELETE FROM list WHERE id = ?", (number,))
    return Reply([{"id": number}])


def browse_folders(subscription: Subscription, call: Call) -> Reply:
    return _found(_page(call, [_folder_shown(number) for number in FOLDERS]))


def get_folder(subscription: Subscription, call: Call) -> Reply:
    number = call.path_integer("id")
    return _found([_folder_shown(number)] if number in FOLDERS else [])


def folder_by_name(subscription: Subscription, call: Call) -> Reply:
    name = call.required("name")
    return _found([_folder_shown(number) for number, known in FOLDERS.items() if known == name])


def browse_programs(subscription: Subscription, call: Call) -> Reply:
    found = [program for program in subscription.programs.after(0, -1) if _is_recent(call, program.updated_s)]
    return _found(_page(call, [_program(program) for program in found]))


def get_program(subscription: Subscription, call: Call) -> Reply:
    program = subscription.programs.find(call.path_integer("id"))
    return _found([_whole_program(program)] if program else [])


def program_by_name(subscription: Subscription, call: Call) -> Reply:
    program = subscription.programs.find(call.required("name"))
    return _found([_whole_program(program)] if program else [])


def nothing(subscription: Subscription, call: Call) -> Reply:
    """There are no smart lists and no segmentations here."""
    return _found([])


def _page(call: Call, found: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    offset, size = call.integer("offset") or 0, call.integer("maxReturn") or RETURN_DEFAULT
    if offset < 0 or not 0 < size <= RETURN_MAX:
        raise invalid(f"maxReturn must be between 1 and {RETURN_MAX}, offset at least 0")
    return found[offset : offset + size]


def _is_recent(call: Call, updated_s: int) -> bool:
    first, last = call.text("earliestUpdatedAt"), call.text("latestUpdatedAt")
    return (first is None or updated_s >= _seconds(first)) and (last is None or updated_s <= _seconds(last))


def _seconds(text: str) -> float:
    try:
        at = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise invalid(f"Invalid date '{text}'") from error


def _folder(call: Call) -> dict[str, Any]:
    """A folder is given as a JSON object in a form field."""
    try:
        stated = msgspec.json.decode(call.required("folder"), type=dict[str, Any])
        return {"id": as_integer(str(stated["id"])), "type": str(stated["type"])}
    except (msgspec.DecodeError, msgspec.ValidationError, KeyError) as error:
        raise invalid("Invalid value for field 'folder'") from error


def _check_name_is_free(subscription: Subscription, name: str) -> None:
    if _rows(subscription, "json_extract(doc, '$.name') = ?", name):
        raise ApiError("709", "Static List with the same name already exists")


def _rows(subscription: Subscription, where: str, value: int | str) -> list[tuple[Any, ...]]:
    return list(subscription.store.rows(f"SELECT id, created_s, updated_s, doc FROM list WHERE {where}", (value,)))


def _row(subscription: Subscription, call: Call) -> tuple[Any, ...]:
    found = _rows(subscription, "id = ?", call.path_integer("id"))
    if not found:
        raise ApiError("702", "Static List not found")
    return found[0]


def _list(row: tuple[Any, ...]) -> dict[str, Any]:
    number, created_s, updated_s, doc = row
    values = decode(doc)
    return {
        "id": number,
        "name": values["name"],
        "description": values.get("description") or "",
        **_times(created_s, updated_s),
        "folder": values.get("folder", GROUP_LISTS),
        "workspace": values.get("workspaceName", "Default"),
        "computedUrl": _url("ST", number),
    }


def _folder_shown(number: int) -> dict[str, Any]:
    name = FOLDERS[number]
    parent = {"id": 1, "type": "Folder"}
    return {
        "id": number,
        "name": name,
        "description": "",
        "createdAt": f"{_EPOCH}+0000",
        "updatedAt": f"{_EPOCH}+0000",
        "url": None,
        "folderId": {"id": number, "type": "Folder"},
        "folderType": "Marketing Folder",
        "parent": parent if number != 1 else None,
        "path": "/" if number == 1 else f"/{name}",
        "isArchive": False,
        "isSystem": True,
        "accessZoneId": 1,
        "workspace": "Default",
    }


def _program(program: Program) -> dict[str, Any]:
    return {
        "id": program.id,
        "name": program.name,
        "description": program.description,
        **_times(program.created_s, program.updated_s),
        "url": _url("PG", program.id),
        "type": program.type,
        "channel": program.channel,
        "folder": {"type": "Folder", "value": 11, "folderName": FOLDERS[11]},
        "status": "",
        "workspace": program.workspace,
    }


def _whole_program(program: Program) -> dict[str, Any]:
    """What browsing leaves out, too; programs here have neither."""
    return _program(program) | {"tags": [], "costs": []}


def _url(kind: str, number: int) -> str:
    """Where a person sees it; nobody does here."""
    return f"https://app-int.marketo.com/#{kind}{number}A1"


def _times(created_s: int, updated_s: int) -> dict[str, str]:
    """Dates of assets name their zone twice, as recorded (8)."""
    return {"createdAt": f"{iso(created_s)}+0000", "updatedAt": f"{iso(updated_s)}+0000"}


HANDLERS: dict[str, Handler] = {
    "assets.lists.browse": browse_lists,
    "assets.lists.get": get_list,
    "assets.lists.byname": list_by_name,
    "assets.lists.create": create,
    "assets.lists.update": update,
    "assets.lists.delete": delete,
    "assets.folders.browse": browse_folders,
    "assets.folders.get": get_folder,
    "assets.folders.byname": folder_by_name,
    "assets.programs.browse": browse_programs,
    "assets.programs.get": get_program,
    "assets.programs.byname": program_by_name,
    "assets.smartlists.browse": nothing,
    "assets.segmentations.browse": nothing,
}
