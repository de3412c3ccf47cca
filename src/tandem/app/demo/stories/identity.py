"""One person in two systems: qualification, merges, shared addresses, candidates."""
