"""The part of an arena that this host owns, for its writers: slots, index, lists. The caller has the writers' lock.

The orders of stores are those of docs/arena.md; a fence stands where Node has a store by Atomics.
"""

from __future__ import annotations

import time
from typing import Callable, List, Optional, Set, Tuple

from .layout import (
    B_BEFORE,
    B_BEHIND,
    BLOCK,
    CHECK,
    COMMITTED,
    CONTROL,
    DEAD,
    EPOCH,
    EXPIRY,
    FREE,
    GENERATION_HIGH,
    HASH_A,
    HASH_B,
    INCARNATION,
    KEY,
    KEY_BYTES,
    LENGTH,
    MEMBER,
    NEXT,
    PREVIOUS,
    RESERVED,
    SEQUENCE,
    STATE,
    UNIT,
    VERSION_OF,
    check_of,
)
from .table import SlotTable


class Part(SlotTable):
    """Slots and what they go through. Slots are the truth; all else follows from them."""

    # Slots

    def take_slot(self) -> int:
        """A free slot, or -1."""
        head = self.get("free_slot")
        if head:
            self.set("free_slot", self.words[self.word(head - 1) + NEXT])
            return head - 1
        high = self.get("slot_high")
        if high >= self.geometry.slots:
            return -1
        self.set("slot_high", high + 1)
        return high

    def put_back(self, slot: int) -> None:
        """Makes a slot the first of the free ones."""
        self.words[self.word(slot) + NEXT] = self.get("free_slot")
        self.set("free_slot", slot + 1)

    def reserve(self, slot: int, block: int, key: bytes, hashes: Tuple[int, int], length: int) -> int:
        """Makes a free slot a reservation. Returns its state word."""
        words, word = self.words, self.word(slot)
        generation = (words[word] >> 3) + 1 & 0x1FFFFFFF
        if generation == 0:
            words[word + GENERATION_HIGH] += 1
        state = generation << 3 | RESERVED
        words[word] = state
        self._fence()
        words[word + HASH_A], words[word + HASH_B] = hashes
        words[word + UNIT] = self.heap.unit_of(block)
        self.set_u64(word + LENGTH, length)
        words[word + KEY_BYTES] = len(key)
        words[word + BLOCK] = block
        words[word + MEMBER] = self.members.index + 1
        words[word + INCARNATION] = self.members.incarnation
        words[word + EPOCH] = self.get("epoch")
        self.set_u64(word + EXPIRY, 0)
        at = (word + KEY) * 4
        padded = key + b"\0" * (-len(key) % 4)
        self.data[at : at + len(padded)] = padded
        self.add("reserved", 1)
        self.add("reserved_units", self.heap.units_of(block))
        return state

    def commit(self, slot: int, expiry: int, replaced: Optional[int]) -> None:
        """Publishes a reservation, in place of another slot of the key."""
        words, word = self.words, self.word(slot)
        words[word + VERSION_OF] = 1 + (words[self.word(replaced) + VERSION_OF] if replaced is not None else 0)
        self.set_u64(word + EXPIRY, expiry)
        words[word + SEQUENCE] = self.get("sequence")
        self.add("sequence", 1)
        words[word + CHECK] = check_of(words, word)
        self._fence()
        self._set_kind(word, COMMITTED)
        a, b = words[word + HASH_A], words[word + HASH_B]
        if replaced is None:
            self.insert(a, b, slot)
        else:
            words[self._entry(a, b, replaced)[0]] = slot + 1
        units = self.units_of(word)
        for name, change in (("reserved", -1), ("reserved_units", -units), ("committed", 1), ("used_units", units)):
            self.add(name, change)
        self.append(slot)
        self.data[self._touch + slot] = self.get("clock_epoch") + 253 & 0xFF
        if expiry:
            due = self.u64(self.control + CONTROL["next_expiry"])
            self.set_u64(self.control + CONTROL["next_expiry"], min(due or expiry, expiry))
        if replaced is not None:
            self.retire(replaced, replaced=True)

    def abort(self, slot: int) -> None:
        """Ends a reservation."""
        word = self.word(slot)
        self.add("reserved", -1)
        self.add("reserved_units", -self.units_of(word))
        self._free(slot)

    def retire(self, slot: int, replaced: bool = False) -> None:
        """Ends a committed object."""
        words, word = self.words, self.word(slot)
        self._set_kind(word, DEAD)
        if not replaced:
            entry, passed = self._entry(words[word + HASH_A], words[word + HASH_B], slot)
            words[entry] = 0
            for full in passed:
                words[full] -= 1
        self.unlink(slot)
        self.add("committed", -1)
        self.add("used_units", -self.units_of(word))
        if slot in self.members.pinned():
            self.to_limbo(slot)
        else:
            self._free(slot)

    def to_limbo(self, slot: int) -> None:
        """Keeps a dead slot until nobody pins it."""
        word = self.word(slot)
        self.words[word + NEXT] = self.get("limbo_head")
        self.set("limbo_head", slot + 1)
        self.add("limbo", 1)
        self.add("limbo_units", self.units_of(word))

    def sweep_limbo(self) -> bool:
        """Frees what nobody pins any more."""
        following, left = self.get("limbo_head"), min(self.get("limbo"), self.geometry.slots)
        if not following:
            return False
        pinned, before = self.members.pinned(), left
        for name in ("limbo_head", "limbo", "limbo_units"):
            self.set(name, 0)
        while following and left > 0:
            slot, left = following - 1, left - 1
            following = self.words[self.word(slot) + NEXT]
            if slot in pinned:
                self.to_limbo(slot)
            else:
                self._free(slot)
        return self.get("limbo") < before

    def append(self, slot: int) -> None:
        """Puts a slot at the end of the list of committed objects."""
        words, word, tail = self.words, self.word(slot), self.get("order_tail")
        words[word + NEXT], words[word + PREVIOUS] = 0, tail
        if tail:
            words[self.word(tail - 1) + NEXT] = slot + 1
        else:
            self.set("order_head", slot + 1)
        self.set("order_tail", slot + 1)

    def unlink(self, slot: int) -> None:
        """Takes a slot out of that list."""
        words, word = self.words, self.word(slot)
        following, previous = words[word + NEXT], words[word + PREVIOUS]
        if previous:
            words[self.word(previous - 1) + NEXT] = following
        else:
            self.set("order_head", following)
        if following:
            words[self.word(following - 1) + PREVIOUS] = previous
        else:
            self.set("order_tail", previous)

    def in_order(self) -> List[int]:
        """Committed slots, first the next to be evicted."""
        found: List[int] = []
        following = self.get("order_head")
        while following and len(found) < min(self.get("committed"), self.geometry.slots):
            found.append(following - 1)
            following = self.words[self.word(following - 1) + NEXT]
        return found

    # Room

    def expire(self) -> bool:
        """Ends objects whose time is over."""
        due, now = self.u64(self.control + CONTROL["next_expiry"]), int(time.time() * 1000)
        if not due or now < due:
            return False
        rest = []
        found = False
        for slot in self.in_order():
            expiry = self.u64(self.word(slot) + EXPIRY)
            if expiry and expiry <= now:
                self.retire(slot)
                self.add("expirations", 1)
                found = True
            elif expiry:
                rest.append(expiry)
        self.set_u64(self.control + CONTROL["next_expiry"], min(rest, default=0))
        return found

    def evict(self, policy: str, units: int, attempt: Callable[[], bool]) -> bool:
        """Frees runs of the heap (or single slots, for 0 units) until `attempt` succeeds. Never a pinned object."""
        if policy == "none":
            return False
        pinned = self.members.pinned()
        turns = [policy == "clock", False] if policy == "clock" else [False]
        for spares in turns:
            for slot in self.in_order():
                if self.kind(slot) != COMMITTED or slot in pinned:
                    continue
                if policy == "clock":
                    self._tick()
                if spares and self.get("clock_epoch") - self.data[self._touch + slot] & 0xFF <= 1:
                    self.unlink(slot)
                    self.append(slot)
                    continue
                run = [slot] if units == 0 else self._run(slot, units, pinned)
                if run is None:
                    continue
                for victim in run:
                    self.retire(victim)
                self.add("evictions", len(run))
                if attempt():
                    return True
        return False

    def touch(self, slot: int) -> None:
        """Notes for the clock that a slot was read."""
        epoch = self.get("clock_epoch") & 0xFF
        if self.data[self._touch + slot] != epoch:
            self.data[self._touch + slot] = epoch

    def _tick(self) -> None:
        self.add("clock_steps", 1)
        if self.get("clock_steps") > self.get("committed"):
            self.set("clock_steps", 0)
            self.set("clock_epoch", self.get("clock_epoch") + 1 & 0xFF)

    def _run(self, slot: int, units: int, pinned: Set[int]) -> Optional[List[int]]:
        start = int(self.words[self.word(slot) + BLOCK])
        victims, room = [slot], self.heap.units_of(start)
        for side in (B_BEHIND, B_BEFORE):
            block = start
            for _ in range(self.geometry.blocks):
                if room >= units:
                    return victims
                block = self.heap.neighbour(block, side)
                if not block:
                    break
                if not self.heap.is_free(block):
                    owner = self.heap.slot_of(block)
                    if self.kind(owner) != COMMITTED or owner in pinned:
                        break
                    victims.append(owner)
                room += self.heap.units_of(block)
        return victims if room >= units else None

    def _free(self, slot: int) -> None:
        word = self.word(slot)
        self._set_kind(word, FREE)
        block = self.words[word + BLOCK]
        if block:
            self.heap.give(block)
        self.put_back(slot)

    def _set_kind(self, word: int, kind: int) -> None:
        self.words[word + STATE] = self.words[word + STATE] & ~7 & 0xFFFFFFFF | kind
        self._fence()
