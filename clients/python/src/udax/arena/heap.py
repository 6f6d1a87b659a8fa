"""The allocator of a host's heap: two-level segregated free lists over descriptors, with coalescing (docs/arena.md)."""

from __future__ import annotations

from typing import List, Tuple

from ..errors import fail
from .layout import (
    B_BEFORE,
    B_BEHIND,
    B_FREE_BEFORE,
    B_FREE_BEHIND,
    B_SLOT,
    B_UNIT,
    B_UNITS,
    BLOCK,
    BLOCK_WORDS,
    CONTROL,
    Geometry,
)

_CLASSES = 16
_CLOSE_FITS = 8


def _class_of(units: int) -> Tuple[int, int]:
    if units < _CLASSES:
        return 0, units
    power = units.bit_length() - 1
    return power - 3, units >> (power - 4) & 15


def _lowest(bits: int) -> int:
    return (bits & -bits).bit_length() - 1


class Heap:
    """The caller has the writers' lock."""

    def __init__(self, words: memoryview, control: int, geometry: Geometry, path: str) -> None:
        self._words = words
        self._control = control
        self._blocks = control + geometry.block_word - BLOCK_WORDS
        self._most = geometry.blocks
        self._units = geometry.units
        self._path = path

    def _at(self, block: int) -> int:
        if not 1 <= block <= self._most:
            fail("EBADMSG", f"the arena {self._path} is damaged: its heap names piece {block} of {self._most}", self._path)
        return self._blocks + block * BLOCK_WORDS

    def take(self, units: int, slot: int) -> int:
        """A piece of exactly `units`: its descriptor, 0 when there is none."""
        words = self._words
        block = self._find(units)
        if block == 0:
            return 0
        self._unlink(block)
        at = self._at(block)
        rest = words[at + B_UNITS] - units
        if rest > 0:
            words[at + B_UNITS] = units
            self._link(self._insert(block, words[at + B_UNIT] + units, rest))
        words[at + B_SLOT] = slot + 1
        return block

    def give(self, block: int) -> None:
        """Gives a piece back, and joins it with free neighbours."""
        words = self._words
        at = self._at(block)
        words[at + B_SLOT] = 0
        behind = words[at + B_BEHIND]
        if behind and self.is_free(behind):
            self._unlink(behind)
            self._absorb(block, behind)
        before = words[at + B_BEFORE]
        if before and self.is_free(before):
            self._unlink(before)
            self._absorb(before, block)
            block = before
        self._link(block)

    def unit_of(self, block: int) -> int:
        """Where it begins."""
        return int(self._words[self._at(block) + B_UNIT])

    def units_of(self, block: int) -> int:
        """How long it is."""
        return int(self._words[self._at(block) + B_UNITS])

    def is_free(self, block: int) -> bool:
        """Whether no slot has it."""
        return bool(self._words[self._at(block) + B_SLOT] == 0)

    def slot_of(self, block: int) -> int:
        """The slot that has it, or -1."""
        return int(self._words[self._at(block) + B_SLOT]) - 1

    def neighbour(self, block: int, side: int) -> int:
        """The piece before (B_BEFORE) or behind (B_BEHIND) it; 0 at an end."""
        return int(self._words[self._at(block) + side])

    def largest(self) -> int:
        """Units of the largest free piece."""
        words = self._words
        levels = words[self._control + CONTROL["first_level"]]
        if not levels:
            return 0
        level = levels.bit_length() - 1
        index = words[self._control + CONTROL["second_level"] + level].bit_length() - 1
        block, best = words[self._list(level, index)], 0
        while block:
            best = max(best, self.units_of(block))
            block = words[self._at(block) + B_FREE_BEHIND]
        return best

    def rebuild(self, used: "List[Tuple[int, int, int, int]]") -> None:
        """Builds all anew over used pieces (unit, units, slot, slot's word), by ascending place."""
        words, control = self._words, self._control
        for word in range(control + CONTROL["first_level"], control + CONTROL["free_lists"] + 32 * _CLASSES):
            words[word] = 0
        words[control + CONTROL["free_block"]] = 0
        words[control + CONTROL["block_high"]] = 0
        last = end = 0
        for unit, units, slot, word in used:
            if unit > end:
                last = self._insert(last, end, unit - end)
                self._link(last)
            last = self._insert(last, unit, units)
            words[self._at(last) + B_SLOT] = slot + 1
            words[word + BLOCK] = last
            end = unit + units
        if end < self._units:
            self._link(self._insert(last, end, self._units - end))

    def _find(self, units: int) -> int:
        words, control = self._words, self._control
        level, index = _class_of(units)
        own = self._first_fit(self._list(level, index), units, _CLOSE_FITS)
        if own:
            return own
        higher = words[control + CONTROL["second_level"] + level] & -1 << index + 1
        if higher:
            return int(words[self._list(level, _lowest(higher))])
        levels = words[control + CONTROL["first_level"]] & -1 << level + 1
        if levels:
            level = _lowest(levels)
            return int(words[self._list(level, _lowest(words[control + CONTROL["second_level"] + level]))])
        return self._first_fit(self._list(level, index), units, self._most)

    def _first_fit(self, where: int, units: int, most: int) -> int:
        words = self._words
        block = words[where]
        while block and most > 0:
            at = self._at(block)
            if words[at + B_UNITS] >= units:
                return int(block)
            block, most = words[at + B_FREE_BEHIND], most - 1
        return 0

    def _list(self, level: int, index: int) -> int:
        return self._control + CONTROL["free_lists"] + level * _CLASSES + index

    def _link(self, block: int) -> None:
        words = self._words
        at = self._at(block)
        level, index = _class_of(words[at + B_UNITS])
        where = self._list(level, index)
        head = words[where]
        words[at + B_FREE_BEFORE], words[at + B_FREE_BEHIND] = 0, head
        if head:
            words[self._at(head) + B_FREE_BEFORE] = block
        words[where] = block
        words[self._control + CONTROL["second_level"] + level] |= 1 << index
        words[self._control + CONTROL["first_level"]] |= 1 << level

    def _unlink(self, block: int) -> None:
        words = self._words
        at = self._at(block)
        before, behind = words[at + B_FREE_BEFORE], words[at + B_FREE_BEHIND]
        if behind:
            words[self._at(behind) + B_FREE_BEFORE] = before
        if before:
            words[self._at(before) + B_FREE_BEHIND] = behind
            return
        level, index = _class_of(words[at + B_UNITS])
        words[self._list(level, index)] = behind
        if behind:
            return
        second = self._control + CONTROL["second_level"] + level
        words[second] &= ~(1 << index)
        if words[second] == 0:
            words[self._control + CONTROL["first_level"]] &= ~(1 << level)

    def _absorb(self, block: int, behind: int) -> None:
        words = self._words
        at, gone = self._at(block), self._at(behind)
        words[at + B_UNITS] += words[gone + B_UNITS]
        following = words[gone + B_BEHIND]
        words[at + B_BEHIND] = following
        if following:
            words[self._at(following) + B_BEFORE] = block
        words[gone + B_UNITS] = words[gone + B_SLOT] = 0
        words[gone + B_FREE_BEHIND] = words[self._control + CONTROL["free_block"]]
        words[self._control + CONTROL["free_block"]] = behind

    def _insert(self, block: int, unit: int, units: int) -> int:
        words, control = self._words, self._control
        made = int(words[control + CONTROL["free_block"]])
        if made:
            words[control + CONTROL["free_block"]] = words[self._at(made) + B_FREE_BEHIND]
        else:
            made = words[control + CONTROL["block_high"]] + 1
            self._at(made)
            words[control + CONTROL["block_high"]] = made
        at = self._at(made)
        following = words[self._at(block) + B_BEHIND] if block else 0
        for field, value in ((B_UNIT, unit), (B_UNITS, units), (B_BEFORE, block), (B_BEHIND, following)):
            words[at + field] = value
        words[at + B_SLOT] = words[at + B_FREE_BEFORE] = words[at + B_FREE_BEHIND] = 0
        if block:
            words[self._at(block) + B_BEHIND] = made
        if following:
            words[self._at(following) + B_BEFORE] = made
        return made
