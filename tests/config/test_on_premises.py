"""A server on premises is known by its AD FS; what belongs to the cloud and to it do not go together."""

from pathlib import Path

import pytest

from tests.config.test_loading import SIDES, load, refusal

ADFS = 'authority = "https://adfs.example.com/adfs/"\nauth = "password"\nusername = "tandem@example.com"\n'
PREMISES = SIDES.replace("https://contoso.crm4.dynamics.com/", "https://crm.example.com/contoso").replace(
    'tenant_id = "tenant"\n', ADFS
)


def test_adfs_a_user_and_no_tenant_are_enough(tmp_path: Path) -> None:
    crm = load(tmp_path, PREMISES).crm
    assert (crm.url, crm.authority) == ("https://crm.example.com/contoso", "https://adfs.example.com/adfs")
    assert (crm.is_on_premises, crm.sign_in, crm.web_api) == (True, "adfs", "v9.1")


@pytest.mark.parametrize(
    ("lines", "sign_in"),
    [
        ("", "client_credentials"),
        ('auth = "certificate"\ncertificate_file = "app.pem"\n', "client_credentials"),
        ('auth = "password"\nusername = "u"\n', "password"),
        ('authority = "https://login.microsoftonline.us"\n', "client_credentials"),
        ('authority = "https://adfs.example.com"\n', "client_credentials"),
    ],
)
def test_everything_else_is_an_environment_of_the_cloud(tmp_path: Path, lines: str, sign_in: str) -> None:
    crm = load(tmp_path, SIDES.replace("[marketing]", f"{lines}[marketing]")).crm
    assert (crm.is_on_premises, crm.sign_in, crm.web_api) == (False, sign_in, "v9.2")


@pytest.mark.parametrize("text", [SIDES, PREMISES])
def test_the_version_that_is_given_counts(tmp_path: Path, text: str) -> None:
    given = text.replace("[marketing]", 'api_version = "v9.0"\n[marketing]')
    assert load(tmp_path, given).crm.web_api == "v9.0"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (PREMISES.replace("[marketing]", 'tenant_id = "t"\n[marketing]'), ["crm.tenant_id", "take the line out"]),
        (
            PREMISES.replace("[marketing]", 'tenant_id = ""\n[marketing]'),
            ["crm.tenant_id is empty", "take the line out"],
        ),
        (PREMISES.replace('auth = "password"\nusername = "tandem@example.com"\n', ""), ["auth must be 'password'"]),
        (PREMISES.replace('username = "tandem@example.com"\n', ""), ["needs username"]),
        (
            PREMISES.replace('auth = "password"\nusername = "tandem@example.com"', 'auth = "certificate"'),
            ["auth must be 'password'", "no application users"],
        ),
        (PREMISES.replace("/adfs/", "/"), ["crm.tenant_id is missing", "With AD FS there is none"]),
        (
            PREMISES.replace("[marketing]", 'api_version = "9.1"\n[marketing]'),
            ["crm.api_version must be 'v9.0', 'v9.1'"],
        ),
    ],
)
def test_what_does_not_go_together_is_one_sentence_with_the_remedy(tmp_path: Path, text: str, parts: list[str]) -> None:
    told = refusal(tmp_path, text)
    assert [part for part in parts if part not in told] == []
    assert len(told.splitlines()) == 1
