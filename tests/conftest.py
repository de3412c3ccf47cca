"""What every test run shares: Hypothesis profiles, the PostgreSQL fixtures and their marker.

The profile `ci` is the default and gives the same examples on every run; `make soak` takes `soak`.
A test that names its own `max_examples` keeps it in both, so name none without a reason.
"""

import pytest
from hypothesis import HealthCheck, settings

# Suites that several test modules share explain their failed assertions as test modules do.
pytest.register_assert_rewrite("tests.builders", "tests.conformance", "tests.properties")

from tests.postgresql_server import postgresql_server, postgresql_url  # noqa: E402

__all__ = ["postgresql_server", "postgresql_url"]

# A shared machine stalls now and then: a deadline per example would fail at random.
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile(
    "soak", max_examples=5_000, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ci")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what needs the server, so that `make fast` can leave it out."""
    if "postgresql_server" in getattr(item, "fixturenames", ()):
        item.add_marker("postgresql")
