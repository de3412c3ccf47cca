"""When two field values are equal, and how Marketo's log would spell one."""

from tandem.core.record import UNKNOWN, Unknown, Value


def same(left: Value | Unknown, right: Value | Unknown) -> bool:
    """Equal by value and kind: ``1`` and ``1.0`` are one number, ``True`` and ``1`` are not, UNKNOWN equals nothing."""
    if left is UNKNOWN or right is UNKNOWN:
        return False
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return left == right


def is_empty(value: Value | Unknown) -> bool:
    return value is None or value == ""


def display(value: Value | Unknown) -> str | None:
    """The display string under which Marketo's change records show `value` (marketo-rest 5.3: ``True``/``False``,
    numbers as text, times without zone, nothing for an empty value)."""
    match value:
        case None | Unknown():
            return None
        case bool():
            return "True" if value else "False"
        case float() if value.is_integer():
            return str(int(value))
        case str() if len(value) == 20 and value[10] == "T" and value.endswith("Z"):
            return f"{value[:10]} {value[11:19]}"
        case _:
            return str(value)


def shows(text: str | None, value: Value | Unknown) -> bool:
    """Whether a change record's display string `text` may stand for `value`. Numbers compare as numbers."""
    shown = display(value)
    if not text and not shown:
        return True
    if text is None or shown is None:
        return False
    if text == shown or (isinstance(value, bool) and text.lower() == shown.lower()):
        return True
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(text) == float(value)
        except ValueError:
            return False
    return False
