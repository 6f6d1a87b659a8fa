"""An arena: objects with keys and lifetimes in one shared memory, found by key by many processes, without a server (docs/arena.md).

The format and the rules are those of udax/arena for Node; both work on one arena at once. Of the orders of stores, what Python needs for
them is in members.py. This package handles arenas of one host (the usual kind).
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Optional, Tuple, Type, Union

from ..errors import fail
from ..file import Buffer
from .layout import COMMITTED, EXPIRY, GENERATION_HIGH, LENGTH, UNIT, hash_key
from .lease import Membership
from .objects import Entry, Reservation, Value
from .part import Part

if TYPE_CHECKING:
    from ..volume import Volume

Key = Union[str, bytes]


class Arena(Membership):
    """An open arena. open_arena() makes it. Threads may share it."""

    # Keys

    def _key(self, key: Key) -> Tuple[bytes, int, int]:
        data = key.encode() if isinstance(key, str) else bytes(key)
        if not data:
            fail("EINVAL", f"a key of {self.path} has at least one byte", self.path)
        if len(data) > self.geometry.max_key:
            fail("ENAMETOOLONG", f"a key of {len(data)} bytes is too long: {self.path} takes up to {self.geometry.max_key}", self.path)
        return (data, *hash_key(data, self.geometry.seed_a, self.geometry.seed_b))

    # Reading

    def get(self, key: Key) -> Optional[Value]:
        """Finds the object of a key and pins it; None when there is none. Raises EMFILE too many pins, EBADF, EBADMSG."""
        self.check()
        data, a, b = self._key(key)
        with self._mutex:
            while True:
                found = self._part.find(data, a, b)
                if found is None:
                    return None
                slot, state = found
                pin = self._members.pin(slot)
                word = self._part.word(slot)
                if self._words[word] == state:
                    if not self._has_expired(word):
                        return self._value(slot, word, pin)
                    self._members.unpin(pin)
                    return None
                self._members.unpin(pin)

    def get_batch(self, keys: Iterable[Key]) -> "List[Optional[Value]]":
        """get() of many keys."""
        return [self.get(key) for key in keys]

    def read(self, key: Key) -> Optional[bytes]:
        """A copy of the object of a key."""
        value = self.get(key)
        if value is None:
            return None
        with value:
            return bytes(value.bytes)

    def has(self, key: Key) -> bool:
        """Whether there is an object of the key."""
        self.check()
        data, a, b = self._key(key)
        found = self._part.find(data, a, b)
        return found is not None and not self._has_expired(self._part.word(found[0]))

    def has_batch(self, keys: Iterable[Key]) -> List[bool]:
        """has() of many keys."""
        return [self.has(key) for key in keys]

    def open(self, reference: str) -> Value:
        """The object that a reference names. Raises ESTALE when it is gone."""
        self.check()
        parts = reference.split(".")
        if len(parts) != 3 or not all(part.isdigit() for part in parts) or int(parts[0]) >= self.geometry.slots:
            fail("EINVAL", f"{reference!r} names no object of the arena {self.path}", self.path)
        slot, high, low = (int(part) for part in parts)
        with self._mutex:
            word = self._part.word(slot)
            pin = self._members.pin(slot)
            state = self._words[word]
            if (state & 7, state >> 3, self._words[word + GENERATION_HIGH]) == (COMMITTED, low, high) and not self._has_expired(word):
                return self._value(slot, word, pin)
            self._members.unpin(pin)
        fail("ESTALE", f"the object {reference} of the arena {self.path} is gone: get it by its key", self.path)

    def list(self, prefix: Key = b"") -> List[Entry]:
        """The objects, in no order."""
        self.check()
        start = prefix.encode() if isinstance(prefix, str) else bytes(prefix)
        found = []
        for slot in range(self.geometry.slots):
            word = self._part.word(slot)
            state = self._words[word]
            if state == 0:
                break
            if state & 7 != COMMITTED or self._has_expired(word):
                continue
            expiry = self._part.u64(word + EXPIRY)
            entry = Entry(self._part.key_of(word), self._part.u64(word + LENGTH), expiry / 1000 if expiry else None)
            if self._words[word] == state and entry.key.startswith(start):
                found.append(entry)
        return found

    def _has_expired(self, word: int) -> bool:
        expiry = self._part.u64(word + EXPIRY)
        return expiry != 0 and expiry <= time.time() * 1000

    def _value(self, slot: int, word: int, pin: int) -> Value:
        at, length = self._range(word)
        self._file.refetch(self.geometry.heap_offset + at, length)
        if self.geometry.policy == "clock":
            self._part.touch(slot)
        reference = f"{slot}.{self._words[word + GENERATION_HIGH]}.{self._words[word] >> 3}"
        return Value(self, self._heap[at : at + length], pin, slot, reference)

    def _range(self, word: int) -> Tuple[int, int]:
        at, length = self._words[word + UNIT] * self.geometry.align, self._part.u64(word + LENGTH)
        if length < 1 or at + length > self.geometry.heap_bytes:
            fail("EBADMSG", f"the arena {self.path} is damaged: an object reaches outside the heap", self.path)
        return at, length

    def _unpin(self, pin: int) -> None:
        if not self._closed:
            self._members.unpin(pin)

    # Writing

    def reserve(self, key: Key, length: int, *, ttl: Optional[float] = None, if_absent: bool = False) -> Reservation:
        """Reserves space for a value; it may evict. `ttl` is in seconds.

        Raises EFBIG, ENOSPC full, EBUSY full and what is in the way is pinned (by whom, says the message), EEXIST, ESTALE.
        """
        self.check()
        data, a, b = self._key(key)
        if length < 1:
            fail("EINVAL", f"a value has 1 byte or more, not {length}", self.path)
        with self._writing() as part:
            slot, state = self._reserve(part, data, (a, b), length, if_absent)
            at, _ = self._range(part.word(slot))
        return Reservation(self, data, slot, state, self._writable_heap[at : at + length], ttl, if_absent)

    def put(self, key: Key, value: Buffer, *, ttl: Optional[float] = None, if_absent: bool = False) -> None:
        """Stores a value, visible at once and whole. It replaces what was there. Raises as reserve()."""
        source = memoryview(value).cast("B")
        with self.reserve(key, len(source), ttl=ttl, if_absent=if_absent) as reservation:
            reservation.bytes[:] = source
            reservation.commit()

    def put_batch(self, entries: "Iterable[Tuple[Key, Buffer]]") -> None:
        """put() of many."""
        for key, value in entries:
            self.put(key, value)

    def delete(self, key: Key) -> bool:
        """Deletes the object of a key. Its memory is free when the last pin on it ends."""
        self.check()
        data, a, b = self._key(key)
        with self._writing() as part:
            found = part.find(data, a, b)
            if found is None:
                return False
            expired = self._has_expired(part.word(found[0]))
            part.retire(found[0])
            part.add("deletes", 1)
            return not expired

    def evict(self, size: int) -> int:
        """Frees at least so many bytes of objects that nobody pins. Returns bytes freed."""
        self.check()
        with self._writing() as part:
            before = part.get("used_units")

            def freed() -> int:
                return (before - part.get("used_units")) * self.geometry.align

            part.expire()
            policy = "fifo" if self.geometry.policy == "none" else self.geometry.policy
            if freed() < size:
                part.evict(policy, 0, lambda: freed() >= size)
            return freed()

    def reap(self) -> None:
        """Releases what killed processes of this host left, now."""
        self.check()
        with self._writing():
            self._reap()

    def stats(self) -> "Dict[str, Any]":
        """What the arena holds. Bytes are those of values, rounded up to the alignment."""
        self.check()
        part, align = self._part, self.geometry.align
        found: Dict[str, Any] = {name: part.get(name) for name in ("puts", "deletes", "evictions", "expirations")}
        used, reserved, limbo = (part.get(name) * align for name in ("used_units", "reserved_units", "limbo_units"))
        found.update(
            objects=part.get("committed"), heap=self.geometry.heap_bytes, used=used, reserved=reserved, limbo=limbo,
            free=self.geometry.heap_bytes - used - reserved - limbo, eviction=self.geometry.policy,
        )  # fmt: skip
        return found

    def _reserve(self, part: Part, data: bytes, hashes: Tuple[int, int], length: int, if_absent: bool) -> Tuple[int, int]:
        units = -(-length // self.geometry.align)
        if units > self.geometry.units:
            fail("EFBIG", f"a value of {length} bytes is larger than the arena {self.path}", self.path)
        if if_absent:
            self._refuse_existing(part, data, hashes)
        slots: List[int] = []
        if not self._try_slot(part, slots) and not self._make_room(part, 0, lambda: self._try_slot(part, slots)):
            self._refuse_room("one more object", part)
        slot = slots[0]
        blocks: List[int] = []

        def attempt() -> bool:
            block = part.heap.take(units, slot)
            if block:
                blocks.append(block)
            return block != 0

        if not attempt() and not self._make_room(part, units, attempt):
            part.put_back(slot)
            self._refuse_room(f"{length} bytes", part)
        return slot, part.reserve(slot, blocks[0], data, hashes, length)

    @staticmethod
    def _try_slot(part: Part, slots: List[int]) -> bool:
        slot = part.take_slot()
        if slot >= 0:
            slots.append(slot)
        return slot >= 0

    def _make_room(self, part: Part, units: int, attempt: Callable[[], bool]) -> bool:
        policy = self.geometry.policy
        if part.expire() and attempt():
            return True
        if part.sweep_limbo() and attempt():
            return True
        if part.evict(policy, units, attempt):
            return True
        return self._reap() and (attempt() or part.evict(policy, units, attempt))

    def _commit(self, data: bytes, slot: int, state: int, ttl: Optional[float], if_absent: bool) -> None:
        self.check()
        _, a, b = self._key(data)
        at, length = self._range(self._part.word(slot))
        self._file.write_back(self.geometry.heap_offset + at, length)
        with self._writing() as part:
            if self._words[part.word(slot)] != state:
                fail("ESTALE", f"this reservation in the arena {self.path} lapsed: reserve again", self.path)
            if if_absent:
                self._refuse_existing(part, data, (a, b))
            found = part.find(data, a, b)
            expiry = 0 if ttl is None else int((time.time() + ttl) * 1000)
            part.commit(slot, expiry, found[0] if found else None)
            part.add("puts", 1)

    def _abort(self, slot: int, state: int) -> None:
        if self._closed:
            return
        with self._writing() as part:
            if self._words[part.word(slot)] == state:
                part.abort(slot)

    def _refuse_existing(self, part: Part, data: bytes, hashes: Tuple[int, int]) -> None:
        found = part.find(data, *hashes)
        if found is not None and not self._has_expired(part.word(found[0])):
            fail("EEXIST", f"the arena {self.path} has an object of that key already", self.path)

    def _refuse_room(self, what: str, part: Part) -> None:
        pinning = part.members.pinning()
        if pinning:
            text = ", ".join(pinning[:4])
            fail("EBUSY", f"the arena {self.path} has no room for {what}: {text}: release them", self.path)
        largest = part.heap.largest() * self.geometry.align
        fail("ENOSPC", f"the arena {self.path} has no room for {what}: the largest free piece has {largest} bytes; delete objects", self.path)

    def __enter__(self) -> "Arena":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()


def open_arena(volume: "Volume", path: str) -> Arena:
    """Opens an arena as a member of it. `udax arena create` makes one; the volume is opened with writable=True or client_writes=True.

    Raises ENOENT, EINVAL no arena, EOPNOTSUPP another version or several hosts, EBADMSG damaged, EROFS, EBUSY another host has it, EMFILE.
    """
    return Arena(volume, path)
