"""The first days: a pilot, a ceiling, side effects, labels."""
