"""Processes without a rule: the product's own commands in a story, and pytest for a test that is no story."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.ground.repository import ROOT
from tests.scenarios.switched_off.cases import Case

CHILD: Final = Path(__file__).parent / "child"


def environment_without(case: Case) -> Mapping[str, str]:
    """The variables by which a Python process begins without the rule."""
    path = os.pathsep.join([str(CHILD), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {"PYTHONPATH": path, "TANDEM_TESTS_SWITCHED_OFF": case.name}


def complaint_of_test(case: Case) -> str | None:
    """What pytest prints of the assertion that failed, not the source before it; None where the test passed.

    Raises:
        AssertionError: the test was not run to its end.
    """
    # The rules bring in libraries before pytest looks at them for plug-ins of its own.
    early = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *early, case.test]
    environment = {**os.environ, **environment_without(case)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout[-2000:] + done.stderr[-2000:]
    failed = [line for line in done.stdout.splitlines() if line.startswith(("E ", ">"))]
    return "\n".join(failed) if done.returncode else None
