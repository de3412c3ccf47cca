"""Secrets come from the environment, a file it names, or the keyring, and show themselves nowhere."""

from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import NoKeyringError

from tandem.config.model import Config
from tandem.config.secrets import load_secrets
from tandem.core.errors import ConfigError

CRM, PASSWORD, MARKETING = "TANDEM_CRM_CLIENT_SECRET", "TANDEM_CRM_PASSWORD", "TANDEM_MARKETING_CLIENT_SECRET"


class Ring(KeyringBackend):
    """A keyring in memory; None is a machine without one."""

    priority = 1.0

    def __init__(self, secrets: dict[tuple[str, str], str] | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the library has no types
        self.secrets = secrets

    def get_password(self, service: str, username: str) -> str | None:
        if self.secrets is None:
            raise NoKeyringError
        return self.secrets.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        raise AssertionError("Tandem only reads the keyring")


@pytest.fixture(autouse=True)
def ring() -> Iterator[Ring]:
    before = keyring.get_keyring()
    ring = Ring({})
    keyring.set_keyring(ring)
    yield ring
    keyring.set_keyring(before)


def a_config(auth: str = "client_secret") -> Config:
    crm = {"url": "https://crm.example", "tenant_id": "t", "client_id": "c", "auth": auth}
    if auth == "password":
        crm["username"] = "ann"
    marketing = {"url": "https://marketing.example", "munchkin_id": "m", "client_id": "c"}
    return Config.model_validate({"crm": crm, "marketing": marketing})


def test_secrets_come_from_the_environment() -> None:
    secrets = load_secrets(a_config(), {CRM: "one", MARKETING: "two"})
    assert (secrets.crm_client_secret, secrets.marketing_client_secret) == ("one", "two")
    assert secrets.crm_password is None


def test_a_file_may_hold_one(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("one\n", encoding="utf-8")
    secrets = load_secrets(a_config(), {f"{CRM}_FILE": str(tmp_path / "secret"), MARKETING: "two"})
    assert secrets.crm_client_secret == "one"


def test_the_keyring_is_the_last_place(ring: Ring) -> None:
    ring.secrets = {("tandem", "crm_client_secret"): "ring", ("tandem", "marketing_client_secret"): "ring"}
    secrets = load_secrets(a_config(), {MARKETING: "environment"})
    assert (secrets.crm_client_secret, secrets.marketing_client_secret) == ("ring", "environment")


def test_a_password_sign_in_needs_the_password_and_takes_a_client_secret_if_there_is_one() -> None:
    secrets = load_secrets(a_config("password"), {PASSWORD: "one", MARKETING: "two"})
    assert (secrets.crm_password, secrets.crm_client_secret) == ("one", None)
    with pytest.raises(ConfigError, match="crm_password is missing"):
        load_secrets(a_config("password"), {MARKETING: "two"})


@pytest.mark.parametrize("secrets", [{}, None])
def test_a_missing_secret_names_every_place(ring: Ring, secrets: dict[tuple[str, str], str] | None) -> None:
    ring.secrets = secrets
    with pytest.raises(ConfigError) as refusal:
        load_secrets(a_config(), {MARKETING: "two"})
    for place in (CRM, f"{CRM}_FILE", "keyring set tandem crm_client_secret"):
        assert place in str(refusal.value)


def test_an_empty_variable_is_no_secret() -> None:
    with pytest.raises(ConfigError, match="marketing_client_secret is missing"):
        load_secrets(a_config(), {CRM: "one", MARKETING: ""})


def test_two_places_at_once_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="keep one"):
        load_secrets(a_config(), {CRM: "one", f"{CRM}_FILE": str(tmp_path / "x"), MARKETING: "two"})


@pytest.mark.parametrize(
    ("content", "why"), [(None, "cannot be read"), (b"", "empty"), (b"\xff\xfe", "cannot be read")]
)
def test_a_bad_secret_file_is_named_by_its_variable(tmp_path: Path, content: bytes | None, why: str) -> None:
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    with pytest.raises(ConfigError, match=f"{CRM}_FILE.*{why}"):
        load_secrets(a_config(), {f"{CRM}_FILE": str(tmp_path / "secret"), MARKETING: "two"})


def test_secrets_do_not_show_themselves() -> None:
    secrets = load_secrets(a_config(), {CRM: "hunter2", MARKETING: "swordfish"})
    assert "hunter2" not in f"{secrets} {secrets!r}"
    assert "swordfish" not in f"{secrets} {secrets!r}"
