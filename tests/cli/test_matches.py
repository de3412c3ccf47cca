"""`tandem matches` over a state with held matches: shown, settled for a group, carried to a table and back."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tandem.app.settings import write_settings
from tandem.cli.main import app
from tandem.core.match import SEVERAL_PEOPLE, TWO_PEOPLE_OF_A_MERGE
from tandem.core.plan import Candidate, LinkPlan, Plan, Question
from tandem.core.record import CONTACT, Base, LinkStatus, RecordId, RecordKey, Side
from tandem.ports import Store
from tandem.store import open_store
from tests.builders import declare, small_mappings

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BASE = Base.unknown(len(small_mappings()[CONTACT].pairs))
OLD, NEW = Candidate(RecordId("11"), "2026-01-01T00:00:00Z"), Candidate(RecordId("9"), "2026-02-01T00:00:00Z")
TWINS = Candidate(RecordId("21"), "2026-01-01T00:00:00Z"), Candidate(RecordId("22"), "2026-01-01T00:00:00Z")

Tandem = Callable[..., Result]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = open_store(f"sqlite:///{tmp_path / 'tandem.db'}", "default")
    declare(store, small_mappings())
    hold(store, "a", SEVERAL_PEOPLE, [OLD, NEW])
    hold(store, "b", SEVERAL_PEOPLE, TWINS)
    hold(store, "c", TWO_PEOPLE_OF_A_MERGE, [OLD])
    return store


def hold(store: Store, id_: str, cause: str, people: Sequence[Candidate]) -> None:
    plan = LinkPlan(
        title="hold",
        crm_entity=CONTACT,
        link=None,
        crm=RecordKey(Side.CRM, CONTACT, RecordId(id_)),
        marketing=None,
        status=LinkStatus.PENDING,
        base=BASE,
        question=Question(cause, tuple(people)),
    )
    store.commit_plan(Plan((plan,)), "run", NOW)


@pytest.fixture
def tandem(tmp_path: Path, store: Store) -> Tandem:
    config = tmp_path / "tandem.toml"
    values: dict[str, object] = {
        "crm.url": "http://127.0.0.1:1", "crm.tenant_id": "t", "crm.client_id": "c",
        "marketing.url": "http://127.0.0.1:2", "marketing.munchkin_id": "m", "marketing.client_id": "c",
    }  # fmt: skip
    write_settings(config, values)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["matches", *arguments, "--config", str(config)])

    return run


def decisions(store: Store) -> dict[str, str | None]:
    return {row.crm.id: row.decision for row in store.load_matches(99)}


def test_the_list_shows_the_groups_and_who_may_be_whom(tandem: Tandem) -> None:
    text = tandem("list").output
    assert f"2  {SEVERAL_PEOPLE} (2 people)" in text
    assert "contact a: 11, 9" in text
    document = json.loads(tandem("list", "--cause", TWO_PEOPLE_OF_A_MERGE, "--json").output)
    assert [line["crm_id"] for line in document["matches"]] == ["c"]
    assert len(document["groups"]) == 2


def test_settling_shows_the_effect_and_stores_nothing_until_it_is_told_to(tandem: Tandem, store: Store) -> None:
    result = tandem("settle", "--cause", SEVERAL_PEOPLE, "--rule", "lowest-id")
    assert (result.exit_code, set(decisions(store).values())) == (0, {None})
    assert "2 are linked to a person" in result.output
    assert "contact a: 11, 9 -> 9" in result.output
    assert "add --apply" in result.output


def test_an_applied_rule_decides_every_match_of_the_group_that_it_can(tandem: Tandem, store: Store) -> None:
    result = tandem("settle", "--cause", SEVERAL_PEOPLE, "--rule", "last-modified", "--apply")
    assert decisions(store) == {"a": "9", "b": None, "c": None}
    assert "1 stay undecided" in result.output
    tandem("settle", "--cause", TWO_PEOPLE_OF_A_MERGE, "--rule", "merge", "--apply")
    tandem("settle", "--cause", SEVERAL_PEOPLE, "--rule", "never", "--apply")
    assert decisions(store) == {"a": "9", "b": "never", "c": "merge"}
    assert "No matches" not in tandem("list").output


@pytest.mark.parametrize(
    ("cause", "rule", "complaint"),
    [
        ("nothing of the kind", "create", f"there are: {SEVERAL_PEOPLE}, {TWO_PEOPLE_OF_A_MERGE}"),
        (SEVERAL_PEOPLE, "youngest", "There is no rule 'youngest'"),
        (SEVERAL_PEOPLE, "merge", "does not fit"),
        (TWO_PEOPLE_OF_A_MERGE, "create", "write merge"),
    ],
)
def test_a_group_or_a_rule_that_is_none_is_named(tandem: Tandem, cause: str, rule: str, complaint: str) -> None:
    result = tandem("settle", "--cause", cause, "--rule", rule, "--apply")
    assert result.exit_code == 2
    assert complaint in " ".join((result.output + result.stderr).split())


def test_a_table_goes_out_and_comes_back_with_decisions(tandem: Tandem, store: Store, tmp_path: Path) -> None:
    table = tmp_path / "matches.csv"
    assert "3 held records" in tandem("export", str(table)).output
    lines = table.read_text().splitlines()
    assert lines[0] == "match,table,record,cause,people,decision"
    table.write_text("\n".join([lines[0], f"{lines[1]}11", f"{lines[2]}CREATE", lines[3]]))
    assert "Nothing is stored yet" in tandem("import", str(table)).output
    assert set(decisions(store).values()) == {None}
    tandem("import", str(table), "--apply")
    assert decisions(store) == {"a": "11", "b": "create", "c": None}


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("1,contact,a,x,,perhaps", "line 2, column decision: 'perhaps' is no decision"),
        ("1,contact,a,x,,99", "line 2, column decision: person 99 is none of those who match: 11 9"),
        ("1,contact,a,x,,merge", "line 2, column decision: 'merge' does not fit"),
        ("3,contact,c,x,,create", "line 2, column decision: 'create' does not fit"),
        ("7,contact,a,x,,create", "line 2, column match: there is no match '7' any more"),
        ("one,contact,a,x,,create", "line 2, column match"),
        ("1,contact,b,x,,create", "line 2, column record: match 1 is about a"),
    ],
)
def test_a_line_that_is_not_understood_is_named_and_nothing_is_decided(
    tandem: Tandem, store: Store, tmp_path: Path, line: str, complaint: str
) -> None:
    table = tmp_path / "matches.csv"
    table.write_text(f"match,table,record,cause,people,decision\n{line}\n2,contact,b,x,,create\n")
    result = tandem("import", str(table), "--apply")
    assert result.exit_code == 2
    assert complaint in " ".join((result.output + result.stderr).split())
    assert set(decisions(store).values()) == {None}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"match,record\n", "line 1: the column table is missing"),
        (b"\xff\xfe\x00", "is no CSV file in UTF-8"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused(
    tandem: Tandem, tmp_path: Path, content: bytes | None, complaint: str
) -> None:
    table = tmp_path / "matches.csv"
    if content is not None:
        table.write_bytes(content)
    result = tandem("import", str(table))
    assert result.exit_code == 2
    assert complaint in " ".join((result.output + result.stderr).split())


def test_without_any_match_the_list_says_so(tmp_path: Path, tandem: Tandem, store: Store) -> None:
    for row in store.load_matches(9):
        plan = LinkPlan("nothing", CONTACT, row.link, row.crm, None, LinkStatus.PENDING, BASE)
        store.commit_plan(Plan((plan,)), "run", NOW)
    assert "No matches are held." in tandem("list").output
    assert tandem("export", str(tmp_path / "missing" / "x.csv")).exit_code == 2
