"""Each feature works with exactly the least role of the table, and check names each right that is missing."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tandem.app.build import opened
from tandem.app.permissions import features_in_use
from tandem.app.reports import AccessLine
from tandem.core.errors import SchemaChangedError
from tandem.core.permissions import Feature
from tandem.core.record import CONTACT, Side
from tandem.runtime.schema_watch import look_at_schema
from tests.scenarios.stage import Stage, running_stage

SETTINGS = {
    "people": "",
    "created": '[entities.lead]\ncreate_in_crm = "lead"\n',
    "deleted": '[entities.contact]\ndeleted_in_marketing = "propagate"\n',
    "opportunities": "[entities.opportunity]\nenabled = true\n",
}
"""What is asked for besides what every sync does."""
EVERYTHING = "".join(SETTINGS.values())


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with running_stage(tmp_path_factory.mktemp("permissions"), seed=92) as stage:
        asyncio.run(stage.prepare(contact=8, lead=2))
        yield stage


def in_crm(features: tuple[Feature, ...]) -> set[str]:
    return {right.name for feature in features for right in feature.crm}


def in_marketing(features: tuple[Feature, ...]) -> set[str]:
    """The role editor says person where the API's reference says lead."""
    return {name.replace("Person", "Lead") if "Sales" not in name else name for f in features for name in f.marketing}


@contextmanager
def least_role(stage: Stage, features: tuple[Feature, ...]) -> Iterator[None]:
    """Exactly what the table says for `features`, on both sides."""
    crm, marketing = (side.control("privileges")["granted"] for side in (stage.crm, stage.marketing))
    stage.crm.control("privileges", {"revoke": sorted(set(crm) - in_crm(features))})
    stage.marketing.control("privileges", {"revoke": sorted(set(marketing) - in_marketing(features))})
    try:
        yield
    finally:
        stage.crm.control("privileges", {"grant": crm})
        stage.marketing.control("privileges", {"grant": marketing})


async def failures(stage: Stage) -> list[AccessLine]:
    return [line for line in (await stage.check()).access if not line.is_ok]


async def use(stage: Stage, name: str) -> None:
    """What the feature is for, at work."""
    id_ = stage.take("contact")
    stage.crm.edit("contact", id_, jobtitle="Least")
    stage.edit_person(stage.person_of(id_)["id"], phone="+44 5")
    await stage.sync_until(lambda: stage.has(id_, title="Least"))
    await stage.sync_until(lambda: stage.crm_has("contact", id_, telephone1="+44 5"))
    account = stage.enter("account", name=f"Least of {name}")
    await stage.sync_until(lambda: account in stage.companies())
    if name == "created":
        stage.fill_in_form(firstName="New", lastName="Least", email="new@least.example")
        await stage.sync_until(
            lambda: any(row.get("lastname") == "Least" for row in stage.crm.records("lead").values())
        )
    if name == "deleted":
        stage.delete_person(stage.person_of(id_)["id"])
        await stage.sync_until(lambda: id_ not in stage.crm.records("contact"))
    if name == "opportunities":
        deal = stage.enter("opportunity", name="Least deal")
        await stage.sync_until(
            lambda: deal in [str(row["externalOpportunityId"]).lower() for row in opportunities(stage)]
        )


def opportunities(stage: Stage) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = stage.marketing.control("records/opportunity?limit=5000")["records"]
    return rows


@pytest.mark.parity("N105")
@pytest.mark.parametrize("name", SETTINGS)
async def test_a_feature_works_with_the_least_role(stage: Stage, name: str) -> None:
    stage.configure(SETTINGS[name])
    features = features_in_use(stage.config)
    with least_role(stage, features):
        assert await failures(stage) == []
        await use(stage, name)
    stage.configure()


@pytest.mark.parity("N117")
async def test_check_names_each_right_that_is_missing(stage: Stage) -> None:
    stage.configure(EVERYTHING)
    features = features_in_use(stage.config)
    for privilege in sorted(in_crm(features)):
        with stage.crm.revoked(privilege):
            found = await failures(stage)
        assert found, privilege
        assert any(privilege in line.remedy for line in found), privilege
    for permission in sorted(in_marketing(features)):
        with revoked_in_marketing(stage, permission):
            found = await failures(stage)
        called = permission.replace("Lead", "Person")
        assert any(called in line.remedy for line in found), permission
    stage.configure()


@contextmanager
def revoked_in_marketing(stage: Stage, permission: str) -> Iterator[None]:
    """With what includes it: writing implies reading, and the standard fields' permission opens the list of all."""
    also = {
        "Read-Only Activity": ["Read-Write Activity"],
        "Read-Write Schema Custom Field": ["Read-Write Schema Standard Field"],
    }
    taken = [permission, *also.get(permission, [])]
    stage.marketing.control("privileges", {"revoke": taken})
    try:
        yield
    finally:
        stage.marketing.control("privileges", {"grant": taken})


async def test_what_flow_steps_and_campaigns_lack_is_named_and_does_not_stop_the_rest(stage: Stage) -> None:
    stage.configure('[webhooks]\nlisten = "127.0.0.1:8600"\n')
    asked = tuple(feature for feature in features_in_use(stage.config) if feature.name in ("asked", "campaigns"))
    named = {name.replace("Activity", "Task") for name in in_crm(asked)}  # tasks of the emulator have their own
    assert await failures(stage) == []
    with stage.crm.revoked(*sorted(named)):
        report = await stage.check()
    stage.configure()
    refused = [line for line in report.access if not line.is_ok]
    assert len(refused) == len(asked)
    assert report.is_ok
    told = " ".join(line.remedy for line in refused)
    assert [name for name in sorted(named) if name not in told] == []


async def test_what_lookups_lead_to_must_be_readable(stage: Stage) -> None:
    shown = "[[entities.contact.fields]]\ncrm = '{}'\nmarketing = 'currency'\ncreate_as = 'string'\n"
    stage.configure(shown.format("transactioncurrencyid.isocurrencycode"))
    assert await failures(stage) == []
    with stage.crm.revoked("prvReadTransactionCurrency"):
        (unread,) = [left for left in (await stage.check()).left_out if left.is_permission]
        await stage.sync()
    stage.configure(shown.format("transactioncurrencyid.isocode"))
    (left,) = [left for left in (await stage.check()).left_out if left.crm_field == "transactioncurrencyid.isocode"]
    stage.configure()
    assert "prvReadTransactionCurrency" in unread.remedy
    assert (unread.crm_field, unread.reason) == (
        "transactioncurrencyid.isocurrencycode",
        "Tandem's user may not read transactioncurrency",
    )
    assert "isocode is no column of transactioncurrency" in left.reason


@pytest.mark.parity("N80", "N117")
async def test_check_shows_the_columns_that_may_not_be_read_or_written(stage: Stage, tmp_path: Path) -> None:
    stage.crm.control("privileges", {"revoke_columns": {"contact": ["jobtitle", "fax"]}})
    report = await stage.check()
    told = await asyncio.to_thread(stage.tandem, "check")
    stage.crm.control("privileges", {"grant_columns": {"contact": ["jobtitle", "fax"]}})
    closed = {line.crm_field: line for line in report.left_out if line.is_permission and line.entity == "contact"}
    assert "jobtitle" in closed
    assert "may not read" in closed["jobtitle"].reason
    assert "warn  contact.jobtitle (for title): Tandem's user may not read the secured column" in told.stdout
    assert report.is_ok


async def test_a_column_that_is_closed_while_passes_run_is_left_out_before_it_reads_as_empty(stage: Stage) -> None:
    with stage._secrets():
        async with opened(stage.config, creates_fields=True) as setup:
            stage.crm.control("privileges", {"revoke_columns": {"contact": ["jobtitle"]}})
            try:
                with pytest.raises(SchemaChangedError, match="jobtitle"):
                    await look_at_schema(setup.engine, Side.CRM, CONTACT)
            finally:
                stage.crm.control("privileges", {"grant_columns": {"contact": ["jobtitle"]}})
