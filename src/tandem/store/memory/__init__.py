"""The store in plain dictionaries: the smallest correct one, for tests and for trying things out.

Several stores over one ``MemoryState`` stand for several processes over one database. Whatever could fail is checked
before anything changes, so that each method is all or nothing here too.
"""

from tandem.store.memory.state import MemoryState
from tandem.store.memory.store import MemoryStore

__all__ = ["MemoryState", "MemoryStore"]
