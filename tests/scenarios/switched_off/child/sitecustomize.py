"""Takes a rule out of every Python process that begins with this folder on its path (``switched_off.processes``)."""

import os

if os.environ.get("TANDEM_TESTS_SWITCHED_OFF"):
    import pytest

    from tests.scenarios.switched_off.cases import all_cases

    all_cases()[os.environ["TANDEM_TESTS_SWITCHED_OFF"]].switch(pytest.MonkeyPatch())
