"""Sheet section 9: snapshots, a restore of an older state, and a copy of one organisation over another."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.dataverse.client import InProcess, Running
from tests.contract.dataverse.conftest import Start

ABOUT = "RetrieveCurrentOrganization(AccessType=Microsoft.Dynamics.CRM.EndpointAccessType'Default')"


@pytest.fixture
def start() -> Iterator[Start]:
    """In process: nothing here needs a socket."""
    begun: list[Running] = []

    def begin(**options: Any) -> Running:
        begun.append(InProcess(**options))
        assert begun[-1].sign_in().status == 200
        return begun[-1]

    yield begin
    for emulator in begun:
        emulator.close()


def names(crm: Running) -> list[str]:
    return sorted(row["lastname"] for row in crm.get("leads?$select=lastname").rows)


def pinned(crm: Running) -> dict[str, Any]:
    """What an integrator pins at set-up."""
    detail = crm.get(ABOUT).body["Detail"]
    wanted = ("OrganizationId", "EnvironmentId", "TenantId", "UrlName", "UniqueName")
    return {"WhoAmI": crm.get("WhoAmI").body["OrganizationId"], **{name: detail[name] for name in wanted}}


@pytest.fixture
def two(start: Start) -> tuple[Running, Running]:
    """Production with three leads, and a sandbox of the same tenant."""
    production = start()
    for name in "ABC":
        production.create("leads", lastname=name)
    return production, start(settings={"environment": "sandbox"})


def copy(source: Running, target: Running, tmp_path: Path, **how: Any) -> dict[str, Any]:
    file = str(tmp_path / "production.db")
    source.set("/snapshots", file=file)
    return target.set("/environment/copy", file=file, **how)


def test_9_a_snapshot_brings_everything_back(crm: Running) -> None:
    kept = crm.create("leads", lastname="A")
    link = crm.get("leads?$select=lastname", Prefer="odata.track-changes").body["@odata.deltaLink"]
    number = crm.set("/snapshots")["id"]
    crm.api("PATCH", f"leads({kept})", {"lastname": "B"})
    crm.create("leads", lastname="C")
    version = crm.row("leads", kept)["versionnumber"]
    assert crm.control("GET", "/snapshots").body == {"snapshots": [number]}
    crm.set(f"/snapshots/{number}/restore")
    assert names(crm) == ["A"]
    assert crm.row("leads", kept)["versionnumber"] < version
    assert crm.get(link).rows == []
    crm.create("leads", lastname="D")
    assert [row["lastname"] for row in crm.get(link).rows] == ["D"]
    crm.set(f"/snapshots/{number}/restore")
    assert names(crm) == ["A"]
    crm.control("DELETE", f"/snapshots/{number}")
    assert crm.control("POST", f"/snapshots/{number}/restore", {}).status == 400


def test_9_a_restore_undoes_changes_of_the_schema_too(crm: Running) -> None:
    number = crm.set("/snapshots")["id"]
    text = {"@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", "SchemaName": "new_Extra"}
    made = crm.api("POST", "EntityDefinitions(LogicalName='lead')/Attributes", text)
    assert made.status == 204, made.raw
    crm.create("leads", lastname="A", new_extra="x")
    with_column = crm.set("/snapshots")["id"]
    crm.set(f"/snapshots/{number}/restore")
    assert crm.api("POST", "leads", {"lastname": "A", "new_extra": "x"}).status == 400
    crm.set(f"/snapshots/{with_column}/restore")
    assert [row["new_extra"] for row in crm.get("leads?$select=new_extra").rows] == ["x"]


def test_9_a_restore_may_end_in_administration_mode(crm: Running) -> None:
    number = crm.set("/snapshots")["id"]
    after = crm.set(f"/snapshots/{number}/restore", administration_mode=True, background_operations=False)
    assert (after["administration_mode"], after["background_operations"]) == (True, False)
    assert crm.get("WhoAmI").error[:2] == (403, "0x8004a113")
    settings = crm.control("GET", "/settings").body
    assert (settings["admin_mode"], settings["background_operations"]) == (True, False)


def test_9_a_copy_keeps_row_ids_and_the_targets_own_identity(two: tuple[Running, Running], tmp_path: Path) -> None:
    production, sandbox = two
    before, source = pinned(sandbox), pinned(production)
    assert before["TenantId"] == source["TenantId"]
    assert all(before[name] != source[name] for name in before if name != "TenantId")
    copy(production, sandbox, tmp_path, administration_mode=False)
    rows = [{row["leadid"]: row["lastname"] for row in crm.get("leads").rows} for crm in two]
    assert rows[0] == rows[1]
    assert pinned(sandbox) == before
    assert [row["organizationid"] for row in sandbox.get("organizations").rows] == [before["OrganizationId"]]
    assert pinned(production) == source


def test_9_whether_the_ids_change_is_a_switch(two: tuple[Running, Running], tmp_path: Path) -> None:
    production, sandbox = two
    before, source = pinned(sandbox), pinned(production)
    sandbox.set("/settings", copy_keeps_organization_id=False, copy_keeps_environment_id=False)
    copy(production, sandbox, tmp_path, administration_mode=False)
    after = pinned(sandbox)
    assert {name: after[name] for name in ("WhoAmI", "OrganizationId", "EnvironmentId", "UniqueName")} == {
        name: source[name] for name in ("WhoAmI", "OrganizationId", "EnvironmentId", "UniqueName")
    }
    assert after["UrlName"] == before["UrlName"]


def test_9_afterwards_only_administrators_get_in_and_the_old_credentials_still_work(
    two: tuple[Running, Running], tmp_path: Path
) -> None:
    production, sandbox = two
    me = sandbox.get("WhoAmI").body["UserId"]
    after = copy(production, sandbox, tmp_path)
    assert (after["administration_mode"], after["background_operations"]) == (True, False)
    assert sandbox.get("WhoAmI").error[:2] == (403, "0x8004a113")
    assert sandbox.sign_in().status == 200
    assert sandbox.get("leads").status == 403
    sandbox.set("/privileges", user=me, administrator=True)
    assert names(sandbox) == ["A", "B", "C"]


def test_9_old_tokens_live_or_die_by_a_switch(two: tuple[Running, Running], tmp_path: Path) -> None:
    production, sandbox = two
    link = sandbox.get("leads?$select=lastname", Prefer="odata.track-changes").body["@odata.deltaLink"]
    copy(production, sandbox, tmp_path, administration_mode=False)
    assert sandbox.get("WhoAmI").status == 200
    assert sandbox.get(link).status == 200
    sandbox.set("/settings", copy_ends_sign_ins=True, copy_ends_delta_tokens=True)
    copy(production, sandbox, tmp_path, administration_mode=False)
    assert sandbox.get("WhoAmI").status == 401
    sandbox.sign_in()
    assert sandbox.get(link).error[1] == "0x80044352"


def test_9_a_token_of_another_history_skips_changes(two: tuple[Running, Running], tmp_path: Path) -> None:
    """A sandbox that was ahead of production: its token is in the future of what it gets, and finds nothing."""
    production, sandbox = two
    for number in range(20):
        sandbox.create("leads", lastname=f"old {number}")
    link = sandbox.get("leads?$select=lastname", Prefer="odata.track-changes").body["@odata.deltaLink"]
    copy(production, sandbox, tmp_path, administration_mode=False)
    sandbox.create("leads", lastname="D")
    assert sandbox.get(link).rows == []
    assert names(sandbox) == ["A", "B", "C", "D"]


def test_9_customizations_only_leaves_no_people(two: tuple[Running, Running], tmp_path: Path) -> None:
    production, sandbox = two
    copy(production, sandbox, tmp_path, kind="customizations", administration_mode=False)
    assert names(sandbox) == []
    users = [len(crm.get("systemusers?$select=fullname").rows) for crm in two]
    assert users[0] == users[1] > 0


def test_9_users_outside_the_security_group_are_disabled(two: tuple[Running, Running], tmp_path: Path) -> None:
    production, sandbox = two
    me = sandbox.get("WhoAmI").body["UserId"]
    copy(production, sandbox, tmp_path, security_group=[me], administration_mode=False)
    enabled = sandbox.get("systemusers?$select=isdisabled&$filter=isdisabled eq false").rows
    assert me in {row["systemuserid"] for row in enabled}
    assert len(enabled) < len(sandbox.get("systemusers?$select=isdisabled").rows)
    copy(production, sandbox, tmp_path, security_group=[], administration_mode=False)
    assert sandbox.get("WhoAmI").error[:2] == (403, "0x80040225")


def test_9_a_copy_from_another_tenant_leaves_the_application_without_a_user(start: Start, tmp_path: Path) -> None:
    stranger, sandbox = start(seed=2), start(settings={"environment": "sandbox"})
    copy(stranger, sandbox, tmp_path, administration_mode=False)
    assert sandbox.get("WhoAmI").error[:2] == (403, "0x80072560")


def test_9_a_file_database_is_copied_over_and_read_again(start: Start, tmp_path: Path) -> None:
    production, file = start(), str(tmp_path / "sandbox.db")
    production.create("leads", lastname="A")
    sandbox = start(db=file, settings={"environment": "sandbox"})
    copy(production, sandbox, tmp_path, administration_mode=False)
    assert names(sandbox) == ["A"]
    identity = pinned(sandbox)
    sandbox.close()
    again = start(db=file, settings={"environment": "sandbox"})
    assert (names(again), pinned(again)) == (["A"], identity)


def test_1_4_a_user_whom_somebody_disables_is_refused(crm: Running) -> None:
    me = crm.get("WhoAmI").body["UserId"]
    crm.set("/people/edit", entity="systemuser", id=me, values={"isdisabled": True})
    assert crm.get("WhoAmI").error[:2] == (403, "0x80040225")
    crm.set("/people/edit", entity="systemuser", id=me, values={"isdisabled": False})
    assert crm.get("WhoAmI").status == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/environment/copy", {}),
        ("/environment/copy", {"file": "no/such/file"}),
        ("/environment/copy", {"snapshot": 7}),
        ("/environment/copy", {"snapshot": 1, "kind": "half"}),
        ("/environment/copy", {"nothing": 1}),
        ("/snapshots", {"file": "no/such/folder/file"}),
        ("/snapshots", {"file": 5}),
        ("/snapshots/x/restore", {}),
        ("/snapshots/9/restore", {}),
    ],
)
def test_nonsense_is_answered_with_a_sentence(crm: Running, path: str, body: dict[str, Any]) -> None:
    answer = crm.control("POST", path, body)
    assert answer.status == 400
    assert answer.body["error"].endswith(".")
    assert crm.get("WhoAmI").status == 200


def test_a_file_that_is_no_snapshot_changes_nothing(crm: Running, tmp_path: Path) -> None:
    crm.create("leads", lastname="A")
    (tmp_path / "x.db").write_bytes(b"x" * 5000)
    assert crm.control("POST", "/environment/copy", {"file": str(tmp_path / "x.db")}).status == 400
    assert names(crm) == ["A"]
