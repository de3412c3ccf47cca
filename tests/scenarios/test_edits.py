"""Edits on linked records: each arrives once, and where both sides edited, the rule decides and both values are kept.

The stories share a started pair and one state; each acts on people of its own.
"""

import asyncio
from collections.abc import Iterator

import pytest

from tests.scenarios.stage import Stage, running_stage


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with running_stage(tmp_path_factory.mktemp("edits"), people=30, marketing_people=20, seed=11) as stage:
        asyncio.run(stage.prepare(lead=6, contact=10))
        yield stage


@pytest.mark.parametrize("entity", ["lead", "contact"])
async def test_an_edit_in_dynamics_arrives_and_nothing_else_is_written(stage: Stage, entity: str) -> None:
    id_ = stage.take(entity)
    before = stage.person_of(id_)
    stage.crm.edit(entity, id_, jobtitle="Director")
    await stage.sync_until(lambda: stage.has(id_, title="Director"))
    after = stage.person_of(id_)
    assert {name for name in after if after[name] != before.get(name)} <= {"title", "updatedAt"}


@pytest.mark.parametrize("entity", ["lead", "contact"])
async def test_an_edit_in_marketo_arrives_and_nothing_else_is_written(stage: Stage, entity: str) -> None:
    id_ = stage.take(entity)
    before = stage.record(entity, id_)
    stage.edit_person(stage.person_of(id_)["id"], phone="+44 2")
    await stage.sync_until(lambda: stage.crm_has(entity, id_, telephone1="+44 2"))
    after = stage.record(entity, id_)
    noise = {"telephone1", "modifiedon", "modifiedby", "versionnumber"}
    assert {name for name in after if after[name] != before.get(name)} <= noise


async def test_an_emptied_field_is_emptied_on_the_other_side(stage: Stage) -> None:
    id_ = stage.take("contact")
    stage.crm.edit("contact", id_, jobtitle=None)
    stage.edit_person(stage.person_of(id_)["id"], phone=None)
    await stage.sync_until(lambda: stage.has(id_, title=None) and stage.crm_has("contact", id_, telephone1=None))


async def test_edits_of_different_fields_both_arrive_without_a_conflict(stage: Stage) -> None:
    id_ = stage.take("contact")
    stage.crm.edit("contact", id_, jobtitle="Director")
    stage.edit_person(stage.person_of(id_)["id"], phone="+44 3")
    await stage.sync_until(
        lambda: stage.has(id_, title="Director") and stage.crm_has("contact", id_, telephone1="+44 3")
    )
    assert stage.conflicts_of(id_) == []


async def test_the_same_edit_on_both_sides_is_no_conflict(stage: Stage) -> None:
    id_ = stage.take("contact")
    stage.crm.edit("contact", id_, jobtitle="Director")
    stage.edit_person(stage.person_of(id_)["id"], title="Director")
    await stage.sync_until_quiet()
    assert stage.has(id_, title="Director")
    assert stage.crm_has("contact", id_, jobtitle="Director")
    assert stage.conflicts_of(id_) == []


@pytest.mark.parametrize(
    ("entity", "winner", "kept"), [("lead", "marketing", "Typed in Marketo"), ("contact", "crm", "Typed in Dynamics")]
)
async def test_the_winner_of_a_conflict_prevails_and_both_values_are_recorded(
    stage: Stage, entity: str, winner: str, kept: str
) -> None:
    """N13: Marketo wins for leads. N14: Dynamics wins for contacts."""
    id_ = stage.take(entity)
    stage.crm.edit(entity, id_, jobtitle="Typed in Dynamics")
    stage.edit_person(stage.person_of(id_)["id"], title="Typed in Marketo")
    await stage.sync_until(lambda: stage.has(id_, title=kept) and stage.crm_has(entity, id_, jobtitle=kept))
    (line,) = stage.conflicts_of(id_)
    assert (line.kind, line.field, line.winner) == ("both changed", "jobtitle|title", winner)
    assert (line.crm, line.marketing) == ("Typed in Dynamics", "Typed in Marketo")


async def test_an_edit_of_a_field_that_only_dynamics_gives_is_recorded_and_overwritten(stage: Stage) -> None:
    """N15."""
    id_ = stage.take("contact")
    stage.edit_person(stage.person_of(id_)["id"], statusReason="Typed in Marketo")
    await stage.sync_until(lambda: stage.has(id_, statusReason="Active"))
    (line,) = stage.conflicts_of(id_)
    assert (line.kind, line.field, line.winner) == ("changed on the receiving side", "statuscode|statusReason", "crm")
    assert line.marketing == "Typed in Marketo"


async def test_an_opt_out_arrives_and_is_not_taken_back_by_the_other_side(stage: Stage) -> None:
    """R8: the contact's winner is Dynamics, and an opt-out in Marketo stays all the same."""
    id_ = stage.take("contact")
    stage.edit_person(stage.person_of(id_)["id"], unsubscribed=True)
    await stage.sync_until(lambda: stage.crm_has("contact", id_, donotbulkemail=True))
    await stage.sync_until_quiet()
    stage.crm.edit("contact", id_, donotbulkemail=False)
    await stage.sync_until(lambda: stage.crm_has("contact", id_, donotbulkemail=True))
    assert stage.has(id_, unsubscribed=True)
    (line,) = stage.conflicts_of(id_)
    assert (line.kind, line.crm, line.marketing) == ("opt-out weakened", False, True)


async def test_an_opt_out_wins_against_an_edit_that_undoes_it_in_the_same_moment(stage: Stage) -> None:
    """R8, where the lead's winner would be Marketo."""
    id_ = stage.take("lead")
    person = stage.person_of(id_)["id"]
    stage.crm.edit("lead", id_, donotphone=True)
    stage.edit_person(person, doNotCall=True)
    stage.edit_person(person, doNotCall=False)
    await stage.sync_until(lambda: stage.has(id_, doNotCall=True))
    assert stage.crm_has("lead", id_, donotphone=True)
