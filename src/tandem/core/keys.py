"""Under which key Marketo knows a crm record.

Nearly always it is the crm record's own id, in one field. An opportunity role has no such field: which opportunity,
which person and which role together say which one it is (``EntityMapping.key_parts``). Such a key is made of mapped
values: it is complete only once everything it names is in Marketo, two crm records may have the same one, and a change
of any part makes it another key. Marketo never changes a record's key, so another key is another record: the old one
is deleted, and the link, whose marketing end is gone then, makes the new one.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from tandem.core.endings import contents
from tandem.core.mapping import EntityMapping, FieldPair, NotExpressibleError
from tandem.core.match import fold
from tandem.core.plan import Action, ActionKind, FieldWrite, Hold, LinkPlan
from tandem.core.record import Half, Link, Side, State, Unknown, Value, Values
from tandem.core.subject import Case

_BETWEEN: Final = "\x1f"

INCOMPLETE: Final = "waits until everything that its key names is in marketing"
TAKEN: Final = "another record of crm stands for the same one in marketing; this one takes its place when that one goes"


def crm_key(mapping: EntityMapping, values: Values, crm_id: str) -> str | None:
    """The key of a crm record with these values, as keys are compared; None while a part of it is missing."""
    if not mapping.key_parts:
        return fold(crm_id)
    return _joined(_carried(pair, mapping.crm_values(values)[place]) for place, pair in _key_pairs(mapping))


def marketing_key(mapping: EntityMapping, values: Values) -> str | None:
    names = mapping.key_parts or (mapping.key_field,)
    return _joined(mapping.marketing_value(values, name) for name in names)


def written_key(mapping: EntityMapping, writes: Iterable[FieldWrite]) -> str | None:
    """The key of the record that a create makes."""
    written = {write.field: write.after for write in writes}
    return _joined(written.get(name) for name in mapping.key_parts or (mapping.key_field,))


def search_value(mapping: EntityMapping, values: Values, crm_id: str) -> Value:
    """What ``key_field`` is asked for to find the record's counterpart."""
    if not mapping.key_parts:
        return crm_id
    return next(
        _carried(pair, mapping.crm_values(values)[place])
        for place, pair in _key_pairs(mapping)
        if pair.marketing == mapping.key_field
    )


def search_value_of_base(mapping: EntityMapping, crm: Half) -> Value:
    """The same, from the crm half of a link's base."""
    places = [place for place, pair in _key_pairs(mapping) if pair.marketing == mapping.key_field]
    value = crm[places[0]] if places else None
    return None if isinstance(value, Unknown) else value


def rekeyed(case: Case, link: Link, plan: LinkPlan, marketing: State) -> LinkPlan:
    """`plan` of a live link, with a change of its key as what it is: the record under the old key goes. Its successor
    is made when the link is looked at again, from what crm holds then; until the new key is complete, nothing goes."""
    update = next((action for action in plan.actions if action.side is Side.MARKETING), None)
    parts = case.mapping.key_parts
    if update is None or not any(write.field in parts for write in update.writes):
        return plan
    crm = case.subject.crm
    assert crm is not None, "a merge has both sides"
    if crm_key(case.mapping, crm.values, crm.key.id) is None:
        return replace(plan, actions=(), holds=(*plan.holds, Hold(None, INCOMPLETE)), crm_version=None)
    kept = contents(case, marketing, "its key has changed")
    delete = Action(Side.MARKETING, update.entity, ActionKind.DELETE, update.id, kept)
    return replace(plan, title="another key: make it anew", base=link.base, crm_version=None, actions=(delete,))


def _key_pairs(mapping: EntityMapping) -> list[tuple[int, FieldPair]]:
    """The pairs of the key's parts with their places, in the order of the parts."""
    places = {pair.marketing: (place, pair) for place, pair in enumerate(mapping.pairs)}
    return [places[name] for name in mapping.key_parts]


def _carried(pair: FieldPair, value: Value) -> Value:
    """As Marketo holds it; None for what it cannot hold, and for a record that it does not know yet."""
    if pair.parent_by is Side.MARKETING and not isinstance(value, int):
        return None
    try:
        return pair.carry(value, to=Side.MARKETING)
    except NotExpressibleError:
        return None


def _joined(parts: Iterable[Value]) -> str | None:
    folded = [fold(part) for part in parts]
    return None if None in folded else _BETWEEN.join(part for part in folded if part)
