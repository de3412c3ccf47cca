"""Rows N36 to N59: custom tables, campaigns and their members, calls from flow steps."""
