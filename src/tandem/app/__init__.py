"""Puts the parts together: commands that change something, queries that do not."""
