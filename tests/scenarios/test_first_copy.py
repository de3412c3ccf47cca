"""The first copy: what it would do is shown before, nobody is doubled, and an interruption costs nothing."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tandem.core.errors import TandemError
from tests.scenarios.golden_text import check_golden, normalised, without_users
from tests.scenarios.stage import KEY, Stage, running_stage


def plan_text(stage: Stage) -> str:
    result = stage.tandem("plan")
    assert result.exit_code == 0, result.output
    return result.stdout


def a_small_company(stage: Stage) -> dict[str, str]:
    """An account, a contact and a lead that Marketo knows with other values, and two people that it does not know;
    names by id."""
    account = stage.enter("account", name="Contoso", address1_city="Leeds", numberofemployees=12)
    owned = {"ownerid": {"entity": "systemuser", "id": min(users(stage))}}
    employed = {"parentcustomerid": {"entity": "account", "id": account}}
    ann = {"firstname": "Ann", "lastname": "Archer", "emailaddress1": "ann@contoso.example", "jobtitle": "Director"}
    bob = {"firstname": "Bob", "lastname": "Baker", "emailaddress1": "bob@mail.example", "jobtitle": "Buyer"}
    cid = {"lastname": "Cook", "companyname": "Cook & Co", "subject": "Trade fair", "leadqualitycode": 1}
    dora = {"firstname": "Dora", "lastname": "Dean", "emailaddress1": "dora@mail.example"}
    return {
        account: "Contoso",
        min(users(stage)): "owner",
        stage.enter("contact", **ann, **owned, **employed, donotphone=True): "contact Ann",
        stage.enter("lead", **bob, **owned, subject="Call back"): "lead Bob",
        stage.enter("lead", **cid, **owned): "lead Cid",
        stage.enter("contact", **dora, **owned): "contact Dora",
    }


def people_that_marketo_knows(stage: Stage) -> dict[str, str]:
    ann = stage.fill_in_form(
        lastName="Archer", email="ann@contoso.example", title="Clerk", unsubscribed=True, city="Leeds"
    )
    bob = stage.fill_in_form(firstName="Bob", lastName="Baker", email="BOB@mail.example", title="Chief buyer")
    eve = stage.fill_in_form(lastName="Stranger", email="eve@elsewhere.example")
    return {str(ann): "person Ann", str(bob): "person Bob", str(eve): "person Eve"}


def users(stage: Stage) -> list[str]:
    return list(stage.crm.records("systemuser"))


def test_the_plan_shows_every_field_before_anything_is_written(tmp_path: Path) -> None:
    with running_stage(tmp_path) as stage:
        names = a_small_company(stage) | people_that_marketo_knows(stage)
        stage.reset_counters()
        text = plan_text(stage)
        assert [side["records_written"] for side in stage.counters()] == [0, 0]
        assert KEY not in next(iter(stage.everyone().values()))
        check_golden("plan_of_a_first_copy", without_users(normalised(text, names)))

        planned = asyncio.run(stage.plan())
        report = asyncio.run(stage.sync())
        writes = {name: count for name, count in planned.counts.items() if name != "link"}
        applied = {name.removeprefix("applied."): n for name, n in report.counts.items() if name.startswith("applied.")}
        assert applied == writes
        recorded = Counter(line.field for id_ in names for line in stage.conflicts_of(id_) if line.kind == "first link")
        assert recorded == planned.first_link_fields
        check_golden("plan_after_a_first_copy", normalised(plan_text(stage), names))


async def test_the_first_link_fills_what_is_empty_and_keeps_the_opt_outs_of_both(tmp_path: Path) -> None:
    with running_stage(tmp_path) as stage:
        names = {name: id_ for id_, name in (a_small_company(stage) | people_that_marketo_knows(stage)).items()}
        await stage.sync_until_quiet()
        ann, bob = names["contact Ann"], names["lead Bob"]
        assert str(stage.person_of(ann)["id"]) == names["person Ann"]
        assert stage.has(ann, title="Director", firstName="Ann", city="Leeds", unsubscribed=True, doNotCall=True)
        assert stage.crm_has("contact", ann, address1_city="Leeds", donotbulkemail=True, donotphone=True)
        assert str(stage.person_of(bob)["id"]) == names["person Bob"]
        assert stage.has(bob, title="Chief buyer", microsoftTopic="Call back")
        assert stage.crm_has("lead", bob, jobtitle="Chief buyer")
        eve = stage.everyone()[int(names["person Eve"])]
        assert eve.get(KEY) is None
        assert len(stage.crm.records("lead")) + len(stage.crm.records("contact")) == 4


async def test_two_crm_records_with_one_address_are_two_people(tmp_path: Path) -> None:
    """N67; where Marketo knows one person of that address, the contact takes it and the lead gets its own."""
    with running_stage(tmp_path) as stage:
        shared = {"lastname": "Known", "emailaddress1": "known@mail.example"}
        known = stage.fill_in_form(lastName="Known", email="known@mail.example")
        lead, contact = stage.enter("lead", subject="S", **shared), stage.enter("contact", **shared)
        new = {"lastname": "New", "emailaddress1": "new@mail.example"}
        pair = stage.enter("lead", subject="S", **new), stage.enter("contact", **new)
        await stage.sync_until(lambda: all(map(stage.people_of, (lead, contact, *pair))))
        await stage.sync_until_quiet()
        assert stage.person_of(contact)["id"] == known
        assert len({stage.person_of(id_)["id"] for id_ in (lead, contact, *pair)}) == 4
        assert len(stage.everyone()) == 4


async def test_the_plan_counts_both_records_that_share_an_address(tmp_path: Path) -> None:
    with running_stage(tmp_path) as stage:
        shared = {"lastname": "Dean", "emailaddress1": "dora@mail.example"}
        stage.enter("lead", subject="S", **shared)
        stage.enter("contact", **shared)
        planned = await stage.plan()
        report = await stage.sync()
        assert planned.counts["marketing.create.person"] == 2
        assert report.counts["applied.marketing.create.person"] == 2


async def test_people_are_adopted_by_their_address_and_nobody_is_doubled(tmp_path: Path) -> None:
    with running_stage(tmp_path, people=160, marketing_people=120, seed=41) as stage:
        before = stage.everyone()
        await stage.sync()
        after = stage.everyone()
        adopted = {id_ for id_ in before if after[id_].get(KEY)}
        left_alone = Counter(str(row.get("email")).lower() for id_, row in before.items() if id_ not in adopted)
        new = [str(row.get("email")).lower() for id_, row in after.items() if id_ not in before and row.get("email")]
        assert len(adopted) > 60
        assert [email for email in new if left_alone[email]] == []
        assert before.keys() <= after.keys()
        assert (await stage.verify()).is_clean


DENIED_BY_MARKETO = {
    "action": "body",
    "status": 200,
    "body": {"requestId": "1#1", "success": False, "errors": [{"code": "603", "message": "Access denied"}]},
}
DENIED_BY_DYNAMICS = {
    "action": "status",
    "status": 403,
    "body": {"error": {"code": "0x80040220", "message": "Principal user is missing a privilege."}},
}


@pytest.mark.parametrize(
    ("side", "operation", "skip"),
    [
        ("crm", "contacts.changes", 0),
        ("marketing", "leads.query", 1),
        ("marketing", "companies.sync", 0),
        ("marketing", "leads.sync", 1),
        ("crm", "batch", 5),
    ],
)
async def test_an_interrupted_copy_goes_on_where_it_was(tmp_path: Path, side: str, operation: str, skip: int) -> None:
    with running_stage(tmp_path, people=350, marketing_people=350, seed=43) as stage:
        before = stage.everyone()
        emulator = stage.crm if side == "crm" else stage.marketing
        denied: dict[str, Any] = DENIED_BY_MARKETO if side == "marketing" else DENIED_BY_DYNAMICS
        emulator.fault(operation, skip=skip, times=None, **denied)
        with pytest.raises(TandemError):
            await stage.sync()
        emulator.control("faults", method="DELETE")
        assert (await stage.sync()).is_first_copy
        await stage.sync_until_quiet()
        assert (await stage.verify()).is_clean
        keys = Counter(str(row[KEY]).lower() for row in stage.everyone().values() if row.get(KEY))
        assert set(keys.values()) == {1}
        assert before.keys() <= stage.everyone().keys()


async def test_an_answer_lost_in_the_copy_doubles_nobody(tmp_path: Path) -> None:
    """R4: the writes are settled by looking, once they can no longer land."""
    with running_stage(tmp_path, people=90, marketing_people=30, seed=44) as stage:
        stage.marketing.fault("leads.sync", "drop_after", times=2)
        stage.crm.fault("batch", "drop_after", skip=9, times=1)
        await stage.sync()
        await stage.sync_until_quiet()
        keys = Counter(str(row[KEY]).lower() for row in stage.everyone().values() if row.get(KEY))
        assert set(keys.values()) == {1}
        assert (await stage.verify()).is_clean
