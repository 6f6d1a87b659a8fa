"""The file or device that is the memory: opening it, reading it, and what it can do."""

from __future__ import annotations

import errno
import mmap
import os
import stat as _stat
import weakref
from typing import Optional

from . import layout, libc, locks
from .errors import about, fail

_TMPFS = "tmpfs"
_HUGETLBFS = "hugetlbfs"
#: The byte whose lock says that somebody may be storing, beyond all memory (src/famfs/volume/store-marks.ts).
_STORES: locks.Range = (2**54, 1)


def _file_system_type(fd: int) -> str:
    """The type of the file system that a descriptor's file is on, from the kernel's table of mounts."""
    mount = ""
    with open(f"/proc/self/fdinfo/{fd}", encoding="ascii", errors="replace") as info:
        for line in info:
            if line.startswith("mnt_id:"):
                mount = line.split()[1]
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
        for line in mounts:
            if line.split(" ", 1)[0] == mount:
                return line.split(" - ", 1)[1].split(" ", 1)[0]
    return ""


def _sysfs(node: str, rdev: int, attribute: str) -> str:
    path = f"/sys/dev/char/{os.major(rdev)}:{os.minor(rdev)}/{attribute}"
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError as cause:
        raise about(cause, f"attribute {attribute} of {node} cannot be read: is it a dax device?", path) from cause


def _sysfs_bytes(node: str, rdev: int, attribute: str) -> int:
    text = _sysfs(node, rdev, attribute)
    try:
        return int(text, 0)
    except ValueError:
        return fail("EIO", f"{attribute} of {node} is no byte count: {text!r}", node)


class Backing:
    """Memory that several programs can reach: an open file or a `/dev/daxX.Y`. Offsets and lengths are bytes."""

    def __init__(self, path: str, writable: bool = False, coherent: bool = True) -> None:
        """Raises ENOENT, EACCES, EISDIR; ENODEV no memory; EINVAL an empty file; ENXIO a device in another mode."""
        self.name = path
        self.coherent = coherent
        self.writable = writable
        self._lines: Optional[mmap.mmap] = None
        self._stores = False
        self._refuse_other_kinds(_look(path))
        if not coherent:
            libc.cache_calls(path)
        access = os.O_RDWR if writable else os.O_RDONLY
        try:
            self.fd = os.open(path, access | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        except OSError as cause:
            raise about(cause, f"cannot be opened for {'writing' if writable else 'reading'}", path) from cause
        try:
            found = os.fstat(self.fd)
            self._refuse_other_kinds(found)
            self._describe(found)
        except BaseException:
            os.close(self.fd)
            raise
        self._close = weakref.finalize(self, os.close, self.fd)

    def mark_stores(self) -> None:
        """
        Tells the other users of the memory, once, that this process stores: caches of its bytes are dropped. The lock lasts as long as
        this descriptor and all mappings made through it. Raises EBUSY somebody excludes all stores.
        """
        if self._stores:
            return
        if not locks.set_lock(self.fd, "shared", _STORES):
            fail("EBUSY", f"stores into {self.name} are locked out: end the process that did it", self.name)
        os.utime(self.fd)
        self._stores = True

    def _describe(self, found: os.stat_result) -> None:
        self.is_device = _stat.S_ISCHR(found.st_mode)
        if self.is_device:
            subsystem = os.path.realpath(f"/sys/dev/char/{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}/subsystem")
            if os.path.basename(subsystem) != "dax":
                fail("ENODEV", f"{self.name} is a character device but not a dax device: give /dev/daxX.Y", self.name)
            _require_devdax_mode(self.name, found.st_rdev)
            self.kind = "devdax"
            self.size = _sysfs_bytes(self.name, found.st_rdev, "size")
            self.granule = _sysfs_bytes(self.name, found.st_rdev, "align")
            directory = os.path.realpath(f"/sys/dev/char/{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}")
            self.persistent = "/ndbus" in directory
            return
        self.size = found.st_size
        if self.size == 0:
            fail("EINVAL", f"{self.name} is empty: it holds no volume", self.name)
        self.kind = _file_system_type(self.fd)
        self.granule = os.fstatvfs(self.fd).f_bsize if self.kind == _HUGETLBFS else layout.PAGE
        self.persistent = self.kind not in (_TMPFS, _HUGETLBFS)

    def _refuse_other_kinds(self, found: os.stat_result) -> None:
        if _stat.S_ISREG(found.st_mode) or _stat.S_ISCHR(found.st_mode):
            return
        if _stat.S_ISDIR(found.st_mode):
            fail("EISDIR", f"{self.name} is a directory: give a file or a /dev/daxX.Y device", self.name)
        fail("ENODEV", f"{self.name} is not memory: give a file or a /dev/daxX.Y device", self.name)

    def end_now(self) -> int:
        """Its size now. Other processes may cut a file at any time."""
        return self.size if self.is_device else os.fstat(self.fd).st_size

    def check(self, offset: int, length: int) -> None:
        """Raises EIO when the range is not all there now: touching it would end the process."""
        end = self.end_now()
        if offset + length > end:
            fail(
                "EIO",
                f"{self.name} ends at byte {end}, the range {offset}..{offset + length} is not all there: was it "
                "truncated, or is it the copy of a larger device?",
                self.name,
            )

    def read_into(self, view: memoryview, offset: int) -> None:
        """Fills a view. Raises EIO when the file ends before. Reading cannot end the process, whoever cuts the file."""
        self.invalidate(offset, len(view))
        if self.is_device:
            view[:] = memoryview(self._whole())[offset : offset + len(view)]
            return
        done = 0
        while done < len(view):
            try:
                count = os.preadv(self.fd, [view[done:]], offset + done)
            except OSError as cause:
                raise about(cause, f"reading {len(view)} bytes at {offset}", self.name) from cause
            if count == 0:
                self.check(offset, len(view))
                fail("EIO", f"{self.name} gave no bytes at {offset + done}", self.name)
            done += count

    def write_from(self, data: memoryview, offset: int) -> None:
        """Stores bytes, as write(2) does."""
        if self.is_device:
            memoryview(self._whole())[offset : offset + len(data)] = data
            return
        self.check(offset, len(data))
        done = 0
        while done < len(data):
            try:
                done += os.pwrite(self.fd, data[done:], offset + done)
            except OSError as cause:
                raise about(cause, f"writing {len(data)} bytes at {offset}", self.name) from cause

    def needs_pages(self, length: int) -> bool:
        """Whether a load from a hole takes memory, and there may be holes."""
        if self.kind not in (_TMPFS, _HUGETLBFS):
            return False
        found = os.fstat(self.fd)
        return found.st_blocks * 512 < found.st_size and length > 0

    @property
    def flushes(self) -> bool:
        """Whether stores must be written back before others see them, or before they survive power loss."""
        return not self.coherent or (self.persistent and self.is_device)

    def invalidate(self, offset: int, length: int) -> None:
        """Makes the next loads look at the memory, not at what our caches remember. Nothing to do on coherent memory."""
        if self.coherent or length == 0:
            return
        calls = libc.cache_calls(self.name)
        calls.flush(libc.address_of(self._whole()) + offset, length)
        calls.drain()

    def write_back(self, offset: int, length: int) -> None:
        """Writes the cache lines of a range back, and orders that before what is stored next."""
        if self.flushes and length:
            libc.cache_calls(self.name).persist(libc.address_of(self._whole()) + offset, length)

    def sync(self, offset: int, length: int) -> None:
        """Makes a range durable where the memory can be."""
        self.write_back(offset, length)
        if self.persistent and not self.is_device:
            try:
                os.fdatasync(self.fd)
            except OSError as cause:
                raise about(cause, "its bytes are not safe", self.name) from cause

    def _whole(self) -> mmap.mmap:
        """The whole memory in one lasting mapping, for devices and for cache-line instructions."""
        if self._lines is None:
            access = mmap.ACCESS_WRITE if self.writable else mmap.ACCESS_READ
            self._lines = mmap.mmap(self.fd, self.size, access=access)
        return self._lines

    def close(self) -> None:
        """Closes the descriptor. Mappings stay. Idempotent."""
        self._close()
        self.fd = -1
        self._lines = None


def _look(path: str) -> os.stat_result:
    """Before open(2): opening a pipe waits, and opening a device may have side effects."""
    try:
        return os.stat(path)
    except OSError as cause:
        if cause.errno == errno.ENOENT:
            fail("ENOENT", f"{path} is not there", path)
        raise about(cause, "cannot be opened", path) from cause


def _require_devdax_mode(node: str, rdev: int) -> None:
    driver = os.path.realpath(f"/sys/dev/char/{os.major(rdev)}:{os.minor(rdev)}/driver")
    name = os.path.basename(driver)
    if os.path.exists(driver) and name != "device_dax":
        fail("ENXIO", f"{node} is bound to {name}, raw access needs devdax mode (udax --kernel reconfigure-device)", node)
    if not os.path.exists(driver):
        fail("ENXIO", f"{node} is disabled: enable it first (udax --kernel enable-device)", node)
