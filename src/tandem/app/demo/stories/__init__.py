"""Stories: what happens to people and records on the two sides, each played over both emulators and then judged.

A story is a function in one of the modules that ``catalogue`` lists; ``scene`` is what it sees, ``runner`` plays it.
"""
