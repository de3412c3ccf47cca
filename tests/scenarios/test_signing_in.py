"""Ways of signing in to Dynamics, and going from one to another on one store: a setting, and a check."""

from collections.abc import Iterator
from typing import Any

import pytest

from tandem.app.settings import load_config
from tests.connectors.dynamics import emulator as dataverse
from tests.scenarios.stage import Stage, running_stage

PASSWORD = 'auth = "password"\nusername = "{username}"\n'
CERTIFICATE = 'ca_file = "ca.pem"\nauth = "certificate"\ncertificate_file = "app.pem"\n'


OPTIONS = ("--seed", "93", "--limits", "off")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with running_stage(tmp_path_factory.mktemp("signing-in"), seed=93) as stage:
        yield stage


@pytest.fixture(scope="module")
def secure(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Another organisation over https, which a certificate takes; the same Marketo."""
    folder = tmp_path_factory.mktemp("secure")
    files = ("--tls", "--ca-file", str(folder / "ca.pem"), "--app-certificate", str(folder / "app.pem"))
    with dataverse.running(0, *OPTIONS, *files) as crm:
        yield Stage(crm, stage.marketing, folder, stage.config)


def sign_in_by(stage: Stage, lines: str = "") -> None:
    """Change the settings, and nothing else."""
    stage.configure()
    path = stage.folder / "tandem.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("[crm]\n", f"[crm]\n{lines}", 1), encoding="utf-8")
    stage.config = load_config(path)


def by_password(stage: Stage) -> str:
    return PASSWORD.format(username=stage.crm.first_line["username"])


async def works(stage: Stage, value: str) -> bool:
    """Whether an edit of each side arrives and nobody is made twice."""
    (id_,) = list(stage.crm.records("contact")) or [stage.enter("contact", lastname="Signed")]
    stage.crm.edit("contact", id_, jobtitle=value)
    await stage.sync_until(lambda: stage.has(id_, title=value))
    stage.edit_person(stage.person_of(id_)["id"], phone=value)
    await stage.sync_until(lambda: stage.crm_has("contact", id_, telephone1=value))
    return len(stage.people_of(id_)) == 1


def writer(stage: Stage) -> dict[str, Any]:
    """The user in whose name Tandem wrote, as Dynamics notes it."""
    (record,) = stage.crm.records("contact").values()
    return stage.crm.records("systemuser")[record["modifiedby"]]


@pytest.mark.parity("N104", "N109")
async def test_an_application_user_signs_in_by_secret(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_CRM_PASSWORD", stage.crm.first_line["password"])  # is at hand, and not used
    sign_in_by(stage)
    assert (await stage.check()).is_ok
    assert await works(stage, "by secret")
    assert writer(stage)["applicationid"] == stage.crm.first_line["client_id"]


@pytest.mark.parity("N109")
async def test_an_application_user_signs_in_by_certificate(secure: Stage) -> None:
    sign_in_by(secure, CERTIFICATE)
    assert (await secure.check()).is_ok
    assert await works(secure, "by certificate")
    assert writer(secure)["applicationid"] == secure.crm.first_line["client_id"]


@pytest.mark.parity("N110")
async def test_a_user_signs_in_by_password(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_CRM_PASSWORD", stage.crm.first_line["password"])
    sign_in_by(stage, by_password(stage))
    assert (await stage.check()).is_ok
    assert await works(stage, "by password")
    assert writer(stage)["domainname"] == stage.crm.first_line["username"]
    with monkeypatch.context() as without:
        without.setitem(stage.crm.first_line, "client_secret", "")  # a public client has none
        assert await works(stage, "no secret")


@pytest.mark.parity("N111", "N112")
async def test_the_second_factor_of_people_does_not_stop_an_application_user(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_CRM_PASSWORD", stage.crm.first_line["password"])
    with stage.crm.settings(account_state="needs_mfa"):
        sign_in_by(stage, by_password(stage))
        stage.crm.control("tokens/revoke", {})
        refused = [line for line in (await stage.check()).access if not line.is_ok]
        sign_in_by(stage)
        assert (await stage.check()).is_ok
        assert await works(stage, "by two")
        assert writer(stage)["applicationid"] == stage.crm.first_line["client_id"]
    assert refused
    assert "multi-factor" in refused[0].remedy


@pytest.mark.parity("N118")
async def test_the_way_of_signing_in_is_changed_between_two_passes(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No records are read anew, and nothing is waited for."""
    monkeypatch.setenv("TANDEM_CRM_PASSWORD", stage.crm.first_line["password"])
    sign_in_by(stage)
    assert await works(stage, "before")
    await stage.sync()  # what was written comes back
    for lines in (by_password(stage), ""):
        sign_in_by(stage, lines)
        assert (await stage.check()).is_ok
        report = await stage.sync()
        assert not report.is_first_copy
        assert (report.writes, report.records) == (0, 0)
    assert await works(stage, "after")
