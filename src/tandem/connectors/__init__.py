"""The two sides over their APIs. Each folder is one connector; what they share over the wire is ``http.py``."""
