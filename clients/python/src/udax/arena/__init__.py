"""Objects with keys and lifetimes in one shared memory: see arena.py, and docs/arena.md of udax."""

from .arena import Arena, Key, open_arena
from .objects import Entry, Reservation, Value

__all__ = ["Arena", "Entry", "Key", "Reservation", "Value", "open_arena"]
