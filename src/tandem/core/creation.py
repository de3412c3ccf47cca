"""A record that one side lacks: what is written into it, and by which key it must not exist yet."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from tandem.core.decisions import CreateNew
from tandem.core.lineage import aliases_of
from tandem.core.mapping import NotExpressibleError
from tandem.core.match import derived_crm_id, fold
from tandem.core.narrowing import narrowed
from tandem.core.partitions import partition_write
from tandem.core.plan import Action, ActionKind, Conflict, FieldWrite, Hold, LinkPlan, Question
from tandem.core.record import Base, LinkStatus, RecordKey, Side, State, Value
from tandem.core.subject import Case


@dataclass(frozen=True, slots=True)
class Content:
    """Every non-empty value that may go to a side, once per field; the holds; the parents still missing; and what is
    told of texts that had to be cut."""

    writes: tuple[FieldWrite, ...]
    holds: tuple[Hold, ...]
    waits: tuple[RecordKey, ...]
    conflicts: tuple[Conflict, ...] = ()

    def value_of(self, name: str | None) -> str | None:
        """The written value of a field, as keys are compared."""
        return next((fold(write.after) for write in self.writes if write.field == name), None)


def content_for(case: Case, values: Sequence[Value], to: Side) -> Content:
    writes: dict[str, FieldWrite] = {}
    holds: list[Hold] = []
    waits: list[RecordKey] = []
    conflicts: list[Conflict] = []
    for pair, value in zip(case.mapping.pairs, values, strict=True):
        name = pair.field_on(to)
        if value is None or not pair.direction.allows(to) or name in writes:
            continue
        if to is Side.MARKETING and (parents := case.missing_parents(pair, value)):
            waits.extend(parents)
        elif case.is_unresolved(pair):
            continue
        elif case.was_rejected(pair, value):
            holds.append(Hold(pair.name, f"{name} in {to} was rejected with this value"))
        else:
            try:
                after = pair.carry(value, to=to)
            except NotExpressibleError as error:
                holds.append(Hold(pair.name, f"{name} in {to} cannot hold the value: {error}"))
                continue
            if after is not None:
                writes[name] = FieldWrite(pair.name, name, None, after, value, "new")
                told = narrowed(pair, to=to, source=value, before=None, after=after)
                conflicts.extend([told] if told else [])
    return Content(tuple(writes.values()), tuple(holds), tuple(waits), tuple(conflicts))


def create_in_marketing(case: Case, crm: State, content: Content) -> LinkPlan:
    """Created by the dedupe field; by the crm key where there is no such value, or where it belongs to somebody else:
    two crm records with one e-mail are two people (N67)."""
    dedupe = case.mapping.dedupe_field
    is_free = not case.subject.dedupe_taken and not case.subject.candidates
    by_dedupe = case.mapping.dedupe_fields == (dedupe,) and content.value_of(dedupe) is not None and is_free
    action = Action(
        side=Side.MARKETING,
        entity=case.mapping.marketing_entity,
        kind=ActionKind.CREATE,
        id=None,
        writes=(*content.writes, *partition_write(case.mapping, case.policy.partitions, crm)),
        lookup=dedupe if by_dedupe else case.mapping.key_field,
    )
    plan = pending(case, crm, actions=(action,), holds=content.holds, waits=content.waits)
    plan = replace(plan, conflicts=content.conflicts)
    is_settled = isinstance(case.subject.decision, CreateNew)
    return replace(plan, question=Question("", is_settled=True)) if is_settled else plan


def pending(
    case: Case,
    crm: State,
    *,
    actions: tuple[Action, ...] = (),
    holds: tuple[Hold, ...] = (),
    waits: tuple[RecordKey, ...] = (),
) -> LinkPlan:
    """A link whose marketing end does not exist yet."""
    return LinkPlan(
        title="create" if actions else "hold",
        crm_entity=case.subject.crm_entity,
        link=case.link_number,
        crm=crm.key,
        marketing=None,
        status=LinkStatus.PENDING,
        base=_base_of_empties(case, crm),
        crm_version=None if holds or waits or case.mapping.has_paths else crm.version,
        actions=actions,
        holds=holds,
        waits_for=waits,
        aliases=aliases_of(case.mapping, crm),
    )


def create_in_crm(case: Case, marketing: State) -> LinkPlan:
    """Created under a GUID derived from the sync and the person, so that no second try can make it twice.

    The GUID is an alias of the link: a lead that comes through the feed before the answer is nobody new.
    """
    content = content_for(case, case.mapping.marketing_values(marketing.values), Side.CRM)
    crm_id = derived_crm_id(case.rules.sync_id, marketing.key.id)
    asked = _asked_columns(case, {write.field for write in content.writes})
    return LinkPlan(
        title="create",
        crm_entity=case.subject.crm_entity,
        link=case.link_number,
        crm=None,
        marketing=marketing.key,
        status=LinkStatus.PENDING,
        base=Base.unknown(len(case.mapping.pairs)),
        actions=(Action(Side.CRM, case.subject.crm_entity, ActionKind.CREATE, crm_id, (*content.writes, *asked)),),
        holds=content.holds,
        conflicts=content.conflicts,
        aliases=(RecordKey(Side.CRM, case.subject.crm_entity, crm_id),),
    )


def _asked_columns(case: Case, written: Collection[str]) -> Iterator[FieldWrite]:
    """Columns that the caller chose. They stand for no value of the person, so they are part of no base: what Marketo
    shows of them comes back like anything that a person set in Dynamics."""
    for column, value in case.subject.asked.columns.items() if case.subject.asked else ():
        if column not in written:
            yield FieldWrite(f"{column}|", column, None, value, None, "asked for")


def _base_of_empties(case: Case, crm: State) -> Base:
    """A create writes every value there is; what is empty in crm will be empty in marketing, and that is agreed."""
    values = case.mapping.crm_values(crm.values)
    empties: dict[int, tuple[Value, Value]] = {}
    for place, pair in enumerate(case.mapping.pairs):
        if values[place] is None and pair.direction.allows(Side.MARKETING) and not pair.may_be_hidden:
            empties[place] = (None, pair.carry(None, to=Side.MARKETING))
    return Base.unknown(len(case.mapping.pairs)).replaced(empties)
