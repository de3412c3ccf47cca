"""A secured column reads as empty to who may not see it: an empty reading neither clears nor invites a value."""

from dataclasses import replace

from tandem.core.mapping import EntityMapping
from tandem.core.plan import LinkPlan
from tandem.core.planner import plan_pass
from tandem.core.record import CONTACT, PERSON, Base, Link, LinkNumber, ReadNumber, RecordId, RecordKey, Side, State
from tandem.core.subject import Rules, Subject
from tests.builders import small_mappings, small_policies

CRM = RecordKey(Side.CRM, CONTACT, RecordId("c"))
PERSON_1 = RecordKey(Side.MARKETING, PERSON, RecordId("1"))
PHONE = "telephone1|phone"


def secured() -> EntityMapping:
    mapping = small_mappings()[CONTACT]
    pairs = tuple(replace(pair, may_be_hidden=pair.name == PHONE) for pair in mapping.pairs)
    return replace(mapping, pairs=pairs)


def state(key: RecordKey, fields: tuple[str, ...], **values: str) -> State:
    return State(key, ReadNumber(9), tuple(values.get(name.strip("@")) for name in fields))


def planned(crm_phone: str | None, marketing_phone: str | None, base: tuple[str, str] | None) -> LinkPlan:
    mapping = secured()
    crm = state(CRM, mapping.crm_fields, **({"telephone1": crm_phone} if crm_phone else {}))
    marketing = state(PERSON_1, mapping.marketing_fields, **({"phone": marketing_phone} if marketing_phone else {}))
    known = Base.unknown(len(mapping.pairs))
    if base is not None:
        places = dict.fromkeys(range(len(mapping.pairs)), (None, None))
        known = known.replaced({**places, mapping.names.index(PHONE): base})
    link = Link(LinkNumber(1), CRM, PERSON_1, known)
    rules = Rules("test", {CONTACT: mapping}, small_policies())
    (plan,) = plan_pass([Subject(CONTACT, link, crm, marketing)], rules).links
    return plan


def test_an_empty_reading_does_not_clear_the_other_side() -> None:
    plan = planned(None, "1", base=("1", "1"))
    assert plan.actions == ()


def test_an_edit_in_marketing_still_goes_over() -> None:
    plan = planned(None, "2", base=("1", "1"))
    assert [(w.field, w.after) for action in plan.actions for w in action.writes] == [("telephone1", "2")]


def test_without_a_base_the_field_is_held() -> None:
    plan = planned(None, "1", base=None)
    assert PHONE in {hold.field for hold in plan.holds}
    assert "telephone1" not in {w.field for action in plan.actions for w in action.writes}


def test_a_value_that_shows_is_carried() -> None:
    plan = planned("3", "1", base=("1", "1"))
    assert [(w.field, w.after) for action in plan.actions for w in action.writes] == [("phone", "3")]
