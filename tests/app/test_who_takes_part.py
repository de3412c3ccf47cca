"""From the settings to compiled filters, partitions and pilots: what is asked for, and what is refused at the start."""

from pathlib import Path

import pytest

from tandem.app.deciding import decide, rules_of
from tandem.app.pilots import PilotWish, choose_pilot, wish
from tandem.app.settings import Config, load_config
from tandem.config.policies import default_mappings, policies
from tandem.config.scope import columns_made, columns_read, partition_rules, person_fields_read, side_effects
from tandem.core.ceiling import Ceiling, default_ceiling
from tandem.core.errors import ConfigError
from tandem.core.mapping_resolver import ResolvedMapping
from tandem.core.policy import EntityPolicy, LeaveRule
from tandem.core.record import CONTACT, LEAD, PERSON, Entity
from tests.builders import small_mappings

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


@pytest.fixture
def configured(tmp_path: Path) -> Config:
    return a_config(tmp_path, "")


def a_config(folder: Path, more: str) -> Config:
    (folder / "tandem.toml").write_text(SIDES + more, encoding="utf-8")
    return load_config(folder / "tandem.toml")


def decided(config: Config) -> dict[Entity, EntityPolicy]:
    small = small_mappings()
    resolved = {entity: ResolvedMapping(small.get(entity, small[CONTACT]), (), (), ()) for entity in policies(config)}
    return decide(config, resolved)


def test_each_way_has_its_filter(tmp_path: Path) -> None:
    config = a_config(
        tmp_path,
        '[entities.contact]\nfilter = "telephone1 != null"\nfilter_to_crm = "phone != null"\non_leave = "remove"\n',
    )
    policy = decided(config)[CONTACT]
    assert policy.filter is not None
    assert policy.filter_to_crm is not None
    assert (policy.filter.fields, policy.filter_to_crm.fields) == (("telephone1",), ("phone",))
    assert policy.on_leave is LeaveRule.REMOVE
    assert columns_read(config)[CONTACT] == ("telephone1",)
    assert person_fields_read(config) == {CONTACT: ("phone",)}
    assert rules_of(CONTACT, decided(config)) == ["telephone1 != null", "remove"]
    assert rules_of(PERSON, decided(config)) == [False, "contact: phone != null"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('[entities.contact]\nfilter_to_crm = "phne != null"', r"filter_to_crm names phne.*did you mean phone\?"),
        ('[[marketing.partitions]]\nname = "X"\nwhen = "nobody == 1"', r"marketing\.partitions\[1\]\.when.*nobody"),
        (
            '[entities.lead]\ndeleted_in_marketing = "flag"\ndeleted_in_marketing_column = "new_gone"',
            r"entities\.lead\.deleted_in_marketing_column names new_gone.*tandem schema apply",
        ),
    ],
)
def test_what_names_nothing_is_refused_with_the_remedy(tmp_path: Path, more: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        decided(a_config(tmp_path, more))


def test_a_column_to_set_is_made_on_request(tmp_path: Path) -> None:
    more = '[entities.contact]\ndeleted_in_marketing = "flag"\ndeleted_in_marketing_column = "new_gone"\n'
    config = a_config(tmp_path, more)
    ((column,),) = columns_made(config).values()
    assert (column.name, column.native_type) == ("new_gone", "Boolean")
    assert columns_read(config)[CONTACT] == ("new_gone",)


def test_the_newest_edit_needs_the_time_of_the_record(tmp_path: Path) -> None:
    more = '[[entities.lead.fields]]\ncrm = "jobtitle"\nwinner = "newest"\n'
    assert columns_read(a_config(tmp_path, more)) == {LEAD: ("modifiedon",)}


def test_partitions_are_rules_in_order_for_one_table_or_both(tmp_path: Path) -> None:
    more = """
[[marketing.partitions]]
name = "Sales"
when = "telephone1 != null"
table = "contact"
[[marketing.partitions]]
name = "All"
when = "lastname != null"
"""
    config = a_config(tmp_path, more)
    assert [name for name, _ in partition_rules(config, CONTACT)] == ["Sales", "All"]
    assert [name for name, _ in partition_rules(config, LEAD)] == ["All"]
    assert partition_rules(config, Entity("account")) == []
    assert [rule.name for rule in decided(config)[CONTACT].partitions] == ["Sales", "All"]


def test_a_mark_is_mapped_only_where_somebody_asks_for_it(tmp_path: Path, configured: Config) -> None:
    marked = a_config(tmp_path, '[entities.lead]\nfilter = "lastname != null"\non_leave = "flag"\n')

    def marks(config: Config) -> set[Entity]:
        mappings = default_mappings(config).items()
        return {entity for entity, mapping in mappings if any(pair.crm == "@paused" for pair in mapping.pairs)}

    assert (marks(marked), marks(configured)) == ({LEAD}, set())


def test_what_our_writes_leave_out_is_named(tmp_path: Path, configured: Config) -> None:
    assert side_effects(configured) == ()
    text = SIDES.replace("[marketing]", "bypass_flows = true\nsuppress_duplicate_detection = false\n[marketing]")
    (tmp_path / "other.toml").write_text(text, encoding="utf-8")
    named = side_effects(load_config(tmp_path / "other.toml"))
    assert [line.rpartition("(")[2] for line in named] == [
        "crm.bypass_flows)",
        "crm.suppress_duplicate_detection = false)",
    ]


def test_a_pilot_says_what_it_is() -> None:
    assert wish(None, None) is None
    assert str(wish("lastname == 'A'", 1_000)) == "only lastname == 'A', the first 1,000"
    pilot = choose_pilot(PilotWish(limit=5), small_mappings())
    assert (pilot.text, pilot.only, pilot.limit) == ("the first 5", {}, 5)


def test_a_pilot_over_a_column_that_is_not_mapped_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--only \(for contact\) names lastnam.*did you mean lastname\?"):
        choose_pilot(PilotWish(only="lastnam == 'A'"), small_mappings())


@pytest.mark.parametrize(("present", "ceiling"), [(0, 0), (10, 11), (11, 13), (100_000, 110_000)])
def test_the_default_ceiling_is_a_tenth_more(present: int, ceiling: int) -> None:
    assert default_ceiling(present) == ceiling


def test_the_reason_names_where_the_ceiling_comes_from() -> None:
    assert "marketing.max_people" in Ceiling(10, 12).reason
    assert "10 % above" in Ceiling(10, 12, is_default=True).reason
