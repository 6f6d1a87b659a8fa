"""Joining an arena: the host's lease on its part, the writers' lock, and the heartbeat (docs/arena.md)."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Iterator

from .. import libc, locks
from ..errors import fail
from .layout import CONTROL, NEVER, OWNED, RELEASED, RESERVED, decode_header
from .members import Members
from .part import Part
from .recovery import is_reservation_live, rebuild

if TYPE_CHECKING:
    from ..volume import Volume

_JOIN_LOCK = 4095
_CLAIM_SECONDS = 0.01
_DIRTY = CONTROL["dirty"]


class Membership:
    """An open file of an arena, as a member of it."""

    path: str

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

    # The dead

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
        for view in (self._words, self._metadata, self._heap, self._writable_heap):
            view.release()
        self._file.close()


def _boot_id() -> bytes:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as text:
        return bytes.fromhex(text.read().strip().replace("-", ""))


def _start_heartbeat(arena: Membership) -> None:
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
