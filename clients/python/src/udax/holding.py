"""The use of a device by this process: the use lock on the memory, and the holder file that names us.

The lock lies on the memory's own file, far beyond its bytes: 2^61 + offset for the bytes, 2^62 + slot for the device of
a machine. Every udax of this host looks there. So `udax mkfs` and `udax reconfigure-device` refuse while we read, and
name us; and we refuse memory that another process has for itself alone.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
import time
import weakref
from typing import List, Optional, Tuple

from . import locks
from .device import Device
from .errors import about, fail

_MEMORY_BASE = 2**61
_SLOT_BASE = 2**62
_SLOT_BYTES = 1024
_WAIT_SECONDS = 0.04
_count = itertools.count()


def slot_of(machine: str, device: str) -> locks.Range:
    """The lock range that marks a device of a machine as used, the same in every process."""
    digest = hashlib.sha256(f"{machine} {device}".encode()).digest()
    return _SLOT_BASE + int.from_bytes(digest[:5], "little") * _SLOT_BYTES, _SLOT_BYTES


def _take(fd: int, ranges: List[locks.Range], name: str) -> None:
    """Takes all locks shared, waiting a moment: a change of the machine takes milliseconds. Raises EBUSY."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        blocked = next((where for where in ranges if not locks.set_lock(fd, "shared", where)), None)
        if blocked is None:
            return
        for where in ranges:
            locks.set_lock(fd, "unlock", where)
        if time.monotonic() > deadline:
            who = locks.holders_text(fd, "shared", blocked)
            fail("EBUSY", f"{name} is in use by {who}: let it end that first", name)
        time.sleep(0.001)


def _holder_file(directory: str, mode: int, device: str, purpose: str) -> Tuple[Optional[str], int]:
    """Makes the holder file: locked and written before it has its name. None where no file can be made."""
    pid = os.getpid()
    start = locks.start_time()
    name = f"{pid}-{start}-{_base36(time.monotonic_ns())}-{next(_count)}"
    record = {"pid": pid, "startTime": start, "command": locks.command_of(), "device": device, "purpose": purpose}
    born = os.path.join(directory, f".{name}.{pid}")
    fd = -1
    try:
        fd = os.open(born, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        os.fchmod(fd, mode)
        locks.set_lock(fd, "exclusive")
        os.write(fd, (json.dumps({**record, "exclusive": False}, separators=(",", ":")) + "\n").encode())
        os.rename(born, os.path.join(directory, name))
        return os.path.join(directory, name), fd
    except OSError as cause:
        if fd >= 0:
            os.close(fd)
            _remove(born)
        if cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT):
            return None, -1
        raise about(cause, "cannot be made", born) from cause


def _base36(number: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = digits[digit] + text
    return text or "0"


def _remove(file: str) -> None:
    try:
        os.unlink(file)
    except OSError:
        pass  # without its lock it is a dead one: the next process that lists the holders removes it


def _end(pid: int, file: Optional[str], descriptors: List[int]) -> None:
    """Ends a use. In a forked child the use goes on: it is the parent's, and so is the file."""
    if file is not None and os.getpid() == pid:
        _remove(file)
    for fd in descriptors:
        os.close(fd)


class Holding:
    """This process's use of a device, from now until release(), or until nothing refers to it any more."""

    def __init__(
        self,
        device: Device,
        purpose: str,
        slot: Optional[locks.Range] = None,
        directory: Optional[str] = None,
        file_mode: int = 0o600,
    ) -> None:
        """Raises EBUSY naming the process that has the memory for itself alone."""
        backing = device.backing
        access = os.O_RDWR if backing.writable else os.O_RDONLY
        # Locks belong to a descriptor: this use has one of its own.
        fd = os.open(f"/proc/self/fd/{backing.fd}", access | os.O_CLOEXEC)
        file: Optional[str] = None
        descriptors = [fd]
        try:
            ranges = [slot] if slot is not None else []
            ranges += [(_MEMORY_BASE + offset, length) for offset, length in device.use_ranges]
            _take(fd, ranges, device.name)
            if directory is not None:
                file, file_fd = _holder_file(directory, file_mode, device.name, purpose)
                if file is not None:
                    descriptors.append(file_fd)
        except BaseException:
            os.close(fd)
            raise
        self._finish = weakref.finalize(self, _end, os.getpid(), file, descriptors)

    def release(self) -> None:
        """Ends the use. Idempotent."""
        self._finish()
