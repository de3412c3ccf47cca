"""A lead and the contact it becomes are one person: the link moves, the person stays."""

from tandem.core.mapping import EntityMapping, FieldPair, NotExpressibleError
from tandem.core.match import fold
from tandem.core.merge import agree
from tandem.core.record import CONTACT, LEAD, Base, RecordId, RecordKey, Side, State, Unknown, Value


def aliases_of(mapping: EntityMapping, crm: State) -> tuple[RecordKey, ...]:
    """The lead a contact came from: it belongs to the contact's link even if it was never linked itself."""
    if crm.key.entity != CONTACT:
        return ()
    lead_id = fold(mapping.crm_value(crm.values, "originatingleadid"))
    return (RecordKey(Side.CRM, LEAD, RecordId(lead_id)),) if lead_id else ()


def convert_base(base: Base, old: EntityMapping, new: EntityMapping) -> Base:
    """The base of a lead's link as the contact takes it over: a place goes on where both mappings pair the same crm
    column with the same Marketo field; every other pair starts without a base.

    One column may spell differently in the two tables (a lead's status 0 is Open, a contact's is Active). The crm half
    is then what the contact would hold if it were still in step with Marketo, or empty where it cannot be.
    """
    places = {name: place for place, name in enumerate(old.names)}
    kept: dict[int, tuple[Value, Value]] = {}
    for place, pair in enumerate(new.pairs):
        if pair.name not in places:
            continue
        crm, marketing = base.crm[places[pair.name]], base.marketing[places[pair.name]]
        if not isinstance(crm, Unknown) and not isinstance(marketing, Unknown):
            kept[place] = (crm if agree(pair, crm, marketing) else _in_step(pair, marketing), marketing)
    return Base.unknown(len(new.pairs)).replaced(kept)


def _in_step(pair: FieldPair, marketing: Value) -> Value:
    try:
        return pair.carry(marketing, to=Side.CRM)
    except NotExpressibleError:
        return None
