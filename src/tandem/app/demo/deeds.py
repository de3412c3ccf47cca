"""What people do besides typing into fields: records made, removed, qualified and merged.

``DEEDS`` are carried out in every demonstration with ``--once``; another deed is one function more in that list.
"""

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from tandem.app.demo.stage import Stage
from tandem.app.demo.typists import Typist
from tandem.app.demo.world import CRM, MARKETING, Deeds, Typed

Deed: TypeAlias = Callable[[Stage, Typist, Deeds, int], Awaitable[str]]
"""Carries itself out in round `turn`, remembers it in the deeds, and tells it in a line."""


async def add_lead(stage: Stage, typist: Typist, deeds: Deeds, turn: int) -> str:
    values = {
        "subject": "Asks for an offer", "firstname": "Ingrid", "lastname": "Ångström", "jobtitle": "Chief buyer",
        "emailaddress1": f"ingrid.{turn}@new-lead.example", "leadsourcecode": 7, "donotphone": True,
    }  # fmt: skip
    lead = await stage.crm.control.create("lead", values)
    deeds.made.add((CRM, lead.lower()))
    typed = {name: value for name, value in values.items() if name != "subject"}
    deeds.typed += [Typed(turn, CRM, "lead", lead.lower(), name, value) for name, value in typed.items()]
    return f"Dynamics: somebody enters lead {lead}."


async def add_person(stage: Stage, typist: Typist, deeds: Deeds, turn: int) -> str:
    values = {"firstName": "Only", "lastName": "Marketo", "email": f"form.{turn}@only-marketo.example"}
    person = await stage.marketing.control.create("person", values)
    deeds.made.add((MARKETING, person))
    return f"Marketo: somebody fills in a form; person {person} is known only to Marketo and stays so by default."


async def qualify_lead(stage: Stage, typist: Typist, deeds: Deeds, turn: int) -> str:
    lead = typist.take("lead").crm_id
    answer = await stage.crm.control.act("qualify", id=lead, create_contact=True, create_account=False)
    contact = str(answer["contact_id"]).lower()
    deeds.made.add((CRM, contact))
    return f"Dynamics: somebody qualifies lead {lead}; it is contact {contact} now."


async def merge_contacts(stage: Stage, typist: Typist, deeds: Deeds, turn: int) -> str:
    winner, loser = typist.take("contact").crm_id, typist.take("contact").crm_id
    await stage.crm.control.act("merge", entity="contact", winner=winner, loser=loser)
    deeds.removed.add((CRM, loser))
    return f"Dynamics: somebody merges contact {loser} into {winner}."


async def remove_contact(stage: Stage, typist: Typist, deeds: Deeds, turn: int) -> str:
    contact = typist.take("contact").crm_id
    await stage.crm.control.delete("contact", contact)
    deeds.removed.add((CRM, contact))
    return f"Dynamics: somebody deletes contact {contact}."


DEEDS: Final[tuple[Deed, ...]] = (add_lead, add_person, qualify_lead, merge_contacts, remove_contact)
