"""Stories about what is configured and what a Marketo instance lacks: fields made, mapped later, or left out."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tandem.core.errors import ConfigError
from tests.connectors.dynamics import emulator as dataverse
from tests.connectors.marketo import emulator as marketo
from tests.scenarios.stage import KEY, Stage, running_stage, write_settings

NICKNAME = """
[[entities.contact.fields]]
crm = "nickname"
marketing = "nickName"
create_as = "string"
"""


def a_contact(number: int, **values: Any) -> dict[str, Any]:
    return {"lastname": f"Contact {number}", "emailaddress1": f"contact.{number}@story.example"} | values


# --- the mapping


async def test_a_field_that_is_added_to_the_mapping_is_filled_for_those_who_were_linked_before(tmp_path: Path) -> None:
    with running_stage(tmp_path, seed=61) as stage:
        ids = [stage.enter("contact", **a_contact(n, nickname=f"Nick {n}")) for n in range(4)]
        await stage.sync_until_quiet()
        before = {id_: stage.person_of(id_)["id"] for id_ in ids}
        assert "nickName" not in stage.person_of(ids[0])

        stage.configure(NICKNAME)
        assert "nickName (string)" in (await stage.check()).fields_to_create
        await stage.sync_until(lambda: all(stage.has(id_, nickName=f"Nick {n}") for n, id_ in enumerate(ids)))
        await stage.sync_until_quiet()
        assert {id_: stage.person_of(id_)["id"] for id_ in ids} == before
        assert stage.conflicts_of(ids[0]) == []
        stage.edit_person(before[ids[0]], nickName="Typed in Marketo")
        await stage.sync_until(lambda: stage.crm_has("contact", ids[0], nickname="Typed in Marketo"))
        assert (await stage.verify()).is_clean


async def test_a_field_that_is_taken_out_of_the_mapping_is_left_alone(tmp_path: Path) -> None:
    with running_stage(tmp_path, seed=62) as stage:
        id_ = stage.enter("contact", **a_contact(1, jobtitle="Clerk"))
        await stage.sync_until_quiet()
        stage.configure('[[entities.contact.fields]]\ncrm = "jobtitle"\nremove = true\n')
        stage.crm.edit("contact", id_, jobtitle="Director", telephone1="+44 1")
        await stage.sync_until(lambda: stage.has(id_, phone="+44 1"))
        await stage.sync_until_quiet()
        assert stage.has(id_, title="Clerk")


async def test_fields_that_marketo_lacks_are_made_and_named_before(tmp_path: Path) -> None:
    with running_stage(tmp_path, seed=63) as stage:
        planned = (await stage.check()).fields_to_create
        assert {f"{KEY} (string)", "microsoftIsDeleted (boolean)", "microsoftCreatedDate (datetime)"} <= set(planned)
        stage.enter("contact", **a_contact(1))
        await stage.sync()
        report = await stage.check()
        assert report.is_ok
        assert report.fields_to_create == ()


async def test_the_standard_key_is_used_where_marketo_has_it(tmp_path: Path) -> None:
    options = ("--external-person-id", "on")
    with running_stage(tmp_path, seed=64, marketing_options=options) as stage:
        id_ = stage.enter("contact", **a_contact(1))
        await stage.sync_until_quiet()
        (person,) = stage.everyone().values()
        assert person["externalPersonId"].lower() == id_
        assert KEY not in person
        assert (await stage.verify()).is_clean


async def test_a_company_field_that_marketo_lacks_is_left_out_and_named(tmp_path: Path) -> None:
    """Company fields cannot be made by the API: the admin is told which to make, and the rest goes on without."""
    with running_stage(tmp_path, seed=65) as stage:
        report = await stage.check()
        (line,) = [line for line in report.left_out if line.marketing_field == "microsoftBillingAddress2"]
        assert (line.entity, line.crm_field) == ("account", "address1_line2")
        assert "Microsoft Billing Address 2" in line.remedy
        assert "type String" in line.remedy
        assert report.is_ok
        account = stage.enter("account", name="Contoso", address1_line1="1 High Street", address1_line2="Floor 2")
        await stage.sync_until(lambda: account in stage.companies())
        assert stage.companies()[account]["billingStreet"] == "1 High Street"
        assert (await stage.verify()).is_clean


async def test_a_lead_with_only_a_company_name_fills_a_field_of_its_own(tmp_path: Path) -> None:
    with running_stage(tmp_path, seed=66) as stage:
        lead = stage.enter("lead", lastname="Cook", subject="S", companyname="Cook & Co", revenue=12.5)
        await stage.sync_until(lambda: stage.has(lead, microsoftCompanyName="Cook & Co"))
        assert stage.has(lead, microsoftAnnualRevenue=12.5, company=None)
        stage.edit_person(stage.person_of(lead)["id"], microsoftCompanyName="Cook & Sons")
        await stage.sync_until(lambda: stage.crm_has("lead", lead, companyname="Cook & Sons"))


# --- people known only to Marketo


async def test_a_person_known_only_to_marketo_becomes_a_lead_only_if_the_setting_says_so(tmp_path: Path) -> None:
    """N16."""
    with running_stage(tmp_path, seed=67) as stage:
        known = stage.enter("contact", **a_contact(1))
        person = stage.fill_in_form(firstName="Eve", lastName="New", email="eve@story.example", phone="+44 2")
        stage.fill_in_form(lastName="Known", email="CONTACT.1@story.example")
        await stage.sync_until_quiet()
        assert stage.crm.records("lead") == {}
        assert set(stage.crm.records("contact")) == {known}

        stage.configure('[entities.lead]\ncreate_in_crm = "lead"\n')
        await stage.sync_until(lambda: stage.crm.records("lead"))
        await stage.sync_until_quiet()
        ((lead, row),) = stage.crm.records("lead").items()
        assert (row["firstname"], row["lastname"], row["emailaddress1"]) == ("Eve", "New", "eve@story.example")
        assert stage.person_of(lead)["id"] == person
        stage.crm.edit("lead", lead, telephone1="+44 3")
        await stage.sync_until(lambda: stage.has(lead, phone="+44 3"))

        stage.configure()
        stage.fill_in_form(lastName="Later", email="later@story.example")
        await stage.sync_until_quiet()
        assert set(stage.crm.records("lead")) == {lead}


# --- where nothing may start


def refused(stage: Stage) -> str:
    """What `tandem sync` says when it cannot start."""
    result = stage.tandem("sync")
    assert result.exit_code == 2, result.output
    assert len(result.stderr.splitlines()) == 1
    return result.stderr


def test_another_organisation_behind_the_address_is_refused(tmp_path: Path) -> None:
    """A sandbox refreshed, or an address mistyped: its ids mean other people."""
    with running_stage(tmp_path, seed=68) as stage, dataverse.running(5, "--seed", "69") as other:
        asyncio.run(stage.sync())
        stage.crm, first = other, stage.crm
        stage.configure()
        before = other.records("contact")
        assert "another Dynamics organisation" in refused(stage)
        assert other.records("contact") == before
        stage.crm = first
        stage.configure()
        asyncio.run(stage.sync())


def test_another_subscription_behind_the_address_is_refused(tmp_path: Path) -> None:
    with running_stage(tmp_path, seed=70) as stage, marketo.running(5, "--seed", "71") as other:
        asyncio.run(stage.sync())
        assert other.munchkin_id != stage.marketing.munchkin_id
        stage.marketing = other
        stage.configure()
        assert "another Marketo subscription" in refused(stage)
        assert all(KEY not in row for row in stage.everyone().values())


async def test_a_second_process_on_one_store_is_told_to_wait(tmp_path: Path) -> None:
    with running_stage(tmp_path, people=20, seed=72) as stage:
        impatient = tmp_path / "impatient"
        impatient.mkdir()
        store = f'[store]\nurl = "sqlite:///{tmp_path / "tandem.db"}"\n'
        write_settings(stage.crm, stage.marketing, impatient, f"{store}[run]\nlease_s = 1.0\n")
        stage.crm.fault("contacts.changes", "delay", delay_s=8.0)
        first = asyncio.create_task(stage.sync())
        await asyncio.sleep(1.5)
        second = Stage(stage.crm, stage.marketing, impatient, stage.config)
        sentence = await asyncio.to_thread(refused, second)
        assert "another process is working on this sync" in sentence
        assert (await first).is_first_copy
        assert (await stage.verify()).is_clean


@pytest.mark.parametrize("missing", ["tenant_id", "munchkin_id"])
def test_a_setting_that_is_missing_is_named(tmp_path: Path, missing: str) -> None:
    with running_stage(tmp_path) as stage:
        path = tmp_path / "tandem.toml"
        lines = [line for line in path.read_text().splitlines() if not line.startswith(missing)]
        path.write_text("\n".join(lines))
        assert missing in refused(stage)
    with pytest.raises(ConfigError, match="nowhere"):
        write_settings(stage.crm, stage.marketing, tmp_path, "[nowhere]\n")
