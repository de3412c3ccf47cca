"""Opportunities and the roles of people in them."""
