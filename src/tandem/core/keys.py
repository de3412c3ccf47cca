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
from tandem.core.plan import Action, ActionKind, FieldWrite, LinkPlan
from tandem.core.record import Side, State, Value, Values
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


def key_of(case: Case, crm: State) -> str | None:
    """The key of a crm record; None while something that it names is not linked. In a plan that is only shown, a person
    who would be made by then has no number yet, and stands under its crm id."""
    if not case.mapping.key_parts:
        return fold(crm.key.id)
    values = case.mapping.crm_values(crm.values)
    parts = [(pair, values[place]) for place, pair in _key_pairs(case.mapping)]
    if any(case.missing_parents(pair, value) for pair, value in parts):
        return None
    return _joined(value if pair.parent_by is Side.MARKETING else _carried(pair, value) for pair, value in parts)


def rekeyed(case: Case, plan: LinkPlan, marketing: State) -> LinkPlan:
    """`plan` of two present records, with a change of the key as what it is: the record under the old key goes. Its
    successor is made when the link is looked at again, from what crm holds then and once the new key is complete."""
    mapping, crm, link = case.mapping, case.subject.crm, case.subject.link
    if not mapping.key_parts:
        return plan
    assert crm is not None, "a merge has both sides"
    if key_of(case, crm) == marketing_key(mapping, marketing.values):
        return _in_its_own_spelling(mapping, plan)
    assert link is not None, "records are linked by equal keys"
    kept = contents(case, marketing, "its key has changed")
    delete = Action(Side.MARKETING, marketing.key.entity, ActionKind.DELETE, marketing.key.id, kept)
    return replace(plan, title="another key: make it anew", base=link.base, crm_version=None, actions=(delete,))


def _in_its_own_spelling(mapping: EntityMapping, plan: LinkPlan) -> LinkPlan:
    """Keys are compared without case, so parts that differ in nothing else agree, and stay as marketing spells them."""
    parts = {
        name for name, pair in zip(mapping.names, mapping.pairs, strict=True) if pair.marketing in mapping.key_parts
    }
    agreed = {
        mapping.names.index(write.pair): (write.source, write.before)
        for action in plan.actions
        for write in action.writes
        if write.pair in parts
    }
    left = (replace(a, writes=tuple(write for write in a.writes if write.pair not in parts)) for a in plan.actions)
    return replace(plan, base=plan.base.replaced(agreed), actions=tuple(action for action in left if action.writes))


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
