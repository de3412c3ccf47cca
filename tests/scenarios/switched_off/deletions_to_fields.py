"""Rows N60 to N91: deletions, duplicates, merges, qualification, and fields."""
