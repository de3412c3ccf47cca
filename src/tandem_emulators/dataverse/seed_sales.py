"""What surrounds the people of a seeded organisation: teams, campaigns, lists, opportunities and who takes part.

Made after the people and from random sources of its own, so that a larger cast here never changes a person. About
one person in ten has an opportunity; of these six in ten are open, and every other one names its contacts by
connections, each of which is a pair of rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING

from tandem_emulators.dataverse.computed import full_name
from tandem_emulators.dataverse.store import Row
from tandem_emulators.kit import people
from tandem_emulators.kit.people import Person

if TYPE_CHECKING:
    from tandem_emulators.dataverse.seed import Seeder

_STAKEHOLDER, _SALES_TEAM = 1000, 1001
_TYPE_CODES = {"contact": 2, "opportunity": 3}
ROLES = (
    ("Decision Maker", _STAKEHOLDER),
    ("Economic Buyer", _STAKEHOLDER),
    ("Technical Buyer", _STAKEHOLDER),
    ("Influencer", _STAKEHOLDER),
    ("End User", _STAKEHOLDER),
    ("Champion", _STAKEHOLDER),
    ("Account Manager", _SALES_TEAM),
    ("Sales Professional", _SALES_TEAM),
)
_TEAM_NAMES = ("Sales North", "Sales South", "Enterprise", "Partners", "Inside Sales", "Renewals")
_CAMPAIGNS = ("Spring Fair", "Webinar Series", "Newsletter", "Roadshow", "Product Launch", "Customer Day")
_LISTS = (("account", 1), ("contact", 2), ("lead", 4))
_LIST_SIZE_MAX = 500
_STAGES = ("Qualify", "Develop", "Propose", "Close")


def opportunity_count(population: int) -> int:
    return population // 10


def team_count(population: int) -> int:
    return min(len(_TEAM_NAMES), population // 50)


def campaign_count(population: int) -> int:
    return min(len(_CAMPAIGNS), population // 25)


@dataclass
class SalesSeeder:
    """Uses the seeder of the people for owners, times and ids."""

    base: "Seeder"
    contacts: list[Person]
    leads: list[Person]

    def seed(self) -> None:
        write = self.base.write
        write("connectionrole", self._roles())
        write("team", self._teams())
        write("teammembership", self._memberships())
        write("campaign", self._campaigns())
        write("list", self._lists())
        write("listmember", self._members())
        write("opportunity", self._opportunities())
        write("connection", self._connections())

    def _id(self, what: str) -> str:
        return self.base.organization.id_of(what)

    def _random(self, what: str) -> Random:
        return Random(f"{self.base.organization.seed}/{what}")

    # Teams, with users as their members.

    def _teams(self) -> Iterator[Row]:
        unit = {"businessunitid": self.base.organization.business_unit_id, "teamtype": 0, "isdefault": 0}
        for index in range(team_count(self.base.population)):
            names = {"name": _TEAM_NAMES[index], "administratorid": self.base.user_id(index)}
            yield {"teamid": self._id(f"team/{index}"), **names, **unit, **self.base.made(0.01)}

    def _memberships(self) -> Iterator[Row]:
        for team in range(team_count(self.base.population)):
            for user in range(self.base.user_count):
                if user % len(_TEAM_NAMES) in (team, (team + 1) % len(_TEAM_NAMES)):
                    pair = {"teamid": self._id(f"team/{team}"), "systemuserid": self.base.user_id(user)}
                    yield {"teammembershipid": self._id(f"teammembership/{team}/{user}"), **pair}

    # Campaigns and marketing lists.

    def _campaigns(self) -> Iterator[Row]:
        for index in range(campaign_count(self.base.population)):
            rng = self._random(f"campaign/{index}")
            cost = float(rng.randrange(5, 100) * 1000)
            yield {
                "campaignid": self.campaign_id(index),
                "name": _CAMPAIGNS[index],
                "codename": f"CMP-{1000 + index}",
                "typecode": rng.randint(1, 5),
                "statuscode": rng.choice((0, 1, 2, 3)),
                "budgetedcost": cost,
                "budgetedcost_base": cost,
                **self._currency(),
                **self.base.owner(index),
                **self.base.made(rng.random()),
            }

    def campaign_id(self, index: int) -> str:
        return self._id(f"campaign/{index}")

    def _lists(self) -> Iterator[Row]:
        for kind, code in _LISTS if self.base.population >= 25 else ():
            names = {"listname": f"Newsletter {kind}s", "createdfromcode": code, "membertype": code, "type": 0}
            count = {"membercount": len(list(self._members_of(kind)))}
            yield {"listid": self.list_id(kind), **names, **count, **self.base.owner(code), **self.base.made(0.02)}

    def list_id(self, kind: str) -> str:
        return self._id(f"list/{kind}")

    def _members(self) -> Iterator[Row]:
        for kind, _ in _LISTS if self.base.population >= 25 else ():
            for member in self._members_of(kind):
                entity = {"entityid": member, "entityidtype": kind, "entitytype": kind}
                yield {"listmemberid": self._id(f"listmember/{member}"), "listid": self.list_id(kind), **entity}

    def _members_of(self, kind: str) -> Iterator[str]:
        """Every fourth of a kind, and not more than a list of a demonstration needs."""
        match kind:
            case "account":
                ids = [self.base.account_id(i) for i in range(0, people.company_count(self.base.population), 4)]
            case "contact":
                ids = [self.base.contact_id(found.index) for found in self.contacts[::4]]
            case _:
                ids = [self.base.lead_id(found.index) for found in self.leads[::4]]
        yield from ids[:_LIST_SIZE_MAX]

    # Opportunities, and the contacts that take part in them.

    def _opportunities(self) -> Iterator[Row]:
        for index in range(self._opportunity_count):
            rng = self._random(f"opportunity/{index}")
            contact = self._contact_of(index)
            yield {
                "opportunityid": self.opportunity_id(index),
                "name": self._opportunity_name(index),
                **self._customer(contact, rng),
                **self._value(rng),
                **self._outcome(rng),
                "campaignid": self._campaign_of(rng),
                "description": None,
                **self.base.owner(contact.owner_index),
                **self.base.made(rng.random()),
            }

    @property
    def _opportunity_count(self) -> int:
        return opportunity_count(self.base.population) if self.contacts else 0

    def opportunity_id(self, index: int) -> str:
        return self._id(f"opportunity/{index}")

    def _opportunity_name(self, index: int) -> str:
        company = people.company(self.base.organization.seed, self._contact_of(index).company_index)
        return f"{company.name[:200]}: {index + 1}"

    def _contact_of(self, index: int) -> Person:
        return self.contacts[index * 7 % len(self.contacts)]

    def _customer(self, contact: Person, rng: Random) -> Row:
        """Mostly a company; now and then the person is the customer."""
        contact_id, account_id = self.base.contact_id(contact.index), self.base.account_id(contact.company_index)
        if rng.random() < 0.15:
            return {"customerid": contact_id, "customeridtype": "contact", "contactid": contact_id, "accountid": None}
        customer = {"customerid": account_id, "customeridtype": "account", "accountid": account_id, "contactid": None}
        return {**customer, "parentaccountid": account_id, "parentcontactid": contact_id}

    def _value(self, rng: Random) -> Row:
        amount = float(rng.randrange(2, 400) * 500)
        return {"estimatedvalue": amount, "estimatedvalue_base": amount, **self._currency()}

    def _currency(self) -> Row:
        return {"transactioncurrencyid": self.base.organization.currency_id, "exchangerate": 1.0}

    def _outcome(self, rng: Random) -> Row:
        stage = rng.randrange(len(_STAGES))
        expected = (self.base.history_starts + timedelta(days=rng.randrange(60, 900))).date().isoformat()
        plan = {
            "estimatedclosedate": expected,
            "closeprobability": 20 * (stage + 1),
            "salesstage": stage,
            "stepname": f"{stage + 1}-{_STAGES[stage]}",
        }
        roll = rng.random()
        if roll < 0.6:
            return {**plan, "statecode": 0, "statuscode": 2 if roll < 0.05 else 1}
        won = roll < 0.8
        state = {"statecode": 1, "statuscode": 3} if won else {"statecode": 2, "statuscode": 4 if roll < 0.9 else 5}
        value = float(rng.randrange(2, 400) * 500) if won else 0.0
        return {**plan, **state, "actualclosedate": expected, "actualvalue": value, "actualvalue_base": value}

    def _campaign_of(self, rng: Random) -> str | None:
        count = campaign_count(self.base.population)
        return self.campaign_id(rng.randrange(count)) if count and rng.random() < 0.3 else None

    def _roles(self) -> Iterator[Row]:
        for name, category in ROLES:
            yield {"connectionroleid": self.role_id(name), "name": name, "category": category, **self.base.made(0.0)}

    def role_id(self, name: str) -> str:
        return self._id(f"connectionrole/{name}")

    def _connections(self) -> Iterator[Row]:
        stakeholders = [name for name, category in ROLES if category == _STAKEHOLDER]
        for index in range(0, self._opportunity_count, 2):
            rng = self._random(f"connection/{index}")
            for number in range(rng.randint(1, 3)):
                contact = self._contact_of(index + number)
                yield from self._pair(index, number, contact, rng.choice(stakeholders))

    def _pair(self, index: int, number: int, contact: Person, role: str) -> Iterator[Row]:
        """From the opportunity to the contact, who has the role, and back. The second record gives the name."""
        ids = [self._id(f"connection/{index}/{number}/{way}") for way in ("forth", "back")]
        deal = (self.opportunity_id(index), "opportunity", None, self._opportunity_name(index))
        called = full_name(contact.first_name[:50], contact.last_name[:50])
        person = (self.base.contact_id(contact.index), "contact", self.role_id(role), called)
        owner, made = self.base.owner(contact.owner_index), self.base.made(0.5)
        for is_master, (own, other), (first, second) in ((1, ids, (deal, person)), (0, ids[::-1], (person, deal))):
            yield {
                "connectionid": own,
                "relatedconnectionid": other,
                "ismaster": is_master,
                "name": second[3],
                "record1id": first[0],
                "record1idobjecttypecode": first[1],
                "record1objecttypecode": _TYPE_CODES[first[1]],
                "record1roleid": first[2],
                "record2id": second[0],
                "record2idobjecttypecode": second[1],
                "record2objecttypecode": _TYPE_CODES[second[1]],
                "record2roleid": second[2],
                **owner,
                **made,
            }
