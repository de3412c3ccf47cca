"""The one organisation that is served: its ids, users and credentials, all of them following from the seed."""

from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from uuid import UUID, uuid5

NAMESPACE = UUID("5b6a2c1e-6d0f-4f0a-9a35-3f3f6f1f2a77")


@dataclass
class Organization:
    """`environment` tells organisations of one tenant apart: they share users and credentials, not their own ids.

    `host` is the name under which clients reach it. What a copy over it may change is set as an attribute.
    """

    seed: int
    environment: str = "production"
    host: str = "127.0.0.1"
    random: Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = Random(f"{self.seed}/ids")

    def id_of(self, what: str) -> str:
        return str(uuid5(NAMESPACE, f"{self.seed}/{what}"))

    def _own_id(self, what: str) -> str:
        return self.id_of(what if self.environment == "production" else f"{what}/{self.environment}")

    @cached_property
    def organization_id(self) -> str:
        return self._own_id("organization")

    @cached_property
    def environment_id(self) -> str:
        """The tenant's default environment is named after the tenant (sheet section 6.5)."""
        return f"Default-{self.tenant_id}" if self.environment == "default" else self._own_id("environment")

    @property
    def unique_name(self) -> str:
        return f"org{self.organization_id[:8]}"

    @property
    def url_name(self) -> str:
        return "contoso" if self.environment == "production" else f"contoso-{self.environment}"

    @cached_property
    def tenant_id(self) -> str:
        return self.id_of("tenant")

    @cached_property
    def business_unit_id(self) -> str:
        return self.id_of("businessunit")

    @cached_property
    def currency_id(self) -> str:
        return self.id_of("currency")

    @cached_property
    def client_id(self) -> str:
        return self.id_of("client")

    @cached_property
    def client_secret(self) -> str:
        return f"emu~{UUID(self.id_of('secret')).hex}"

    @cached_property
    def application_user_id(self) -> str:
        """The non-interactive user that client credentials sign in as."""
        return self.id_of("application user")

    @cached_property
    def delegated_user_id(self) -> str:
        """The user that a user name and a password sign in as."""
        return self.id_of("delegated user")

    @cached_property
    def administrator_id(self) -> str:
        return self.id_of("administrator")

    def object_id_of(self, user_id: str) -> str:
        """The id that the tenant's directory has for a user; its row in the organisation has another one."""
        return self.id_of(f"directory/{user_id}")

    tenant_domain = "contoso.onmicrosoft.example"
    username = "integration@contoso.onmicrosoft.example"

    @cached_property
    def password(self) -> str:
        return f"emu-{UUID(self.id_of('password')).hex[:16]}"
