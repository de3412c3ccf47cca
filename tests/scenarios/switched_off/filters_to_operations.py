"""Rows N92 to N140: labels, filters, signing in, operations."""
