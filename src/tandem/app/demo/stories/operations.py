"""What operators do while the sync runs."""
