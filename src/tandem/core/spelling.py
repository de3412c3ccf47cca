"""Texts as the transforms take them: empty is None, and how much of one fits."""

from tandem.core.mapping import NotExpressibleError
from tandem.core.record import Value


def text_of(value: Value) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    raise NotExpressibleError("the value is not a text")


def fitting(text: str | None, longest: int | None) -> str | None:
    if text is not None and longest is not None and len(text) > longest:
        raise NotExpressibleError(f"the text is longer than the {longest} characters the field takes")
    return text


def cut(text: str, longest: int | None, longest_bytes: int | None) -> str:
    """As much of `text` as fits, ending at the edge of a character; spaces that the cut lays bare go too, as a side
    might trim them. Empty where nothing fits."""
    kept = text if longest is None else text[:longest]
    if longest_bytes is not None:
        kept = kept.encode()[:longest_bytes].decode(errors="ignore")
    return kept if kept == text else kept.rstrip()
