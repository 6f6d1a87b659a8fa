"""A device as its users see it: bytes 0..size, lying in one file or dax device of the host, in one or more ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterator, List, Optional, Sequence, Tuple

from .backing import Backing
from .errors import fail

#: Bytes of the backing that failed: offset and length.
Failed = Tuple[int, int]


@dataclass
class Range:
    """`length` bytes of the device, from `start` on, lie at `offset` of the backing."""

    start: int
    length: int
    offset: int


class Device:
    """The memory of one device. `zero_extend`: an image shorter than its device; metadata behind its end reads as zero."""

    def __init__(self, name: str, backing: Backing, ranges: Sequence[Range], zero_extend: bool = False) -> None:
        self.name = name
        self.backing = backing
        self._ranges = list(ranges)
        self._zero_extend = zero_extend
        self.size = sum(each.length for each in ranges)
        #: Failed memory, as ranges of the backing. The machine keeps it up to date.
        self.failed: List[Failed] = []
        #: Called before each use: raises when the device is not what it was.
        self.check: Optional[Callable[[], None]] = None

    @property
    def use_ranges(self) -> List[Tuple[int, int]]:
        """The bytes of the backing that this device is, for its use lock."""
        return [(each.offset, each.length) for each in self._ranges]

    def parts(self, offset: int, length: int) -> Iterator[Tuple[int, int]]:
        """Where bytes of the device lie in the backing. Raises EIO outside the device."""
        end = offset + length
        if offset < 0 or length < 0 or end > self.size:
            fail("EIO", f"{self.name} ends at {self.size}: there are no bytes {offset}..{end}", self.name)
        for each in self._ranges:
            start = max(offset, each.start)
            stop = min(end, each.start + each.length)
            if start < stop:
                yield each.offset + start - each.start, stop - start

    def _assert_healthy(self, at: int, size: int, what: str) -> None:
        for start, length in self.failed:
            if at < start + length and start < at + size:
                fail("EIO", f"memory of {what} has failed (bytes {start}..{start + length} of {self.backing.name})", what)

    def read_metadata(self, offset: int, length: int) -> bytes:
        """A copy of bytes of the superblock or the log. Raises EIO when they failed, or were cut off."""
        data = bytearray(length)
        view = memoryview(data)
        done = 0
        for at, size in self.parts(offset, length):
            self._assert_healthy(at, size, f"the superblock or log of {self.name}")
            there = min(size, max(0, self.backing.size - at)) if self._zero_extend else size
            if there:
                self.backing.read_into(view[done : done + there], at)
            done += size
        return bytes(data)

    def data_parts(self, extents: Sequence[Tuple[int, int]], what: str) -> List[Tuple[int, int]]:
        """Parts of the backing for bytes of a file, proven to be there now. Raises EIO."""
        found: List[Tuple[int, int]] = []
        for offset, length in extents:
            for at, size in self.parts(offset, length):
                self._assert_healthy(at, size, what)
                if found and found[-1][0] + found[-1][1] == at:
                    found[-1] = (found[-1][0], found[-1][1] + size)
                else:
                    found.append((at, size))
        if found:
            start = min(at for at, _ in found)
            self.backing.check(start, max(at + size for at, size in found) - start)
        return found
