"""Reads the log: header, index, entries. Readers trust next_index alone.

Other hosts write slots at any time, so a slot is copied to private memory before it is checked and decoded.
"""

from __future__ import annotations

import zlib
from typing import List, Tuple

from . import layout
from .device import Device
from .entry import Fault, entry_faults
from .errors import fail
from .superblock import Superblock

_MOST_READS = 100


class Log:
    """The log that a superblock describes. Raises EBADMSG when its header is damaged or contradicts the superblock."""

    def __init__(self, device: Device, superblock: Superblock) -> None:
        self._device = device
        self._offset = superblock.log_offset
        self.name = device.name
        self.slots = layout.log_slots(superblock.log_length)
        data = device.read_metadata(self._offset, layout.LOG_HEADER_BYTES)
        magic, length, last, crc, seqnum, index = layout.LOG_HEADER.unpack(data)
        computed = zlib.crc32(data[: layout.LOG_CRC_AT])
        if magic != layout.LOG_MAGIC:
            self._damaged(f"log magic at byte {self._offset} is {magic:#x}")
        if crc != computed:
            self._damaged(f"log header crc at byte {self._offset + 24} is {crc:#x}, its bytes give {computed:#x}")
        if max(length, last, seqnum, index) > layout.MAX_SAFE:
            self._damaged("a number of the log header is beyond the integers udax can hold (2^53)")
        if length != superblock.log_length:
            self._damaged(f"the log header says {length} bytes, the superblock {superblock.log_length}")
        if last != self.slots - 1:
            self._damaged(f"the log header's last index is {last}, a log of {length} bytes ends at {self.slots - 1}")

    def _damaged(self, what: str) -> None:
        fail("EBADMSG", f"{self.name}: {what}; the log is damaged, udax fsck tells more", self.name)

    def _load_index(self) -> int:
        at = self._offset + layout.NEXT_INDEX_AT
        return int.from_bytes(self._device.read_metadata(at, 8), "little")

    def next_index(self, known: int) -> int:
        """How many entries are published. On damaged media it can be anything up to 2^64.

        The kernel copies the eight bytes for us and does not promise to do it in one load. So a value that differs from
        the known one counts when two reads agree.
        """
        value = self._load_index()
        for _ in range(_MOST_READS):
            if value == known:
                return value
            again = self._load_index()
            if again == value:
                return value
            value = again
        return value

    def entry_offset(self, index: int) -> int:
        """Device offset of slot `index`."""
        return self._offset + layout.slot_offset(index)

    def read_slots(self, first: int, count: int) -> bytes:
        """A private copy of slots, which must lie inside the log."""
        return self._device.read_metadata(self.entry_offset(first), count * layout.ENTRY_BYTES)

    def read_again(self, index: int) -> Tuple[bytes, List[Fault]]:
        """A fresh copy of one slot with what is wrong with it. A slot that fails its checks is read once more."""
        entry = self.read_slots(index, 1)
        faults = entry_faults(entry, index)
        if faults:
            entry = self.read_slots(index, 1)
            faults = entry_faults(entry, index)
        return entry, faults
