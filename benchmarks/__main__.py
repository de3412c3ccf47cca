"""`make bench`: start both emulators, measure, and print the table. It takes about a minute."""

import argparse
import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import dynamics, growth, marketo, matches
from benchmarks.passes import measure_first_copy, measure_quiet_pass
from benchmarks.rows import load_linked, measure_planning, measure_reading, people_of_their_own
from benchmarks.stores import measure_store
from benchmarks.table import Line, render
from tandem import telemetry
from tandem.app.build import connect_crm, opened
from tandem.app.demo.stage import Stage, prepared_stage
from tandem.config.secrets import load_secrets
from tandem.core.record import CONTACT


async def measure(people: int) -> list[Line]:
    with TemporaryDirectory(prefix="tandem-bench-") as name:
        async with prepared_stage(people=people, seed=7, folder=Path(name)) as stage:
            _, copied = await measure_first_copy(stage)
            quiet = await measure_quiet_pass(stage)
            rows = await _measure_rows(stage, Path(name))
    return [*rows, *copied, *quiet]


async def _measure_rows(stage: Stage, folder: Path) -> list[Line]:
    async with opened(stage.config, creates_fields=False) as setup:
        engine = setup.engine
        linked = await load_linked(engine)
        planned = measure_planning(engine, linked)
        stored = measure_store(engine, people_of_their_own(engine, linked), folder)
    crm = connect_crm(stage.config, load_secrets(stage.config))
    try:
        return [*await measure_reading(crm, engine.mappings[CONTACT].crm_fields), *planned, *stored]
    finally:
        await crm.close()


def main() -> None:
    apart = {"marketo": marketo.main, "dynamics": dynamics.main, "matches": matches.main, "growth": growth.main}
    if sys.argv[1:2] and sys.argv[1] in apart:
        apart[sys.argv[1]](sys.argv[2:])
        return
    telemetry.configure(level="warning")
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--people", type=int, default=2000, help="how many people the first copy has")
    people = parser.parse_args().people
    print(f"Python {sys.version.split()[0]}, {people:,} people, 5,000 rows. A ratio above 1 is in Tandem's favour.\n")
    print(render(asyncio.run(measure(people))), end="")


if __name__ == "__main__":
    main()
