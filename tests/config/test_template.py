"""The template, the reference page and the examples say what the model says."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.config.loading import load_config
from tandem.config.model import Config
from tandem.config.policies import directions, field_overrides, policies, rails
from tandem.config.reference import iter_settings, render_page
from tandem.config.template import CONFIG_TEMPLATE, render_template
from tandem.core.errors import ConfigError
from tandem.core.guard import Rails
from tandem.core.mapping import Direction, Winner
from tandem.core.policy import DeleteRule, EntityPolicy
from tandem.core.record import ACCOUNT, CONTACT, LEAD, TEAM, USER
from tandem.core.wanted_pairs import FieldOverride

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.toml"))
BLANKS = {
    "crm.url": "https://contoso.crm4.dynamics.com",
    "crm.tenant_id": "tenant",
    "crm.client_id": "app",
    "marketing.url": "https://123-abc-456.mktorest.com",
    "marketing.munchkin_id": "123-ABC-456",
    "marketing.client_id": "service",
}


def load_text(folder: Path, text: str) -> Config:
    (folder / "tandem.toml").write_text(text, encoding="utf-8")
    return load_config(folder / "tandem.toml")


def test_the_template_loads_once_its_blanks_are_filled(tmp_path: Path) -> None:
    config = load_text(tmp_path, render_template(BLANKS))
    assert config.crm.tenant_id == "tenant"
    assert config.entities == Config.model_fields["entities"].default


@given(st.text(min_size=1))
def test_any_text_is_read_back_as_it_was_given(tenant: str) -> None:
    written = tomllib.loads(render_template({**BLANKS, "crm.tenant_id": tenant}))
    assert written["crm"]["tenant_id"] == tenant


def test_a_value_of_none_leaves_the_setting_as_it_is() -> None:
    assert render_template({**BLANKS, "crm.authority": None}) == render_template(BLANKS)


def test_a_name_that_is_no_setting_is_a_mistake_of_ours() -> None:
    with pytest.raises(AssertionError, match=r"crm\.uri"):
        render_template({"crm.uri": "x"})


def test_the_template_with_blanks_names_the_first_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"crm\.url"):
        load_text(tmp_path, CONFIG_TEMPLATE)


def test_the_template_shows_every_setting_with_its_default(tmp_path: Path) -> None:
    """Every commented setting that has a default is made a real one; the file must then mean the same."""
    spelled_out = re.sub(r"^#(\w+ = .+)$", r"\1", render_template(BLANKS), flags=re.MULTILINE)
    spelled_out = re.sub(
        r"^(only_if_empty|remove|is_key|is_own|unknown_label|too_long) = .*$", "", spelled_out, flags=re.MULTILINE
    )
    for section in ("custom", "creations", "campaigns"):
        lines = rf"^#\[\[{section}\]\].*?(?=^\[|\Z)"
        spelled_out = re.sub(lines, "", spelled_out, flags=re.MULTILINE | re.DOTALL)
    assert load_text(tmp_path, spelled_out) == load_text(tmp_path, render_template(BLANKS))
    written = tomllib.loads(spelled_out)
    for setting in iter_settings(Config):
        if (
            setting.is_table
            or {"fields", "custom", "creations", "campaigns"} & set(setting.names)
            or setting.default is None
        ):
            continue
        table = written
        for name in setting.names[:-1]:
            table = table[name]
        assert setting.names[-1] in table, setting.dotted


def test_the_template_names_every_setting_and_explains_it() -> None:
    text = " ".join(CONFIG_TEMPLATE.replace("\n# ", " ").split())
    for setting in iter_settings(Config):
        if setting.names == ("entities",) or set(setting.names[1:2]) & {"contact", "account", "systemuser", "team"}:
            continue
        assert setting.description, setting.dotted
        assert " ".join(setting.description.split()) in text, setting.dotted
        assert re.search(
            rf"^#?{setting.names[-1]} =|^#?\[+{re.escape(setting.dotted)}\]", CONFIG_TEMPLATE, re.MULTILINE
        )


def test_the_ceiling_of_people_stands_beside_the_blanks_of_marketo() -> None:
    """Whoever fills in the blanks has to see it: an empty subscription takes in nobody without a number."""
    table = CONFIG_TEMPLATE.partition("\n[marketing]\n")[2].partition("\n[")[0]
    names = re.findall(r"^#?(\w+) =", table, flags=re.MULTILINE)
    assert names[:4] == ["url", "munchkin_id", "client_id", "max_people"]


def test_the_reference_page_is_up_to_date() -> None:
    """Run ``python -m tandem.config.reference > docs/reference/settings.md`` after a change of the model."""
    assert (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8") == render_page()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_a_valid_configuration(example: Path) -> None:
    config = load_config(example)
    assert policies(config).keys() == {LEAD, CONTACT, ACCOUNT, USER, TEAM}


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 3


# --- settings as the core wants them -------------------------------------------------------------------------------


def test_the_defaults_are_the_native_syncs(tmp_path: Path) -> None:
    found = policies(load_text(tmp_path, render_template(BLANKS)))
    assert list(found) == [USER, TEAM, ACCOUNT, CONTACT, LEAD]
    assert found[LEAD] == EntityPolicy(winner=Winner.MARKETING)  # N13, N16
    assert found[CONTACT] == EntityPolicy(winner=Winner.CRM)  # N14
    assert found[ACCOUNT] == found[USER] == EntityPolicy(winner=Winner.CRM, deleted_in_crm=DeleteRule.IGNORE)  # N15


def test_directions_follow_the_tables(tmp_path: Path) -> None:
    found = directions(load_text(tmp_path, render_template({**BLANKS, "entities.lead.direction": "to_crm"})))
    assert found == {
        USER: Direction.TO_MARKETING,
        TEAM: Direction.TO_MARKETING,
        ACCOUNT: Direction.TO_MARKETING,
        CONTACT: Direction.BOTH,
        LEAD: Direction.TO_CRM,
    }


@pytest.mark.parametrize("table", ["lead", "contact"])
def test_creating_leads_is_turned_on_under_either_table(tmp_path: Path, table: str) -> None:
    found = policies(load_text(tmp_path, render_template({**BLANKS, f"entities.{table}.create_in_crm": "lead"})))
    assert found[LEAD].create_in_crm == found[CONTACT].create_in_crm == LEAD
    assert found[ACCOUNT].create_in_crm is None


def test_field_settings_become_overrides(tmp_path: Path) -> None:
    more = '[[entities.contact.fields]]\ncrm = "jobtitle"\nwinner = "marketing"\ndirection = "to_crm"\n'
    found = field_overrides(load_text(tmp_path, render_template(BLANKS) + more))
    assert found[CONTACT] == (FieldOverride("jobtitle", direction=Direction.TO_CRM, winner=Winner.MARKETING),)
    assert found[LEAD] == ()


def test_rails_are_the_guards_own_unless_set(tmp_path: Path) -> None:
    assert rails(load_text(tmp_path, render_template(BLANKS))) == Rails()
    given = {"rails.max_deletes": 1, "rails.max_delete_share": 0.5, "rails.max_crm_updates": 9}
    assert rails(load_text(tmp_path, render_template({**BLANKS, **given}))) == Rails(1, 0.5, 9)


def test_shares_become_calls_and_never_none(tmp_path: Path) -> None:
    """Adobe's advice: half of 100 calls in 20 seconds, of 10 at once, and of what was bought for the day."""
    usual = load_text(tmp_path, render_template(BLANKS)).marketing
    assert (usual.calls_per_day, usual.calls_per_20_s, usual.calls_at_once) == (25_000, 50, 5)
    least = load_text(tmp_path, render_template({**BLANKS, "marketing.rate_share": 0.01})).marketing
    assert (least.calls_per_20_s, least.calls_at_once) == (1, 1)
