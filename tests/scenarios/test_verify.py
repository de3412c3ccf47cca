"""`tandem verify` finds each kind of difference, made behind Tandem's back while no feed is read.

The stories share a started pair and one state. Each leaves its difference behind, and looks for that one only.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tandem.app.reports import Difference
from tests.scenarios.stage import KEY, Stage, running_stage

LIMIT = 1_000


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with running_stage(tmp_path_factory.mktemp("verify"), people=40, marketing_people=20, seed=53) as stage:
        asyncio.run(stage.prepare(lead=2, contact=12))
        yield stage


async def found(stage: Stage, *ids: object) -> list[Difference]:
    """The differences that name one of `ids`."""
    wanted = {str(id_) for id_ in ids}
    report = await stage.verify(LIMIT)
    assert report.unread == ()
    return [line for line in report.differences if {line.crm_id, line.marketing_id} & wanted]


async def test_nothing_is_found_where_both_sides_agree(tmp_path: Path) -> None:
    with running_stage(tmp_path, people=60, marketing_people=40, seed=54) as stage:
        await stage.sync_until_quiet()
        stage.reset_counters()
        report = await stage.verify()
        assert report.is_clean
        assert report.compared["lead"] + report.compared["contact"] >= 60
        assert report.compared["account"] == len(stage.crm.records("account"))
        assert report.compared["systemuser"] == len(stage.crm.records("systemuser"))
        assert [side["records_written"] for side in stage.counters()] == [0, 0]


@pytest.mark.parametrize("entity", ["lead", "contact"])
async def test_a_mapped_field_that_differs(stage: Stage, entity: str) -> None:
    id_ = stage.take(entity)
    person = stage.person_of(id_)["id"]
    stage.crm.edit(entity, id_, jobtitle="Only in Dynamics")
    stage.edit_person(person, phone="+44 999")
    lines = await found(stage, id_)
    assert {(line.kind, line.entity, line.marketing_id) for line in lines} == {("field differs", entity, str(person))}
    assert {line.field for line in lines} == {"jobtitle|title", "telephone1|phone"}


async def test_what_only_dynamics_gives_counts_too(stage: Stage) -> None:
    id_ = stage.take("contact")
    stage.edit_person(stage.person_of(id_)["id"], microsoftType="Lead", unsubscribed=True)
    assert {line.field for line in await found(stage, id_)} == {"@type|microsoftType", "donotbulkemail|unsubscribed"}


async def test_a_field_that_is_not_mapped_is_none_of_its_business(stage: Stage) -> None:
    id_ = stage.take("contact")
    stage.crm.edit("contact", id_, nickname="Nick")
    stage.edit_person(stage.person_of(id_)["id"], department="Sales")
    assert await found(stage, id_) == []


async def test_a_missing_person(stage: Stage) -> None:
    """One that was never made, and one that is gone: then the link has lost its end as well."""
    never = stage.enter("contact", lastname="Never copied")
    (line,) = await found(stage, never)
    assert (line.kind, line.entity, line.marketing_id) == ("not in marketing", "contact", None)

    gone = stage.take("contact")
    person = stage.person_of(gone)["id"]
    stage.delete_person(person)
    kinds = {line.kind: line.marketing_id for line in await found(stage, gone)}
    assert kinds == {"not in marketing": None, "link without end": str(person)}


async def test_a_crm_key_held_twice(stage: Stage) -> None:
    id_ = stage.take("contact")
    first = stage.person_of(id_)
    copied = {name: first[name] for name in first if name not in ("id", "createdAt", "updatedAt", "cookies")}
    second = stage.fill_in_form(**{name: value for name, value in copied.items() if name in (KEY, "lastName", "title")})
    twice = [line for line in await found(stage, id_) if line.kind == "key held twice"]
    assert [(line.crm_id, line.marketing_id) for line in twice] == [(id_, str(second))]
    assert str(first["id"]) in twice[0].detail


async def test_a_person_whose_crm_record_does_not_exist(stage: Stage) -> None:
    unknown = "0f0f0f0f-0000-4000-8000-000000000001"
    person = stage.fill_in_form(lastName="Orphan", **{KEY: unknown})
    (line,) = await found(stage, person)
    assert (line.kind, line.crm_id, line.field) == ("not in crm", unknown, None)


async def test_a_person_that_is_marked_as_deleted_needs_no_record(stage: Stage) -> None:
    unknown = "0f0f0f0f-0000-4000-8000-000000000002"
    person = stage.fill_in_form(lastName="Marked", microsoftIsDeleted=True, **{KEY: unknown})
    assert await found(stage, person) == []


async def test_a_link_whose_crm_end_is_gone(stage: Stage) -> None:
    id_ = stage.take("contact")
    person = stage.person_of(id_)["id"]
    stage.crm.delete("contact", id_)
    kinds = {line.kind for line in await found(stage, id_, person)}
    assert kinds == {"link without end", "not in crm"}


async def test_companies_and_sales_persons(stage: Stage) -> None:
    accounts, companies = iter(stage.crm.records("account")), stage.companies()
    differs, gone = next(accounts), next(accounts)
    control = stage.marketing.control
    control(
        "people/edit", {"entity": "company", "id": companies[differs]["id"], "values": {"billingCity": "Elsewhere"}}
    )
    control("people/delete", {"entity": "company", "id": companies[gone]["id"]})
    (line,) = await found(stage, differs)
    assert (line.kind, line.entity, line.field) == ("field differs", "account", "address1_city|billingCity")
    assert {line.kind for line in await found(stage, gone)} >= {"not in marketing", "link without end"}
    deleted = next(accounts)
    stage.crm.delete("account", deleted)
    (line,) = [line for line in await found(stage, deleted) if line.entity == "account"]
    assert (line.kind, line.detail.endswith("a record of account that is not there")) == ("link without end", True)

    new = stage.enter("account", name="Never copied")
    assert [(line.kind, line.entity) for line in await found(stage, new)] == [("not in marketing", "account")]

    seller = control("records/salesperson?limit=10")["records"][0]
    control("people/edit", {"entity": "salesperson", "id": seller["id"], "values": {"lastName": "Renamed"}})
    (line,) = await found(stage, seller["externalSalesPersonId"].lower())
    assert (line.kind, line.entity, line.field) == ("field differs", "systemuser", "lastname|lastName")


# --- what could not be read


@pytest.fixture(scope="module")
def agreed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with running_stage(tmp_path_factory.mktemp("agreed"), people=40, marketing_people=20, seed=55) as stage:
        asyncio.run(stage.sync_until_quiet())
        yield stage


@pytest.mark.parametrize("table", ["Lead", "Contact", "Account", "User"])
def test_a_table_that_may_not_be_read_is_listed_and_nothing_is_claimed_about_it(agreed: Stage, table: str) -> None:
    with agreed.crm.revoked(f"prvRead{table}"):
        result = agreed.tandem("verify")
    assert result.exit_code == 1
    name = {"User": "systemuser"}.get(table, table.lower())
    assert f"{name} in crm" in result.output
    report = asyncio.run(agreed.verify())
    assert report.is_clean  # with the privilege back


@pytest.mark.parametrize("table", ["Lead", "Contact", "Account", "User"])
async def test_unread_records_are_no_differences(agreed: Stage, table: str) -> None:
    with agreed.crm.revoked(f"prvRead{table}"):
        report = await agreed.verify()
    assert not report.is_clean
    assert len(report.unread) == 1
    assert report.differences == ()


@pytest.mark.parametrize(("operation", "named"), [("companies.query", "company"), ("leads.query", "people")])
async def test_objects_that_marketo_does_not_show_are_listed(agreed: Stage, operation: str, named: str) -> None:
    body = {"requestId": "1#1", "success": False, "errors": [{"code": "603", "message": "Access denied"}]}
    agreed.marketing.fault(operation, "body", status=200, body=body, times=None)
    try:
        report = await agreed.verify()
    finally:
        agreed.marketing.control("faults", method="DELETE")
    assert len(report.unread) == 1
    assert f"{named} in marketing" in report.unread[0]
    assert report.differences == ()


# --- not differences, though they look like some


async def test_people_that_marketos_log_does_not_show_yet_are_read_all_the_same(tmp_path: Path) -> None:
    """The highest id comes from the log, which is late; Tandem knows whom it has just made."""
    with running_stage(tmp_path, seed=56) as stage:
        await stage.sync_until_quiet()
        stage.marketing.settings(activity_lag_s=600.0)
        ids = [stage.enter("contact", lastname=f"Just made {n}") for n in range(20)]
        await stage.sync()
        assert len(stage.everyone()) == len(ids)
        assert (await stage.verify()).is_clean


async def test_a_pair_that_only_fills_what_is_empty_may_differ(tmp_path: Path) -> None:
    more = '[[entities.contact.fields]]\ncrm = "jobtitle"\nonly_if_empty = true\n'
    with running_stage(tmp_path, seed=57, more=more) as stage:
        stage.fill_in_form(lastName="Both", email="both@mail.example", title="In Marketo")
        id_ = stage.enter("contact", lastname="Both", emailaddress1="both@mail.example", jobtitle="In Dynamics")
        await stage.sync_until_quiet()
        assert stage.has(id_, title="In Marketo")
        assert stage.crm_has("contact", id_, jobtitle="In Dynamics")
        assert (await stage.verify()).is_clean


@pytest.mark.parametrize("rule", ["flag", "ignore"])
async def test_a_deletion_that_was_carried_out_as_wanted_is_no_difference(tmp_path: Path, rule: str) -> None:
    more = f'[entities.contact]\ndeleted_in_crm = "{rule}"\n'
    with running_stage(tmp_path, seed=58, more=more) as stage:
        id_ = stage.enter("contact", lastname="Deleted")
        await stage.sync_until_quiet()
        stage.crm.delete("contact", id_)
        await stage.sync_until_quiet()
        assert stage.has(id_, microsoftIsDeleted=rule == "flag")
        assert (await stage.verify()).is_clean
