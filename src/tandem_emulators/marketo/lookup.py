"""How a record of a batch finds its person: by one field, or by the subscription's own dedupe rule (3.3)."""

from collections.abc import Mapping, Sequence
from typing import Any

from tandem_emulators.marketo.errors import SkipError, field_not_found, field_not_supported
from tandem_emulators.marketo.lead_read import lookup_key
from tandem_emulators.marketo.subscription import Subscription


class FieldLookup:
    """By one field, which every record must name."""

    def __init__(self, subscription: Subscription, name: str) -> None:
        self.name = name
        self._leads = subscription.leads
        self._field = subscription.fields.find_exact(name)

    def key(self, record: Mapping[str, Any]) -> Any:
        """The value to look for.

        Raises:
            SkipError: 1002, the record does not say.
        """
        value = record.get(self.name)
        if value is None or value == "":
            raise SkipError("1002", f"Missing value for the required parameter '{self.name}'")
        return lookup_key(self._field, self.name, value)

    def find(self, keys: Sequence[Any]) -> dict[Any, list[int]]:
        return self._leads.find(self.name, keys)


class RuleLookup:
    """By several fields together; a blank counts as a value that nobody has, so that such a record is always new."""

    def __init__(self, subscription: Subscription, names: Sequence[str]) -> None:
        self.name = ",".join(names)
        self._parts = [FieldLookup(subscription, name) for name in names]

    def key(self, record: Mapping[str, Any]) -> Any:
        try:
            return tuple(part.key(record) for part in self._parts)
        except SkipError as skip:
            if skip.code == "1002":
                return None
            raise

    def find(self, keys: Sequence[Any]) -> dict[Any, list[int]]:
        found: dict[Any, list[int]] = {}
        for key in dict.fromkeys(keys):
            matches = [set(part.find([value]).get(value, [])) for part, value in zip(self._parts, key, strict=True)]
            found[key] = sorted(set.intersection(*matches))
        return {key: ids for key, ids in found.items() if ids}


def stated_lookup(subscription: Subscription, stated: Any) -> FieldLookup | RuleLookup:
    """What a call names, else the subscription's rule, else the e-mail address.

    Raises:
        ApiError: 1006, 1011: there is no such field, or none that can be looked up.
    """
    rule = [name for name in subscription.settings.dedupe_fields.split(",") if name]
    if not stated and rule:
        return RuleLookup(subscription, rule)
    name = str(stated or "email")
    if subscription.fields.is_searchable(name):
        return FieldLookup(subscription, name)
    raise field_not_supported(name) if subscription.fields.find_exact(name) else field_not_found(name)
