"""Reads and checks the superblock (docs/famfs-format.md 3), with the rules that udax adds for its numbers."""

from __future__ import annotations

import uuid
import zlib
from dataclasses import dataclass
from typing import NoReturn

from . import layout
from .errors import fail


@dataclass(frozen=True)
class Superblock:
    """The superblock. Sizes and offsets are bytes of the device."""

    log_offset: int
    log_length: int
    #: Files get space in multiples of it.
    alloc_unit: int
    uuid: str
    device_uuid: str
    #: The owner: the only host that may write.
    system_uuid: str
    device_size: int
    device_name: str

    @property
    def data_start(self) -> int:
        """The first byte that can hold file data."""
        return self.log_offset + self.log_length


def _damaged(name: str, what: str) -> NoReturn:
    fail("EBADMSG", f"{name}: {what}; the superblock is damaged: udax fsck tells more", name)


def _head(name: str, data: bytes) -> None:
    """The checks in C's order: magic, version, crc."""
    if len(data) < layout.SUPER_BYTES:
        fail("EINVAL", f"{name}: there is no superblock: the memory is shorter than one; udax mkfs makes one", name)
    magic, version = layout.SUPERBLOCK.unpack_from(data)[:2]
    if magic != layout.SUPER_MAGIC:
        fail("EINVAL", f"{name}: no famfs magic at byte 0: this is not a famfs; udax mkfs makes one", name)
    if version != layout.SUPER_VERSION:
        fail(
            "EOPNOTSUPP",
            f"{name}: superblock version is {version} at byte 8, this software knows {layout.SUPER_VERSION}; "
            "read it with the version that made it",
            name,
        )
    stored = int.from_bytes(data[layout.SUPER_CRC_AT : layout.SUPER_CRC_AT + 8], "little")
    computed = zlib.crc32(data[: layout.SUPER_CRC_AT])
    if stored != computed:
        _damaged(name, f"superblock crc at byte {layout.SUPER_CRC_AT} is {stored:#x}, its bytes give {computed:#x}")


def is_valid(data: bytes) -> bool:
    """Whether the 200 bytes pass C's checks."""
    try:
        _head("", data)
    except OSError:
        return False
    return int.from_bytes(data[32:40], "little") in layout.ALLOC_UNITS


def parse_superblock(name: str, data: bytes, media_size: int) -> Superblock:
    """Checks and decodes the superblock of a device of `media_size` bytes.

    Raises EINVAL not a famfs, EOPNOTSUPP another version, EFBIG a log longer than udax can use, EBADMSG damaged.
    """
    _head(name, data)
    fields = layout.SUPERBLOCK.unpack_from(data)
    _, _, log_offset, log_length, unit, _, _, fs_uuid, dev_uuid, sys_uuid, crc, _, size, _, label = fields
    if unit not in layout.ALLOC_UNITS:
        _damaged(name, f"allocation unit at byte 32 is {unit}, want {2 * layout.MIB} or {layout.PAGE}")
    for what, value in (("log offset", log_offset), ("log length", log_length), ("crc", crc), ("device size", size)):
        if value > layout.MAX_SAFE:
            _damaged(name, f"{what} is {value:#x}, beyond the integers udax can hold (2^53)")
    if log_offset != layout.LOG_OFFSET:
        _damaged(name, f"log offset at byte 16 is {log_offset}, want {layout.LOG_OFFSET}")
    if log_length < layout.MIN_LOG_LENGTH or log_length & (log_length - 1):
        _damaged(name, f"log length at byte 24 is {log_length}, want a power of two from {layout.MIN_LOG_LENGTH} up")
    if log_length > layout.MAX_LOG_LENGTH:
        fail(
            "EFBIG",
            f"{name}: log length at byte 24 is {log_length}, udax can use logs up to {layout.MAX_LOG_LENGTH}; "
            "read it with the software that made it",
            name,
        )
    end = log_offset + log_length
    if end > min(size, media_size):
        _damaged(name, f"the log ends at {end}, the device at {min(size, media_size)} (size at byte 112)")
    if size > media_size:
        _damaged(name, f"device size at byte 112 is {size}, but the device has {media_size} bytes")
    return Superblock(
        log_offset=log_offset,
        log_length=log_length,
        alloc_unit=unit,
        uuid=str(uuid.UUID(bytes=fs_uuid)),
        device_uuid=str(uuid.UUID(bytes=dev_uuid)),
        system_uuid=str(uuid.UUID(bytes=sys_uuid)),
        device_size=size,
        device_name=label.split(b"\0", 1)[0].decode("utf-8", "replace"),
    )
