"""What a user is told of its own rights, and that changes are tracked only for those who may read the whole table."""

from tests.contract.dataverse.client import Running

ROLE = "Microsoft.Dynamics.CRM.RetrieveUserPrivileges()"
COLUMNS = "Microsoft.Dynamics.CRM.RetrievePrincipalAttributePrivileges()"


def own(crm: Running, function: str) -> dict[str, object]:
    user = crm.get("WhoAmI").body["UserId"]
    answer = crm.get(f"systemusers({user})/{function}")
    assert answer.status == 200
    return dict(answer.body)


def privileges(crm: Running) -> dict[str, str]:
    rows = own(crm, ROLE)["RolePrivileges"]
    assert isinstance(rows, list)
    return {row["PrivilegeName"]: row["Depth"] for row in rows}


def test_a_user_is_told_the_privileges_of_its_roles_with_their_depth(crm: Running) -> None:
    held = privileges(crm)
    assert held["prvReadContact"] == "Global"
    assert "prvActOnBehalfOfAnotherUser" not in held
    crm.set("/privileges", revoke=["prvWriteLead"], narrow=["prvReadContact"])
    held = privileges(crm)
    assert "prvWriteLead" not in held
    assert held["prvReadContact"] == "Local"


def test_changes_are_tracked_only_for_who_may_read_all_of_the_table(crm: Running) -> None:
    crm.set("/privileges", narrow=["prvReadContact"])
    tracked = crm.api("GET", "contacts?$select=contactid", Prefer="odata.track-changes")
    assert (tracked.status, tracked.error[1]) == (403, "0x80048306")
    assert crm.get("contacts?$select=contactid").status == 200
    crm.set("/privileges", widen=["prvReadContact"])
    tracked = crm.api("GET", "contacts?$select=contactid", Prefer="odata.track-changes")
    assert tracked.status == 200


def test_a_user_is_told_its_share_of_secured_columns_only(crm: Running) -> None:
    assert own(crm, COLUMNS)["AttributePrivileges"] == []
    crm.set("/privileges", revoke_columns={"contact": ["jobtitle"]})
    path = "EntityDefinitions(LogicalName='contact')/Attributes(LogicalName='jobtitle')?$select=MetadataId"
    column = crm.get(path).body["MetadataId"]
    denied = {"AttributeId": column, "CanRead": 0, "CanCreate": 0, "CanUpdate": 0}
    assert own(crm, COLUMNS)["AttributePrivileges"] == [denied]
    crm.set("/privileges", grant_columns={"contact": ["jobtitle"]})
    assert own(crm, COLUMNS)["AttributePrivileges"] == [dict.fromkeys(denied, 4) | {"AttributeId": column}]
    crm.set("/privileges", unsecure_columns={"contact": ["jobtitle"]})
    assert own(crm, COLUMNS)["AttributePrivileges"] == []


def test_both_take_the_privilege_to_read_users_and_a_user_that_is_there(crm: Running) -> None:
    crm.api("GET", "WhoAmI")
    nobody = "00000000-0000-0000-0000-00000000dead"
    assert crm.get(f"systemusers({nobody})/{ROLE}").status == 404
    user = crm.get("WhoAmI").body["UserId"]
    crm.set("/privileges", revoke=["prvReadUser"])
    assert crm.get(f"systemusers({user})/{COLUMNS}").status == 403
