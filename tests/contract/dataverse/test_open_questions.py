"""What the documentation leaves open, or tells in two ways, is a switch: both of its settings."""

from typing import Final

from tests.contract.dataverse.client import InProcess

CRM: Final = "Microsoft.Dynamics.CRM."
CHOICES: Final = "$select=LogicalName&$expand=OptionSet($select=Options),GlobalOptionSet($select=Options)"


def test_13_a_published_column_ends_delta_tokens_or_not(fresh: InProcess) -> None:
    tracked = fresh.get("leads?$select=subject", Prefer="odata.track-changes").body["@odata.deltaLink"]
    fresh.set("/schema/changed", entity="lead")
    assert fresh.get(tracked).error[:2] == (400, "0x80044352")
    fresh.set("/settings", expired_token_status=410)
    assert fresh.get(tracked).error[:2] == (410, "0x80044352")
    fresh.set("/settings", schema_ends_delta_tokens=False)
    assert fresh.get(tracked).rows == []


def test_13_the_status_of_a_closed_environment_is_unknown(fresh: InProcess) -> None:
    fresh.set("/settings", admin_mode=True)
    assert fresh.get("WhoAmI").error[:2] == (403, "0x8004a113")
    fresh.set("/settings", closed_environment_status=503)
    assert fresh.get("WhoAmI").error[:2] == (503, "0x8004a113")
    fresh.set("/settings", organization_enabled=False)
    assert fresh.get("WhoAmI").error[:2] == (503, "0x8004a104")
    assert fresh.control("POST", "/settings", {"closed_environment_status": 7}).status == 400


def test_13_the_body_of_a_401_is_unknown(fresh: InProcess) -> None:
    fresh.token = "ended"
    fresh.set("/settings", challenge_body="Unauthorized")
    answer = fresh.get("WhoAmI")
    assert (answer.status, answer.raw) == (401, b"Unauthorized")
    assert answer.headers["www-authenticate"].startswith(f"Bearer authorization_uri={fresh.url}/")


def test_6_1_a_global_choice_stands_in_both_properties_or_in_its_own(fresh: InProcess) -> None:
    one = "EntityDefinitions(LogicalName='lead')/Attributes(LogicalName='budgetstatus')"
    path = f"{one}/{CRM}PicklistAttributeMetadata?{CHOICES}"
    both = fresh.get(path).body
    assert both["OptionSet"]["Options"] == both["GlobalOptionSet"]["Options"] != []
    fresh.set("/settings", global_choices_apart=True)
    apart = fresh.get(path).body
    assert apart["OptionSet"] is None
    assert apart["GlobalOptionSet"] == both["GlobalOptionSet"]
    assert fresh.get(path.replace("budgetstatus", "leadqualitycode")).body["OptionSet"] is not None


def test_6_5_newer_builds_tell_the_type_and_endpoints_as_pairs(fresh: InProcess) -> None:
    path = "RetrieveCurrentOrganization(AccessType=Microsoft.Dynamics.CRM.EndpointAccessType'Default')"
    names = ["WebApplication", "OrganizationService", "OrganizationDataService"]
    older = fresh.get(path).body["Detail"]
    assert older["Endpoints"]["Keys"] == names
    assert "OrganizationType" not in older
    fresh.set("/settings", newer_organization_detail=True)
    newer = fresh.get(path).body["Detail"]
    assert [pair["key"] for pair in newer["Endpoints"]] == names
    assert newer["OrganizationType"] == "Customer"


def test_6_5_the_default_environment_is_named_after_its_tenant() -> None:
    crm = InProcess(settings={"environment": "default"})
    crm.sign_in()
    detail = crm.get("RetrieveCurrentOrganization(AccessType=@p1)?@p1='Default'").body["Detail"]
    info = crm.get("RetrieveOrganizationInfo()").body["organizationInfo"]
    crm.close()
    assert detail["EnvironmentId"] == f"Default-{crm.access['tenant_id']}"
    assert info["InstanceType"] == "Default"


def test_6_1_the_code_of_a_missing_definition_is_unknown(fresh: InProcess) -> None:
    missing = (
        "EntityDefinitions(LogicalName='none')",
        "EntityDefinitions(LogicalName='lead')/Keys(LogicalName='none')",
    )
    for path in (*missing, "EntityDefinitions(LogicalName='lead')/Attributes(LogicalName='none')"):
        fresh.set("/settings", missing_definition_code="0x80060888")
        assert fresh.get(path).error[:2] == (404, "0x80060888")
        fresh.set("/settings", missing_definition_code="0x80040217")
        assert fresh.get(path).error[:2] == (404, "0x80040217")
    assert fresh.get("EntityDefinitions(LogicalName='lead')/None").error[:2] == (404, "0x8006088a")
