"""The switches of the emulator, where the documentation is silent or a test wants another organisation."""

from dataclasses import dataclass


@dataclass
class Settings:
    """`limits` is published or off. Tables in the lists are separated by commas, without spaces."""

    limits: str = "published"
    token_lifetime_s: int = 3599
    # enabled, disabled, no_role or not_member: what the signed-in user is in the organisation.
    user_state: str = "enabled"
    admin_mode: bool = False
    organization_enabled: bool = True
    # Which tables refuse a change of a closed row that does not open it again.
    read_only_when_inactive: str = "lead"
    # Whether a status alone moves the row into the state it belongs to; else it is refused.
    status_implies_state: bool = False
    empty_string_is_null: bool = True
    untracked_tables: str = ""
    concurrency_limit: int = 52
    requests_limit: int = 6000
    execution_limit_ms: int = 1_200_000
