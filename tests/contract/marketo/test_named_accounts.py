"""Named accounts and their lists: fact sheet 4.1 with Adobe's examples."""

from typing import Any

from tests.contract.marketo.client import Running

ACCOUNTS = "/rest/v1/namedaccounts.json"
LISTS = "/rest/v1/namedAccountLists.json"


def create(marketo: Running, path: str, *names: str) -> list[str]:
    results = marketo.post(path, {"input": [{"name": name} for name in names]}).result
    assert [each["status"] for each in results] == ["created"] * len(names)
    return [each["marketoGUID"] for each in results]


def missing(seq: int, text: str = "Record not found") -> dict[str, Any]:
    return {"seq": seq, "status": "skipped", "reasons": [{"code": "1013", "message": text}]}


class TestAccounts:
    def test_describe_names_the_key_and_what_can_be_searched(self, marketo: Running) -> None:
        [found] = marketo.get("/rest/v1/namedaccounts/describe.json").result
        assert (found["idField"], found["dedupeFields"]) == ("marketoGUID", ["name"])
        assert [name for [name] in found["searchableFields"]] == [
            "marketoGUID", "annualRevenue", "city", "country", "domainName", "industry", "logoUrl", "membershipCount",
            "name", "numberOfEmployees", "opptyAmount", "opptyCount", "score1", "score2", "score3", "score4", "score5",
            "sicCode", "state",
        ]  # fmt: skip

    def test_they_are_found_by_name(self, marketo: Running) -> None:
        google, yahoo = create(marketo, ACCOUNTS, "Google", "Yahoo")
        found = marketo.get(ACCOUNTS, filterType="name", filterValues="Google,Yahoo").result
        assert [(each["seq"], each["marketoGUID"], each["name"]) for each in found] == [
            (0, google, "Google"),
            (1, yahoo, "Yahoo"),
        ]
        assert set(found[0]) == {"seq", "marketoGUID", "createdAt", "name", "updatedAt"}

    def test_update_and_delete_say_record_not_found(self, marketo: Running) -> None:
        [google] = create(marketo, ACCOUNTS, "Google")
        records = [{"name": "Google", "domainName": "www.google.com"}, {"name": "Yahoo"}]
        body = {"action": "updateOnly", "dedupeBy": "dedupeFields", "input": records}
        updated = marketo.post(ACCOUNTS, body).result
        assert updated == [{"seq": 0, "status": "updated", "marketoGUID": google}, missing(1)]
        body = {"deleteBy": "dedupeFields", "input": [{"name": "Google"}, {"name": "Marketo"}]}
        deleted = marketo.post("/rest/v1/namedaccounts/delete.json", body).result
        assert deleted == [{"seq": 0, "status": "deleted", "marketoGUID": google}, missing(1)]

    def test_field_metadata_in_pages(self, marketo: Running) -> None:
        path = "/rest/v1/namedaccounts/schema/fields"
        [revenue] = marketo.get(f"{path}/annualRevenue.json").result
        assert (revenue["displayName"], revenue["dataType"], revenue["isCustom"]) == (
            "Annual Revenue",
            "currency",
            False,
        )
        first = marketo.get(f"{path}.json", batchSize=5).body
        assert (len(first["result"]), first["moreResult"]) == (5, True)
        second = marketo.get(f"{path}.json", batchSize=300, nextPageToken=first["nextPageToken"]).body
        assert second["moreResult"] is False
        assert not {each["name"] for each in first["result"]} & {each["name"] for each in second["result"]}


class TestLists:
    def test_they_are_created_queried_renamed_and_deleted(self, marketo: Running) -> None:
        [saas, other] = create(marketo, LISTS, "SAAS List", "Manufacturing (Domestic)")
        [found] = marketo.get(LISTS, filterType="idField", filterValues=saas).result
        assert found == {
            "seq": 0,
            "marketoGUID": saas,
            "name": "SAAS List",
            "createdAt": found["createdAt"],
            "updatedAt": found["updatedAt"],
            "type": "default",
            "updateable": True,
        }
        rename = {"action": "updateOnly", "dedupeBy": "idField", "input": [{"marketoGUID": saas, "name": "Clouds"}]}
        assert marketo.post(LISTS, rename).result[0]["status"] == "updated"
        body = {"input": [{"name": "Clouds"}, {"name": "B2C List"}]}
        deleted = marketo.post("/rest/v1/namedAccountLists/delete.json", body).result
        assert deleted == [{"seq": 0, "status": "deleted", "marketoGUID": saas}, missing(1)]
        left = marketo.get(LISTS, filterType="dedupeFields", filterValues="Clouds,Manufacturing (Domestic)").result
        assert [each["marketoGUID"] for each in left] == [other]

    def test_two_actions_only_and_creating_is_the_default(self, marketo: Running) -> None:
        create(marketo, LISTS, "SAAS List")
        [result] = marketo.post(LISTS, {"input": [{"name": "SAAS List"}]}).result
        assert result["reasons"] == [{"code": "1017", "message": "Object already exists"}]
        answer = marketo.post(LISTS, {"action": "createOrUpdate", "input": [{"name": "SAAS List"}]})
        assert answer.error[0] == "1003"

    def test_members_are_added_listed_and_removed(self, marketo: Running) -> None:
        [chosen] = create(marketo, LISTS, "SAAS List")
        google, yahoo = create(marketo, ACCOUNTS, "Google", "Yahoo")
        path = f"/rest/v1/namedAccountList/{chosen}/namedAccounts"
        inputs = [{"marketoGUID": guid} for guid in (google, google, yahoo, "nobody")]
        added = marketo.post(f"{path}.json", {"input": inputs}).result
        assert added == [
            *({"seq": seq, "marketoGUID": guid, "status": "added"} for seq, guid in enumerate((google, google, yahoo))),
            missing(3),
        ]
        first = marketo.get(f"{path}.json", batchSize=1).body
        second = marketo.get(f"{path}.json", batchSize=1, nextPageToken=first["nextPageToken"]).body
        assert [each["name"] for each in first["result"] + second["result"]] == ["Google", "Yahoo"]
        assert set(first["result"][0]) == {"seq", "marketoGUID", "name", "createdAt", "updatedAt"}
        body = {"input": [{"marketoGUID": google}]}
        removed = [{"seq": 0, "marketoGUID": google, "status": "removed"}]
        assert marketo.post(f"{path}/remove.json", body).result == removed
        assert marketo.post(f"{path}/remove.json", body).result == [missing(0, "Membership not found")]
        left = marketo.get(f"{path}.json", fields="name").result
        assert left == [{"seq": 0, "name": "Yahoo"}]

    def test_there_is_no_such_list(self, marketo: Running) -> None:
        answer = marketo.get("/rest/v1/namedAccountList/nothing/namedAccounts.json")
        assert answer.error == ("1013", "Record not found")
