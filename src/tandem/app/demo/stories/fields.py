"""Fields added, deleted and renamed while everything runs, and values that one side cannot hold."""
