"""What both emulators share: the server process, the steerable clock, faults, counters and the seeded population."""
