"""Filling an empty organisation: users, companies, leads and contacts from the seeded population.

About 45 of 100 people are leads and the rest contacts; of the contacts one in twenty has been qualified from a
lead, and then both records of that person exist. Rows are put together as dictionaries and written by one statement
for each table.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from tandem_emulators.dataverse.column_maps import default_maps
from tandem_emulators.dataverse.computed import composite_address, full_name
from tandem_emulators.dataverse.duplicates import default_rules
from tandem_emulators.dataverse.organization import Organization
from tandem_emulators.dataverse.schema import Schema, Table
from tandem_emulators.dataverse.seed_sales import SalesSeeder
from tandem_emulators.dataverse.store import Row, Store
from tandem_emulators.dataverse.values import render_time
from tandem_emulators.kit import people
from tandem_emulators.kit.people import Company, Person

SHARE_LEADS = 0.45
SHARE_QUALIFIED_OF_CONTACTS = 0.05
SHARE_OF_CONTACTS_IN_A_COMPANY = 0.8
_HISTORY_STARTS = datetime(2024, 1, 2, 8, 0, tzinfo=UTC)
_HISTORY_DAYS = 600
_DISABLED_USERS_EVERY = 9


def user_count(population: int) -> int:
    return max(5, population // 400)


@dataclass
class Seeder:
    schema: Schema
    store: Store
    organization: Organization
    population: int
    history_starts = _HISTORY_STARTS

    def seed(self) -> None:
        seed, population = self.organization.seed, self.population
        persons = [people.person(seed, index) for index in range(population)]
        companies = people.company_count(population)
        with self.store.transaction():
            self.write("businessunit", [self._business_unit()])
            self.write("transactioncurrency", [self._currency()])
            self.write("organization", [self._organization_row()])
            self.write("systemuser", self._users())
            self.write("account", (self._account(people.company(seed, i)) for i in range(companies)))
            self.write("lead", (self._lead(p) for p in persons if is_lead(p) or is_qualified(p)))
            self.write("contact", (self._contact(p) for p in persons if not is_lead(p)))
            contacts, leads = [p for p in persons if not is_lead(p)], [p for p in persons if is_lead(p)]
            SalesSeeder(self, contacts, leads).seed()
            for table, row in (*default_rules(self.organization), *default_maps(self.organization)):
                self.write(table, [{**row, **self.made(0.0)}])

    def write(self, table_name: str, rows: Iterable[Row]) -> None:
        table = self.schema.tables[table_name]
        made = [{**table.defaults, **row} for row in rows]
        if table.is_principal:
            made = [{**row, "ownerid": row[table.key]} for row in made]
        columns = [*dict.fromkeys(name for row in made for name in row if name in table.stored), "versionnumber"]
        self.store.insert_many(table, columns, self._values(made, columns))

    def _values(self, rows: list[Row], columns: list[str]) -> Iterator[list[Any]]:
        for row in rows:
            row["versionnumber"] = self.store.next_version()
            yield [row.get(name) for name in columns]

    # The organisation itself.

    def _business_unit(self) -> Row:
        ids = {"businessunitid": self.organization.business_unit_id, "name": "Contoso"}
        return {**ids, "organizationid": self.organization.organization_id, **self.made(0.0)}

    def _currency(self) -> Row:
        names = {"currencyname": "US Dollar", "isocurrencycode": "USD", "currencysymbol": "$", "exchangerate": 1.0}
        return {
            "transactioncurrencyid": self.organization.currency_id,
            **names,
            "currencyprecision": 2,
            **self.made(0.0),
        }

    def _organization_row(self) -> Row:
        days = {"expirechangetrackingindays": 30, "expiresubscriptionsindays": 90}
        names = {"name": "contoso", "languagecode": 1033, "basecurrencyid": self.organization.currency_id}
        return {"organizationid": self.organization.organization_id, **names, **days, **self.made(0.0)}

    def _users(self) -> Iterator[Row]:
        service = (
            (self.organization.administrator_id, "SYSTEM", "system@contoso.example", 3),
            (self.organization.application_user_id, "# Integration", "application@contoso.example", 4),
            (self.organization.delegated_user_id, "Integration", self.organization.username, 0),
        )
        for user_id, name, mail, mode in service:
            application = self.organization.client_id if user_id == self.organization.application_user_id else None
            yield {**self._user(user_id, None, name, mail), "accessmode": mode, "applicationid": application}
        for index in range(user_count(self.population)):
            found = people.user(self.organization.seed, index)
            row = self._user(self.user_id(index), found.first_name, found.last_name, found.email or "")
            disabled = int(index % _DISABLED_USERS_EVERY == _DISABLED_USERS_EVERY - 1)
            contact = {"title": found.job_title, "address1_telephone1": found.phone, "mobilephone": found.mobile}
            yield {**row, **contact, "isdisabled": disabled, "accessmode": 0}

    def _user(self, user_id: str, first: str | None, last: str, mail: str) -> Row:
        names = {"firstname": first, "lastname": last, "fullname": full_name(first, last)}
        address = {"internalemailaddress": mail, "domainname": mail, "isdisabled": 0, "islicensed": 1}
        unit = {"businessunitid": self.organization.business_unit_id}
        directory = {"azureactivedirectoryobjectid": self.organization.object_id_of(user_id)}
        return {"systemuserid": user_id, **names, **address, **unit, **directory, **self.made(0.0)}

    @property
    def user_count(self) -> int:
        return user_count(self.population)

    def user_id(self, index: int) -> str:
        return self.organization.id_of(f"systemuser/{index}")

    # Companies and people.

    def _account(self, found: Company) -> Row:
        rng = Random(f"{self.organization.seed}/account/{found.index}")
        revenue = found.revenue if rng.random() < 0.8 else None
        money = {"revenue": revenue, "revenue_base": revenue, "exchangerate": 1.0 if revenue else None}
        return {
            "accountid": self.account_id(found.index),
            "name": found.name,
            "accountnumber": f"A{found.index:06}",
            "websiteurl": found.website,
            "emailaddress1": f"office@{found.domain}" if rng.random() < 0.7 else None,
            "telephone1": found.phone,
            "numberofemployees": found.employees,
            "industrycode": rng.randint(1, 33),
            "sic": f"{rng.randrange(100, 9999):04}" if rng.random() < 0.5 else None,
            **money,
            "transactioncurrencyid": self.organization.currency_id if revenue else None,
            **_address(found.street, found.city, found.region, found.postal_code, found.country),
            **self._state(inactive=rng.random() < people.SHARE_INACTIVE, state=1, status=2),
            **self.owner(rng.randrange(1_000_000)),
            **self.made(rng.random()),
        }

    def _lead(self, found: Person) -> Row:
        rng = Random(f"{self.organization.seed}/lead/{found.index}")
        company = people.company(self.organization.seed, found.company_index)
        closed = {"statecode": 1, "statuscode": 3} if is_qualified(found) else {}
        amount = float(rng.randrange(1, 200) * 500) if rng.random() < 0.3 else None
        return {
            "leadid": self.lead_id(found.index),
            **_person(found),
            **_money(self.organization, "estimatedamount", amount),
            "companyname": company.name if rng.random() < 0.85 else None,
            "subject": f"Interested in {company.industry.lower()}",
            "websiteurl": company.website if rng.random() < 0.6 else None,
            "leadsourcecode": rng.randint(1, 10) if rng.random() < 0.7 else None,
            "leadqualitycode": rng.randint(1, 3),
            "industrycode": rng.randint(1, 33) if rng.random() < 0.5 else None,
            **self._state(inactive=found.is_inactive, state=2, status=rng.randint(4, 7)),
            **closed,
            **self.owner(found.owner_index),
            **self.made(rng.random()),
        }

    def _contact(self, found: Person) -> Row:
        rng = Random(f"{self.organization.seed}/contact/{found.index}")
        account_id = self.account_id(found.company_index)
        parent = {"parentcustomerid": account_id, "parentcustomeridtype": "account", "accountid": account_id}
        born = _HISTORY_STARTS - timedelta(days=rng.randrange(7_000, 25_000))
        limit = float(rng.randrange(1, 50) * 1000) if rng.random() < 0.15 else None
        return {
            "contactid": self.contact_id(found.index),
            **_person(found),
            **_money(self.organization, "creditlimit", limit),
            "birthdate": born.date().isoformat() if rng.random() < 0.3 else None,
            "gendercode": rng.randint(1, 2) if rng.random() < 0.4 else None,
            "department": rng.choice(("Sales", "IT", "Marketing", "Einkauf", "R&D")) if rng.random() < 0.4 else None,
            **(parent if rng.random() < SHARE_OF_CONTACTS_IN_A_COMPANY else {}),
            "originatingleadid": self.lead_id(found.index) if is_qualified(found) else None,
            **self._state(inactive=found.is_inactive, state=1, status=2),
            **self.owner(found.owner_index),
            **self.made(rng.random()),
        }

    def account_id(self, index: int) -> str:
        return self.organization.id_of(f"account/{index}")

    def lead_id(self, index: int) -> str:
        return self.organization.id_of(f"lead/{index}")

    def contact_id(self, index: int) -> str:
        return self.organization.id_of(f"contact/{index}")

    def _state(self, *, inactive: bool, state: int, status: int) -> Row:
        return {"statecode": state, "statuscode": status} if inactive else {}

    def owner(self, draw: int) -> Row:
        """Some owners have left the company: a few records belong to a disabled user."""
        owner = self.user_id(draw % user_count(self.population))
        kind = {"ownerid": owner, "owneridtype": "systemuser", "owninguser": owner}
        return {**kind, "owningbusinessunit": self.organization.business_unit_id}

    def made(self, roll: float) -> Row:
        created = _HISTORY_STARTS + timedelta(seconds=int(roll * _HISTORY_DAYS * 86_400))
        changed = created + timedelta(seconds=int(roll * 7_919) % 6_000 * 60)
        admin = self.organization.administrator_id
        times = {"createdon": render_time(created), "modifiedon": render_time(changed)}
        return {**times, "createdby": admin, "modifiedby": admin}


def is_lead(found: Person) -> bool:
    return found.roll < SHARE_LEADS


def is_qualified(found: Person) -> bool:
    return found.roll >= 1 - (1 - SHARE_LEADS) * SHARE_QUALIFIED_OF_CONTACTS


def _person(found: Person) -> Row:
    return {
        "firstname": found.first_name[:50],
        "lastname": found.last_name[:50],
        "fullname": full_name(found.first_name[:50], found.last_name[:50]),
        "salutation": found.salutation,
        "jobtitle": found.job_title,
        "emailaddress1": found.email,
        "telephone1": found.phone,
        "mobilephone": found.mobile,
        "description": found.note,
        "donotbulkemail": int(found.opted_out_of_email),
        "donotemail": int(found.opted_out_of_email and not found.index % 3),
        "donotphone": int(found.opted_out_of_phone),
        **_address(found.street, found.city, found.region, found.postal_code, found.country),
    }


def _address(street: str | None, city: str | None, region: str | None, postal: str | None, country: str | None) -> Row:
    return {
        "address1_line1": street,
        "address1_city": city,
        "address1_stateorprovince": region,
        "address1_postalcode": postal,
        "address1_country": country,
        "address1_composite": composite_address([street, None, None, city, region, postal, country]),
    }


def _money(organization: Organization, name: str, amount: float | None) -> Row:
    """The organisation's currency is the only one, so the base amount is the amount."""
    if amount is None:
        return {name: None, f"{name}_base": None}
    currency = {"transactioncurrencyid": organization.currency_id, "exchangerate": 1.0}
    return {name: amount, f"{name}_base": amount, **currency}


def table_is_empty(store: Store, table: Table) -> bool:
    return store.connection.execute(f'SELECT 1 FROM "{table.name}" LIMIT 1').fetchone() is None
