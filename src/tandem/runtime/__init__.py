"""One pass over both sides: extract, look, plan, journal, apply; and what keeps it safe when it dies halfway."""
