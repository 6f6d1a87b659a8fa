"""Decodes log entries, one 544-byte slot each, and checks what they say (docs/famfs-format.md 2.3 and 7)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

from . import layout


@dataclass(frozen=True)
class Problem:
    """One finding about a medium. `code` is stable (`entry-crc`, `extent-range`, ...), `offset` a byte of the device.

    `entry` is the log entry that it concerns, `record` the record of the annex; None where there is none.
    """

    code: str
    message: str
    entry: Optional[int]
    offset: Optional[int] = None
    record: Optional[int] = None


@dataclass(frozen=True)
class Extent:
    """A run of bytes on a device. Device 0 holds the superblock."""

    devindex: int
    offset: int
    length: int


@dataclass(frozen=True)
class Fmap:
    """Where the bytes of a file lie. `chunk_size` is 0 for a simple file, whose extents follow each other.

    In an interleaved file the chunks go round-robin over the extents (its strips).
    """

    extents: Tuple[Extent, ...]
    chunk_size: int = 0


#: What is wrong with an entry: code, byte within the entry, text.
Fault = Tuple[str, int, str]


def entry_faults(data: bytes, index: int) -> List[Fault]:
    """Checks the sequence number and the crc, in C's order."""
    faults: List[Fault] = []
    (seqnum, _) = layout.ENTRY_HEAD.unpack_from(data)
    if seqnum != index:
        faults.append(("entry-seqnum", 0, f"seqnum is {seqnum}, want {index}"))
    (stored,) = layout.ENTRY_CRC.unpack_from(data, layout.ENTRY_CRC_AT)
    computed = zlib.crc32(data[: layout.ENTRY_CRC_AT])
    if stored != computed:
        faults.append(("entry-crc", layout.ENTRY_CRC_AT, f"crc is {stored:#x}, its bytes give {computed:#x}"))
    return faults


def path_components(field: bytes) -> Tuple[Optional[Tuple[str, str]], Sequence[bytes]]:
    """The components of a logged path, and the first rule that it breaks as (code, text)."""
    end = field.find(b"\0")
    if end == 0:
        return ("path-empty", "the path is empty"), ()
    if field[0:1] == b"/":
        return ("path-absolute", "the path is absolute, it must be relative to the root"), ()
    components = field[: end if end > 0 else layout.PATH_FIELD].split(b"/")
    for at, component in enumerate(components):
        # The last component of an unterminated path may be cut anywhere: that it is cut is the fault.
        if end < 0 and at == len(components) - 1:
            break
        if component == b"":
            return ("path-component", "the path has an empty component"), ()
        if component in (b".", b".."):
            return ("path-dot", "the path has a '.' or '..' component"), ()
    if end < 0:
        return ("path-unterminated", f"the path has no NUL within its {layout.PATH_FIELD} bytes"), ()
    if field[end:].strip(b"\0"):
        return ("path-junk", "the path field holds bytes behind its NUL"), ()
    return None, components


@dataclass(frozen=True)
class Limits:
    """What extents are checked against. `device_sizes` grows with ADD_DAXDEV entries."""

    alloc_unit: int
    data_start: int
    device_sizes: List[int]


def _count_fault(kind: int, stated: int, strips: int) -> Optional[Fault]:
    most = layout.MAX_EXTENTS
    if kind == layout.EXT_SIMPLE:
        if 1 <= stated <= most:
            return None
        return ("extent-count", layout.FMAP_AT + 8, f"it has {stated} extents, want 1 to {most}")
    if kind != layout.EXT_INTERLEAVED:
        return ("extent-type", layout.FMAP_AT, f"extent type {kind} is unknown")
    if stated != 1:
        return ("extent-count", layout.FMAP_AT + 8, f"it has {stated} interleaved extents, want 1")
    if not 1 <= strips <= most:
        return ("extent-count", layout.EXTENTS_AT, f"it has {strips} strips, want 1 to {most}")
    return None


def _extent_fault(i: int, extent: Extent, at: int, limits: Limits) -> Tuple[Optional[Fault], bool]:
    """The fault of one extent, and whether the file can be used all the same."""
    unit = limits.alloc_unit
    devindex, offset, length = extent.devindex, extent.offset, extent.length
    if length == 0 or length % unit:
        text = f"extent {i} has {length} bytes, not a multiple of the unit {unit}"
        return ("extent-alignment", at + 16, text), False
    if offset % unit:
        text = f"extent {i} starts at {offset}, not at a multiple of the unit {unit}"
        return ("extent-alignment", at + 8, text), False
    if devindex == 0 and offset < limits.data_start:
        start = limits.data_start
        text = f"extent {i} starts at {offset}, inside the superblock or log (data starts at {start})"
        return ("extent-offset", at + 8, text), False
    if devindex >= len(limits.device_sizes):
        text = f"extent {i} is on device {devindex}, which no entry added"
        fits = devindex <= layout.MAX_SAFE and offset + length <= layout.MAX_SAFE
        return ("extent-device", at, text), fits
    size = limits.device_sizes[devindex]
    if offset + length > size:
        text = f"extent {i} ({offset}, {length} bytes) ends past the device, which has {size}"
        return ("extent-range", at + 8, text), False
    return None, True


def _strip_fault(size: int, chunk: int, strips: Sequence[Extent]) -> Optional[Fault]:
    """The chunk size, and whether each strip holds its share of the file's chunks."""
    if chunk == 0 or chunk % layout.PAGE or chunk > layout.MAX_SAFE:
        return ("chunk-size", layout.EXTENTS_AT + 8, f"the chunk size is {chunk}, not a multiple of {layout.PAGE}")
    whole, rest = divmod(size, chunk * len(strips))
    for i, strip in enumerate(strips):
        needed = whole * chunk + min(chunk, max(0, rest - i * chunk))
        if strip.length < needed:
            text = f"strip {i} has {strip.length} bytes, a file of {size} needs {needed} there"
            return ("file-size", layout.STRIPS_AT + i * layout.EXTENT.size + 16, text)
    return None


def decode_fmap(data: bytes, size: int, limits: Limits) -> Tuple[Optional[Fmap], List[Fault]]:
    """The map of a FILE entry, None when the file cannot be used, and what is wrong with it."""
    faults: List[Fault] = []
    usable = 0 < size <= layout.MAX_SAFE
    if not usable:
        faults.append(("file-size", layout.META_AT, f"the file size is {size}"))
    kind, stated = layout.FMAP_HEAD.unpack_from(data, layout.FMAP_AT)
    strips, chunk = layout.INTERLEAVED.unpack_from(data, layout.EXTENTS_AT)
    fault = _count_fault(kind, stated, strips)
    if fault is not None:
        return None, [*faults, fault]
    striped = kind == layout.EXT_INTERLEAVED
    first = layout.STRIPS_AT if striped else layout.EXTENTS_AT
    extents: List[Extent] = []
    for i in range(strips if striped else stated):
        at = first + i * layout.EXTENT.size
        extent = Extent(*layout.EXTENT.unpack_from(data, at))
        extents.append(extent)
        fault, fits = _extent_fault(i, extent, at, limits)
        usable = usable and fits
        if fault is not None:
            faults.append(fault)
    if striped:
        fault = _strip_fault(size, chunk, extents)
    elif usable and size > sum(extent.length for extent in extents):
        capacity = sum(extent.length for extent in extents)
        fault = ("file-size", layout.META_AT, f"the file size is {size}, its extents hold {capacity} bytes")
    else:
        fault = None
    if fault is not None:
        return None, [*faults, fault]
    return (Fmap(tuple(extents), chunk if striped else 0) if usable else None), faults
