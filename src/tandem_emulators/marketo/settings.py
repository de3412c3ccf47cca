"""The emulator's switches: what the sources are silent or divided about, and what a test wants otherwise.

Defaults are the strict or the documented reading. Each can be read and set while the emulator runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tandem_emulators.kit.errors import ControlError


@dataclass(slots=True)
class Settings:
    limits: str = "published"  # published | off
    daily_calls: int = 50_000
    rate_calls: int = 100
    rate_window_s: int = 20
    concurrent_calls: int = 10
    quota_midnight: str = "daylight"  # daylight | standard: "CST" is Chicago's time, or always UTC-6
    token_lifetime_s: int = 3600
    access_token_in_query: bool = False
    activity_lag_s: float = 5.0  # each activity commits after its own delay between nothing and this
    late_share: float = 0.0  # share of activities that commits `late_delay_s` after that, out of order
    late_delay_s: float = 0.0
    paging_token_lifetime_s: float = 0.0  # after which a feed's token is refused (1003); 0 is never
    paging_token_since: str = "inclusive"  # inclusive | exclusive: whether a date token shows what is of its second
    feed_block: int = 3_000  # log entries looked at per call: selective queries see short and empty pages
    api_change_attributes: bool = True  # Request Id, Modifying User, API Method Name on changes by API
    list_feed_members_max: int = 10_000
    external_person_id: bool = False
    over_length: str = "reject"  # reject | truncate
    empty_string: str = "clears"  # clears | kept, on leads
    whitespace: str = "kept"  # kept | trimmed, at both ends of a lead's texts
    read_only_fields: str = "refused"  # refused | ignored, when a lead is written
    async_processing: str = "results"  # results | empty: what a sync call that asks for it answers
    merge_fallback: str = "first"  # first | last: which of several losers fills an empty field of the winner
    query_order: str = "ascending"  # ascending | descending: the order of ids in a page of leads
    company_fields: str = "refused"  # refused | unmanaged (taken where the lead has no company of its own)
    company_detach: str = "refused"  # refused | ignored, for externalCompanyId = null
    missing_lead: str = "error"  # error | empty, for get lead by id
    merge_losers_in_deleted_feed: bool = False
    new_lead_changes: bool = False  # the first values of a new lead are changes (13), too
    custom_fields_move_updated_at: bool = False
    program_members_max: int = 100_000  # members of a program that a query other than by lead looks through
    upsert_race_s: float = 0.0  # an upsert does not see who was created so shortly before: racing ones make twins
    write_once_fields: str = ""  # names, comma-separated: a value that is there stays, and the API does not say so
    dedupe_fields: str = ""  # names, comma-separated: the rule of a sync without lookupField, in place of e-mail
    partition_name_required: bool = False  # a new lead without partitionName is skipped with 1009
    custom_objects: bool = True  # licensed; otherwise their calls answer 1026
    custom_object_schema_api: bool = True  # entitled; otherwise 616
    custom_link_values: str = "text"  # text | number: how queries show a link field that holds a number
    opportunity_names_company: bool = True  # whether an opportunity has externalCompanyId: Adobe's pages disagree
    native_crm: str = "none"  # none | salesforce | dynamics: makes companies and their like read-only
    import_start_s: float = 1.0  # a bulk import waits so long before it begins
    import_rows_per_s: float = 1_000.0  # the vendor's speed is not documented
    import_blank_cells: str = "kept"  # kept | cleared: what a blank cell does to a value that is there
    export_start_s: float = 2.0  # an extract waits so long in the queue when a worker is free
    export_run_s: float = 10.0  # and runs so long
    export_status_refresh_s: float = 60.0  # the status of an extract is not told more often anew
    export_empty_header: bool = True  # whether the file of an extract without a row has its header all the same
    export_quota_bytes: int = 500_000_000
    lead_export_updated_at: bool = True  # whether the subscription has the filter updatedAt (else 1035)
    timeouts: dict[str, float] = field(default_factory=dict)  # operation -> seconds; the published ones at the start


CHOICES = {
    "limits": ("published", "off"),
    "quota_midnight": ("daylight", "standard"),
    "paging_token_since": ("inclusive", "exclusive"),
    "over_length": ("reject", "truncate"),
    "empty_string": ("clears", "kept"),
    "whitespace": ("kept", "trimmed"),
    "read_only_fields": ("refused", "ignored"),
    "async_processing": ("results", "empty"),
    "merge_fallback": ("first", "last"),
    "query_order": ("ascending", "descending"),
    "company_fields": ("refused", "unmanaged"),
    "company_detach": ("refused", "ignored"),
    "missing_lead": ("error", "empty"),
    "custom_link_values": ("text", "number"),
    "import_blank_cells": ("kept", "cleared"),
    "native_crm": ("none", "salesforce", "dynamics"),
}


def checked(present: Settings, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, with a change of timeouts laid over the present ones.

    Raises:
        ControlError: a value that its switch does not know.
    """
    for name, choices in CHOICES.items():
        if name in values and values[name] not in choices:
            raise ControlError(f"Setting {name!r} is one of {', '.join(choices)}, not {values[name]!r}.")
    result = dict(values)
    if "timeouts" in result:
        result["timeouts"] = present.timeouts | _seconds(result["timeouts"])
    return result


def _seconds(value: Any) -> dict[str, float]:
    if not isinstance(value, dict) or not all(
        type(number) in (int, float) and number >= 0 for number in value.values()
    ):
        raise ControlError("Setting 'timeouts' takes an object of operations and seconds.")
    return {name: float(number) for name, number in value.items()}
