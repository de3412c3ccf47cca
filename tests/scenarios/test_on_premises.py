"""Dynamics on premises: a server of the company's own, signed in to with its AD FS, over both emulators."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tandem.app.settings import load_config
from tests.scenarios.stage import Stage, running_stage


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    options = ("--on-premises", "--set", "addresses=internet")
    with running_stage(tmp_path, people=8, marketing_people=4, seed=94, crm_options=options) as stage:
        monkeypatch.setenv("TANDEM_CRM_PASSWORD", stage.crm.first_line["password"])
        yield stage


def use_address(stage: Stage, url: str) -> None:
    path = stage.folder / "tandem.toml"
    path.write_text(path.read_text(encoding="utf-8").replace(stage.crm.url, url, 1), encoding="utf-8")
    stage.config = load_config(path)


@pytest.mark.parity("N113")
async def test_a_server_on_premises_is_signed_in_to_with_adfs(stage: Stage) -> None:
    """At its address for the internet first, then at the one inside, which has the organisation in its path."""
    assert [line.remedy for line in (await stage.check()).access if not line.is_ok] == []
    assert (await stage.sync()).is_first_copy
    id_ = next(iter(stage.crm.records("contact")))
    stage.crm.edit("contact", id_, jobtitle="On premises")
    await stage.sync_until(lambda: stage.has(id_, title="On premises"))
    stage.edit_person(stage.person_of(id_)["id"], phone="+44 113")
    await stage.sync_until(lambda: stage.crm_has("contact", id_, telephone1="+44 113"))
    await stage.sync_until_quiet()
    report = await stage.verify()
    assert report.is_clean
    assert report.compared["contact"] == len(stage.crm.records("contact"))
    stage.crm.control("settings", {"addresses": "inside"})
    use_address(stage, f"{stage.crm.url}/contoso")
    quiet = await stage.sync()
    assert (quiet.is_first_copy, quiet.writes, quiet.records) == (False, 0, 0)
    stage.crm.edit("contact", id_, jobtitle="Inside")
    await stage.sync_until(lambda: stage.has(id_, title="Inside"))
