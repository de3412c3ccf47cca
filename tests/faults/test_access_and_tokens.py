"""What an admin takes away in the middle of a run, and what expires: the run ends or goes on in order, and once things
are as before nothing is missing."""

from pathlib import Path

import pytest

from tandem.app.demo.world import CRM, MARKETING
from tests.faults.scene import ended, set_scene

PEOPLE = 100
HELD_S = 1.0


@pytest.mark.parametrize(
    ("side", "privilege", "held", "named"),
    [
        (CRM, "prvReadLead", "contacts.list", "prvReadLead"),
        (CRM, "prvWriteLead", "leads.list", "prvWriteLead"),
        (MARKETING, "Read-Write Lead", "leads.query", "leads.sync"),
        pytest.param(MARKETING, "Read-Write Company", "leads.query", "companies.sync", marks=pytest.mark.soak),
        pytest.param(MARKETING, "Read-Write Sales Person", "leads.query", "salespersons", marks=pytest.mark.soak),
        pytest.param(CRM, "prvReadContact", "accounts.list", "prvReadContact", marks=pytest.mark.soak),
    ],
)
async def test_a_privilege_is_taken_away_in_the_middle_and_given_back(
    side: str, privilege: str, held: str, named: str, tmp_path: Path
) -> None:
    async with set_scene(tmp_path, people=PEOPLE, seed=9) as scene:
        holder = MARKETING if "query" in held else CRM
        strike = await scene.faults.arm(holder, operation=held, action="delay", delay_s=HELD_S)
        process = await scene.start("sync")
        await scene.faults.wait_for(holder, strike)
        await scene.faults.change_privileges(side, revoke=[privilege])
        end = await ended(process)
        end.assert_in_order(2)
        assert named in end.complaint
        await scene.faults.change_privileges(side, grant=[privilege])
        await scene.heal()
        assert await scene.harm() == {}


async def test_the_tokens_of_both_sides_end_in_the_middle_of_a_copy(tmp_path: Path) -> None:
    """Marketo's lives a second or two; Dynamics forgets every token it gave."""
    async with set_scene(tmp_path, people=PEOPLE, seed=9) as scene:
        await scene.stage.marketing.control.set(token_lifetime_s=2)
        await scene.faults.arm(MARKETING, operation="*.sync", action="delay", delay_s=HELD_S, times=None)
        strike = await scene.faults.arm(CRM, operation="contacts.list", action="delay", delay_s=HELD_S)
        process = await scene.start("sync")
        await scene.faults.wait_for(CRM, strike)
        await scene.faults.revoke_tokens()
        (await ended(process)).assert_in_order(0)
        assert [await scene.faults.counted(side, "token") >= 2 for side in (CRM, MARKETING)] == [True, True]
        await scene.heal()
        assert await scene.harm() == {}


@pytest.mark.parametrize("entities", [("lead",), ("contact", "account")])
async def test_delta_tokens_expire_between_two_passes_with_edits(entities: tuple[str, ...], tmp_path: Path) -> None:
    """The table is read whole again, and what was typed and deleted meanwhile is found all the same."""
    async with set_scene(tmp_path, people=PEOPLE, seed=9) as scene:
        (await scene.tandem("sync")).assert_in_order(0)
        await scene.type_everywhere(seed=9)
        for entity in entities:
            await scene.faults.forget_changes_of(entity)
        (await scene.tandem("sync")).assert_in_order(0)
        # The first copy, where the live feed goes on from, and the whole table once more beside it.
        assert {await scene.faults.counted(CRM, f"{entity}s.list") for entity in entities} == {3}
        await scene.heal()
        assert await scene.harm() == {}
