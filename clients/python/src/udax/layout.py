"""The structs on media (docs/famfs-format.md 2): offsets, sizes and constants. All numbers are little-endian."""

from __future__ import annotations

import struct

MIB = 2**20
GIB = 2**30
PAGE = 4096
#: The largest integer that every reader of udax can hold. Larger ones on media are damage.
MAX_SAFE = 2**53 - 1

SUPER_MAGIC = 0x87B282FF
SUPER_VERSION = 48
SUPER_BYTES = 200
#: magic, version, log offset, log length, allocation unit, major, minor, three uuids, crc, flags, device size, uuid, name
SUPERBLOCK = struct.Struct("<5Q2I16s16s16sQI4xQ16s64s")
SUPER_CRC_AT = 96
UUID_AT = 48
SYSTEM_UUID_AT = 80

LOG_OFFSET = 2 * MIB
MIN_LOG_LENGTH = 8 * MIB
MAX_LOG_LENGTH = 4 * GIB
ALLOC_UNITS = (2 * MIB, PAGE)

LOG_MAGIC = 0xBADCAFEF00D
LOG_HEADER_BYTES = 48
#: magic, length, last index, crc, next seqnum, next index
LOG_HEADER = struct.Struct("<6Q")
LOG_CRC_AT = 24
NEXT_INDEX_AT = 40

ENTRY_BYTES = 544
ENTRY_CRC_AT = 536
#: seqnum, type
ENTRY_HEAD = struct.Struct("<QI")
ENTRY_CRC = struct.Struct("<Q")
META_AT = 16
TYPE_FILE, TYPE_MKDIR, TYPE_ADD_DAXDEV = 0, 1, 3

#: size, flags, uid, gid, mode, path
FILE_META = struct.Struct("<QIIII80s")
FILE_PATH_AT = META_AT + 24
#: uid, gid, mode, path
MKDIR_META = struct.Struct("<III80s")
MKDIR_PATH_AT = META_AT + 12
#: size, uuid, index
ADD_DAXDEV = struct.Struct("<Q16sI")
PATH_FIELD = 80

FMAP_AT = META_AT + 104
#: type, padding, count
FMAP_HEAD = struct.Struct("<I4xI")
EXTENTS_AT = FMAP_AT + 16
#: number of strips, chunk size
INTERLEAVED = struct.Struct("<2Q")
STRIPS_AT = EXTENTS_AT + 16
#: devindex, offset, length
EXTENT = struct.Struct("<3Q")
EXT_SIMPLE, EXT_INTERLEAVED = 0, 1
MAX_EXTENTS = 16

ROOT_INO = 1


def log_slots(log_length: int) -> int:
    """How many entries a log has room for."""
    return (log_length - LOG_HEADER_BYTES) // ENTRY_BYTES


def slot_offset(index: int) -> int:
    """Byte of slot `index`, from the start of the log."""
    return LOG_HEADER_BYTES + index * ENTRY_BYTES
