"""`tandem init` writes a settings file that loads once the blanks are filled in, and never overwrites one unasked."""

import json
import stat
from pathlib import Path

from typer.testing import CliRunner

from tandem.app.settings import load_config, write_settings
from tandem.cli.main import app


def init(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["init", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_it_writes_a_commented_file_and_says_what_to_do_next(tmp_path: Path) -> None:
    path = tmp_path / "tandem.toml"
    status, told, _ = init("--config", str(path))
    assert status == 0
    assert "TANDEM_CRM_CLIENT_SECRET" in told
    text = path.read_text(encoding="utf-8")
    assert "[crm]" in text
    assert text.startswith("#")


def test_the_file_loads_once_the_blanks_are_filled_in(tmp_path: Path) -> None:
    path = tmp_path / "tandem.toml"
    init("--config", str(path))
    filled = path.read_text(encoding="utf-8")
    for blank in ('tenant_id = ""', 'munchkin_id = ""', 'client_id = ""'):
        assert blank in filled
        filled = filled.replace(blank, blank.replace('""', '"x"'))
    path.write_text(filled.replace('url = ""', 'url = "https://contoso.example"'), encoding="utf-8")
    assert load_config(path).marketing.munchkin_id == "x"


def test_it_refuses_to_overwrite_and_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "tandem.toml"
    path.write_text("mine", encoding="utf-8")
    status, told, complaint = init("--config", str(path))
    assert (status, told) == (2, "")
    assert "exists already" in complaint
    assert "--force" in complaint
    assert path.read_text(encoding="utf-8") == "mine"


def test_force_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "tandem.toml"
    path.write_text("mine", encoding="utf-8")
    assert init("--config", str(path), "--force")[0] == 0
    assert "[crm]" in path.read_text(encoding="utf-8")


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    status, _, complaint = init("--config", str(tmp_path / "missing" / "tandem.toml"))
    assert status == 2
    assert len(complaint.splitlines()) == 1
    assert "cannot be written" in complaint


def test_json_is_one_document(tmp_path: Path) -> None:
    path = tmp_path / "tandem.toml"
    status, told, _ = init("--config", str(path), "--json")
    assert (status, json.loads(told)) == (0, {"written": str(path)})


def test_values_are_filled_in_and_the_file_is_an_ordinary_one(tmp_path: Path) -> None:
    path = tmp_path / "tandem.toml"
    values: dict[str, object] = {
        "crm.url": "http://127.0.0.1:1", "crm.tenant_id": "t", "crm.client_id": "c",
        "marketing.url": "http://127.0.0.1:2", "marketing.munchkin_id": "m", "marketing.client_id": "c",
        "entities.lead.create_in_crm": "lead",
    }  # fmt: skip
    write_settings(path, values)
    assert load_config(path).entities.lead.create_in_crm == "lead"
    assert stat.S_ISREG(path.stat().st_mode)
