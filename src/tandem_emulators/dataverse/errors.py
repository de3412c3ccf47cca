"""Refusals of the Web API: status, code and text as the service words them.

One constructor for each fault, so that no text is written twice and a test can hold each against the published
table of codes.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass
class ODataError(Exception):
    status: int
    code: str
    message: str
    retry_after_s: int | None = None

    def __str__(self) -> str:
        return f"{self.status} {self.code} {self.message}"


PAYLOAD_TEXT = (
    "Error identified in Payload provided by the user for Entity :'{0}', For more information on this error please "
    "follow this help link https://go.microsoft.com/fwlink/?linkid=2195293  ---->  "
    "InnerException : Microsoft.OData.ODataException: {1}"
)


def does_not_exist(table: str, record_id: str) -> ODataError:
    return ODataError(404, "0x80040217", f"{table} With Id = {record_id} Does Not Exist")


def segment_not_found(segment: str) -> ODataError:
    return ODataError(404, "0x8006088a", f"Resource not found for the segment '{segment}'.")


def method_not_allowed(method: str) -> ODataError:
    text = f"The requested resource does not support http method '{method}'."
    return ODataError(405, "0x80060888", text)


def query_error(text: str) -> ODataError:
    return ODataError(400, "0x80060888", text)


def no_property(name: str, edm_type: str) -> ODataError:
    return query_error(f"Could not find a property named '{name}' on type '{edm_type}'.")


def incompatible_operands(left: str, right: str, kind: str) -> ODataError:
    text = (
        "A binary operator with incompatible types was detected. Found operand types "
        f"'{left}' and '{right}' for operator kind '{kind}'."
    )
    return query_error(text)


def unknown_function(name: str) -> ODataError:
    text = (
        f"An unknown function with name '{name}' was found. This may also be a function import or a key lookup on a "
        "navigation property, which is not allowed."
    )
    return query_error(text)


def no_signature(name: str) -> ODataError:
    return query_error(f"No function signature for the function with name '{name}' matches the specified arguments.")


def bad_value(text: str, column: str) -> ODataError:
    return query_error(f"The value '{text[:60]}' is not valid for the attribute '{column}' in this condition.")


def aggregate_not_suitable(aggregate: str, kind: str) -> ODataError:
    return ODataError(400, "0x8004112f", f"Aggregate {aggregate} is not supported for attribute of type {kind}.")


def no_such_table(name: str) -> ODataError:
    text = (
        f"The entity with a name = '{name}' with namemapping = 'Logical' was not found in the MetadataCache. The "
        "specified entity was not found."
    )
    return ODataError(400, "0x80041102", text)


def no_such_column(table: str, name: str) -> ODataError:
    text = f"'{table}' entity doesn't contain attribute with Name = '{name}' and NameMapping = 'Logical'."
    return ODataError(400, "0x80041103", text)


def sql_timeout() -> ODataError:
    return ODataError(500, "0x80044151", "SQL timeout expired.")


def key_not_valid(edm_type: str) -> ODataError:
    text = (
        f"The key in the request URI is not valid for resource '{edm_type}'. Ensure that the names and number of key "
        f"properties match the declared or alternate key properties for the resource '{edm_type}'."
    )
    return query_error(text)


def key_not_defined(table: str) -> ODataError:
    text = f"The specified key attributes are not a defined key for the {table} entity"
    return ODataError(400, "0x80060890", text)


def no_such_key(table: str) -> ODataError:
    text = f"A record with the specified key values does not exist in {table} entity"
    return ODataError(404, "0x80060891", text)


def several_for_key(table: str, columns: str) -> ODataError:
    text = f"More than one record exists for entity {table} with entity key involving attributes {columns}"
    return ODataError(400, "0x8006089d", text)


def dangerous_path(letter: str) -> ODataError:
    return query_error(f"A potentially dangerous Request.Path value was detected from the client ({letter}).")


def payload_error(set_name: str, text: str) -> ODataError:
    return ODataError(400, "0x80048d19", PAYLOAD_TEXT.format(set_name, text))


def undeclared_property(set_name: str, name: str) -> ODataError:
    text = (
        f"An undeclared property '{name}' which only has property annotations in the payload but no property value "
        "was found in the payload. In OData, only declared navigation properties and declared named streams can be "
        "represented as properties without values."
    )
    return payload_error(set_name, text)


def unknown_property(set_name: str, name: str, edm_type: str) -> ODataError:
    text = (
        f"The property '{name}' does not exist on type '{edm_type}'. Make sure to only use property names that are "
        "defined by the type."
    )
    return payload_error(set_name, text)


def cannot_convert(set_name: str, literal: object, edm_type: str) -> ODataError:
    return payload_error(set_name, f"Cannot convert the literal '{literal}' to the expected type '{edm_type}'.")


def lookup_by_column(set_name: str) -> ODataError:
    text = "CRM do not support direct update of Entity Reference properties, Use Navigation properties instead."
    return payload_error(set_name, text)


def wrong_target(set_name: str, name: str, allowed: Iterable[str], given: str) -> ODataError:
    text = f"The entity reference of '{name}' must be one of {', '.join(allowed)}, not {given}."
    return payload_error(set_name, text)


def deep_update(set_name: str, name: str) -> ODataError:
    text = f"Related records of '{name}' can only be given when a record is created, not when it is updated."
    return payload_error(set_name, text)


def nested_too_deep(set_name: str, limit: int) -> ODataError:
    return payload_error(set_name, f"The depth limit of {limit} for entries in nested expanded links was exceeded.")


def too_long(table: str, column: str, length_max: int) -> ODataError:
    text = (
        f"A validation error occurred.  The length of the '{column}' attribute of the '{table}' entity exceeded the "
        f"maximum allowed length of '{length_max}'."
    )
    return ODataError(400, "0x80044331", text)


def option_out_of_range() -> ODataError:
    return ODataError(400, "0x8004431a", "The picklist value is out of the range.")


def integer_out_of_range() -> ODataError:
    text = "A validation error occurred. An integer provided is outside of the allowed values for this attribute."
    return ODataError(400, "0x8004432f", text)


def decimal_out_of_range() -> ODataError:
    text = "A validation error occurred. A decimal value provided is outside of the allowed values for this attribute."
    return ODataError(400, "0x80044330", text)


def date_out_of_range() -> ODataError:
    text = "The date-time format is invalid, or value is outside the supported range."
    return ODataError(400, "0x80040239", text)


def bad_state(state: int, status: int) -> ODataError:
    text = "State code is invalid or state code is valid but status code is invalid for a specified state code."
    return ODataError(400, "0x80048408", f"{text} State code = {state}, Status code = {status}.")


def lead_closed() -> ODataError:
    return ODataError(400, "0x80040519", "The lead is already closed.")


def row_inactive() -> ODataError:
    return ODataError(400, "0x80040230", "The object cannot be updated because it is inactive.")


def read_only_on_create(name: str) -> ODataError:
    return ODataError(400, "0x80041a01", f"A field that is not valid for create was specified: {name}")


def read_only_on_update(name: str) -> ODataError:
    return ODataError(400, "0x80041a02", f"A field that is not valid for update was specified: {name}")


def opportunity_closed() -> ODataError:
    return ODataError(400, "0x80040515", "The opportunity is already closed.")


def use_close_message(state: str) -> ODataError:
    text = (
        f"This message can not be used to set the state of opportunity to {state}. In order to set state of "
        f"opportunity to {state}, use the {state} message instead."
    )
    return ODataError(400, "0x80100005", text)


def required_missing(name: str) -> ODataError:
    return ODataError(400, "0x80040200", f"Required field missing. Attribute: {name}")


def assign_to_access_team() -> ODataError:
    text = "You cannot assign a record to the access team. You can assign a record to the owner team."
    return ODataError(400, "0x80048340", text)


def owner_lacks_privilege() -> ODataError:
    return ODataError(403, "0x80040231", "Target user or team does not hold required privileges.")


def duplicate_found(status: int) -> ODataError:
    """412, or 500 in an older page of the documentation: a switch (sheet section 2.5)."""
    text = "A record was not created or updated because a duplicate of the current record already exists."
    return ODataError(status, "0x80040333", text)


def duplicate_entity_key(columns: str, key: str) -> ODataError:
    """The real text, which the published one differs from; both names are display names (sheet section 2.6)."""
    text = (
        f"A record that has the attribute values {columns} already exists. The entity key {key} requires that this "
        "set of attributes contains unique values. Select unique values and try again."
    )
    return ODataError(412, "0x80060892", text)


def unexpected() -> ODataError:
    return ODataError(400, "0x80040216", "An unexpected error occurred.")


def not_implemented(message: str) -> ODataError:
    return ODataError(501, "0x80060888", f"{message} has not yet been implemented.")


def recurrence_not_daily() -> ODataError:
    return ODataError(400, "0x8004d2a0", "Bulk Delete and Duplicate Detection recurrence must be specified as daily.")


def not_supported(message: str, table: str) -> ODataError:
    text = f"This action is not supported. The '{message}' method does not support entities of type '{table}'."
    return ODataError(405, "0x80040315", text)


def merge_cycle() -> ODataError:
    return ODataError(400, "0x80045300", "Merge could create cyclical parenting.")


def merge_refused() -> ODataError:
    return ODataError(400, "0x80045301", "Merge is not allowed: caller does not have the privilege or access.")


def merge_different_parents() -> ODataError:
    return ODataError(400, "0x80045316", "Merge warning: sub-entity will be differently parented.")


def merge_loses_parent() -> ODataError:
    return ODataError(400, "0x80045317", "Merge warning: sub-entity might lose parenting")


def cannot_qualify() -> ODataError:
    text = (
        "You can't qualify this lead because you don't have permission to create accounts. Work with your system "
        "administrator to create the account and then try again."
    )
    return ODataError(403, "0x80081018", text)


def opportunity_id_missing() -> ODataError:
    return ODataError(400, "0x80043b15", "The opportunity id is missing or invalid.")


def connection_ends_missing() -> ODataError:
    return ODataError(400, "0x80048210", "Both objects being connected are missing.")


def connection_dates() -> ODataError:
    return ODataError(400, "0x80048209", "Start date / end date is invalid.")


def list_member_type() -> ODataError:
    return ODataError(400, "0x80040301", "Unsupported list member type.")


def list_locked() -> ODataError:
    return ODataError(400, "0x80040302", "List is Locked. Cannot perform this action.")


def list_inactive() -> ODataError:
    return ODataError(400, "0x8004033a", "List is not active. Cannot perform this operation.")


def list_dynamic() -> ODataError:
    return ODataError(400, "0x8004f701", "This action is not available for a dynamic marketing list.")


def list_query_static() -> ODataError:
    return ODataError(400, "0x8004f702", "Query cannot be specified for a static list.")


def list_lock_dynamic() -> ODataError:
    return ODataError(400, "0x8004f703", "Lock Status cannot be specified for a dynamic list.")


def not_a_list_member() -> ODataError:
    return ODataError(400, "0x80048458", "Specified Item not a member of the specified List.")


def default_team_joined() -> ODataError:
    return ODataError(400, "0x8004830b", "Can't add members to the default business unit team.")


def default_team_left() -> ODataError:
    return ODataError(400, "0x8004830c", "Can't remove members from the default business unit team.")


def invalid_argument(text: str = "Invalid argument.") -> ODataError:
    return ODataError(400, "0x80040203", text)


def version_mismatch() -> ODataError:
    text = "The version of the existing record doesn't match the RowVersion property provided."
    return ODataError(412, "0x80060882", text)


def no_concurrency(table: str) -> ODataError:
    text = (
        f"Optimistic concurrency isn't enabled for entity type {table}. The IfVersionMatches value of "
        "ConcurrencyBehavior can only be used if optimistic concurrency is enabled."
    )
    return ODataError(400, "0x8006088d", text)


def already_exists() -> ODataError:
    return ODataError(412, "0x80040237", "A record with matching key values already exists.")


def duplicate_key() -> ODataError:
    return ODataError(412, "0x80040237", "Cannot insert duplicate key.")


def restricted_delete() -> ODataError:
    text = "The object you tried to delete is associated with another object and cannot be deleted."
    return ODataError(405, "0x80040227", text)


def team_owns_records(team_id: str) -> ODataError:
    text = f"Can't delete a team which owns records. Reassign the records and try again (TeamId = {team_id})."
    return ODataError(400, "0x8004830e", text)


def privilege_missing(user_id: str, privilege: tuple[str, str], code: int, table: str, label: str) -> ODataError:
    name, privilege_id = privilege
    text = (
        f"Principal user (Id={user_id}, type=8, roleCount=1) is missing {name} privilege (Id={privilege_id}) on "
        f"OTC={code} for entity '{table}' (LocalizedName='{label}'). context.Caller={user_id}."
    )
    return ODataError(403, "0x80040220", text)


def named_privilege_missing(user_id: str, privilege: tuple[str, str]) -> ODataError:
    name, privilege_id = privilege
    text = f"Principal user (Id={user_id}, type=8) is missing {name} privilege (Id={privilege_id})"
    return ODataError(403, "0x80040220", text)


def access_is_denied() -> ODataError:
    """The privilege is held, but not deep enough (sheet section 2.6)."""
    text = "Not enough privilege to access the Microsoft Dynamics 365 object or perform the requested operation."
    return ODataError(403, "0x80048306", text)


def cannot_act_on_behalf() -> ODataError:
    text = "User does not have the privilege to act on behalf another user."
    return ODataError(403, "0x8004a110", text)


def invalid_user(named: str) -> ODataError:
    return ODataError(403, "0x80041d1f", f"The user Id(s) [{named}] is invalid.")


def column_write_refused() -> ODataError:
    text = (
        "The user doesn't have AttributePrivilegeUpdate and not granted shared access for a secured attribute during "
        "update operation"
    )
    return ODataError(403, "0x8004f507", text)


def not_a_member() -> ODataError:
    return ODataError(403, "0x80072560", "The user is not a member of the organization.")


def user_disabled() -> ODataError:
    text = "The specified user is either disabled or is not a member of any business unit."
    return ODataError(403, "0x80040225", text)


def no_roles() -> ODataError:
    return ODataError(403, "0x80042f09", "The user has not been assigned any roles.")


def admin_mode(status: int = 403) -> ODataError:
    text = (
        "User does not have required privileges (or role membership) to access the org when it is in Admin Only mode."
    )
    return ODataError(status, "0x8004a113", text)


def organization_disabled(status: int = 403) -> ODataError:
    text = (
        "The Dynamics 365 organization you are attempting to access is currently disabled.  "
        "Please contact your system administrator"
    )
    return ODataError(status, "0x8004a104", text)


def version_stamp_expired(status: int = 400) -> ODataError:
    """The status is documented nowhere: a switch (sheet section 4.3)."""
    text = "Version stamp associated with the client has expired. Please perform a full sync."
    return ODataError(status, "0x80044352", text)


def not_tracked(table: str) -> ODataError:
    return ODataError(400, "0x80072491", f"Entity {table} isn't enabled for change tracking.")


def pairs_not_tracked(table: str) -> ODataError:
    text = (
        f"Changes cannot be retrieved for intersect entity {table} since both related entities are not enabled for "
        "change tracking."
    )
    return ODataError(400, "0x80072492", text)


def not_with_tracking(option: str) -> ODataError:
    return query_error(f'The "{option}" query parameter isn\'t supported when Change Tracking is enabled.')


def cookie_order_mismatch() -> ODataError:
    return ODataError(400, "0x80041129", "Order by columns do not match those in paging cookie.")


def too_many_requests(limit: int, window_s: int, retry_after_s: int) -> ODataError:
    text = f"Number of requests exceeded the limit of {limit} over time window of {window_s} seconds."
    return ODataError(429, "0x80072322", text, retry_after_s)


def too_much_time(limit_ms: int, window_s: int, retry_after_s: int) -> ODataError:
    text = (
        f"Combined execution time of incoming requests exceeded limit of {limit_ms:,} milliseconds over time window "
        f"of {window_s} seconds. Decrease number of concurrent requests or reduce the duration of requests and try "
        "again later."
    )
    return ODataError(429, "0x80072321", text, retry_after_s)


def too_many_at_once(limit: int, retry_after_s: int) -> ODataError:
    return ODataError(429, "0x80072326", f"Number of concurrent requests exceeded the limit of {limit}.", retry_after_s)


def merge_inactive() -> ODataError:
    return ODataError(400, "0x80045304", "Merge cannot be performed on entity that is inactive.")


def merge_same() -> ODataError:
    return ODataError(400, "0x80045305", "Merge cannot be performed on master and sub-entities that are identical.")


def content_id_missing(reference: str) -> ODataError:
    text = f"Content-ID Reference: '{reference}' does not exist in the batch context."
    return ODataError(400, "0x80060888", text)


def method_in_changeset(method: str) -> ODataError:
    text = (
        f"An invalid HTTP method '{method}' was detected for a request in a change set. Requests in change sets only "
        "support the HTTP methods 'POST', 'PUT', 'DELETE', and 'PATCH'."
    )
    return query_error(text)


def content_id_required() -> ODataError:
    return query_error("The 'Content-ID' header is missing from a request of the changeset; each must have one.")


def request_too_large() -> ODataError:
    return ODataError(413, "0x8004418a", "Request message length is too large.")


# The code of a definition that is not there, unless the switch says another: the documentation names none.
NO_DEFINITION = "0x80060888"


def no_table(name: str) -> ODataError:
    text = f"Could not find an entity with name {name} and id 00000000-0000-0000-0000-000000000000."
    return ODataError(404, NO_DEFINITION, text)


def no_column(name: str, table: str) -> ODataError:
    return ODataError(404, NO_DEFINITION, f"Could not find an attribute with name {name} on {table}.")


def webhook_not_successful() -> ODataError:
    text = (
        "The webhook call failed because the http request received non-success httpStatus code. Please check your "
        "webhook request handler."
    )
    return ODataError(400, "0x80050201", text)


def webhook_timed_out() -> ODataError:
    text = (
        "The webhook call failed because the Http request timed out at client side. Please check your webhook request "
        "handler."
    )
    return ODataError(400, "0x80050202", text)


def webhook_headers_invalid() -> ODataError:
    text = (
        "The webhook call failed because of invalid http headers in authValue. Check if the authValue format, header "
        "names and values are valid for your Service Endpoint entity."
    )
    return ODataError(400, "0x80050203", text)


def webhook_query_invalid() -> ODataError:
    text = (
        "The webhook call failed because of invalid http query params in authValue. Check if the authValue format, "
        "query parameter names and values are valid for your Service Endpoint entity."
    )
    return ODataError(400, "0x80050204", text)


def webhook_post_failed() -> ODataError:
    text = "The webhook call failed during http post. Please check the exception for more details."
    return ODataError(400, "0x80050205", text)


def acs_not_supported() -> ODataError:
    text = (
        "Service Endpoint with ACS authentication type is no longer supported. Please change your endpoint "
        "configuration to use a supported authentication type"
    )
    return ODataError(400, "0x80050209", text)


def step_not_allowed() -> ODataError:
    text = "Custom SdkMessageProcessingStep is not allowed on the specified message and entity."
    return ODataError(400, "0x80044187", text)


def no_post_image() -> ODataError:
    return ODataError(400, "0x8004416e", "PreEvent step registration does not support Post Image.")
