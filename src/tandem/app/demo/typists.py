"""Simulated people: what they type next, on which side, from a seed.

No field of a record is typed into twice, except for rivals: two people, one on each side, who change one field to
different values with no pass in between. So whatever the judge misses was lost by the sync, not by the people.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from random import Random
from typing import Any, Final

from tandem.app.demo.services import Control
from tandem.app.demo.world import CRM, LEAD_SOURCES, MARKETING, RATINGS, Pair, Record, Typed, World, find_pair
from tandem.core.errors import ConfigError

CLEAR: Final = "clear"
JOB_TITLES: Final = ("Head of Sales", "Geschäftsführerin", "Directrice générale", "Inżynier", "Buyer", "営業部長")
_CITIES: Final = ("Zürich", "Łódź", "São Paulo", "横浜", "Reykjavík", "Dún Laoghaire", "Malmö")
_NAMES: Final = ("Zoë", "Jürgen", "Søren", "Siân", "Ágnes", "Nuño", "D’Arcy")

# What people type into a field of that CRM name; the number makes every value new.
_TEXTS: Final[Mapping[str, Callable[[Random, int], object]]] = {
    "firstname": lambda rng, number: f"{rng.choice(_NAMES)} {number}",
    "emailaddress1": lambda rng, number: f"moved.{number}.{rng.randrange(10**6)}@new-address.example",
    "jobtitle": lambda rng, number: f"{rng.choice(JOB_TITLES)} {number}",
    "telephone1": lambda rng, number: f"+49 30 {rng.randrange(10**5):05d}{number}",
    "mobilephone": lambda rng, number: f"+41 79 {rng.randrange(10**4):04d}{number}",
    "address1_line1": lambda rng, number: f"{number} Allée des Érables",
    "address1_city": lambda rng, number: f"{rng.choice(_CITIES)} {number}",
    "address1_postalcode": lambda rng, number: f"P-{number:05d}",
    "websiteurl": lambda rng, number: f"https://www.renamed-{number}.example",
    "numberofemployees": lambda rng, number: 10_000 + number,
    "leadsourcecode": lambda rng, number: rng.choice(list(LEAD_SOURCES)),
    "leadqualitycode": lambda rng, number: rng.choice(list(RATINGS)),
    "donotphone": lambda rng, number: True,
    "donotbulkemail": lambda rng, number: True,
}  # fmt: skip
_SINGLE: Final = (
    "jobtitle", "telephone1", "emailaddress1", f"{CLEAR}:jobtitle", "address1_city", "donotbulkemail", "mobilephone",
    "leadsourcecode", "address1_line1", "donotphone", f"{CLEAR}:telephone1", "firstname", "leadqualitycode",
)  # fmt: skip
_RIVAL: Final = (
    "jobtitle", "telephone1", "address1_city", "emailaddress1", "leadsourcecode", "mobilephone", "firstname",
    "address1_postalcode",
)  # fmt: skip
_ACCOUNT: Final = ("telephone1", "address1_city", "websiteurl", "numberofemployees", "address1_line1")
_LEADS_ONLY: Final = frozenset({"leadsourcecode", "leadqualitycode"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A linked record that people work with."""

    entity: str
    crm_id: str
    crm: Record
    marketing_id: str
    marketing: Record


class Typist:
    """Drafts edits of linked records as they are in `world`; `turn` is the round an edit belongs to."""

    def __init__(self, world: World, seed: int) -> None:
        self._rng = Random(f"typist/{seed}")
        linked = [
            Candidate(entity, key, record, str(counterpart["id"]), counterpart)
            for entity, key, record, counterpart in world.iter_linked()
            if record.get("statecode") in (0, None)
        ]
        self._people = [one for one in linked if one.entity != "account"]
        self._accounts = [one for one in linked if one.entity == "account"]
        assert self._people, "nobody is linked"
        self._counterparts = {(CRM, one.crm_id): (_object_of(one), one.marketing_id) for one in linked}
        self._counterparts |= {(MARKETING, one.marketing_id): (one.entity, one.crm_id) for one in self._people}
        self._singles, self._rivals, self._of_accounts = cycle(_SINGLE), cycle(_RIVAL), cycle(_ACCOUNT)
        self._taken: set[tuple[str, str]] = set()
        self._number = 0

    def single(self, side: str, turn: int) -> Typed:
        for _ in _SINGLE:
            what, colon, cleared = next(self._singles).partition(":")
            if found := self._draw(self._people, cleared if colon else what, clears=bool(colon)):
                candidate, pair = found
                return _typed(candidate, pair, side, turn, None if colon else self._new_value(candidate, pair))
        raise _too_few()

    def of_account(self, turn: int) -> Typed:
        """Accounts go one way, so only Dynamics people edit them."""
        found = self._draw(self._accounts, next(self._of_accounts)) if self._accounts else None
        if found is None:
            return self.single(CRM, turn)
        candidate, pair = found
        return _typed(candidate, pair, CRM, turn, self._new_value(candidate, pair))

    def rivals(self, turn: int) -> tuple[Typed, Typed]:
        for _ in _RIVAL:
            if found := self._draw(self._people, next(self._rivals)):
                candidate, pair = found
                crm, marketing = self._new_value(candidate, pair), self._new_value(candidate, pair)
                while crm == marketing:
                    marketing = self._new_value(candidate, pair)
                return _typed(candidate, pair, CRM, turn, crm), _typed(candidate, pair, MARKETING, turn, marketing)
        raise _too_few()

    def take(self, entity: str) -> Candidate:
        """Somebody into whom nobody has typed, and nobody will."""
        taken = {crm_id for crm_id, _ in self._taken}
        for one in self._rng.sample(self._people, len(self._people)):
            if one.entity == entity and one.crm_id not in taken:
                self._people.remove(one)
                return one
        raise _too_few()

    def counterpart(self, typed: Typed) -> tuple[str, str]:
        """(entity, id) of the record on the other side where `typed` should arrive."""
        return self._counterparts[typed.side, typed.id]

    def _draw(self, among: Sequence[Candidate], name: str, *, clears: bool = False) -> tuple[Candidate, Pair] | None:
        """Somebody whose field `name` is in step, untouched so far, and would change by typing; None when rare."""
        for _ in range(200):
            candidate = self._rng.choice(among)
            if name in _LEADS_ONLY and candidate.entity != "lead":
                continue
            pair = find_pair(candidate.entity, name)
            crm, marketing = pair.crm_reading(candidate.crm), pair.marketing_reading(candidate.marketing)
            would_change = crm is not None if clears else crm is not True
            if crm == marketing and would_change and (candidate.crm_id, name) not in self._taken:
                self._taken.add((candidate.crm_id, name))
                return candidate, pair
        return None

    def _new_value(self, candidate: Candidate, pair: Pair) -> object:
        """A value that neither side holds."""
        held = (
            candidate.crm.get(pair.crm),
            pair.crm_reading(candidate.crm),
            pair.marketing_reading(candidate.marketing),
        )
        while True:
            self._number += 1
            value = _TEXTS[pair.crm](self._rng, self._number)
            label = pair.reading_of(CRM, value)
            if value not in held and label not in held:
                return value


def _too_few() -> ConfigError:
    return ConfigError(
        "There are too few people for so many edits, each in a field of its own; take more with --people."
    )


def _object_of(candidate: Candidate) -> str:
    return "company" if candidate.entity == "account" else "person"


def _typed(candidate: Candidate, pair: Pair, side: str, turn: int, value: object) -> Typed:
    """People in Dynamics pick a choice by its number, people in Marketo write its word."""
    if side == CRM:
        return Typed(turn, CRM, candidate.entity, candidate.crm_id, pair.crm, value)
    return Typed(turn, MARKETING, "person", candidate.marketing_id, pair.marketing, pair.reading_of(CRM, value))


async def type_in(edits: Sequence[Typed], *, crm: Control, marketing: Control) -> None:
    for side, control in ((CRM, crm), (MARKETING, marketing)):
        if theirs := list(_as_edits(edit for edit in edits if edit.side == side)):
            await control.edit(theirs)


def _as_edits(edits: Iterator[Typed]) -> Iterator[dict[str, Any]]:
    for edit in edits:
        own_id = int(edit.id) if edit.side == MARKETING else edit.id
        yield {"entity": edit.entity, "id": own_id, "values": {edit.field: edit.value}}
