"""A good file becomes settings; a bad one becomes one sentence with the file, the setting and the remedy."""

from pathlib import Path

import pytest

from tandem.config.loading import load_config
from tandem.config.model import Config
from tandem.core.errors import ConfigError
from tandem.core.mapping import Winner

SIDES = """
[crm]
url = "https://contoso.crm4.dynamics.com/"
tenant_id = "tenant"
client_id = "app"
[marketing]
url = "https://123-abc-456.mktorest.com"
munchkin_id = "123-ABC-456"
client_id = "service"
"""


def load(folder: Path, text: str) -> Config:
    file = folder / "tandem.toml"
    file.write_text(text, encoding="utf-8")
    return load_config(file)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as raised:
        load(folder, text)
    return str(raised.value)


def test_two_sides_are_enough(tmp_path: Path) -> None:
    config = load(tmp_path, SIDES)
    assert config.crm.url == "https://contoso.crm4.dynamics.com"
    assert config.marketing.munchkin_id == "123-ABC-456"
    assert config.entities.lead.winner is Winner.MARKETING
    assert config.entities.contact.winner is Winner.CRM


def test_file_names_are_relative_to_the_configuration(tmp_path: Path) -> None:
    config = load(tmp_path, SIDES.replace("[marketing]", 'ca_file = "ca.pem"\n[marketing]'))
    assert config.crm.ca_file == tmp_path / "ca.pem"
    assert config.store.url == f"sqlite:///{tmp_path}/tandem.db"


@pytest.mark.parametrize("url", ["sqlite:////var/lib/tandem.db", "sqlite:///:memory:", "postgresql://host/db"])
def test_a_store_that_stands_alone_stays_as_it_is(tmp_path: Path, url: str) -> None:
    assert load(tmp_path, f'{SIDES}[store]\nurl = "{url}"').store.url == url


def test_settings_do_not_change_once_they_are_read(tmp_path: Path) -> None:
    config = load(tmp_path, SIDES)
    with pytest.raises(ValueError, match="frozen"):
        config.crm.url = "https://other.example"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[crm\n", ["not valid TOML", "line 1", "correct the file"]),
        (SIDES + SIDES, ["not valid TOML"]),
        (SIDES.partition("[marketing]")[0], ["section [marketing] is missing", "tandem init"]),
        (SIDES.replace('tenant_id = "tenant"\n', ""), ["crm.tenant_id is missing", "Microsoft Entra"]),
        (SIDES.replace('"tenant"', '""'), ["crm.tenant_id is empty", "Microsoft Entra"]),
        (SIDES.replace("https://contoso", "contoso"), ["crm.url", "must be an address such as https://"]),
        (SIDES.replace("https://123", "https://me:pw@123"), ["marketing.url", "without user, password or query"]),
        (SIDES + "daily_shar = 0.2", ["marketing.daily_shar is not a setting", "did you mean daily_share"]),
        (SIDES + "zzz = 1", ["marketing.zzz is not a setting", "known here: url, munchkin_id"]),
        (SIDES + "[entities.invoice]", ["entities.invoice", "account, systemuser, team"]),
        (SIDES + "daily_share = 1.5", ["marketing.daily_share must be less than or equal to 1", "Share of the daily"]),
        (SIDES + 'daily_share = "0.5"', ["marketing.daily_share must be a valid number"]),
        (SIDES + "daily_calls = true", ["marketing.daily_calls must be a valid integer"]),
        (SIDES + "[run]\npass_interval_s = 0", ["run.pass_interval_s must be greater than 0"]),
        (SIDES + '[store]\nurl = "mysql://host/db"', ["store.url", "must begin with sqlite:/// or postgresql://"]),
        (
            SIDES + '[entities.lead]\nwinner = "latest"',
            ["entities.lead.winner must be 'crm', 'marketing', 'newest' or 'hold'"],
        ),
        (SIDES + '[entities.lead]\ndeleted_in_marketing = "flag"', ["entities.lead", "deleted_in_marketing_column"]),
        (SIDES + '[entities.lead]\non_leave = "remove"', ["entities.lead", "on_leave", "needs filter"]),
        (
            SIDES + '[entities.lead]\ndirection = "to_marketing"\nfilter_to_crm = "email != null"',
            ["entities.lead", "filter_to_crm", "to_marketing"],
        ),
        (SIDES + '[entities.account]\ndirection = "both"', ["entities.account.direction must be", "Dynamics owns"]),
        (SIDES + '[entities.lead]\ncreate_in_crm = "contact"', ["entities.lead.create_in_crm must be False or 'lead'"]),
        (
            SIDES + "[entities.lead]\ncreate_in_marketing = 1",
            ["entities.lead.create_in_marketing must be a valid bool"],
        ),
        (SIDES + '[entities.lead]\nprefer = ["newest"]', ["entities.lead.prefer[1] must be", "Rules, in order"]),
        (SIDES + '[[entities.lead.fields]]\nmarketing = "x"', ["entities.lead.fields[1].crm is missing", "column"]),
        (
            SIDES + '[[entities.lead.fields]]\ncrm = "x"\ntransform = "shout"',
            ["entities.lead.fields[1].transform", "must be one of as_is, number, opposite"],
        ),
        (
            SIDES + f'[[custom]]\ntable = "new_x"\nobject = "{"x" * 101}"',
            ["custom[1].object", "at most 100 characters", "take a shorter one"],
        ),
        (SIDES + '[[custom]]\ntable = "new_x"\nobject = "événement"', ["custom[1].object", "without accents"]),
        (
            SIDES + '[entities.account]\nedited_in_marketing = "ask"',
            ["entities.account.edited_in_marketing must be 'overwrite', 'keep' or 'enforce'"],
        ),
        ("marketing = 5\n" + SIDES.partition("[marketing]")[0], ["marketing must be a section, [marketing]"]),
        (SIDES.replace("[marketing]", 'auth = "password"\n[marketing]'), ["crm: auth = 'password' needs username"]),
        (SIDES.replace("[marketing]", 'username = "ann"\n[marketing]'), ["crm: username", "remove it or change auth"]),
    ],
)
def test_a_wrong_setting_is_one_sentence_with_its_remedy(tmp_path: Path, text: str, parts: list[str]) -> None:
    message = refusal(tmp_path, text)
    assert message.startswith(f"{tmp_path / 'tandem.toml'}")
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_several_mistakes_are_counted(tmp_path: Path) -> None:
    assert refusal(tmp_path, SIDES + "daily_share = 7\nrate_share = 7").endswith("(1 more after this one)")


@pytest.mark.parametrize(
    ("text", "setting", "variable"),
    [
        (SIDES + 'client_secret = "hunter2"', "marketing.client_secret", "TANDEM_MARKETING_CLIENT_SECRET"),
        (
            SIDES.replace("[marketing]", 'client_secret = "hunter2"\n[marketing]'),
            "crm.client_secret",
            "CRM_CLIENT_SECRET",
        ),
        (SIDES.replace("[marketing]", 'password = "hunter2"\n[marketing]'), "crm.password", "TANDEM_CRM_PASSWORD"),
        (SIDES + '[[entities.lead.fields]]\napi_key = "hunter2"', "entities.lead.fields.api_key", "TANDEM_CRM"),
        (SIDES + '[store]\nurl = "postgresql://tandem:hunter2@host/db"', "store.url", "PGPASSWORD"),
    ],
)
def test_a_secret_in_the_file_is_refused_without_showing_it(
    tmp_path: Path, text: str, setting: str, variable: str
) -> None:
    message = refusal(tmp_path, text)
    assert setting in message
    assert variable in message
    assert "hunter2" not in message


def test_a_missing_file_names_the_command_that_writes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="run tandem init"):
        load_config(tmp_path / "tandem.toml")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)


def test_another_encoding_is_named(tmp_path: Path) -> None:
    file = tmp_path / "tandem.toml"
    file.write_bytes("# ü".encode("latin-1"))
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(file)


def test_a_certificate_is_a_file_beside_the_configuration(tmp_path: Path) -> None:
    said = 'auth = "certificate"\ncertificate_file = "app.pem"\n[marketing]'
    config = load(tmp_path, SIDES.replace("[marketing]", said))
    assert config.crm.certificate_file == tmp_path / "app.pem"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('auth = "certificate"', "needs certificate_file"),
        ('certificate_file = "app.pem"', "used with auth = 'certificate' only"),
        ('auth = "certificate"\ncertificate_file = "app.pem"\nusername = "u"', "username is used with"),
    ],
)
def test_a_certificate_goes_with_its_way_to_sign_in(tmp_path: Path, said: str, told: str) -> None:
    assert told in refusal(tmp_path, SIDES.replace("[marketing]", f"{said}\n[marketing]"))
