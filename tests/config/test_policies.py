"""Settings as the core wants them."""

from pathlib import Path

import pytest

from tandem.config.loading import load_config
from tandem.config.model import Config
from tandem.config.policies import default_mappings, directions, field_overrides, own_columns, policies
from tandem.core.default_mapping import DefaultPair
from tandem.core.errors import ConfigError
from tandem.core.mapping import Direction
from tandem.core.record import CONTACT, Entity
from tests.config.test_loading import SIDES

EVENT = Entity("new_event")
CUSTOM = """
[[custom]]
table = "new_event"
object = "event"
plural_label = "Happenings"
[[custom.fields]]
crm = "new_name"
marketing = "name"
[[custom.fields]]
crm = "new_contactid"
marketing = "person"
create_as = "string"
"""


def load(folder: Path, more: str) -> Config:
    path = folder / "tandem.toml"
    path.write_text(SIDES + more)
    return load_config(path)


def test_a_custom_table_has_a_key_and_the_pairs_that_are_listed(tmp_path: Path) -> None:
    mapping = default_mappings(load(tmp_path, CUSTOM))[EVENT]
    assert (mapping.marketing_entity, mapping.key_field, mapping.is_custom) == ("event", "crmId", True)
    assert mapping.labels == ("Event", "Happenings")
    assert mapping.pairs == (
        DefaultPair("@id", "crmId", "CRM Id", "string", Direction.TO_MARKETING),
        DefaultPair("new_name", "name", direction=Direction.TO_MARKETING),
        DefaultPair("new_contactid", "person", native_type="string", direction=Direction.TO_MARKETING),
    )


def test_a_custom_table_goes_one_way_and_comes_last(tmp_path: Path) -> None:
    config = load(tmp_path, CUSTOM)
    assert list(policies(config))[-1] == EVENT
    assert directions(config)[EVENT] is Direction.TO_MARKETING
    assert field_overrides(config)[EVENT] == ()
    assert policies(config)[EVENT].create_in_crm is None


def test_a_name_that_marketo_cannot_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"custom.*object"):
        load(tmp_path, '[[custom]]\ntable = "new_event"\nobject = "my event"\n')


@pytest.mark.parametrize("table", ["contact", "new_event"])
def test_a_table_is_synced_once(tmp_path: Path, table: str) -> None:
    with pytest.raises(ConfigError, match=f"custom: {table}"):
        load(tmp_path, CUSTOM + f'[[custom]]\ntable = "{table}"\nobject = "other"\n')


def test_columns_that_only_tandem_writes_are_told(tmp_path: Path) -> None:
    more = '[[entities.contact.fields]]\ncrm = "new_marketoid"\nmarketing = "id"\ndirection = "to_crm"\nis_own = true\n'
    assert own_columns(load(tmp_path, more)) == {CONTACT: {"new_marketoid"}}
