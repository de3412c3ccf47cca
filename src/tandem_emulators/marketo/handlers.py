"""Which function carries out which operation, of those that need nothing but the subscription.

One more module of calls takes its place here; the names are those of `data/operations.json`.
"""

from tandem_emulators.marketo import (
    assets,
    custom_activities,
    custom_activity_types,
    custom_object_calls,
    custom_object_fields,
    custom_object_schema,
    feeds,
    lead_end,
    lead_read,
    lead_schema,
    lead_sync,
    lists,
    named_accounts,
    object_calls,
    object_writes,
    partition_calls,
    program_calls,
    program_views,
    push,
)
from tandem_emulators.marketo.subscription import Handler

HANDLERS: dict[str, Handler] = {
    **lead_read.HANDLERS,
    **lead_sync.HANDLERS,
    **lead_end.HANDLERS,
    **lead_schema.HANDLERS,
    **lists.HANDLERS,
    **feeds.HANDLERS,
    **object_calls.HANDLERS,
    **object_writes.HANDLERS,
    **custom_object_calls.HANDLERS,
    **custom_object_fields.HANDLERS,
    **custom_object_schema.HANDLERS,
    **named_accounts.HANDLERS,
    **partition_calls.HANDLERS,
    **program_calls.HANDLERS,
    **program_views.HANDLERS,
    **push.HANDLERS,
    **custom_activity_types.HANDLERS,
    **custom_activities.HANDLERS,
    **assets.HANDLERS,
}
