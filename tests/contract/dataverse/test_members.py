"""Sheet section 10: members of marketing lists and of teams."""

from typing import Any

import pytest

from tests.contract.dataverse.client import InProcess

ACTION = "Microsoft.Dynamics.CRM."
NEVER = "11111111-1111-1111-1111-111111111111"


def a_list(org: InProcess, kind: int = 2, **values: Any) -> str:
    return org.create("lists", **{"listname": "Fair", "createdfromcode": kind, **values})


def a_contact(org: InProcess) -> str:
    return org.create("contacts", lastname="Grey")


def add(org: InProcess, list_id: str, member: object) -> Any:
    return org.api("POST", f"lists({list_id})/{ACTION}AddMemberList", {"EntityId": member})


def remove(org: InProcess, list_id: str, member: str) -> Any:
    return org.api("POST", f"lists({list_id})/{ACTION}RemoveMemberList", {"EntityId": member})


def members(org: InProcess, list_id: str) -> set[str]:
    return {row["_entityid_value"] for row in org.get(f"listmembers?$filter=_listid_value eq {list_id}").rows}


def test_a_member_is_added_once_and_counted(org: InProcess) -> None:
    list_id, contact = a_list(org), a_contact(org)
    answer = add(org, list_id, contact)
    assert answer.status == 200
    assert org.get(f"listmembers({answer.body['Id']})").status == 200
    assert add(org, list_id, {"@odata.type": f"{ACTION}contact", "contactid": contact}).body["Id"] == answer.body["Id"]
    assert members(org, list_id) == {contact}
    assert org.row("lists", list_id)["membercount"] == 1


def test_many_members_are_added_at_once(org: InProcess) -> None:
    list_id, contacts = a_list(org), [a_contact(org) for _ in "abc"]
    add(org, list_id, contacts[0])
    given = [{"@odata.type": f"{ACTION}contact", "contactid": key} for key in contacts]
    body = {"List": {"@odata.type": f"{ACTION}list", "listid": list_id}, "Members": given}
    assert org.api("POST", "AddListMembersList", body).status == 204
    assert members(org, list_id) == set(contacts)
    assert org.row("lists", list_id)["membercount"] == 3


def test_a_member_is_removed_and_no_other(org: InProcess) -> None:
    list_id, contacts = a_list(org), [a_contact(org) for _ in "ab"]
    for key in contacts:
        add(org, list_id, key)
    assert remove(org, list_id, contacts[0]).status == 204
    assert members(org, list_id) == {contacts[1]}
    assert org.row("lists", list_id)["membercount"] == 1
    gone = (400, "0x80048458", "Specified Item not a member of the specified List.")
    assert remove(org, list_id, contacts[0]).error == gone


def test_the_association_keeps_the_same_rules(org: InProcess) -> None:
    list_id, lead = a_list(org, 4), org.create("leads", lastname="L", subject="S")
    path = f"lists({list_id})/listlead_association"
    reference = {"@odata.id": f"{org.url}/api/data/v9.2/leads({lead})"}
    assert org.api("POST", f"{path}/$ref", reference).status == 204
    assert members(org, list_id) == {lead}
    assert org.row("lists", list_id)["membercount"] == 1
    org.api("PATCH", f"lists({list_id})", {"lockstatus": True})
    other = {"@odata.id": f"{org.url}/api/data/v9.2/leads({org.create('leads', lastname='M', subject='S')})"}
    assert org.api("POST", f"{path}/$ref", other).error[:2] == (400, "0x80040302")
    assert members(org, list_id) == {lead}


@pytest.mark.parametrize(
    ("values", "code", "text"),
    [
        ({"type": True}, "0x8004f701", "This action is not available for a dynamic marketing list."),
        ({"lockstatus": True}, "0x80040302", "List is Locked. Cannot perform this action."),
        ({"createdfromcode": 1}, "0x80040217", None),
    ],
)
def test_a_list_that_takes_no_members_says_why(
    org: InProcess, values: dict[str, Any], code: str, text: str | None
) -> None:
    list_id, contact = a_list(org, **values), a_contact(org)
    status, found, message = add(org, list_id, contact).error
    assert (found, status) == (code, 404 if text is None else 400)
    assert text is None or message == text
    assert members(org, list_id) == set()


def test_an_inactive_list_takes_no_members(org: InProcess) -> None:
    list_id = a_list(org)
    org.api("PATCH", f"lists({list_id})", {"statecode": 1})
    inactive = (400, "0x8004033a", "List is not active. Cannot perform this operation.")
    assert add(org, list_id, a_contact(org)).error == inactive


def test_members_must_be_of_the_lists_kind(org: InProcess) -> None:
    list_id, account = a_list(org), org.create("accounts", name="A")
    given = [{"@odata.type": f"{ACTION}account", "accountid": account}]
    body = {"List": {"listid": list_id}, "Members": given}
    wrong = (400, "0x80040301", "Unsupported list member type.")
    assert org.api("POST", "AddListMembersList", body).error == wrong


@pytest.mark.parametrize(
    ("values", "code"),
    [({"type": False, "query": "<fetch/>"}, "0x8004f702"), ({"type": True, "lockstatus": True}, "0x8004f703")],
)
def test_what_a_list_of_a_kind_cannot_have(org: InProcess, values: dict[str, Any], code: str) -> None:
    body = {"listname": "Fair", "createdfromcode": 2, **values}
    assert org.api("POST", "lists", body).error[:2] == (400, code)


def test_a_list_must_say_what_it_is_of(org: InProcess) -> None:
    missing = org.api("POST", "lists", {"listname": "Fair"})
    assert missing.error == (400, "0x80040200", "Required field missing. Attribute: createdfromcode")


def test_a_member_leaves_when_deleted_and_moves_when_merged(org: InProcess) -> None:
    list_id, other_list = a_list(org), a_list(org)
    winner, loser, gone = a_contact(org), a_contact(org), a_contact(org)
    for where, key in ((list_id, winner), (list_id, loser), (list_id, gone), (other_list, loser)):
        add(org, where, key)
    org.api("DELETE", f"contacts({gone})")
    named = {"@odata.type": f"{ACTION}contact"}
    body = {"Target": {**named, "contactid": winner}, "Subordinate": {**named, "contactid": loser}}
    assert org.api("POST", "Merge", body).status == 204
    assert members(org, list_id) == members(org, other_list) == {winner}


def test_a_person_puts_people_on_lists(org: InProcess) -> None:
    list_id, contact = a_list(org), a_contact(org)
    org.set("/people/add_to_list", list=list_id, member=contact)
    assert members(org, list_id) == {contact}
    org.set("/people/remove_from_list", list=list_id, member=contact)
    assert members(org, list_id) == set()


@pytest.mark.parametrize("entity_set", ["listmembers", "teammemberships", "accountleadscollection"])
def test_pairs_come_by_associations_only(org: InProcess, entity_set: str) -> None:
    status, code, text = org.api("POST", entity_set, {}).error
    assert (status, code) == (405, "0x80040315")
    assert text.startswith("This action is not supported.")


# Teams.


def a_team(org: InProcess) -> str:
    team: str = org.set("/people/create", entity="team", values={"name": "Field", "teamtype": 0})["id"]
    return team


def me(org: InProcess) -> str:
    user: str = org.get("WhoAmI").body["UserId"]
    return user


def team_members(org: InProcess, team: str) -> list[str]:
    return [row["systemuserid"] for row in org.get(f"teammemberships?$filter=teamid eq {team}").rows]


def change_members(org: InProcess, message: str, team: str, *users: str) -> Any:
    given = [{"@odata.type": f"{ACTION}systemuser", "systemuserid": user} for user in users]
    return org.api("POST", f"teams({team})/{ACTION}{message}", {"Members": given})


@pytest.fixture
def may_change_teams(org: InProcess) -> Any:
    org.set("/privileges", grant=["prvWriteTeam"])
    yield
    org.set("/privileges", revoke=["prvWriteTeam"])


@pytest.mark.usefixtures("may_change_teams")
def test_users_join_and_leave_a_team(org: InProcess) -> None:
    team, user = a_team(org), me(org)
    for _ in "ab":
        assert change_members(org, "AddMembersTeam", team, user).status == 204
        assert team_members(org, team) == [user]
    for _ in "ab":
        assert change_members(org, "RemoveMembersTeam", team, user).status == 204
        assert team_members(org, team) == []


@pytest.mark.usefixtures("may_change_teams")
def test_members_must_be_users(org: InProcess) -> None:
    team = a_team(org)
    assert change_members(org, "AddMembersTeam", team, NEVER).error[:2] == (404, "0x80040217")
    for body in ({}, {"Members": 1}, {"Members": [1]}, {"Members": [{"@odata.type": f"{ACTION}contact"}]}):
        assert org.api("POST", f"teams({team})/{ACTION}AddMembersTeam", body).status == 400
    assert change_members(org, "AddMembersTeam", NEVER, me(org)).status == 404


def test_changing_members_needs_the_right(org: InProcess) -> None:
    status, code, text = change_members(org, "AddMembersTeam", a_team(org), me(org)).error
    assert (status, code) == (403, "0x80040220")
    assert "prvWriteTeam" in text


def test_a_default_team_keeps_its_members(org: InProcess) -> None:
    team = a_team(org)
    org.emulator.store.update(org.emulator.schema.tables["team"], team, {"isdefault": 1})
    refused = org.control("POST", "/people/join_team", {"team": team, "user": me(org)})
    assert "Can't add members to the default business unit team." in refused.body["error"]


def test_a_person_changes_a_team(org: InProcess) -> None:
    team, user = a_team(org), me(org)
    org.set("/people/join_team", team=team, user=user)
    assert team_members(org, team) == [user]
    org.set("/people/leave_team", team=team, user=user)
    assert team_members(org, team) == []


def test_a_list_becomes_part_of_a_campaign_and_leaves_it(org: InProcess) -> None:
    list_id, campaign = a_list(org), org.create("campaigns", name="Fair")
    reference = {"@odata.id": f"{org.url}/api/data/v9.2/lists({list_id})"}
    assert org.api("POST", f"campaigns({campaign})/campaignlist_association/$ref", reference).status == 204
    assert [row["listid"] for row in org.get(f"campaigns({campaign})/campaignlist_association").rows] == [list_id]
    assert [row["campaignid"] for row in org.get(f"lists({list_id})/campaignlist_association").rows] == [campaign]
    again = org.api("POST", f"campaigns({campaign})/campaignlist_association/$ref", reference)
    assert (again.status, again.body["error"]["code"]) == (412, "0x80040237")
    assert org.api("DELETE", f"campaigns({campaign})/campaignlist_association({list_id})/$ref").status == 204
    assert org.get(f"campaigns({campaign})/campaignlist_association").rows == []
