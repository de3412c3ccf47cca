"""A fault at every named step of a first copy and of a live pass: the run ends in order, and nothing is lost by it.

What may go wrong with a call is crossed with the calls there are. `make test` takes every fault of the calls that
write people and some of the others, in turn during the copy and during a live pass; `make soak` takes all.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tandem.app.demo.world import CRM, MARKETING
from tests.faults.scene import Rule, Scene, set_scene

PEOPLE: Final = 120
LATE_S: Final = 1.5

DROPS: Final[Mapping[str, Rule]] = {
    "lost": {"action": "drop_before"},
    "answer-lost": {"action": "drop_after"},
    "reset": {"action": "reset"},
}
FAULTS: Final[Mapping[str, Mapping[str, Rule]]] = {
    MARKETING: {
        **DROPS,
        "applied-late": {"action": "apply_late", "delay_s": LATE_S},
        "606": {"action": "body", "body": {"code": "606"}},
        "601": {"action": "body", "body": {"code": "601"}},
        "602": {"action": "body", "body": {"code": "602"}},
        "502": {"action": "status", "status": 502},
        "503": {"action": "status", "status": 503},
        "slow": {"action": "delay", "delay_s": LATE_S},
    },
    CRM: {
        **DROPS,
        "429": {"action": "status", "status": 429, "headers": {"retry-after": "1"}},
        "503": {"action": "status", "status": 503},
        "slow": {"action": "delay", "delay_s": LATE_S},
    },
}
CALLS: Final[Mapping[str, tuple[str, ...]]] = {
    MARKETING: ("leads.sync", "companies.sync", "leads.query", "activities.leadchanges"),
    CRM: ("leads.update", "batch", "leads.list", "contacts.changes"),
}
"""``leads.update`` is a part of a batch: a status strikes the part alone, a drop the whole batch."""

WRITE_PEOPLE: Final = frozenset({"leads.sync", "leads.update"})
ONLY_IN_A_COPY: Final = frozenset({"leads.list"})


@dataclass(frozen=True, slots=True)
class Case:
    side: str
    call: str
    fault: str

    def __str__(self) -> str:
        return f"{self.side} {self.call} {self.fault}"


def every_case() -> Iterator[tuple[Case, int, int]]:
    """Each with its places among calls and faults, which spread the chosen ones evenly."""
    for side, calls in CALLS.items():
        for row, call in enumerate(calls):
            yield from ((Case(side, call, fault), row, column) for column, fault in enumerate(FAULTS[side]))


def stories() -> list[object]:
    """Pairs of cases, one for the copy and one for the pass after it: first the chosen ones, then all others."""
    chosen: tuple[list[Case], list[Case]] = ([], [])
    others: tuple[list[Case], list[Case]] = ([], [])
    for case, row, column in every_case():
        turn = 0 if case.call in ONLY_IN_A_COPY else column % 2
        is_chosen = case.call in WRITE_PEOPLE or (row + column) % 6 == 0
        for part in (0,) if case.call in ONLY_IN_A_COPY else (0, 1):
            (chosen if is_chosen and part == turn else others)[part].append(case)
    return [*as_stories(*chosen), *as_stories(*others, marks=(pytest.mark.soak,))]


def as_stories(copy: list[Case], live: list[Case], marks: tuple[pytest.MarkDecorator, ...] = ()) -> Iterator[object]:
    for number in range(max(len(copy), len(live))):
        pair = copy[number % len(copy)], live[-1 - number % len(live)]
        yield pytest.param(*pair, marks=marks, id=f"{pair[0]}, then {pair[1]}")


@pytest.mark.parametrize(("in_copy", "in_live_pass"), stories())
async def test_a_call_goes_wrong_during_the_copy_and_another_in_a_live_pass(
    in_copy: Case, in_live_pass: Case, tmp_path: Path
) -> None:
    async with set_scene(tmp_path, people=PEOPLE, seed=5) as scene:
        await sync_with_fault(scene, in_copy)
        await scene.type_everywhere(seed=5)
        await sync_with_fault(scene, in_live_pass)
        await scene.heal()
        assert await scene.harm() == {}


async def sync_with_fault(scene: Scene, case: Case) -> None:
    strike = await scene.faults.arm(case.side, operation=case.call, **FAULTS[case.side][case.fault])
    (await scene.tandem("sync")).assert_in_order(0)
    assert await scene.faults.hits(case.side, strike) == 1, f"nobody noticed {case}"


@pytest.mark.parametrize(
    ("side", "fault"),
    [
        (MARKETING, "reset"),
        (CRM, "reset"),
        pytest.param(MARKETING, "606", marks=pytest.mark.soak),
        pytest.param(MARKETING, "503", marks=pytest.mark.soak),
        pytest.param(CRM, "429", marks=pytest.mark.soak),
        pytest.param(CRM, "503", marks=pytest.mark.soak),
    ],
)
async def test_a_side_that_stays_away_ends_the_run_with_a_sentence(side: str, fault: str, tmp_path: Path) -> None:
    async with set_scene(tmp_path, people=PEOPLE, seed=6) as scene:
        await scene.faults.arm(
            side, operation="leads.query" if side == MARKETING else "leads.list", times=None, **FAULTS[side][fault]
        )
        (await scene.tandem("sync")).assert_in_order(3)
        await scene.heal()
        assert await scene.harm() == {}
