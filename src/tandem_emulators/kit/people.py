"""The seeded population: who exists, where they work and how to reach them.

A person is a function of (seed, index) alone, never of the size of the population, so both emulators, started with
the same seed, know the same people under the same e-mail addresses. Words come from Faker's pools; drawing from
them directly makes 20,000 people in about a second.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from random import Random

from tandem_emulators.kit import word_pools

COMPANIES_PER_BLOCK = 5
PEOPLE_PER_BLOCK = 40
_COMPANY_WEIGHTS = (16, 10, 7, 4, 3)

# Indices of people whom the other side has never heard of, and of the users of the CRM.
_ONLY_MARKETING_FROM = 1_000_000_000
_USERS_FROM = 2_000_000_000

SHARE_MISSING_EMAIL = 0.06
SHARE_SHARED_EMAIL = 0.015  # of people who use the address of the person before them: two people each time
SHARE_INACTIVE = 0.03
SHARE_OPTED_OUT = 0.08
SHARE_KNOWN_TO_BOTH = 0.7


@dataclass(frozen=True, slots=True)
class Company:
    index: int
    name: str
    domain: str
    phone: str
    industry: str
    employees: int
    revenue: float
    street: str
    city: str
    region: str
    postal_code: str
    country: str
    locale: str

    @property
    def website(self) -> str:
        return f"https://www.{self.domain}"


@dataclass(frozen=True, slots=True)
class Person:
    """`roll` is a number in [0, 1) that an emulator may use to decide what else this person is (a lead, say)."""

    index: int
    first_name: str
    last_name: str
    email: str | None
    phone: str | None
    mobile: str | None
    job_title: str | None
    salutation: str | None
    company_index: int
    street: str | None
    city: str | None
    region: str | None
    postal_code: str | None
    country: str | None
    locale: str
    note: str | None
    is_inactive: bool
    opted_out_of_email: bool
    opted_out_of_phone: bool
    owner_index: int
    roll: float


def company_count(people: int) -> int:
    """How many companies the first `people` persons work for: about one for each eight."""
    return -(-people // PEOPLE_PER_BLOCK) * COMPANIES_PER_BLOCK


def company_index_of(seed: int, index: int) -> int:
    """People of one block of 40 share five companies, of which the first is the largest."""
    block = index // PEOPLE_PER_BLOCK
    draw = Random(f"{seed}/employer/{index}").random() * sum(_COMPANY_WEIGHTS)
    for position, weight in enumerate(_COMPANY_WEIGHTS):
        draw -= weight
        if draw < 0:
            return block * COMPANIES_PER_BLOCK + position
    return block * COMPANIES_PER_BLOCK


@lru_cache(maxsize=4096)
def company(seed: int, index: int) -> Company:
    rng = Random(f"{seed}/company/{index}")
    locale = rng.choices(word_pools.locales(), weights=[pool.weight for pool in word_pools.locales()])[0]
    family = locale.last_name(rng)
    stem = rng.choice((family, f"{family} & {locale.last_name(rng)}", f"{family} {rng.choice(word_pools.TRADES)}"))
    if not index % 97:
        stem += " ✦"
    name = f"{stem} {rng.choice(locale.company_suffixes)}"
    label = _ascii(stem) or "company"
    return Company(
        index=index,
        name=name[:100],
        domain=f"{label[:30]}{index}.example",
        phone=locale.phone(rng),
        industry=rng.choice(word_pools.INDUSTRIES),
        employees=rng.choice((5, 12, 40, 95, 180, 420, 1100, 5200)),
        revenue=float(rng.randrange(1, 900) * 100_000),
        street=locale.street(rng),
        city=rng.choice(locale.cities),
        region=rng.choice(locale.regions),
        postal_code=locale.postal_code(rng),
        country=locale.country,
        locale=locale.name,
    )


def person(seed: int, index: int) -> Person:
    rng = Random(f"{seed}/person/{index}")
    employer = company(seed, company_index_of(seed, index))
    locale = word_pools.locale(employer.locale)
    first, last = _name(seed, index)
    roll, opt_out, kind_of_email = rng.random(), rng.random(), rng.random()
    has_address = rng.random() < 0.8
    return Person(
        index=index,
        first_name=_decorate(first, rng),
        last_name=_decorate(last, rng),
        email=_email(seed, index, kind_of_email),
        phone=locale.phone(rng) if rng.random() < 0.75 else None,
        mobile=locale.phone(rng) if rng.random() < 0.45 else None,
        job_title=rng.choice(word_pools.job_titles()) if rng.random() < 0.85 else None,
        salutation=rng.choice(locale.salutations) if rng.random() < 0.4 else None,
        company_index=employer.index,
        street=locale.street(rng) if has_address else None,
        city=employer.city if has_address else None,
        region=employer.region if has_address and rng.random() < 0.7 else None,
        postal_code=locale.postal_code(rng) if has_address else None,
        country=locale.country if has_address else None,
        locale=locale.name,
        note=_note(rng) if rng.random() < 0.2 else None,
        is_inactive=rng.random() < SHARE_INACTIVE,
        opted_out_of_email=opt_out < SHARE_OPTED_OUT,
        opted_out_of_phone=opt_out < SHARE_OPTED_OUT / 2,
        owner_index=rng.randrange(1_000_000),
        roll=roll,
    )


def user(seed: int, index: int) -> Person:
    """A colleague who owns records; always with an e-mail address of the seller's own company."""
    found = person(seed, _USERS_FROM + index)
    mail = f"{_ascii(found.first_name) or 'user'}.{_ascii(found.last_name) or 'sales'}{index}@contoso.example"
    return replace(found, email=mail.lower(), is_inactive=False)


def marketing_population(seed: int, people: int, overlap: int) -> Iterator[tuple[Person, bool]]:
    """Whom the marketing side knows: about 70 % are of the other side's `overlap` people, the rest are its own.

    The flag says which. A shared person may differ here in other fields than the e-mail address: a nickname, an
    older job title, nothing where the other side has a value.
    """
    known = min(overlap, round(people * SHARE_KNOWN_TO_BOTH))
    taken = 0
    for position in range(people):
        if taken < known and (position + 1) * known >= (taken + 1) * people:
            yield _as_marketing_knows(seed, person(seed, taken * overlap // known)), True
            taken += 1
        else:
            yield _only_marketing(seed, position), False


def _as_marketing_knows(seed: int, found: Person) -> Person:
    rng = Random(f"{seed}/marketing/{found.index}")
    roll = rng.random()
    if roll < 0.70:
        return found
    if roll < 0.78:
        return replace(found, first_name=found.first_name[:1] + ".")
    if roll < 0.86:
        return replace(found, job_title=rng.choice(word_pools.job_titles()))
    if roll < 0.94:
        return replace(found, phone=None, job_title=None)
    return replace(found, phone=found.mobile, street=None, postal_code=None)


def _only_marketing(seed: int, position: int) -> Person:
    found = person(seed, _ONLY_MARKETING_FROM + position)
    if found.email is None:
        return found
    return replace(found, email=f"{found.email.partition('@')[0]}@visitors{position % 50}.example")


@lru_cache(maxsize=1024)
def _name(seed: int, index: int) -> tuple[str, str]:
    locale = word_pools.locale(company(seed, company_index_of(seed, index)).locale)
    rng = Random(f"{seed}/name/{index}")
    return locale.first_name(rng), locale.last_name(rng)


def _email(seed: int, index: int, roll: float) -> str | None:
    if roll < SHARE_MISSING_EMAIL:
        return None
    if roll < SHARE_MISSING_EMAIL + SHARE_SHARED_EMAIL and index % PEOPLE_PER_BLOCK:
        return _own_email(seed, index - 1)
    own = _own_email(seed, index)
    mixed_case = roll > 0.97
    return own.title().replace(".Example", ".example") if mixed_case else own


def _own_email(seed: int, index: int) -> str:
    first, last = _name(seed, index)
    local = f"{_ascii(first)[:20] or 'info'}.{_ascii(last)[:25] or 'desk'}"
    return f"{local}{index % 1_000_000_000}@{company(seed, company_index_of(seed, index)).domain}"


def _decorate(name: str, rng: Random) -> str:
    """Now and then what real data has: decomposed letters, typographic apostrophes, an emoji, stray capitals."""
    roll = rng.random()
    if roll > 0.02:
        return name
    if roll < 0.004:
        return unicodedata.normalize("NFD", name)
    if roll < 0.008:
        return f"O’{name}"
    if roll < 0.010:
        return f"{name} 😀"
    if roll < 0.014:
        return f"{name}-{name[::-1].title()}"[:50]
    return name.upper()


def _note(rng: Random) -> str:
    lines = rng.sample(word_pools.NOTES, rng.randint(1, 3))
    return "\n".join(lines)


@cache
def _ascii(text: str) -> str:
    flat = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return "".join(letter for letter in flat.lower() if letter.isalnum())
