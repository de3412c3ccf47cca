"""Refusals of the Web API: status, code and text as the service words them.

One constructor for each fault, so that no text is written twice and a test can hold each against the published
table of codes.
"""

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


def not_covered(what: str) -> ODataError:
    """Where the service would answer and this emulator does not; never a status that the service uses for data."""
    return ODataError(501, "0x80060888", f"{what} is not covered by this emulator.")


def no_property(name: str, edm_type: str) -> ODataError:
    return query_error(f"Could not find a property named '{name}' on type '{edm_type}'.")


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


def invalid_argument(text: str = "Invalid argument.") -> ODataError:
    return ODataError(400, "0x80040203", text)


def version_mismatch() -> ODataError:
    text = "The version of the existing record doesn't match the RowVersion property provided."
    return ODataError(412, "0x80060882", text)


def already_exists() -> ODataError:
    return ODataError(412, "0x80040237", "A record with matching key values already exists.")


def duplicate_key() -> ODataError:
    return ODataError(412, "0x80040237", "Cannot insert duplicate key.")


def restricted_delete() -> ODataError:
    text = "The object you tried to delete is associated with another object and cannot be deleted."
    return ODataError(405, "0x80040227", text)


def privilege_missing(user_id: str, privilege: tuple[str, str], code: int, table: str, label: str) -> ODataError:
    name, privilege_id = privilege
    text = (
        f"Principal user (Id={user_id}, type=8, roleCount=1) is missing {name} privilege (Id={privilege_id}) on "
        f"OTC={code} for entity '{table}' (LocalizedName='{label}'). context.Caller={user_id}."
    )
    return ODataError(403, "0x80040220", text)


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


def admin_mode() -> ODataError:
    text = (
        "User does not have required privileges (or role membership) to access the org when it is in Admin Only mode."
    )
    return ODataError(403, "0x8004a113", text)


def organization_disabled() -> ODataError:
    text = (
        "The Dynamics 365 organization you are attempting to access is currently disabled.  "
        "Please contact your system administrator"
    )
    return ODataError(403, "0x8004a104", text)


def version_stamp_expired() -> ODataError:
    text = "Version stamp associated with the client has expired. Please perform a full sync."
    return ODataError(400, "0x80044352", text)


def not_tracked(table: str) -> ODataError:
    return ODataError(400, "0x80072491", f"Entity {table} isn't enabled for change tracking.")


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
    return query_error(f"The HTTP method '{method}' is not allowed inside a changeset.")


def content_id_required() -> ODataError:
    return query_error("The 'Content-ID' header is missing from a request of the changeset; each must have one.")


def batch_too_large(limit: int) -> ODataError:
    return query_error(f"The batch message exceeds the limit of {limit} requests.")


def request_too_large() -> ODataError:
    return ODataError(413, "0x8004418a", "Request message length is too large.")
