"""Fills an empty subscription with people, a function of the seed: the mess of a real one included.

Most are known to the other side too, with the same e-mail address. Some exist twice, some have no address, some have
opted out; they came by form, by import or by hand over the last two years. Companies here have names but no external
id: nobody has synchronised them yet.
"""

import random
from copy import copy
from typing import Any

from tandem_emulators.kit.emulator import Options
from tandem_emulators.kit.people import Person, company, marketing_population
from tandem_emulators.marketo.lists import create_list
from tandem_emulators.marketo.log import DAY_S, NEW_LEAD
from tandem_emulators.marketo.programs import Program, progressed
from tandem_emulators.marketo.store import encode
from tandem_emulators.marketo.subscription import Subscription

HISTORY_DAYS = 730
EVERY_TWIN = 97  # one in so many is a second entry of the person before
SOURCES = ("Web form fillout", "List import", "New lead", "Web service API")
LEAD_SOURCES = ("Web", "Trade Show", "Partner", "Seminar", None)  # as Dynamics words them, too
PROGRAMS = (
    (Program(name="Spring webinar", type="Event", channel="Webinar"), 0.04),
    (Program(name="Product tour", type="Engagement", channel="Nurture"), 0.1),
    (Program(name="White paper", channel="Content"), 0.06),
)
LISTS = (("Newsletter", 0.3), ("Trade fair visitors", 0.05), ("Nobody yet", 0.0))


def seed_people(subscription: Subscription, options: Options, now_s: float) -> None:
    """Seed a database that has never been seeded; a file that has people is left as it is."""
    if options.people == 0 or subscription.store.meta("seed") is not None:
        return
    subscription.store.set_meta("seed", str(options.seed))
    rng = random.Random(f"marketo/{options.seed}")
    overlap = options.people if options.overlap is None else options.overlap
    companies: dict[int, int] = {}
    leads, news = [], []
    last: dict[str, Any] | None = None
    for number, (person, shared) in enumerate(marketing_population(options.seed, options.people, overlap), start=1):
        created_s = _created_s(number, options.people, now_s)
        values = _values(person, rng)
        if not shared and number % EVERY_TWIN < 2 and last is not None and "email" in last:
            values = values | {name: last[name] for name in ("email", "lastName") if name in last}
        company_id = _company_id(subscription, companies, options.seed, person.company_index, created_s)
        leads.append((number, created_s, created_s, company_id, encode(values).decode()))
        news.append(_new_lead(number, created_s, values, rng))
        last = values
    _insert(subscription, leads, news)
    _fill_lists(subscription, options.people, rng, now_s)
    _fill_programs(subscription, options, now_s)


def _created_s(number: int, people: int, now_s: float) -> int:
    """Spread over two years, the youngest a day old."""
    age_days = HISTORY_DAYS * (1 - number / (people + 1)) + 1
    return int(now_s - age_days * DAY_S)


def _values(person: Person, rng: random.Random) -> dict[str, Any]:
    values: dict[str, Any] = {
        "salutation": person.salutation,
        "firstName": person.first_name,
        "lastName": person.last_name,
        "email": person.email,
        "phone": person.phone,
        "mobilePhone": person.mobile,
        "title": person.job_title,
        "address": person.street,
        "city": person.city,
        "state": person.region,
        "postalCode": person.postal_code,
        "country": person.country,
        "mktoPersonNotes": person.note,
        "leadSource": rng.choice(LEAD_SOURCES),
        "leadScore": rng.choice((None, 5, 10, 25, 60)),
        "unsubscribed": True if person.opted_out_of_email else None,
        "doNotCall": True if person.opted_out_of_phone else None,
    }
    return {name: value for name, value in values.items() if value is not None}


def _company_id(subscription: Subscription, known: dict[int, int], seed: int, index: int, at_s: int) -> int:
    if index not in known:
        found = company(seed, index)
        values = {"company": found.name, "website": found.website, "industry": found.industry}
        known[index] = subscription.companies.insert(values, at_s).id
    return known[index]


def _new_lead(number: int, created_s: int, values: dict[str, Any], rng: random.Random) -> tuple[Any, ...]:
    name = " ".join(values[part] for part in ("firstName", "lastName") if part in values)
    attributes = encode({"Source Type": rng.choice(SOURCES)}).decode()
    return (number, NEW_LEAD, created_s, created_s * 1000, number, name, attributes)


def _insert(subscription: Subscription, leads: list[tuple[Any, ...]], news: list[tuple[Any, ...]]) -> None:
    store = subscription.store
    store.run_many("INSERT INTO lead (id, created_s, updated_s, company_id, doc) VALUES (?, ?, ?, ?, ?)", leads)
    store.run_many(
        "INSERT INTO activity (lead_id, type_id, date_s, committed_ms, primary_id, primary_value, attributes)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        news,
    )


def _fill_lists(subscription: Subscription, people: int, rng: random.Random, now_s: float) -> None:
    for name, share in LISTS:
        list_id = create_list(subscription, name, now_s - HISTORY_DAYS * DAY_S, description=f"Seeded: {name}")
        members = [(list_id, number) for number in range(1, people + 1) if rng.random() < share]
        subscription.store.run_many("INSERT INTO list_member VALUES (?, ?)", members)


def _fill_programs(subscription: Subscription, options: Options, now_s: float) -> None:
    """Some people in each program, spread over its statuses."""
    rng = random.Random(f"marketo/programs/{options.seed}")
    joined_s = int(now_s) - HISTORY_DAYS * DAY_S // 2
    for seeded, share in PROGRAMS:
        program = subscription.programs.create(copy(seeded), joined_s)
        ids = [number for number in range(1, options.people + 1) if rng.random() < share]
        members = [(number, progressed(program, None, rng.choice(program.statuses()), joined_s)) for number in ids]
        subscription.programs.add_many(program, members, joined_s)
