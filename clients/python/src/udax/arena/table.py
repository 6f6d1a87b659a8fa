"""The slots of a part, and the index that finds them (docs/arena.md). Lookups take no lock; changes need the writers' lock."""

from __future__ import annotations

from typing import Callable, Iterator, List, Optional, Tuple

from ..errors import fail
from .heap import Heap
from .layout import (
    BUCKET_ENTRIES,
    BUCKET_SIZE,
    BUCKET_TAGS,
    BUCKET_WORDS,
    COMMITTED,
    CONTROL,
    HASH_A,
    KEY,
    KEY_BYTES,
    LENGTH,
    Geometry,
)
from .members import Members

_HIGH = 2**32


class SlotTable:
    """Slots are the truth; all else follows from them."""

    def __init__(self, words: memoryview, data: memoryview, geometry: Geometry, part: int, members: Members,
                 fence: Callable[[], None], path: str) -> None:  # fmt: skip
        self.words, self.data, self.geometry, self.members, self.path = words, data, geometry, members, path
        self._fence = fence
        self.control = (4096 + part * geometry.part_bytes) // 4
        self.heap = Heap(words, self.control, geometry, path)
        self._slots = self.control + geometry.slot_word
        self._slot_words = geometry.slot_bytes // 4
        self._index = self.control + geometry.index_word
        self._touch = self.control * 4 + geometry.touch_byte

    def word(self, slot: int) -> int:
        """First word of a slot. Raises EBADMSG."""
        if not 0 <= slot < self.geometry.slots:
            fail("EBADMSG", f"the arena {self.path} is damaged: it names slot {slot} of {self.geometry.slots}", self.path)
        return self._slots + slot * self._slot_words

    def kind(self, slot: int) -> int:
        """The state of a slot."""
        return int(self.words[self.word(slot)]) & 7

    def get(self, name: str) -> int:
        """A word of the control page."""
        return int(self.words[self.control + CONTROL[name]])

    def set(self, name: str, value: int) -> None:
        """Stores a word of the control page."""
        self.words[self.control + CONTROL[name]] = value & 0xFFFFFFFF

    def add(self, name: str, change: int) -> None:
        """Counts."""
        self.set(name, self.get(name) + change)

    def u64(self, word: int) -> int:
        """A number of two words."""
        return int(self.words[word + 1]) * _HIGH + int(self.words[word])

    def set_u64(self, word: int, value: int) -> None:
        """Stores a number of two words."""
        self.words[word], self.words[word + 1] = value % _HIGH, value // _HIGH

    def units_of(self, word: int) -> int:
        """Units of a slot's value."""
        return -(-self.u64(word + LENGTH) // self.geometry.align)

    def key_of(self, word: int) -> bytes:
        """The key of a slot."""
        at = (word + KEY) * 4
        return bytes(self.data[at : at + min(self.words[word + KEY_BYTES] & 0xFF, self.geometry.max_key)])

    # Lookup

    def buckets_of(self, a: int) -> Iterator[int]:
        """First words of the buckets where a lookup looks."""
        mask = self.geometry.buckets - 1
        bucket = a & mask
        for _ in range(mask + 1):
            at = self._index + bucket * BUCKET_WORDS
            yield at
            if self.words[at] == 0:
                return
            bucket = bucket + 1 & mask

    def find(self, key: bytes, a: int, b: int) -> Optional[Tuple[int, int]]:
        """The committed slot of a key and its state word; by a reader without the lock, until it looks again."""
        words = self.words
        while True:
            changed = False
            for at in self.buckets_of(a):
                for i in range(BUCKET_SIZE):
                    if words[at + BUCKET_TAGS + i] != b:
                        continue
                    entry = words[at + BUCKET_ENTRIES + i]
                    if entry == 0:
                        continue
                    word = self.word(entry - 1)
                    state = words[word]
                    if state & 7 == COMMITTED and words[word + HASH_A] == a and self.key_of(word) == key:
                        return entry - 1, int(state)
                    changed = changed or words[at + BUCKET_ENTRIES + i] != entry
            if not changed:
                return None

    # Index

    def insert(self, a: int, b: int, slot: int) -> None:
        """Adds an entry to the index."""
        words, mask = self.words, self.geometry.buckets - 1
        passed: List[int] = []
        bucket = a & mask
        for _ in range(mask + 1):
            at = self._index + bucket * BUCKET_WORDS
            for i in range(BUCKET_SIZE):
                if words[at + BUCKET_ENTRIES + i] == 0:
                    for full in passed:
                        words[full] += 1
                    words[at + BUCKET_TAGS + i] = b
                    self._fence()
                    words[at + BUCKET_ENTRIES + i] = slot + 1
                    return
            passed.append(at)
            bucket = bucket + 1 & mask
        fail("EBADMSG", f"the arena {self.path} is damaged: its index is full", self.path)

    def _entry(self, a: int, b: int, slot: int) -> Tuple[int, List[int]]:
        passed: List[int] = []
        for at in self.buckets_of(a):
            for i in range(BUCKET_SIZE):
                if self.words[at + BUCKET_ENTRIES + i] == slot + 1 and self.words[at + BUCKET_TAGS + i] == b:
                    return at + BUCKET_ENTRIES + i, passed
            passed.append(at)
        fail("EBADMSG", f"the arena {self.path} is damaged: its index has no entry for slot {slot}", self.path)
