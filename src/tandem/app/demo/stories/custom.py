"""Custom tables as custom objects, switched on and off while everything runs."""
