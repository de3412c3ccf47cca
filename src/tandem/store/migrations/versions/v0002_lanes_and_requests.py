"""Lanes, requests from outside, matches that wait for a person, fields that are filled up or set aside."""

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Nothing yet."""
