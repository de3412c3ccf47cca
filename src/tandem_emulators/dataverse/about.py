"""What the service says about itself and about the caller."""

from tandem_emulators.dataverse.deployment import Deployment
from tandem_emulators.dataverse.message import NAMESPACE
from tandem_emulators.dataverse.organization import Organization
from tandem_emulators.dataverse.security import Caller
from tandem_emulators.dataverse.store import Row


def who_am_i(organization: Organization, caller: Caller, root: str) -> Row:
    return {
        "@odata.context": f"{root}$metadata#{NAMESPACE}WhoAmIResponse",
        "BusinessUnitId": organization.business_unit_id,
        "UserId": caller.user_id,
        "OrganizationId": organization.organization_id,
    }


def version(deployment: Deployment, root: str) -> Row:
    return {"@odata.context": f"{root}$metadata#{NAMESPACE}RetrieveVersionResponse", "Version": deployment.release}


def current_organization(
    organization: Organization, deployment: Deployment, base_url: str, root: str, *, is_newer: bool
) -> Row:
    """Newer builds add the type and list the endpoints as pairs (sheet section 6.5). A server on premises is in no
    tenant, data centre or environment."""
    endpoints = {
        "WebApplication": f"{base_url}/",
        "OrganizationService": f"{base_url}/XRMServices/2011/Organization.svc",
        "OrganizationDataService": f"{base_url}/XRMServices/2011/OrganizationData.svc",
    }
    detail: Row = {
        "OrganizationId": organization.organization_id,
        "FriendlyName": "Contoso",
        "OrganizationVersion": deployment.release,
        **({} if deployment.is_on_premises else _place_in_the_cloud(organization)),
        "UrlName": organization.url_name,
        "UniqueName": organization.unique_name,
        "State": "Enabled",
        "Endpoints": {"Count": 3, "IsReadOnly": False, "Keys": [*endpoints], "Values": [*endpoints.values()]},
    }
    if is_newer:
        pairs = [{"key": name, "value": url} for name, url in endpoints.items()]
        detail |= {"OrganizationType": _kind_of(organization), "Endpoints": pairs}
    context = f"{root}$metadata#{NAMESPACE}RetrieveCurrentOrganizationResponse"
    return {"@odata.context": context, "Detail": detail}


def _place_in_the_cloud(organization: Organization) -> Row:
    return {
        "EnvironmentId": organization.environment_id,
        "DatacenterId": organization.id_of("datacenter"),
        "Geo": "NA",
        "TenantId": organization.tenant_id,
    }


def organization_info(organization: Organization, solutions: str, root: str) -> Row:
    """The solutions are those that a change may name."""
    found = [
        {
            "Id": organization.id_of(f"solution/{name}"),
            "FriendlyName": name,
            "SolutionUniqueName": name,
            "VersionNumber": "1.0.0.0",
            "PublisherId": organization.id_of("publisher"),
            "PublisherIdName": "Default Publisher",
            "PublisherUniqueName": "DefaultPublisher",
        }
        for name in solutions.split(",")
        if name
    ]
    context = f"{root}$metadata#{NAMESPACE}RetrieveOrganizationInfoResponse"
    return {"@odata.context": context, "organizationInfo": {"InstanceType": _kind_of(organization), "Solutions": found}}


def _kind_of(organization: Organization) -> str:
    """By Microsoft's names of organisation types; any environment but two is a sandbox."""
    return {"production": "Customer", "default": "Default"}.get(organization.environment, "CustomerTest")
