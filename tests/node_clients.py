"""JavaScript clients of other people, driven by small programs in tests/clients/node.

A program tells its stories to an emulator and prints what came of each as one JSON object; the test that starts it
says what that should be. Without Node.js and the packages such a test is skipped, but not in `make test`.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent / "clients" / "node"
REQUIRE_VARIABLE = "TANDEM_TESTS_REQUIRE_NODE"
HOW_TO_GET_IT = "Node.js or the packages are missing: `make test` gets them, as does tools/ensure-node-clients.sh."


def tell(program: str, environment: Mapping[str, str], *options: str) -> dict[str, Any]:
    """Run a program of the folder; its stories and what came of them."""
    node = shutil.which("node")
    if node is None or not (FOLDER / "node_modules").is_dir():
        if os.environ.get(REQUIRE_VARIABLE):
            pytest.fail(HOW_TO_GET_IT)
        pytest.skip(HOW_TO_GET_IT)
    done = subprocess.run(
        [node, *options, program],
        cwd=FOLDER,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results: dict[str, Any] = json.loads(done.stdout)
    return results
