"""A span of addresses that shows bytes of files, stitched from pieces.

The span is a Python mmap object: an anonymous reservation, over which each piece is mapped in place (MAP_FIXED). So
Python itself keeps the addresses as long as any memoryview or array shows them, close() while one does is BufferError,
and the last reference unmaps everything.
"""

from __future__ import annotations

import mmap
from typing import List, Sequence, Tuple

from . import libc
from .backing import Backing
from .errors import fail

_HUGE = 2 * 2**20


class Span(mmap.mmap):
    """Addresses of this process. `keeper` is what must live as long as they do: the volume's use of the memory."""

    keeper: object
    address: int
    length: int
    writable: bool
    first: int
    wanted: int

    def view(self) -> memoryview:
        """Exactly the bytes that were asked for."""
        return memoryview(self)[self.first : self.first + self.wanted]

    def detach(self) -> None:
        """Shows zeroes from now on: the bytes behind it are not those of the file any more."""
        libc.map_zeroes(self.address, self.length, self.writable)


def _aligned(backing: Backing, parts: Sequence[Tuple[int, int]], name: str) -> List[Tuple[int, int]]:
    """Parts as whole pages of the memory. Only the first may begin, and only the last may end, within a page."""
    granule = backing.granule
    whole: List[Tuple[int, int]] = []
    for i, (offset, length) in enumerate(parts):
        lead = offset % granule if i == 0 else 0
        end = offset + length
        if i == len(parts) - 1:
            end = -(-end // granule) * granule
        start = offset - lead
        if start % granule or end % granule:
            fail(
                "EINVAL",
                f"{name} has pieces smaller than the pages of {backing.name} ({granule} bytes): it can be read, not mapped",
                name,
            )
        whole.append((start, end - start))
    return whole


def map_parts(
    backing: Backing, parts: Sequence[Tuple[int, int]], writable: bool, name: str, keeper: object
) -> Span:
    """Maps parts of the memory, (offset, length) each, behind each other."""
    whole = _aligned(backing, parts, name)
    length = sum(size for _, size in whole)
    # Huge pages need addresses that are aligned as the memory is: more is reserved, and the start chosen in it.
    align = max(backing.granule, _HUGE)
    protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
    try:
        span = Span(-1, length + align, flags=libc.RESERVE_FLAGS, prot=protection)
    except (OSError, OverflowError, ValueError):
        fail("ENOMEM", f"{name}: there are no addresses for {length} bytes (ulimit -v?)", name)
    base = libc.address_of(span)
    start = base + (whole[0][0] - base) % align
    at = start
    for offset, size in whole:
        libc.map_fixed(at, size, backing.fd, offset, writable, name)
        at += size
    span.keeper, span.address, span.length, span.writable = keeper, start, length, writable
    span.first = start - base + parts[0][0] - whole[0][0]
    span.wanted = sum(size for _, size in parts)
    if backing.needs_pages(length) and not libc.populate(start, length):
        fail("ENOSPC", f"{backing.name}: its holes find no memory for {name}: free some space there", backing.name)
    return span
