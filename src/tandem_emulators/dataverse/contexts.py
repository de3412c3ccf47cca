"""`@odata.context`: what an answer holds, as the service writes it."""

from collections.abc import Iterable, Sequence

from tandem_emulators.dataverse.options import Expand


def context(root: str, set_name: str, select: Sequence[str] | None, expands: Iterable[Expand] = ()) -> str:
    """`…$metadata#accounts(name,primarycontactid(fullname))`: the columns asked for, then what is expanded."""
    return f"{root}$metadata#{set_name}{_parenthesized(select, expands)}"


def _parenthesized(select: Sequence[str] | None, expands: Iterable[Expand]) -> str:
    inner = [*(select or ()), *(_expanded(item) for item in expands)]
    return f"({','.join(inner)})" if inner else ""


def _expanded(item: Expand) -> str:
    if item.is_ref:
        return f"{item.name}/$ref"
    return f"{item.name}{_parenthesized(item.select, item.expands) or '()'}"
