"""The demonstration: both emulators as processes, simulated people, and a judge who does not know how we sync."""
