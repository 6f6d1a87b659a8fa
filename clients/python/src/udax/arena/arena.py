"""An arena: objects with keys and lifetimes in one shared memory, found by key by many processes, without a server (docs/arena.md).

The format and the rules are those of udax/arena for Node; both work on one arena at once. Of the orders of stores, what Python needs for
them is in members.py. This package handles arenas of one host (the usual kind).
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple, Type, Union

from .. import libc, locks
from ..errors import fail
from ..file import Buffer
from .layout import (
    COMMITTED,
    CONTROL,
    EPOCH,
    EXPIRY,
    FREE,
    GENERATION_HIGH,
    LENGTH,
    NEVER,
    OWNED,
    RELEASED,
    RESERVED,
    UNIT,
    Geometry,
    decode_header,
    hash_key,
)
from .members import Members
from .part import Part
from .recovery import is_reservation_live, rebuild

if TYPE_CHECKING:
    from ..volume import Volume

Key = Union[str, bytes]
_JOIN_LOCK = 4095
_CLAIM_SECONDS = 0.01
_DIRTY = CONTROL["dirty"]


class Entry(NamedTuple):
    """An object as list() finds it."""

    key: bytes
    size: int
    expires: Optional[float]


class Value:
    """An object that is pinned: `bytes` is the shared memory itself, read-only, until release(). A view that is kept longer shows whatever
    is stored there next. `with value:` releases it."""

    def __init__(self, arena: "Arena", view: memoryview, pin: int, slot: int, reference: str) -> None:
        self._arena, self._view, self._pin = arena, view, pin
        self._slot = slot
        #: Names this very object, for Arena.open() of any process.
        self.reference = reference

    @property
    def bytes(self) -> memoryview:
        """The value. Raises EBADF when it was released."""
        if self._pin < 0:
            fail("EBADF", f"this object of the arena {self._arena.path} was released: get it again", self._arena.path)
        return self._view

    def release(self) -> None:
        """Lets go. Idempotent."""
        if self._pin >= 0:
            pin, self._pin = self._pin, -1
            self._view = memoryview(b"")
            self._arena._unpin(pin)

    def __enter__(self) -> "Value":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.release()


class Reservation:
    """Space for a value that nobody sees before commit(). `with` aborts it unless it was committed."""

    def __init__(self, arena: "Arena", key: bytes, slot: int, state: int, view: memoryview, ttl: Optional[float], if_absent: bool) -> None:
        self._arena, self._key, self._slot, self._state = arena, key, slot, state
        self._view: Optional[memoryview] = view
        self._ttl, self._if_absent = ttl, if_absent

    @property
    def bytes(self) -> memoryview:
        """The memory itself, writable. Raises EBADF when it was committed or aborted."""
        if self._view is None:
            fail("EBADF", f"this reservation in the arena {self._arena.path} was committed or aborted", self._arena.path)
        return self._view

    def commit(self) -> None:
        """Makes the value visible, whole and at once. Raises EEXIST with if_absent, ESTALE the lease was lost."""
        self.bytes  # noqa: B018  it raises EBADF
        self._arena._commit(self._key, self._slot, self._state, self._ttl, self._if_absent)
        self._view = None

    def abort(self) -> None:
        """Gives the space back. Idempotent."""
        if self._view is not None:
            self._view = None
            self._arena._abort(self._slot, self._state)

    def __enter__(self) -> "Reservation":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.abort()


class Arena:
    """An open arena. open_arena() makes it. Threads may share it."""

    def __init__(self, volume: "Volume", path: str) -> None:
        self._file = volume.open(path, writable=True)
        self.path = self._file.path
        self.geometry = geometry = decode_header(self._file.pread(128, 0), self.path, self._file.size)
        if geometry.hosts != 1:
            fail("EOPNOTSUPP", f"the arena {path} is for {geometry.hosts} hosts: this package handles those of one", path)
        self._device_writes = self._file.write_back
        self._metadata = self._file.buffer(0, geometry.heap_offset, writable=True)
        self._words = self._metadata.cast("I")
        self._heap = self._file.buffer(geometry.heap_offset, geometry.heap_bytes)
        self._writable_heap = self._file.buffer(geometry.heap_offset, geometry.heap_bytes, writable=True)
        self._fence = libc.full_fence_for(self.path)
        self._mutex = threading.RLock()
        self._closed = False
        fd = os.open(f"/proc/self/fd/{volume.device.backing.fd}", os.O_RDWR | os.O_CLOEXEC)
        self._end = weakref.finalize(self, os.close, fd)
        self._fd = fd
        control = 1024
        self._members = Members(self._words, control, geometry, self.path, self._fence, fd, self._place)
        self._part = Part(self._words, self._metadata, geometry, 0, self._members, self._fence, self.path)
        self._control = control
        self._boot = _boot_id()
        self._epoch = 0
        self._beat_at = 0.0
        try:
            self._join()
        except BaseException:
            self._end()
            raise
        _start_heartbeat(self)

    def _place(self, offset: int) -> locks.Range:
        return self._file._parts(offset, 1)[0][0], 1

    # Lease

    def _join(self) -> None:
        with self._held(self._place(_JOIN_LOCK), 2 * self.geometry.lease_ms / 1000 + 1):
            if not self._is_ours():
                self._claim()
            self._epoch = self._words[self._control + CONTROL["epoch"]]
            self._beat()
            with self._writing():
                self._reap()
                self._members.join()

    def _is_ours(self) -> bool:
        words, at = self._words, self._control
        return bool(words[at + CONTROL["state"]] == OWNED and bytes(self._metadata[at * 4 : at * 4 + 16]) == self._boot)

    def _claim(self) -> None:
        """Takes the part, when nobody owns it or its owner's heartbeat stands still for a lease and a quarter."""
        words, at = self._words, self._control
        beat = words[at + CONTROL["heartbeat"]]
        if words[at + CONTROL["state"]] not in (NEVER, RELEASED):
            since, limit = time.monotonic(), self.geometry.lease_ms * 1.25 / 1000
            while time.monotonic() - since < limit:
                time.sleep(0.02)
                self._refetch_control()
                if words[at + CONTROL["heartbeat"]] != beat:
                    fail("EBUSY", f"the arena {self.path} belongs to another host, which lives: close it there", self.path)
        before = bytes(self._metadata[at * 4 : at * 4 + 24])
        with self._held(self._place((at + _DIRTY) * 4), 1):
            self._metadata[at * 4 : at * 4 + 16] = self._boot
            words[at + CONTROL["epoch"]] = words[at + CONTROL["epoch"]] + 1 & 0xFFFFFFFF
            words[at + CONTROL["state"]] = OWNED
            self._file.write_back(at * 4, 64)
            time.sleep(_CLAIM_SECONDS)
            self._refetch_control()
            if not self._is_ours() or words[at + CONTROL["heartbeat"]] != beat:
                if self._is_ours():
                    self._metadata[at * 4 : at * 4 + 24] = before
                fail("EBUSY", f"another host has taken the arena {self.path} at the same moment", self.path)
            words[at + _DIRTY] = 1
            rebuild(self._part, taken_over=True)
            words[at + _DIRTY] = 0

    def _refetch_control(self) -> None:
        self._file.refetch(self._control * 4, 128)

    def _beat(self) -> None:
        now = time.monotonic()
        if now < self._beat_at:
            return
        self._beat_at = now + self.geometry.lease_ms / 5000
        at = self._control + CONTROL["heartbeat"]
        self._words[at] = self._words[at] + 1 & 0xFFFFFFFF
        self._file.write_back(at * 4, 4)

    # Locks

    @contextlib.contextmanager
    def _held(self, where: locks.Range, patience: float) -> Iterator[None]:
        deadline, pause = time.monotonic() + patience, 0.00005
        while not locks.set_lock(self._fd, "exclusive", where):
            if time.monotonic() > deadline:
                who = locks.holders_text(self._fd, "exclusive", where)
                fail("EBUSY", f"the arena {self.path} is locked by {who}, which does not go on (stopped?)", self.path)
            time.sleep(pause)
            pause = min(pause * 1.5, 0.002)
        try:
            yield
        finally:
            locks.set_lock(self._fd, "unlock", where)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Part]:
        """The writers' lock. After an error that is no refusal the part stays marked: the next writer builds it anew."""
        with self._mutex, self._held(self._place((self._control + _DIRTY) * 4), 1.0):
            self._beat()
            self._refetch_control()
            if not self._is_ours() or self._words[self._control + CONTROL["epoch"]] != self._epoch:
                fail("ESTALE", f"this host's lease on the arena {self.path} was taken over: open it again", self.path)
            if self._words[self._control + _DIRTY]:
                rebuild(self._part)
            self._words[self._control + _DIRTY] = max(self._members.index, 0) + 2
            self._fence()
            try:
                yield self._part
            except OSError as error:
                if getattr(error, "code", "") in ("ENOSPC", "EBUSY", "EEXIST", "ESTALE", "EFBIG", "EMFILE"):
                    self._words[self._control + _DIRTY] = 0
                raise
            self._fence()
            if self._file._volume.device.backing.flushes:
                self._file.write_back(0, self.geometry.heap_offset)
            self._words[self._control + _DIRTY] = 0

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

    def _reap(self) -> bool:
        part = self._part
        dead = part.members.clear_dead()
        found = False
        if part.get("reserved"):
            for slot in range(min(part.get("slot_high"), self.geometry.slots)):
                if part.kind(slot) == RESERVED and not is_reservation_live(part, slot):
                    part.abort(slot)
                    found = True
        return part.sweep_limbo() or found or dead

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

    # Life

    def check(self) -> None:
        """Raises what any call would raise: EBADF closed, ESTALE, ENXIO, EIO."""
        if self._closed:
            fail("EBADF", f"the arena {self.path} is closed: open it again", self.path)
        self._file.check()

    def close(self) -> None:
        """Ends this member: its pins and open reservations too. The objects stay. Idempotent."""
        if self._closed:
            return
        with contextlib.suppress(OSError), self._writing():
            self._members.leave()
            self._reap()
            if self._members.is_last():
                self._words[self._control + CONTROL["state"]] = RELEASED
                self._file.write_back(self._control * 4, 64)
        self._closed = True
        self._end()

    def __enter__(self) -> "Arena":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()


def _boot_id() -> bytes:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as text:
        return bytes.fromhex(text.read().strip().replace("-", ""))


def _start_heartbeat(arena: Arena) -> None:
    """Counts the heartbeat up while the arena is open and idle. The thread ends with it."""
    handle = weakref.ref(arena)
    pause = arena.geometry.lease_ms / 4000

    def beats() -> None:
        while True:
            time.sleep(pause)
            found = handle()
            if found is None or found._closed:
                return
            with contextlib.suppress(OSError, ValueError):
                if found._is_ours() and found._words[found._control + CONTROL["epoch"]] == found._epoch:
                    found._beat()
            del found

    threading.Thread(target=beats, name="udax arena heartbeat", daemon=True).start()


def open_arena(volume: "Volume", path: str) -> Arena:
    """Opens an arena as a member of it. `udax arena create` makes one; the volume is opened with writable=True or client_writes=True.

    Raises ENOENT, EINVAL no arena, EOPNOTSUPP another version or several hosts, EBADMSG damaged, EROFS, EBUSY another host has it, EMFILE.
    """
    return Arena(volume, path)


__all__ = ["Arena", "Entry", "Geometry", "Key", "Reservation", "Value", "open_arena"]
