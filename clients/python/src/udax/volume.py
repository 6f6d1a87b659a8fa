"""A famfs volume, read without a mount and without Node: this process reads superblock and log itself."""

from __future__ import annotations

import os
import weakref
from types import TracebackType
from typing import TYPE_CHECKING, Dict, Iterator, List, Optional, Tuple, Type

from . import layout
from .device import Device
from .entry import Problem
from .errors import UdaxError, error, fail
from .file import VolumeFile
from .holding import Holding
from .inode import Stat
from .log import Log
from .names import Found
from .span import Span
from .superblock import parse_superblock
from .tree import Tree
from .watch import WatchEvent, watch

if TYPE_CHECKING:
    import threading

    from .pcq import Queue


class _Keeper:
    """What lives as long as the volume, or any view of it: the use of the memory and its descriptor."""

    def __init__(self, device: Device, holding: Holding) -> None:
        self.device = device
        self.holding = holding

    def end(self) -> None:
        self.holding.release()
        self.device.backing.close()


class Volume:
    """An open volume. open_volume() makes it.

    Every call tells what happened to the volume since: ESTALE once it was formatted anew, ENXIO once its device was
    disabled, EIO when its memory was cut off. Views that are alive then show zeroes.
    """

    def __init__(
        self,
        device: Device,
        holding: Holding,
        owner: Optional[str],
        writable: bool,
        client_writes: bool,
        plain: bool = False,
    ) -> None:
        self.device = device
        self.keeper = _Keeper(device, holding)
        self._spans: "weakref.WeakSet[Span]" = weakref.WeakSet()
        self._queues: "weakref.WeakSet[Queue]" = weakref.WeakSet()
        self._stale: Optional[UdaxError] = None
        self._closed = False
        head = device.read_metadata(0, min(layout.SUPER_BYTES, device.size))
        self.superblock = parse_superblock(device.name, head, device.size)
        self._identity = (head[:8], head[layout.UUID_AT : layout.UUID_AT + 16])
        self._log = Log(device, self.superblock)
        self.tree = Tree(device, self.superblock, self._log, annex=not plain)
        self.tree.replay()
        self._refusal = self._why_no_stores(owner, writable, client_writes)

    def _why_no_stores(self, owner: Optional[str], writable: bool, client_writes: bool) -> Optional[Tuple[str, str]]:
        if not writable:
            return "EROFS", f"{self.name} was opened for reading: open_volume(..., writable=True) allows stores"
        if owner == self.superblock.system_uuid or client_writes:
            return None
        text = f"{self.name} belongs to another host, and only the owner writes; client_writes=True allows stores into files"
        return "EROFS", text

    @property
    def name(self) -> str:
        """The device, as it was named."""
        return self.device.name

    @property
    def uuid(self) -> str:
        """The uuid of the file system."""
        return self.superblock.uuid

    @property
    def problems(self) -> List[Problem]:
        """What was wrong with entries of the log and records of the annex, most of them skipped; the first 1000. What stopped is last."""
        stopped = self.stopped
        return [*self.tree.problems, *([] if stopped is None else [stopped])]

    @property
    def stopped(self) -> Optional[Problem]:
        """The bad entry of the log, or the bad record or file of the annex, at which reading stopped, or None."""
        return self.tree.stopped

    # Names

    def refresh(self) -> int:
        """Applies what other processes and hosts have published since. Returns how many log entries and records."""
        self.check()
        return self.tree.replay()

    def listdir(self, path: str = "/") -> List[str]:
        """Names in a directory, in order of creation. Raises ENOENT, ENOTDIR."""
        self.refresh()
        return [name for name, _ in self.tree.listed(self.tree.find(path))]

    def stat(self, path: str) -> Stat:
        """What is known of a file or directory; symbolic links are followed. Raises ENOENT, ENOTDIR, ELOOP."""
        self.refresh()
        return self.tree.stat(self.tree.find(path))

    def lstat(self, path: str) -> Stat:
        """As stat(), but tells of a symbolic link itself."""
        self.refresh()
        return self.tree.stat(self.tree.find(path, follow=False))

    def readlink(self, path: str) -> str:
        """The target of a symbolic link. Raises EINVAL it is none; as stat()."""
        target = self.lstat(path).target
        return fail("EINVAL", f"{path!r} is no symbolic link", path) if target is None else target

    def listxattr(self, path: str) -> List[str]:
        """The names of a file's or directory's attributes (`user.*`), sorted. Raises as stat()."""
        return sorted(self._xattrs(path))

    def getxattr(self, path: str, name: str) -> bytes:
        """The value of an attribute. Raises ENODATA it is not there; EOPNOTSUPP it is not of users (`user.*`); as stat()."""
        if not name.startswith("user."):
            fail("EOPNOTSUPP", f"{name!r} is no attribute of users: those start with 'user.'", path)
        value = self._xattrs(path).get(name)
        return fail("ENODATA", f"{path!r} has no attribute {name!r}", path) if value is None else value

    def _xattrs(self, path: str) -> Dict[str, bytes]:
        self.refresh()
        known = self.tree.names.attributes.get(self.tree.find(path).ino)
        return {} if known is None else known.xattrs

    def exists(self, path: str) -> bool:
        """Whether there is such a file or directory; of a symbolic link, whether it leads to one."""
        try:
            self.stat(path)
            return True
        except UdaxError as cause:
            if cause.code in ("ENOENT", "ENOTDIR", "ELOOP"):
                return False
            raise

    def walk(self, top: str = "/") -> Iterator[Tuple[str, List[str], List[str]]]:
        """As os.walk(): (path, names of directories, names of files), top down. Links to directories are told, not followed."""
        self.refresh()
        start = self.tree.find(top)
        self.tree.listed(start)
        pending = [start]
        while pending:
            here = pending.pop()
            directories: List[str] = []
            files: List[str] = []
            below: List[Found] = []
            for name, ino in self.tree.listed(here):
                path = f"{here.path.rstrip('/')}/{name}"
                if self.tree.names.is_dir(ino):
                    below.append(Found(ino, path))
                (directories if self._leads_to_directory(ino, path) else files).append(name)
            yield here.path, directories, files
            pending.extend(reversed(below))

    def _leads_to_directory(self, ino: int, path: str) -> bool:
        names = self.tree.names
        if names.target(ino) is None:
            return names.is_dir(ino)
        try:
            return names.is_dir(self.tree.find(path).ino)
        except UdaxError:
            return False  # it leads nowhere

    def open(self, path: str, *, writable: bool = False) -> VolumeFile:
        """Opens a file. Raises ENOENT, EISDIR; EROFS, EACCES writable where it is not allowed; EIO, EBADMSG damage."""
        self.refresh()
        found = self.tree.find(path)
        stat = self.tree.stat(found)
        fmap = self.tree.fmap(found)
        if writable:
            self._check_stores(stat)
            self.device.backing.mark_stores()
        return VolumeFile(self, stat, fmap, writable)

    def watch(
        self, interval: float = 0.004, timeout: Optional[float] = None, stop: Optional["threading.Event"] = None
    ) -> Iterator[WatchEvent]:
        """Waits for changes of names, made by any process: what is new, removed or renamed. Yields them as they appear.

        See udax.watch.watch(): the arguments are those.
        """
        return watch(self, interval, timeout, stop)

    def _check_stores(self, stat: Stat) -> None:
        if self._refusal is not None:
            fail(self._refusal[0], f"{stat.path}: {self._refusal[1]}", stat.path)
        user = os.geteuid()
        bit = 0o200 if user == stat.uid else 0o020 if stat.gid in (os.getegid(), *os.getgroups()) else 0o002
        if user != 0 and not stat.mode & bit:
            fail("EACCES", f"{stat.path} has mode {stat.mode:04o} of {stat.uid}:{stat.gid}: this user may not write it", stat.path)

    # Life

    def add_span(self, span: Span) -> None:
        """Notes a mapping of the volume's memory: it shows zeroes once the volume is another."""
        self._spans.add(span)

    def add_queue(self, queue: "Queue") -> None:
        """Notes an open end of a queue: it ends with the volume, since no view of its memory is given out."""
        self._queues.add(queue)

    def check(self) -> None:
        """Asks the memory itself whether this is still the file system that was opened. Raises EBADF, ESTALE, ENXIO, EIO."""
        if self._closed:
            fail("EBADF", f"the volume on {self.name} is closed: open it again", self.name)
        if self._stale is not None:
            raise self._stale.__class__(self._stale.code, self._stale.message, self._stale.path)
        if self.device.check is not None:
            try:
                self.device.check()
            except UdaxError as cause:
                if cause.code in ("ENXIO", "ENODEV"):
                    self._lose(cause)
                raise
        head = self.device.read_metadata(0, layout.UUID_AT + 16)
        if (head[:8], head[layout.UUID_AT :]) != self._identity:
            text = f"{self.name} was formatted anew while it was open: close the volume and open it again"
            self._lose(error("ESTALE", text, self.name))
            self.check()

    def _lose(self, cause: UdaxError) -> None:
        self._stale = cause
        for span in list(self._spans):
            span.detach()

    def close(self) -> None:
        """Ends the volume's use of the memory, and its queues. Raises BufferError while a view is alive. Idempotent."""
        if self._closed:
            return
        for queue in list(self._queues):
            queue.close()
        for span in list(self._spans):
            span.close()
        self._closed = True
        self.keeper.end()

    def __enter__(self) -> "Volume":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<udax volume on {self.name}, uuid {self.uuid}>"
