"""What the service says about itself and about the caller."""

from tandem_emulators.dataverse.message import NAMESPACE
from tandem_emulators.dataverse.organization import VERSION, Organization
from tandem_emulators.dataverse.security import Caller
from tandem_emulators.dataverse.store import Row


def who_am_i(organization: Organization, caller: Caller, root: str) -> Row:
    return {
        "@odata.context": f"{root}$metadata#{NAMESPACE}WhoAmIResponse",
        "BusinessUnitId": organization.business_unit_id,
        "UserId": caller.user_id,
        "OrganizationId": organization.organization_id,
    }


def version(root: str) -> Row:
    return {"@odata.context": f"{root}$metadata#{NAMESPACE}RetrieveVersionResponse", "Version": VERSION}


def current_organization(organization: Organization, base_url: str, root: str) -> Row:
    endpoints = {
        "WebApplication": f"{base_url}/",
        "OrganizationService": f"{base_url}/XRMServices/2011/Organization.svc",
        "OrganizationDataService": f"{base_url}/XRMServices/2011/OrganizationData.svc",
    }
    detail = {
        "OrganizationId": organization.organization_id,
        "FriendlyName": "Contoso",
        "OrganizationVersion": VERSION,
        "EnvironmentId": organization.environment_id,
        "DatacenterId": organization.id_of("datacenter"),
        "Geo": "NA",
        "TenantId": organization.tenant_id,
        "UrlName": organization.url_name,
        "UniqueName": organization.unique_name,
        "State": "Enabled",
        "Endpoints": {"Count": 3, "IsReadOnly": False, "Keys": [*endpoints], "Values": [*endpoints.values()]},
    }
    context = f"{root}$metadata#{NAMESPACE}RetrieveCurrentOrganizationResponse"
    return {"@odata.context": context, "Detail": detail}
