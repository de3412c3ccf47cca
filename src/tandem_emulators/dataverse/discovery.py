"""The documents that sign-in libraries read before they sign in, as far as they read them."""

import re
from urllib.parse import urlsplit

from tandem_emulators.dataverse.organization import Organization

_TENANT = r"/(?P<tenant>[^/]+)"
_CONFIGURATION = re.compile(_TENANT + r"(?P<version>/v2\.0)?/\.well-known/openid-configuration")
_KEYS = re.compile(_TENANT + r"/discovery/(v2\.0/)?keys")
_REALM = re.compile(r"/common/userrealm/(?P<user>[^/]+)", re.IGNORECASE)
_INSTANCE = "/common/discovery/instance"


def is_document(path: str) -> bool:
    return path == _INSTANCE or any(pattern.fullmatch(path) for pattern in (_CONFIGURATION, _KEYS, _REALM))


def tenant_of(path: str) -> str | None:
    """The tenant whose configuration is asked for, or None for a document that belongs to no tenant."""
    found = _CONFIGURATION.fullmatch(path)
    return found["tenant"] if found else None


def document(path: str, base_url: str, organization: Organization) -> dict[str, object]:
    host = urlsplit(base_url).netloc
    if path == _INSTANCE:
        alias = {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
        endpoint = f"{base_url}/{organization.tenant_id}/v2.0/.well-known/openid-configuration"
        return {"tenant_discovery_endpoint": endpoint, "api-version": "1.1", "metadata": [alias]}
    if match := _REALM.fullmatch(path):
        domain = match["user"].partition("@")[2]
        return {"ver": "1.0", "account_type": "Managed", "domain_name": domain, "cloud_instance_name": host}
    if match := _CONFIGURATION.fullmatch(path):
        return _configuration(base_url, match["tenant"], match["version"] or "", organization.tenant_id)
    return {"keys": []}


def _configuration(base: str, tenant: str, version: str, tenant_id: str) -> dict[str, object]:
    return {
        "token_endpoint": f"{base}/{tenant}/oauth2{version}/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": f"{base}/{tenant}/discovery{version}/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": f"{base}/{tenant_id}{version}",
        "authorization_endpoint": f"{base}/{tenant}/oauth2{version}/authorize",
        "device_authorization_endpoint": f"{base}/{tenant}/oauth2{version}/devicecode",
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "oid", "tid", "upn"],
        "tenant_region_scope": "NA",
    }
