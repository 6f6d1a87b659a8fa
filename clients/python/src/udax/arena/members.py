"""The members of an arena on this host, and their pins. Python's part of the order of stores is written down here.

A pin is one aligned 32-bit word, stored through a memoryview: one store instruction. Between that store and the second look at the
slot's state word stands a full fence (libc.full_fence_for()): Python has no atomics, and even x86-64 lets a load pass an earlier store.
Whoever frees the slot stores its state word, fences too, and looks at the pins then. So one of the two sees the other.
"""

from __future__ import annotations

import os
from typing import Callable, List, Set

from .. import locks
from ..errors import fail
from .layout import (
    CONTROL,
    MEMBER_INCARNATION,
    MEMBER_PID,
    MEMBER_PIN_HIGH,
    MEMBER_PINS,
    MEMBER_START,
    MEMBER_STATE,
    Geometry,
)


class Members:
    """The records of this host's part, and the one of this handle after join()."""

    def __init__(self, words: memoryview, control: int, geometry: Geometry, path: str, fence: Callable[[], None],
                 fd: int, place: Callable[[int], locks.Range]) -> None:  # fmt: skip
        self._words, self._control, self._geometry, self._path = words, control, geometry, path
        self._fence, self._fd, self._place = fence, fd, place
        self._first = control + 1024
        self.index = -1
        self._pins = 0
        self._free: List[int] = []

    def _record(self, index: int) -> int:
        return self._first + index * self._geometry.member_words

    def _lock(self, index: int) -> locks.Range:
        return self._place(self._record(index) * 4)

    @property
    def incarnation(self) -> int:
        """Counts those who had this handle's record."""
        return int(self._words[self._record(self.index) + MEMBER_INCARNATION])

    def join(self) -> None:
        """Takes a free record. The caller has the writers' lock. Raises EMFILE."""
        words = self._words
        for index in range(self._geometry.members):
            record = self._record(index)
            if words[record + MEMBER_STATE] or not locks.set_lock(self._fd, "exclusive", self._lock(index)):
                continue
            self._clear(record)
            words[record + MEMBER_PID] = os.getpid()
            start = locks.start_time()
            words[record + MEMBER_START], words[record + MEMBER_START + 1] = start & 0xFFFFFFFF, start >> 32
            words[record + MEMBER_PIN_HIGH] = 0
            words[record + MEMBER_INCARNATION] = words[record + MEMBER_INCARNATION] + 1 & 0xFFFFFFFF
            self._fence()
            words[record + MEMBER_STATE] = 1
            if words[self._control + CONTROL["members_high"]] <= index:
                words[self._control + CONTROL["members_high"]] = index + 1
            self.index, self._pins = index, record + MEMBER_PINS
            self._free = list(range(self._geometry.pins - 1, -1, -1))
            return
        fail("EMFILE", f"all {self._geometry.members} members of the arena {self._path} on this host are in use", self._path)

    def leave(self) -> None:
        """Gives the record back; its pins end."""
        if self.index >= 0:
            self._clear(self._record(self.index))
            locks.set_lock(self._fd, "unlock", self._lock(self.index))
            self.index = -1

    def pin(self, slot: int) -> int:
        """Pins a slot. The caller looks at its state word again after that. Raises EMFILE."""
        if not self._free:
            fail("EMFILE", f"this handle of the arena {self._path} has pinned {self._geometry.pins} objects: release some", self._path)
        pin = self._free.pop()
        words = self._words
        high = self._pins - MEMBER_PINS + MEMBER_PIN_HIGH
        if words[high] <= pin:
            words[high] = pin + 1
        words[self._pins + pin] = slot + 1
        self._fence()
        return pin

    def unpin(self, pin: int) -> None:
        """Ends a pin: loads of the value before it are done."""
        self._fence()
        self._words[self._pins + pin] = 0
        self._free.append(pin)

    def pinned(self) -> Set[int]:
        """All pinned slots of this host's members. A fence stands before: what was stored is seen by those who pin from now on."""
        self._fence()
        words = self._words
        found: Set[int] = set()
        for index in range(self._high()):
            record = self._record(index)
            if words[record + MEMBER_STATE] == 1:
                high = min(words[record + MEMBER_PIN_HIGH], self._geometry.pins)
                found.update(words[record + MEMBER_PINS : record + MEMBER_PINS + high])
        found.discard(0)
        return {slot - 1 for slot in found}

    def pinning(self) -> List[str]:
        """Who has pins, for messages."""
        words, found = self._words, []
        for index in range(self._high()):
            record = self._record(index)
            high = min(words[record + MEMBER_PIN_HIGH], self._geometry.pins)
            count = sum(1 for pin in words[record + MEMBER_PINS : record + MEMBER_PINS + high] if pin)
            if words[record + MEMBER_STATE] == 1 and count:
                pid = words[record + MEMBER_PID]
                found.append(f"pid {pid} ({locks.command_of(pid)}) has {count} objects pinned")
        return found

    def clear_dead(self) -> bool:
        """Clears the records of the dead. The caller has the writers' lock."""
        found = False
        for index in range(self._high()):
            record = self._record(index)
            if not self._words[record + MEMBER_STATE] or index == self.index:
                continue
            if not locks.conflict(self._fd, "exclusive", self._lock(index)):
                self._clear(record)
                found = True
        return found

    def clear_all(self) -> None:
        """Clears every record: the part's former owner is gone."""
        for index in range(self._high()):
            self._clear(self._record(index))

    def is_living(self, index: int, incarnation: int) -> bool:
        """Whether the member that made a reservation is still there."""
        if not 0 <= index < self._geometry.members:
            return False
        record = self._record(index)
        return bool(self._words[record + MEMBER_STATE] == 1 and self._words[record + MEMBER_INCARNATION] == incarnation)

    def is_last(self) -> bool:
        """Whether no member is left."""
        return not any(self._words[self._record(index) + MEMBER_STATE] for index in range(self._high()))

    def _high(self) -> int:
        return min(self._words[self._control + CONTROL["members_high"]], self._geometry.members)

    def _clear(self, record: int) -> None:
        for word in range(record + MEMBER_PINS, record + MEMBER_PINS + self._geometry.pins):
            self._words[word] = 0
        self._words[record + MEMBER_STATE] = 0
