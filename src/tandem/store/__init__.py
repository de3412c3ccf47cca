"""Tandem's own state of a sync: on SQLite or PostgreSQL by URL, or in memory for tests."""
