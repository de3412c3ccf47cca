"""Over https: the authority's file is named, and the application proves itself by a certificate or a secret."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tandem.core.errors import AccessError
from tandem.core.record import CONTACT
from tests.connectors.dynamics.conftest import Connect
from tests.connectors.dynamics.emulator import Emulator, running
from tests.connectors.dynamics.test_auth import a_certificate


@pytest.fixture(scope="module")
def app_certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("tls") / "app.pem")


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory, app_certificate: str) -> Iterator[Emulator]:
    ca_file = str(tmp_path_factory.mktemp("tls") / "ca.pem")
    with running(3, "--tls", "--ca-file", ca_file, "--app-certificate", app_certificate) as emulator:
        yield emulator


@pytest.mark.parametrize("proof", ["certificate", "secret"])
async def test_both_services_are_reached_over_https(
    connect: Connect, secure: Emulator, app_certificate: str, proof: str
) -> None:
    by_certificate = {"client_secret": None, "certificate_file": app_certificate}
    connector = connect(
        secure, ca_file=secure.first_line["ca_file"], **(by_certificate if proof == "certificate" else {})
    )
    pages = [page async for page in connector.fetch_changes(CONTACT, None, ["lastname"])]
    assert secure.url.startswith("https://")
    assert sum(len(page.readings) for page in pages) == len(secure.records("contact"))


async def test_a_certificate_of_nobody_is_refused_with_the_remedy(
    connect: Connect, secure: Emulator, tmp_path: Path
) -> None:
    file = tmp_path / "other.pem"
    file.write_text("".join(a_certificate()))
    others = {"client_secret": None, "certificate_file": str(file), "ca_file": secure.first_line["ca_file"]}
    with pytest.raises(AccessError, match=r"crm\.certificate_file") as caught:
        await connect(secure, **others).fetch_identity()
    assert caught.value.code == "AADSTS700027"


async def test_an_authority_that_is_not_trusted_is_told_with_the_remedy(connect: Connect, secure: Emulator) -> None:
    with pytest.raises(AccessError, match="ca_file"):
        await connect(secure).fetch_identity()
