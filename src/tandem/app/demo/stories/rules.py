"""Filters, conflicts and deletions."""
