"""Refusals of changes to the schema, with the published codes and texts."""

from tandem_emulators.dataverse.errors import ODataError


def _refused(code: str, text: str) -> ODataError:
    return ODataError(400, code, text)


def bad_prefix(name: str, kind: str) -> ODataError:
    text = (
        f"The schema name {name} for type {kind} is invalid or missing.Custom attribute, entity, entitykey, option set "
        "and relationship names must start with a valid customization prefix.The prefix for a solution component "
        "should match the prefix that is specified for the publisher of the solution."
    )
    return _refused("0x80044366", text)


def bad_characters(name: str, kind: str) -> ODataError:
    text = f"Identifier {name} for type {kind} can only consist of alpha-numeric and underscore characters."
    return _refused("0x80044364", text)


def name_too_long(name: str, kind: str, length_max: int) -> ODataError:
    text = (
        f"Identifiers cannot be more than {length_max} characters long. The provided schema name {name} length for "
        f"type {kind} is greater than maxlength {length_max} characters."
    )
    return _refused("0x80044367", text)


def table_exists() -> ODataError:
    return _refused("0x8004700b", "An entity with the specified name already exists. Please specify a unique name.")


def set_exists(name: str) -> ODataError:
    text = f"An entity with the specified entity set name {name} already exists. Specify a unique name."
    return _refused("0x8006089b", text)


def column_exists() -> ODataError:
    return _refused("0x80047013", "An attribute with the specified name already exists")


def relationship_exists() -> ODataError:
    text = "A relationship with the specified name already exists. Please specify a unique name."
    return _refused("0x8004432b", text)


def choice_exists() -> ODataError:
    text = "An OptionSet with the specified name already exists. Please specify a unique name."
    return _refused("0x80044345", text)


def key_exists(name: str, table: str) -> ODataError:
    return _refused("0x80060893", f"An entity key with the name {name} already exists on entity {table}.")


def key_columns_exist() -> ODataError:
    return _refused("0x80060894", "An entity key with the selected attributes already exists on entity.")


def bad_key(text: str) -> ODataError:
    return _refused("0x8006088f", f"Invalid EntityKey Operation performed : {text}")


def key_not_failed() -> ODataError:
    return _refused("0x80060897", "Reactivate entity key is only supported for failed job")


def no_primary_name(table: str) -> ODataError:
    return _refused("0x80044355", f"PrimaryName attribute not found for Entity: {table}")


def second_primary_name(new: str, table: str, present: str) -> ODataError:
    text = (
        f"The new {new} attribute is set as the primary name attribute for the {table} entity. The {table} entity "
        f"already has the {present} attribute set as the primary name attribute. An entity can only have one primary "
        "name attribute."
    )
    return _refused("0x8004701e", text)


def not_customizable() -> ODataError:
    return _refused("0x80047008", "The specified entity is not customizable")


def primary_not_deletable() -> ODataError:
    return _refused("0x80047002", "The Primary UI Attribute is not valid for deletion")


def managed_component(name: str, component_id: str, operation: str) -> ODataError:
    text = (
        f"The '{operation}' operation on the current component(name='{name}', id='{component_id}') failed during "
        "managed property evaluation of condition: 'Managed Property Name: iscustomizable; Component Name: Attribute'"
    )
    return _refused("0x8004f032", text)


def component_in_use(kind: str, component_id: str, count: int) -> ODataError:
    text = (
        f"The {kind}({component_id}) component cannot be deleted because it is referenced by {count} other "
        "components. For a list of referenced components, use the RetrieveDependenciesForDeleteRequest."
    )
    return _refused("0x8004f01f", text)


def two_options_needed() -> ODataError:
    return _refused("0x8004431b", "Boolean attributes must have exactly two option values.")


def options_not_addable() -> ODataError:
    return _refused("0x80044320", "You can add option values only to picklist and status attributes.")


def options_not_deletable() -> ODataError:
    return _refused("0x80044323", "You can delete options only from picklist and status attributes.")


def bad_order() -> ODataError:
    text = (
        "The array of option values that were provided for reordering does not match the number of options for the "
        "attribute."
    )
    return _refused("0x80044324", text)


def bad_option_set() -> ODataError:
    return _refused("0x80048403", "Invalid OptionSet")


def bad_definition(text: str) -> ODataError:
    return _refused("0x80048d19", f"Error identified in Payload provided by the user for Entity :'', {text}")


def no_relationship() -> ODataError:
    return ODataError(404, "0x80040e02", "The relationship does not exist")


def not_in_changeset() -> ODataError:
    return _refused("0x80060888", "Metadata cannot be changed inside a changeset.")
