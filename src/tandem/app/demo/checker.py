"""The judge of a demonstration: it knows what both sides hold and what people typed, not how we sync.

A CRM person is a lead or contact; its Marketo person is the one that carries its key. Four things can go wrong, and
each is counted from the dumps alone: a person missing, a person doubled, an edit lost, a difference.
An edit is lost when its value is neither on both sides, nor replaced by a later edit, nor kept with its rival in a
conflict record. A difference from before the first copy about a closed lead, which Dynamics lets nobody change, is
*stuck*: it is told apart, because no sync can mend it without throwing Marketo's value away.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tandem.app.demo.world import CRM, MARKETING, PAIRS, Deeds, Pair, Records, Typed, World, crm_key, find_pair


@dataclass(frozen=True, slots=True)
class Recorded:
    """A conflict as the product recorded it; `field` is whatever it calls the pair, with one of its fields in it."""

    crm_id: str | None
    marketing_id: str | None
    field: str
    crm: object
    marketing: object


@dataclass(frozen=True, slots=True)
class Verdict:
    """Counts, and for everything wrong one line with ids and field names, never values."""

    people_linked: int
    accounts_linked: int
    users_linked: int
    conflicts: int
    unrecorded: tuple[str, ...]
    missing: tuple[str, ...]
    doubled: tuple[str, ...]
    lost: tuple[str, ...]
    differences: tuple[str, ...]
    stuck: tuple[str, ...]

    @property
    def conflicts_recorded(self) -> int:
        return self.conflicts - len(self.unrecorded)


def judge(before: World, after: World, deeds: Deeds, recorded: Iterable[Recorded]) -> Verdict:
    """`before` is the picture from before the first copy, `after` the one to judge."""
    court = _Court(after, deeds, recorded)
    persons, keyed = after.crm_persons(), after.persons_by_key()
    rivals, differing = list(court.iter_rivals()), list(_iter_differing(after))
    stuck = [place for place in differing if _is_stuck(place, before, after)]
    return Verdict(
        people_linked=len(persons.keys() & keyed.keys()),
        accounts_linked=len(after.crm["account"].keys() & after.companies_by_key().keys()),
        users_linked=len(after.crm["systemuser"].keys() & after.salespersons_by_key().keys()),
        conflicts=len(rivals),
        unrecorded=tuple(_name(one) for one, other in rivals if not court.is_recorded(one, other)),
        missing=tuple(f"{persons[key][0]} {key}" for key in persons if key not in keyed),
        doubled=tuple(sorted(f"{side} {record}" for side, record in _doubled(before, after, deeds))),
        lost=tuple(_name(typed) for number, typed in enumerate(deeds.typed) if court.is_lost(number)),
        differences=(
            *(str(place) for place in differing if place not in stuck),
            *(f"account {key} has no company" for key in after.crm["account"].keys() - after.companies_by_key().keys()),
        ),
        stuck=tuple(map(str, stuck)),
    )


def _name(typed: Typed) -> str:
    return f"{typed.entity} {typed.id} {typed.field}"


@dataclass(frozen=True, slots=True)
class _Place:
    """A field of two linked records."""

    entity: str
    crm_id: str
    marketing_id: str
    pair: Pair

    def __str__(self) -> str:
        return f"{self.entity} {self.crm_id} {self.pair.crm}"


def _iter_differing(world: World) -> Iterator[_Place]:
    for entity, key, record, counterpart in world.iter_linked():
        for pair in PAIRS[entity]:
            if pair.crm_reading(record) != pair.marketing_reading(counterpart):
                yield _Place(entity, key, str(counterpart["id"]), pair)


def _is_stuck(place: _Place, before: World, after: World) -> bool:
    """A closed lead, and on both sides the value from before the first copy."""
    lead = after.crm["lead"].get(place.crm_id)
    if lead is None or not lead.get("statecode"):
        return False
    person = place.marketing_id
    earlier_lead, earlier_person = before.crm["lead"].get(place.crm_id), before.marketing["person"].get(person)
    return (
        earlier_lead is not None
        and earlier_person is not None
        and place.pair.crm_reading(earlier_lead) == place.pair.crm_reading(lead)
        and place.pair.marketing_reading(earlier_person)
        == place.pair.marketing_reading(after.marketing["person"][person])
    )


# --- doubled people -----------------------------------------------------------------------------------------------


def _doubled(before: World, after: World, deeds: Deeds) -> set[tuple[str, str]]:
    return {
        *_carriers_too_many(after),
        *_made_in_vain(before, after, deeds),
        *_not_adopted(before, after),
    }


def _carriers_too_many(after: World) -> Iterator[tuple[str, str]]:
    """One CRM person, several Marketo persons."""
    for carriers in after.persons_by_key().values():
        yield from ((MARKETING, record) for record in sorted(carriers, key=int)[1:])


def _made_in_vain(before: World, after: World, deeds: Deeds) -> Iterator[tuple[str, str]]:
    """Records that nobody typed and that stand for nobody: made by the sync, beside the one it should have used.

    A made Marketo person must carry the key of a CRM person whom people made (and perhaps removed); a made CRM person's
    key must be carried by a Marketo person whom people made. So two records for one person cannot excuse each other.
    """
    new_people = _made(MARKETING, before.marketing["person"], after.marketing["person"], deeds)
    new_crm = {
        *_made(CRM, before.crm["lead"], after.crm["lead"], deeds),
        *_made(CRM, before.crm["contact"], after.crm["contact"], deeds),
    }
    theirs = (after.crm_persons().keys() - new_crm) | {record for side, record in deeds.removed if side == CRM}
    keyed = after.persons_by_key()
    yield from (
        (MARKETING, record) for record in new_people if crm_key(after.marketing["person"][record]) not in theirs
    )
    yield from ((CRM, record) for record in new_crm if not set(keyed.get(record, ())) - new_people)


def _made(side: str, before: Records, after: Records, deeds: Deeds) -> set[str]:
    return {record for record in after if record not in before and (side, record) not in deeds.made}


def _not_adopted(before: World, after: World) -> Iterator[tuple[str, str]]:
    """Marketo people left alone although a CRM person of the same e-mail got a new record instead."""
    email_of = {key: _email(record.get("emailaddress1")) for key, (_, record) in before.crm_persons().items()}
    anew: Counter[str] = Counter()
    alone: dict[str, list[str]] = defaultdict(list)
    for record_id, record in after.marketing["person"].items():
        key, earlier = crm_key(record), before.marketing["person"].get(record_id)
        if earlier is None and key in email_of:
            anew[email_of[key]] += 1
        elif earlier is not None and key is None:
            alone[_email(earlier.get("email"))].append(record_id)
    for email, left in alone.items():
        yield from ((MARKETING, record) for record in left[: anew[email]] if email)


def _email(value: object) -> str:
    return str(value or "").strip().lower()


# --- lost edits ---------------------------------------------------------------------------------------------------


class _Court:
    """Answers for each typed value where it is now. The typed values of one person's field form a *case*."""

    def __init__(self, after: World, deeds: Deeds, recorded: Iterable[Recorded]) -> None:
        self._after = after
        self._deeds = deeds
        self._keyed = after.persons_by_key()
        self._contact_of = {
            str(record["originatingleadid"]).lower(): key
            for key, record in after.crm["contact"].items()
            if record.get("originatingleadid")
        }
        self._recorded: dict[str, list[Recorded]] = defaultdict(list)
        for record in recorded:
            for record_id in (record.crm_id, record.marketing_id):
                if record_id is not None:
                    self._recorded[record_id.lower()].append(record)
        self._cases: dict[tuple[str, str], list[int]] = defaultdict(list)
        for number, typed in enumerate(deeds.typed):
            self._cases[self._case(typed)].append(number)

    def is_lost(self, number: int) -> bool:
        typed = self._deeds.typed[number]
        if (typed.side, typed.id) in self._deeds.removed or self._is_everywhere(typed):
            return False
        others = [(other, self._deeds.typed[other]) for other in self._cases[self._case(typed)] if other != number]
        is_replaced = any(
            later > number and (other.side == typed.side or other.round > typed.round) for later, other in others
        )
        return not is_replaced and not any(
            other.side != typed.side and self.is_recorded(typed, other) for _, other in others
        )

    def iter_rivals(self) -> Iterator[tuple[Typed, Typed]]:
        """Pairs of different values typed into one field on both sides with no pass in between."""
        for numbers in self._cases.values():
            last: dict[tuple[int, str], Typed] = {}
            for number in numbers:
                typed = self._deeds.typed[number]
                last[typed.round, typed.side] = typed
            for (turn, side), typed in last.items():
                other = last.get((turn, MARKETING))
                if side == CRM and other is not None and self._value(typed) != self._value(other):
                    yield typed, other

    def is_recorded(self, one: Typed, other: Typed) -> bool:
        """Whether a conflict record keeps both values."""
        by_side = {typed.side: typed for typed in (one, other)}
        crm, marketing, pair = self._value(by_side[CRM]), self._value(by_side[MARKETING]), self._pair(one)
        candidates = [*self._recorded[one.id.lower()], *self._recorded[other.id.lower()]]
        return any(
            _is_about(record, pair)
            and pair.reading_of(CRM, record.crm) == crm
            and pair.reading_of(MARKETING, record.marketing) == marketing
            for record in candidates
        )

    def _is_everywhere(self, typed: Typed) -> bool:
        """On both sides now; on its own side where the person is known to Marketo only."""
        key, pair, value = self._crm_id(typed), self._pair(typed), self._value(typed)
        if key is None:
            own = self._after.marketing["person"].get(typed.id)
            return own is not None and pair.marketing_reading(own) == value
        record = self._crm_record(key)
        counterparts = list(self._counterparts(typed, key))
        return (
            record is not None
            and bool(counterparts)
            and pair.crm_reading(record) == value
            and all(pair.marketing_reading(other) == value for other in counterparts)
        )

    def _case(self, typed: Typed) -> tuple[str, str]:
        return self._crm_id(typed) or typed.id, self._pair(typed).crm

    def _crm_id(self, typed: Typed) -> str | None:
        """The CRM person that a typed value belongs to, now: the contact once a lead is qualified."""
        if typed.side == CRM:
            return self._contact_of.get(typed.id.lower(), typed.id.lower())
        return crm_key(self._after.marketing["person"].get(typed.id, {}))

    def _crm_record(self, key: str) -> "dict[str, object] | None":
        found = next((records[key] for records in self._after.crm.values() if key in records), None)
        return None if found is None else dict(found)

    def _counterparts(self, typed: Typed, key: str) -> Sequence[dict[str, object]]:
        if typed.entity == "account":
            company = self._after.companies_by_key().get(key)
            return [] if company is None else [dict(company)]
        return [dict(self._after.marketing["person"][person]) for person in self._keyed.get(key, ())]

    def _pair(self, typed: Typed) -> Pair:
        return find_pair("lead" if typed.side == MARKETING else typed.entity, typed.field)

    def _value(self, typed: Typed) -> object:
        pair = self._pair(typed)
        return pair.reading_of(typed.side, typed.value)


def _is_about(record: Recorded, pair: Pair) -> bool:
    return bool({pair.crm, pair.marketing} & set(record.field.split("|")))
