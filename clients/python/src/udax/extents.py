"""From bytes of a file to bytes of a device (docs/famfs-format.md 2.4)."""

from __future__ import annotations

from typing import Iterator, NamedTuple

from .entry import Fmap
from .errors import fail


class Piece(NamedTuple):
    """`length` bytes of a file that lie in one piece at `offset` of device `devindex`."""

    devindex: int
    offset: int
    length: int


def _resolve_simple(fmap: Fmap, offset: int) -> Piece:
    within = offset
    for extent in fmap.extents:
        if within < extent.length:
            return Piece(extent.devindex, extent.offset + within, extent.length - within)
        within -= extent.length
    return fail("ERANGE", f"file offset {offset} lies {within} bytes past the end of its extents")


def resolve(fmap: Fmap, offset: int) -> Piece:
    """Where the byte at `offset` of a file lies, and how many bytes follow it there. Raises ERANGE past the extents.

    >>> from udax.entry import Extent
    >>> M = 2 ** 20
    >>> striped = Fmap(tuple(Extent(0, base * M, 8 * M) for base in (100, 200, 300, 400)), chunk_size=2 * M)
    >>> [n // M for n in resolve(striped, 15 * M)]
    [0, 403, 1]
    """
    if offset < 0:
        fail("ERANGE", f"file offset {offset} is negative")
    if not fmap.chunk_size:
        return _resolve_simple(fmap, offset)
    chunk, within = divmod(offset, fmap.chunk_size)
    stripe, place = divmod(chunk, len(fmap.extents))
    strip = fmap.extents[place]
    at = stripe * fmap.chunk_size + within
    if at >= strip.length:
        fail("ERANGE", f"file offset {offset} lies past the end of strip {place} ({strip.length} bytes)")
    # A single strip is contiguous: the next chunk follows in the same strip.
    room = strip.length - at if len(fmap.extents) == 1 else fmap.chunk_size - within
    return Piece(strip.devindex, strip.offset + at, min(room, strip.length - at))


def pieces(fmap: Fmap, offset: int, length: int) -> Iterator[Piece]:
    """The pieces of [offset, offset + length) in file order. Pieces that follow each other on the device are one."""
    end = offset + length
    last = None
    while offset < end:
        found = resolve(fmap, offset)
        found = found._replace(length=min(found.length, end - offset))
        offset += found.length
        if last is None:
            last = found
        elif last.devindex == found.devindex and last.offset + last.length == found.offset:
            last = last._replace(length=last.length + found.length)
        else:
            yield last
            last = found
    if last is not None:
        yield last
