"""`python -m benchmarks growth`: whether a record costs the same in a large first copy as in a small one.

Processor time of the product alone: both emulators are processes of their own, at Marketo's published limits, which
decide how long it takes.
"""

import argparse
import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Final

from benchmarks.table import Line, render
from tandem import telemetry
from tandem.app import commands
from tandem.app.demo.stage import prepared_stage

_TIMES: Final = 5


async def measure(people: int) -> list[Line]:
    small = await _copied_us(people)
    large = await _copied_us(people * _TIMES)
    return [
        Line(f"first copy of {people:,} people", small, "us CPU a record"),
        Line(f"first copy of {people * _TIMES:,} people", large, "us CPU a record", f"of {people:,}", small),
    ]


async def _copied_us(people: int) -> float:
    """Microseconds of processor time a record of the copy."""
    with TemporaryDirectory(prefix="tandem-bench-") as name:
        async with prepared_stage(people=people, seed=7, folder=Path(name)) as stage:
            began = process_time()
            report = await commands.sync(stage.config)
            return 1e6 * (process_time() - began) / report.records


def main(arguments: list[str]) -> None:
    telemetry.configure(level="warning")
    parser = argparse.ArgumentParser(prog="python -m benchmarks growth", description=__doc__)
    parser.add_argument("--people", type=int, default=4_000, help="how many people the small copy has")
    print(render(asyncio.run(measure(parser.parse_args(arguments).people))), end="")
