"""The native sync's tables of merges (N68) and of qualification (N71) under a filter, case by case over both emulators.

What is expected is written from the tables. Departures: a record whose winner or contact is not synced keeps its
person, which stays as it was; natively that is silent for merges and so for qualification. The people of two merged
records that are both synced are merged too, by choice; natively the loser's person stays for ever.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from tandem.app.demo.stories.registry import Story
from tandem.app.demo.stories.scene import Scene
from tests.scenarios.emulator_pair import Pair

SETTINGS = """
[matching]
merged_in_crm = "carry"

[entities.lead]
filter = "synctomkto"

[entities.contact]
filter = "synctomkto"
"""
COLUMN = "new_synctomkto"
PLAY = Callable[[Scene], Awaitable[None]]


async def _play(pair: Pair, folder: Path, name: str, play: PLAY) -> None:
    result = await pair.play(Story(name, name, play, settings=SETTINGS), folder)
    assert result.passed, "; ".join(result.complaints)


async def _add_column(scene: Scene) -> None:
    """The native sync's own column, on both tables."""
    for entity in ("lead", "contact"):
        label = {"@odata.type": "Microsoft.Dynamics.CRM.Label", "LocalizedLabels": [_label("Sync to Marketo")]}
        options = {
            "TrueOption": {"Value": 1, "Label": {"LocalizedLabels": [_label("Yes")]}},
            "FalseOption": {"Value": 0, "Label": {"LocalizedLabels": [_label("No")]}},
        }
        column = {
            "@odata.type": "Microsoft.Dynamics.CRM.BooleanAttributeMetadata",
            "SchemaName": COLUMN,
            "DisplayName": label,
            "RequiredLevel": {"Value": "None"},
            "OptionSet": {"@odata.type": "Microsoft.Dynamics.CRM.BooleanOptionSetMetadata", **options},
        }
        await scene.web_api("POST", f"EntityDefinitions(LogicalName='{entity}')/Attributes", column)


def _label(text: str) -> dict[str, object]:
    return {"@odata.type": "Microsoft.Dynamics.CRM.LocalizedLabel", "Label": text, "LanguageCode": 1033}


@dataclass(frozen=True, slots=True)
class Merged:
    """What becomes of two records that are merged in Dynamics: how many people are left, whether the winner's next
    edit reaches Marketo."""

    loser: bool
    winner: bool
    people: int
    goes_on: bool

    @property
    def name(self) -> str:
        return f"loser {self.loser}, winner {self.winner}"


MERGES = [
    Merged(loser=True, winner=True, people=1, goes_on=True),
    Merged(loser=False, winner=False, people=0, goes_on=False),
    Merged(loser=False, winner=True, people=1, goes_on=True),
    Merged(loser=True, winner=False, people=1, goes_on=False),
]


@pytest.mark.parity("N68")
@pytest.mark.parametrize("entity", ["contact", "lead"])
async def test_a_merge_follows_the_filter_of_the_winner(pair: Pair, tmp_path: Path, entity: str) -> None:
    async def play(scene: Scene) -> None:
        await _add_column(scene)
        entered = [await _enter_two(scene, entity, number, case) for number, case in enumerate(MERGES)]
        await scene.settle()
        before = {str(person["lastName"]): person["id"] for person in await scene.people()}
        for loser, winner in entered:
            await scene.crm_act("merge", entity=entity, winner=winner, loser=loser)
        await scene.settle()
        for _, winner in entered:
            await scene.crm_edit(entity, winner, jobtitle="After the merge")
        await scene.settle()
        people = await scene.people()
        for number, (case, (_, winner)) in enumerate(zip(MERGES, entered, strict=True)):
            known = {before[name] for name in (f"Loser {number}", f"Winner {number}") if name in before}
            left = [person for person in people if person["id"] in known]
            told = [person for person in left if person.get("title") == "After the merge"]
            scene.check(f"{case.name}: {case.people} people are left", len(left) == case.people)
            scene.check(f"{case.name}: the winner syncs, or does not", bool(told) == case.goes_on)
            scene.check(f"{case.name}: its key is the winner's", bool(await scene.people_of(winner)) == case.goes_on)
            if not case.winner:
                scene.leave_apart(winner, why="the winner of the merge does not pass the filter")
        scene.check("nobody was made beside them", {person["id"] for person in people} <= set(before.values()))

    await _play(pair, tmp_path, "merge", play)


async def _enter_two(scene: Scene, entity: str, number: int, case: Merged) -> tuple[str, str]:
    loser, winner = [
        await scene.crm_enter(
            entity, lastname=f"{who} {number}", emailaddress1=f"{who}.{number}@story.example", **{COLUMN: passes}
        )
        for who, passes in (("Loser", case.loser), ("Winner", case.winner))
    ]
    return loser, winner


@dataclass(frozen=True, slots=True)
class Qualified:
    """What becomes of a lead and its contact: whose key the one person carries, None where there is none."""

    lead: bool
    contact: bool
    key: Literal["lead", "contact"] | None
    is_new: bool = False

    @property
    def name(self) -> str:
        return f"lead {self.lead}, contact {self.contact}"


QUALIFICATIONS = [
    Qualified(lead=False, contact=False, key=None),
    Qualified(lead=True, contact=True, key="contact"),
    Qualified(lead=False, contact=True, key="contact", is_new=True),
    Qualified(lead=True, contact=False, key="lead"),
]


@pytest.mark.parity("N71")
async def test_qualification_follows_both_filters(pair: Pair, tmp_path: Path) -> None:
    async def play(scene: Scene) -> None:
        await _add_column(scene)
        leads = [
            await scene.crm_enter(
                "lead", lastname=f"Q {n}", emailaddress1=f"q.{n}@story.example", **{COLUMN: case.lead}
            )
            for n, case in enumerate(QUALIFICATIONS)
        ]
        await scene.settle()
        before = {person["email"]: person["id"] for person in await scene.people()}
        contacts = [str((await scene.crm_act("qualify", id=lead))["contact_id"]).lower() for lead in leads]
        for contact, case in zip(contacts, QUALIFICATIONS, strict=True):
            await scene.crm_edit("contact", contact, jobtitle="Contact", **{COLUMN: case.contact})
        await scene.settle()
        for n, case in enumerate(QUALIFICATIONS):
            await _check_qualified(scene, case, leads[n], contacts[n], f"q.{n}@story.example", before)

    await _play(pair, tmp_path, "qualify", play)


async def _check_qualified(
    scene: Scene, case: Qualified, lead: str, contact: str, email: str, before: Mapping[str, int]
) -> None:
    people = await scene.people_with(email)
    scene.check(f"{case.name}: one person at most", len(people) == (case.key is not None))
    scene.check(
        f"{case.name}: was there before or is new", (email in before) == (case.key is not None and not case.is_new)
    )
    for person in people if case.key else ():
        carriers = await scene.people_of(lead if case.key == "lead" else contact)
        scene.check(f"{case.name}: it is the {case.key}'s", carriers == [person])
        scene.check(f"{case.name}: the same person", case.is_new or person["id"] == before.get(email))
        told = (person.get("title"), person["leadStatus"], person["microsoftType"])
        if case.key == "contact":
            scene.check(f"{case.name}: it is synced", told[0] == "Contact" and told[2] == "Contact")
        else:
            scene.check(f"{case.name}: the lead's data is updated", told == (None, "Qualified", "Lead"))
            scene.leave_apart(lead, why="its contact is the record that counts, and does not pass the filter")
    if not case.contact:
        scene.leave_apart(contact, why="the contact does not pass the filter")
