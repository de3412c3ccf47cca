"""Refusals of a query by its code alone: their texts are those of the published table, word by word."""

from collections.abc import Mapping

from tandem_emulators.dataverse.errors import ODataError

TEXTS: Mapping[str, str] = {
    "0x80040303": "Malformed FetchXml.",
    "0x800404b6": "An unknown aggregate operation was supplied.",
    "0x80041106": "Incorrect filter condition or conditions.",
    "0x80041107": "Attributes can not be returned when aggregate operation is specified.",
    "0x80041108": "Invalid value specified for type.",
    "0x80041109": "Invalid alias for aggregate operation.",
    "0x8004110a": "The specified alias for the given entity in the condition does not exist.",
    "0x8004110c": "A value greater than zero must be specified.",
    "0x80041111": "AttributeFrom and AttributeTo must be either both specified or both omitted.",
    "0x80041115": "The only valid values for distinct attribute are 'true', 'false', '1', and '0'.",
    "0x80041117": (
        "The only valid values for link-type attribute are 'natural', "
        "'inner','in','exists','matchfirstrowusingcrossapply' and 'outer'."
    ),
    "0x8004111c": "The element node encountered is invalid.",
    "0x80041120": "Unsupported condition operator.",
    "0x80041121": "Unsupported join operator.",
    "0x80041122": "Unsupported filter type. Valid values are 'and', or 'or'.",
    "0x80041123": "A required element was not specified.",
    "0x80041128": (
        "The entity name specified in fetchxml does not match the entity name specified in the Entity or "
        "Query Expression."
    ),
    "0x8004112a": "Invalid page number in paging cookie.",
    "0x80041130": "FetchXML should have unique aliases.",
    "0x80041132": "An alias cannot be specified for an order clause for a non-aggregate Query. Use an attribute.",
    "0x80041133": "An attribute is required for an order clause for a non-aggregate Query.",
    "0x80041134": "An alias is required for an order clause for an aggregate Query.",
    "0x80041135": "An invalid value was specified for dategrouping.",
    "0x80041137": "An attribute can either be an aggregate or a Group By but not both",
    "0x80041139": "The attribute value provided is invalid.",
    "0x8004430a": (
        "Over upper limit of records that can be requested without a paging cookie. A paging cookie is "
        "required when retrieving a high page number."
    ),
    "0x8004430c": "Number of conditions in query exceeded maximum limit.",
    "0x8004430d": "Number of link entities in query exceeded maximum limit.",
    "0x8004e023": "The maximum record limit is exceeded. Reduce the number of records.",
}


def query_fault(code: str) -> ODataError:
    return ODataError(400, code, TEXTS[code])
