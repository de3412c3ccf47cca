"""What an extract holds: the records its filter chooses, and their values as texts (6.3).

Each family checks a request when a job is created, so that what is refused is refused then, and reads the data when
the job begins.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from tandem_emulators.marketo.errors import ApiError, invalid, missing_parameter
from tandem_emulators.marketo.log import DELETE_LEAD, is_kept
from tandem_emulators.marketo.people import iso
from tandem_emulators.marketo.store import marks
from tandem_emulators.marketo.subscription import Subscription

RANGE_DAYS_MAX = 31
PRIMARY_VALUES_MAX = 50
# Activity types whose primary attribute can be filtered by, in the groups that can be mixed.
PRIMARY_GROUPS = (frozenset({13, 22}), frozenset({104}), frozenset({24, 25}), frozenset({2}))
ACTIVITY_FIELDS = (
    "marketoGUID", "leadId", "activityDate", "activityTypeId", "campaignId", "primaryAttributeValueId",
    "primaryAttributeValue", "attributes",
)  # fmt: skip
_BATCH = 1_000

Filter = Mapping[str, Any]


class Extract(Protocol):
    """One family of extracts. `target` is the object of the path, where there is one."""

    def check(self, target: str, fields: Sequence[str] | None, filter_: Filter) -> list[str]:
        """The columns of the file.

        Raises:
            ApiError: 1003 for fields or filters that cannot be; 1035 for a filter this subscription has not.
        """
        ...

    def rows(self, target: str, fields: Sequence[str], filter_: Filter, now_s: float) -> Iterator[list[str]]: ...


@dataclass(frozen=True, slots=True)
class LeadExtract:
    subscription: Subscription

    def check(self, target: str, fields: Sequence[str] | None, filter_: Filter) -> list[str]:
        name = only_filter(filter_, LEAD_FILTERS)
        if name == "updatedAt" and not self.subscription.settings.lead_export_updated_at:
            raise unsupported_filter(name)
        if name in ("createdAt", "updatedAt"):
            date_range(filter_, name)
        else:
            list_of(self.subscription, name, filter_[name])
        known = self.subscription.fields
        return checked_fields(fields, [field.name for field in known if not field.is_hidden])

    def rows(self, target: str, fields: Sequence[str], filter_: Filter, now_s: float) -> Iterator[list[str]]:
        leads = self.subscription.leads
        ids = self._ids(filter_)
        for at in range(0, len(ids), _BATCH):
            found = leads.load(ids[at : at + _BATCH])
            companies = leads.companies(found.values())
            for number in sorted(found):
                lead = found[number]
                shown = leads.view(lead, companies.get(lead.company_id, {}), fields)
                yield [as_text(shown[name]) for name in fields]

    def _ids(self, filter_: Filter) -> list[int]:
        [name] = filter_
        if name not in ("createdAt", "updatedAt"):
            sql = "SELECT lead_id FROM list_member WHERE list_id = ? ORDER BY lead_id"
            values: Sequence[Any] = (list_of(self.subscription, name, filter_[name]),)
        elif name == "createdAt":
            sql, values = "SELECT id FROM lead WHERE created_s BETWEEN ? AND ? ORDER BY id", date_range(filter_, name)
        else:
            sql, values = _UPDATED, date_range(filter_, name)
        return [number for (number,) in self.subscription.store.rows(sql, values)]


# The last update of any field, which the visible updatedAt is not (6.3): the log knows changes of custom fields too.
_UPDATED = """
SELECT id FROM lead LEFT JOIN (
    SELECT lead_id, max(date_s) AS changed_s FROM activity WHERE type_id = 13 GROUP BY lead_id) ON lead_id = id
WHERE max(updated_s, coalesce(changed_s, 0)) BETWEEN ? AND ? ORDER BY id"""
LEAD_FILTERS = ("createdAt", "updatedAt", "staticListId", "staticListName", "smartListId", "smartListName")


@dataclass(frozen=True, slots=True)
class ActivityExtract:
    subscription: Subscription

    def check(self, target: str, fields: Sequence[str] | None, filter_: Filter) -> list[str]:
        known = ("createdAt", "activityTypeIds", "primaryAttributeValueIds", "primaryAttributeValues")
        unknown = [name for name in filter_ if name not in known]
        if unknown:
            raise invalid(f"Invalid filter type '{unknown[0]}'")
        date_range(filter_, "createdAt")
        types = whole_numbers(filter_, "activityTypeIds")
        if DELETE_LEAD in types:
            raise invalid(f"Invalid activityTypeIds '{DELETE_LEAD}'")
        self._check_primary(filter_, frozenset(types))
        return checked_fields(fields, [*ACTIVITY_FIELDS, "actionResult"], ACTIVITY_FIELDS)

    def _check_primary(self, filter_: Filter, types: frozenset[int]) -> None:
        ids, texts = whole_numbers(filter_, "primaryAttributeValueIds"), strings(filter_, "primaryAttributeValues")
        if ids and texts:
            raise invalid("primaryAttributeValueIds and primaryAttributeValues cannot be used together")
        if max(len(ids), len(texts)) > PRIMARY_VALUES_MAX:
            raise invalid(f"The number of primary attributes exceeds the maximum of {PRIMARY_VALUES_MAX}")
        if (ids or texts) and not (types and any(types <= group for group in PRIMARY_GROUPS)):
            raise invalid("activityTypeIds do not match the primary attributes")

    def rows(self, target: str, fields: Sequence[str], filter_: Filter, now_s: float) -> Iterator[list[str]]:
        first_s, last_s = date_range(filter_, "createdAt")
        conditions = ["date_s BETWEEN ? AND ?", "committed_ms <= ?", "type_id <> ?"]
        values: list[Any] = [first_s, last_s, int(now_s * 1000), DELETE_LEAD]
        for column, wanted in (
            ("type_id", whole_numbers(filter_, "activityTypeIds")),
            ("primary_id", whole_numbers(filter_, "primaryAttributeValueIds")),
            ("primary_value", strings(filter_, "primaryAttributeValues")),
        ):
            if wanted:
                conditions.append(f"{column} IN ({marks(wanted)})")
                values += wanted
        sql = (
            "SELECT id, lead_id, date_s, type_id, campaign_id, primary_id, primary_value, attributes"
            f" FROM activity WHERE {' AND '.join(conditions)} ORDER BY id"
        )
        for number, lead_id, date_s, type_id, *rest in self.subscription.store.rows(sql, values):
            if is_kept(type_id, date_s, int(now_s)):
                named = (str(number), lead_id, iso(date_s), type_id, *rest, "succeeded")
                shown = dict(zip((*ACTIVITY_FIELDS, "actionResult"), named, strict=True))
                yield [as_text(shown[name]) for name in fields]


def only_filter(filter_: Filter, known: Sequence[str]) -> str:
    """The one filter of a request that may have only one."""
    unknown = [name for name in filter_ if name not in known]
    if unknown:
        raise invalid(f"Invalid filter type '{unknown[0]}'")
    if len(filter_) != 1:
        raise invalid("Exactly one filter must be specified")
    [name] = filter_
    if name.startswith("smartList"):
        raise unsupported_filter(name)  # there are no smart lists here
    return name


def unsupported_filter(name: str) -> ApiError:
    return ApiError("1035", f"Unsupported filter type for target subscription: {name}")


def date_range(filter_: Filter, name: str) -> tuple[int, int]:
    """Both ends, in seconds, inclusive."""
    stated = filter_.get(name)
    if not isinstance(stated, dict) or not stated.get("startAt") or not stated.get("endAt"):
        raise missing_parameter(name)
    start_s, end_s = _seconds(stated["startAt"]), _seconds(stated["endAt"])
    if end_s < start_s:
        raise invalid(f"Invalid value for field '{name}' and value '{stated['endAt']}'")
    if end_s - start_s > RANGE_DAYS_MAX * 86_400:
        raise invalid(f"The date range of {name} exceeds the maximum of {RANGE_DAYS_MAX} days")
    return start_s, end_s


def _seconds(text: Any) -> int:
    try:
        at = datetime.fromisoformat(str(text))
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError) as error:
        raise invalid(f"Invalid date '{text}'") from error


def list_of(subscription: Subscription, name: str, value: Any) -> int:
    """The static list that a filter names."""
    column = "id" if name == "staticListId" else "json_extract(doc, '$.name')"
    usable = isinstance(value, int | str) and not isinstance(value, bool) and len(str(value)) < 256
    row = None
    if usable and not (column == "id" and not str(value).isdigit()):
        row = subscription.store.one(f"SELECT id FROM list WHERE {column} = ?", (str(value),))
    if row is None:
        raise invalid(f"Invalid value for field '{name}' and value '{value}'")
    return int(row[0])


def checked_fields(fields: Sequence[str] | None, known: Sequence[str], default: Sequence[str] = ()) -> list[str]:
    if not fields and not default:
        raise missing_parameter("fields")
    chosen = list(dict.fromkeys(fields or default))
    names = set(known)
    unknown = [name for name in chosen if name not in names]
    if unknown:
        raise invalid(f"Invalid fields [{', '.join(unknown)}]")
    return chosen


def whole_numbers(filter_: Filter, name: str) -> list[int]:
    values = filter_.get(name) or []
    if not isinstance(values, list) or not all(type(each) is int and abs(each) < 2**63 for each in values):
        raise invalid(f"Invalid value for field '{name}' and value '{values}'")
    return values


def strings(filter_: Filter, name: str) -> list[str]:
    values = filter_.get(name) or []
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise invalid(f"Invalid value for field '{name}' and value '{values}'")
    return values


def as_text(value: Any) -> str:
    """An empty value is the word null (6.3)."""
    match value:
        case None:
            return "null"
        case str():
            return value
        case _:
            return msgspec.json.encode(value).decode()
