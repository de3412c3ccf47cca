"""The tests of docs/parity.md can fail: each does when the rule that it shows is taken out of the product."""

from pathlib import Path

import pytest

from tandem.app.demo.stories.catalogue import find_story
from tests.scenarios.emulator_pair import Pair
from tests.scenarios.switched_off.cases import Case, all_cases
from tests.scenarios.switched_off.processes import complaint_of_test, environment_without


def _cases(of_story: bool) -> list[Case]:
    return [case for case in all_cases().values() if (case.story is not None) == of_story]


@pytest.mark.parametrize("case", all_cases().values(), ids=lambda case: case.name)
def test_the_rule_is_where_the_case_takes_it_out(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    case.switch(monkeypatch)


@pytest.mark.soak
@pytest.mark.parametrize("case", _cases(of_story=True), ids=lambda case: case.name)
async def test_the_story_notices(case: Case, pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment_without(case).items():
        monkeypatch.setenv(name, value)
    case.switch(monkeypatch)
    result = await pair.play(find_story(case.story or ""), tmp_path)
    assert not result.passed, "the story passes without the rule"
    assert any(case.notices in complaint for complaint in result.complaints), result.complaints


@pytest.mark.soak
@pytest.mark.parametrize("case", _cases(of_story=False), ids=lambda case: case.name)
def test_the_test_notices(case: Case) -> None:
    complaint = complaint_of_test(case)
    assert complaint is not None, "the test passes without the rule"
    assert case.notices in complaint, complaint
