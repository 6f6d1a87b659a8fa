"""One open file of a volume: its bytes as memory of this process, and as a stream."""

from __future__ import annotations

import os
import weakref
from types import TracebackType
from typing import TYPE_CHECKING, Any, List, NamedTuple, Optional, Type, Union

from .entry import Fmap
from .errors import error, fail
from .extents import pieces
from .inode import Stat
from .locks import set_lock
from .span import Span, map_parts

if TYPE_CHECKING:
    from .volume import Volume

#: What can be filled or written: anything with a buffer.
Buffer = Union[bytes, bytearray, memoryview]


class HostPiece(NamedTuple):
    """`length` bytes of a file lie at `offset` of the host's file or device `path`."""

    path: str
    offset: int
    length: int


class VolumeFile:
    """A file of a volume. Volume.open() makes it. `size` is for good, as its bytes are: whoever truncates or replaces the file gives
    the name other bytes, and this handle keeps those that it opened, also when the name is gone.

    A memoryview from buffer() is the memory itself, and keeps it mapped for as long as it lives. It does not end with
    close(): that raises BufferError while a view is alive, as mmap does.
    """

    def __init__(self, volume: "Volume", stat: Stat, fmap: Fmap, writable: bool) -> None:
        self.path = stat.path
        self.name = stat.path
        self.size = stat.size
        self.mode = stat.mode
        self.fmap = fmap
        self._volume = volume
        self._writable = writable
        self._position = 0
        self._closed = False
        self._spans: "weakref.WeakValueDictionary[tuple[int, int, bool], Span]" = weakref.WeakValueDictionary()

    # Memory

    def buffer(self, offset: int = 0, length: Optional[int] = None, *, writable: bool = False) -> memoryview:
        """A view of [offset, offset + length), default the whole file: no copy.

        Read-only unless asked. A writable one is shared with every process that has the file. Raises EIO when some of the
        memory is lost, ENOMEM too many pieces, EINVAL outside the file, EROFS or EBADF writable where it is not.
        """
        length = self._range(offset, length)
        self.check()
        if writable:
            self._check_writable()
        if length == 0:
            return memoryview(b"")
        self._check_piece_count(length)
        parts = self._parts(offset, length)
        span = self._spans.get((offset, length, writable))
        if span is None:
            span = map_parts(self._volume.device.backing, parts, writable, self.path, self._volume.keeper)
            self._volume.add_span(span)
            self._spans[(offset, length, writable)] = span
        return span.view()

    def numpy(self, dtype: Any = "u1", offset: int = 0, count: int = -1, *, writable: bool = False) -> Any:
        """The bytes from `offset` on as a numpy array of `count` items (default: all that are there): no copy."""
        import numpy

        kind = numpy.dtype(dtype)
        rest = self.size - offset
        wanted = rest if count < 0 else count * kind.itemsize
        if count < 0 and rest % kind.itemsize:
            fail("EINVAL", f"{rest} bytes of {self.path} are not whole items of {kind.itemsize} bytes: give a count", self.path)
        if wanted == 0:
            return numpy.empty(0, kind)  # frombuffer() takes no empty buffer
        return numpy.frombuffer(self.buffer(offset, wanted, writable=writable), dtype=kind)

    def pieces(self) -> List[HostPiece]:
        """Where the bytes lie in files of the host, in file order: for programs that map them themselves."""
        self.check()
        name = os.path.abspath(self._volume.device.backing.name)
        return [HostPiece(name, at, size) for at, size in self._parts(0, self.size)]

    def check_memory(self) -> None:
        """Proves that all memory behind the file is there now. A view cannot tell: a load from a lost page ends the process."""
        self.check()
        self._extent_parts()

    # A stream

    def read(self, size: int = -1) -> bytes:
        """Copies bytes out, from the position on; always safe. b'' at the end."""
        rest = max(0, self.size - self._position)
        data = bytearray(rest if size is None or size < 0 else min(size, rest))
        self._read_into(memoryview(data), self._position)
        self._position += len(data)
        return bytes(data)

    def readinto(self, into: Buffer) -> int:
        """Fills a buffer from the position on. Returns how many bytes; 0 at the end."""
        view = memoryview(into).cast("B")
        view = view[: max(0, self.size - self._position)]
        self._read_into(view, self._position)
        self._position += len(view)
        return len(view)

    def pread(self, length: int, offset: int) -> bytes:
        """Copies bytes out from `offset` on, wherever the position is. Shorter at the end of the file."""
        if offset < 0 or length < 0:
            fail("EINVAL", f"there are no {length} bytes at {offset} of {self.path}", self.path)
        data = bytearray(min(length, max(0, self.size - offset)))
        self._read_into(memoryview(data), offset)
        return bytes(data)

    def write(self, data: Buffer) -> int:
        """Stores bytes at the position, all of them. Raises ENOSPC past the end of the file: nothing is written then."""
        self.check()
        self._check_writable()
        view = memoryview(data).cast("B")
        if self._position + len(view) > self.size:
            fail("ENOSPC", f"{self.path} has {self.size} bytes, for good: {len(view)} do not fit at {self._position}", self.path)
        backing = self._volume.device.backing
        done = 0
        for at, size in self._parts(self._position, len(view)):
            backing.write_from(view[done : done + size], at)
            backing.write_back(at, size)
            done += size
        self._position += done
        return done

    def flush(self) -> None:
        """Makes what was stored durable, where the memory can be."""
        self.check()
        if self._writable:
            for at, size in self._extent_parts():
                self._volume.device.backing.sync(at, size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Sets the position."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}.get(whence)
        if base is None or base + offset < 0:
            fail("EINVAL", f"there is no position {offset} (whence {whence}) in {self.path}", self.path)
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def writable(self) -> bool:
        """Whether the file was opened for writing."""
        return self._writable

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return self._closed

    # Life

    def close(self) -> None:
        """Ends this handle. Raises BufferError, and ends nothing, while a view or array of it is alive. Idempotent."""
        for span in list(self._spans.values()):
            span.close()
        self._closed = True

    def __enter__(self) -> "VolumeFile":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<udax file {self.path!r} of {self._volume.name}, {self.size} bytes>"

    def check(self) -> None:
        """Raises what a use of the file would raise: EBADF closed, ESTALE formatted anew, ENXIO, EIO."""
        if self._closed:
            fail("EBADF", f"{self.path} is closed: open it again", self.path)
        self._volume.check()

    def lock(self, offset: int = 0, length: Optional[int] = None) -> Optional["FileLock"]:
        """Locks bytes against other handles, processes included, of this host. None when another one has some of them.

        Advisory. It is the lock that udax takes for the same bytes. It ends with release() or with the process.
        """
        length = self._range(offset, length)
        self.check()
        self._check_writable()
        return FileLock.take(self._volume.device.backing.fd, self._parts(offset, length))

    # For those who use the memory themselves

    def write_back(self, offset: int, length: int) -> None:
        """Writes cache lines back where the memory's users do not share caches."""
        backing = self._volume.device.backing
        if backing.flushes:
            for at, size in self._parts(offset, length):
                backing.write_back(at, size)

    def refetch(self, offset: int, length: int) -> None:
        """Drops cache lines, so that the next loads see what other hosts stored."""
        backing = self._volume.device.backing
        if not backing.coherent:
            for at, size in self._parts(offset, length):
                backing.invalidate(at, size)

    def _range(self, offset: int, length: Optional[int]) -> int:
        wanted = self.size - offset if length is None else length
        if offset < 0 or wanted < 0 or offset + wanted > self.size:
            fail("EINVAL", f"{self.path} has {self.size} bytes: there are no {wanted} bytes at {offset}", self.path)
        return wanted

    def _check_piece_count(self, length: int) -> None:
        """Refuses what the kernel cannot map, before a list of millions of pieces is made. Raises ENOMEM."""
        if not self.fmap.chunk_size or len(self.fmap.extents) == 1:
            return
        count = length // self.fmap.chunk_size + 2
        with open("/proc/sys/vm/max_map_count", encoding="ascii") as most:
            limit = int(most.read())
        if count > limit:
            fail(
                "ENOMEM",
                f"{length} bytes of {self.path} are {count} pieces, this process may have {limit} (sysctl vm.max_map_count): "
                "map a part, or read it",
                self.path,
            )

    def _extent_parts(self) -> "list[tuple[int, int]]":
        """The memory of the whole file in at most one part an extent, in no order of the file."""
        for extent in self.fmap.extents:
            self._assert_here(extent.devindex)
        found = [(extent.offset, extent.length) for extent in self.fmap.extents]
        return self._volume.device.data_parts(found, self.path)

    def _assert_here(self, devindex: int) -> None:
        if devindex != 0:
            text = f"{self.path} lies on device {devindex}, which is not here: udax reads volumes of one device"
            fail("ENODEV", text, self.path)

    def _parts(self, offset: int, length: int) -> "list[tuple[int, int]]":
        found = []
        for piece in pieces(self.fmap, offset, length):
            self._assert_here(piece.devindex)
            found.append((piece.offset, piece.length))
        return self._volume.device.data_parts(found, self.path)

    def _read_into(self, view: memoryview, offset: int) -> None:
        self.check()
        done = 0
        if len(view):
            for at, size in self._parts(offset, len(view)):
                self._volume.device.backing.read_into(view[done : done + size], at)
                done += size

    def _check_writable(self) -> None:
        if not self._writable:
            raise error("EBADF", f"{self.path} was opened for reading: open it with writable=True", self.path)


class FileLock:
    """A lock on bytes of a file. `with lock:` releases it at the end."""

    def __init__(self, fd: int) -> None:
        self._release = weakref.finalize(self, os.close, fd)

    @staticmethod
    def take(fd: int, parts: "list[tuple[int, int]]") -> Optional["FileLock"]:
        """Takes a lock on parts of the memory, all or none."""
        own = os.open(f"/proc/self/fd/{fd}", os.O_RDWR | os.O_CLOEXEC)
        lock = FileLock(own)
        if all(set_lock(own, "exclusive", where) for where in parts):
            return lock
        lock.release()
        return None

    def release(self) -> None:
        """Gives it back. Idempotent."""
        self._release()

    def __enter__(self) -> "FileLock":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.release()
