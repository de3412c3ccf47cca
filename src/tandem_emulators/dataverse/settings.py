"""The switches of the emulator, where the documentation is silent or a test wants another organisation."""

from dataclasses import dataclass


@dataclass
class Settings:
    """`limits` is published or off. Tables in the lists are separated by commas, without spaces."""

    limits: str = "published"
    # Which environment of the tenant this is; it decides the organisation's own ids. Read at the start only.
    environment: str = "production"
    # A server on premises in place of an environment of the cloud. Read at the start only.
    on_premises: bool = False
    # Which AD FS signs users in on premises, by its Windows Server: 2012r2, 2016, or 2019 and later.
    adfs: str = "2019"
    # Where the organisation on premises answers: internet, inside (its name is in the path) or both.
    addresses: str = "both"
    # Whether the deployment on premises takes tokens; else every call is sent to AD FS's own page.
    oauth_enabled: bool = True
    token_lifetime_s: int = 3599
    # enabled, locked, password_expired, disabled, needs_mfa or must_enrol_mfa: what Entra thinks of the user.
    account_state: str = "enabled"
    # registered, secret_expired or no_consent: what Entra thinks of the application.
    application_state: str = "registered"
    # Whether the application may sign a user in by password without a credential of its own.
    allow_public_client: bool = True
    # More token requests than that in a minute get Entra's 429; 0 is no limit.
    sign_ins_per_minute: int = 0
    # enabled, disabled, no_role or not_member: what the signed-in user is in the organisation.
    user_state: str = "enabled"
    admin_mode: bool = False
    organization_enabled: bool = True
    # The status that goes with the codes of those two.
    closed_environment_status: int = 403
    # What stands in the body of a 401.
    challenge_body: str = ""
    # Which tables refuse a change of a closed row that does not open it again.
    read_only_when_inactive: str = "lead"
    # Whether a status alone moves the row into the state it belongs to; else it is refused.
    status_implies_state: bool = False
    empty_string_is_null: bool = True
    # Whether a read-only column in a body is left out, or the whole body is refused.
    ignore_read_only_columns: bool = True
    # Tables whose new rows are open whatever the body says of their state.
    state_ignored_on_create: str = ""
    # Whether the strong form of a tag, "123", is understood in If-Match.
    strong_etags: bool = True
    # Whether the account of a qualification becomes the contact's company and the opportunity's customer.
    qualify_links_rows: bool = True
    # Which columns a new row must have: those that are system (SystemRequired), application (the others too) or none.
    required_columns: str = "system"
    # Whether an update may set an opportunity to won or lost; else only WinOpportunity and LoseOpportunity may.
    close_opportunity_by_update: bool = True
    # Users and teams, by id, that hold no role with which they could own a record.
    owners_without_role: str = ""
    # The status that goes with 0x80040333.
    duplicate_status: int = 412
    # Tables whose rows are written once more right after a write, as asynchronous logic does it.
    version_raised_after_write: str = ""
    # Whether each account and contact has rows of its own for its addresses.
    address_rows: bool = True
    # For how many days a deleted row can be restored; 0 is no recycle bin.
    recycle_bin_days: int = 0
    untracked_tables: str = ""
    # Whether a change of a table's definition, or a copy that says so, ends the table's delta tokens at once.
    schema_ends_delta_tokens: bool = True
    # The status that goes with 0x80044352 where a delta token has ended.
    expired_token_status: int = 400
    # Where the signed-in user lives: formatted times, and what Today means.
    user_time_zone: str = "UTC"
    # Service protection: each user has these on each web server. `servers` is how many of them share the load.
    servers: int = 1
    concurrency_limit: int = 52
    requests_limit: int = 6000
    execution_limit_ms: int = 1_200_000
    limits_window_s: int = 300
    # 116.85 MB, which is stated for bulk messages, and taken for every request here.
    payload_bytes_max: int = 122_526_105
    dop_hint: int = 4
    # What each call during the wait that Retry-After asked for adds to that wait.
    pressing_adds_s: float = 1.0
    # Whether asynchronous work is done: webhooks wait while it is not.
    background_operations: bool = True
    webhook_timeout_s: float = 60.0
    webhook_delay_s: float = 0.0
    # What a copy over this environment leaves as it was, and what it ends.
    copy_keeps_organization_id: bool = True
    copy_keeps_environment_id: bool = True
    copy_ends_sign_ins: bool = False
    copy_ends_delta_tokens: bool = False
    # How long the index of a new alternate key is built: half of it Pending, half InProgress.
    key_index_s: float = 1.0
    # The language of the caller: which of a label's texts is the user's own. Standard tables have English texts only.
    user_language: int = 1033
    # The code that goes with the 404 of a table or column that is not there.
    missing_definition_code: str = "0x80060888"
    # Whether OptionSet is null beside a GlobalOptionSet, as older answers have it; newer ones fill both.
    global_choices_apart: bool = False
    # Whether RetrieveCurrentOrganization answers as newer builds do: with a type, and endpoints as pairs.
    newer_organization_detail: bool = False
    # How long after a change a metadata read without Consistency: Strong may show the definitions as they were.
    metadata_cache_s: float = 0.0
    # The unmanaged solutions that a change of the schema may name.
    solutions: str = "Default,Tandem"
