"""The structs of an annex, and the checks of its header and of each record (docs/annex.md). All numbers are little-endian."""

from __future__ import annotations

import struct
import uuid
import zlib
from dataclasses import dataclass
from typing import NamedTuple, Optional, Tuple, Union

from . import layout
from .entry import Fault

#: The first annex, in the root directory. Further ones have `.1`, `.2`... behind it.
ANNEX_NAME = b".udax-annex"
#: The directory of objects whose names the log cannot say.
OBJECTS_NAME = b".udax-objects"
MAGIC = 0x6E6178616475
VERSION = 1
HEADER_BYTES = 4096
SLOT_BYTES = 64
#: Inode numbers from here on are of things that only the annex knows.
ANNEX_INO_START = 2**32
MOST_RECORDS = 2**32 - 1

#: magic, version, number, uuid, slots, first record, crc, next seqnum, next index
HEADER = struct.Struct("<QII16sQQQ8xQQ")
CRC_AT = 48
NEXT_INDEX_AT = 72
_U64_FIELDS = (("slots", 4, 32), ("first", 5, 40), ("nextSeqnum", 7, 64), ("nextIndex", 8, 72))

#: crc, seqnum, base, type, slots, inode, directory, other, new directory, mode, uid, gid, flags, seconds, nanoseconds, three lengths
RECORD = struct.Struct("<3Q2I4Q4IQ4I")
CRC_FROM = 8
SEQNUM_AT, BASE_AT, TYPE_AT, SLOTS_AT, INO_AT, DIRECTORY_AT, OTHER_AT, NEW_DIRECTORY_AT = 8, 16, 24, 28, 32, 40, 48, 56
FLAGS_AT, NAME_LENGTH_AT, NEW_NAME_LENGTH_AT, VALUE_LENGTH_AT = 76, 92, 96, 100
_TIME = struct.Struct("<qI4x")

BIND, UNBIND, RENAME, EXCHANGE, MAKE, ATTRIBUTES, TIMES, XATTR, REPLACE = range(1, 10)
MAKE_FILE, MAKE_SYMLINK = 1, 2
SET_MODE, SET_UID, SET_GID = 1, 2, 4
XATTR_REMOVE = 1

MOST_NAME_BYTES = 255
MOST_TARGET_BYTES = 4095
MOST_XATTR_BYTES = 65536
#: More attributes of one inode are refused: a hostile annex must not fill this process's memory.
MOST_XATTRS = 1024
USER_XATTR_PREFIX = b"user."
_NANOSECONDS = 1_000_000_000


def annex_name(number: int) -> bytes:
    """The name of annex `number`."""
    return ANNEX_NAME if number == 0 else ANNEX_NAME + b".%d" % number


def slots_for(extra: int) -> int:
    """How many slots a record with so many bytes behind its fixed part takes."""
    return -(-(RECORD.size + extra) // SLOT_BYTES)


MOST_RECORD_SLOTS = slots_for(2 * MOST_NAME_BYTES + MOST_XATTR_BYTES)


class Header(NamedTuple):
    """What a good header says."""

    slots: int
    first: int


def check_header(data: bytes, number: int, length: int, file_system: str) -> Union[Header, Fault]:
    """The header of annex `number`, whose file has `length` bytes; or what is wrong with it."""
    fields = HEADER.unpack_from(data)
    magic, version, found, raw, slots, first, crc = fields[:7]
    if magic != MAGIC:
        return "annex-magic", 0, "its magic is wrong: it is no annex"
    if crc != zlib.crc32(data[:CRC_AT]):
        return "annex-crc", CRC_AT, "the crc of its header is wrong"
    for name, index, at in _U64_FIELDS:
        if fields[index] > layout.MAX_SAFE:
            return "annex-number", at, f"{name} is {fields[index]}, beyond 2^53"
    if version != VERSION:
        return "annex-version", 8, f"its version is {version}, this software knows {VERSION}"
    owner = str(uuid.UUID(bytes=raw))
    if owner != file_system:
        return "annex-uuid", 16, f"it is of file system {owner}, and this one is {file_system}"
    if found != number:
        return "annex-number", 12, f"it says that it is annex {found}"
    room = (length - HEADER_BYTES) // SLOT_BYTES
    if not 1 <= slots <= room:
        return "annex-slots", 32, f"it has {slots} slots, its file has room for {room}"
    if first > MOST_RECORDS:
        return "annex-first", 40, f"its first record would be {first}"
    return Header(slots, first)


def record_seed(file_system: str) -> int:
    """The crc that those of all records of a file system continue. So a record of another one is never good."""
    return zlib.crc32(uuid.UUID(file_system).bytes)


@dataclass(frozen=True)
class Record:
    """A record as it stands on media, its crc, number and lengths checked. `when` is nanoseconds since 1970."""

    seqnum: int
    base: int
    type: int
    slots: int
    ino: int
    directory: int
    other: int
    new_directory: int
    mode: int
    uid: int
    gid: int
    flags: int
    when: int
    name: bytes
    new_name: bytes
    value: bytes


def read_record(data: bytes, at: int, left: int, seqnum: int, seed: int) -> Union[Record, Fault]:
    """The record at byte `at`, of which number `seqnum` is wanted, or what is wrong with it. `left`: published slots from it on."""
    if left * SLOT_BYTES < RECORD.size:
        return "annex-span", SLOTS_AT, "it does not fit what is published"
    stored, found, base, kind, slots, *inodes, mode, uid, gid, flags, seconds, nanoseconds, first, second, rest = RECORD.unpack_from(
        data, at
    )
    if found != seqnum or seqnum >= MOST_RECORDS:
        return "annex-seqnum", SEQNUM_AT, f"its number is {found}, want {seqnum}"
    names = first + second
    if names > 2 * MOST_NAME_BYTES or rest > MOST_XATTR_BYTES or slots != slots_for(names + rest) or slots > left:
        return "annex-span", SLOTS_AT, f"it spans {slots} slots with {names} and {rest} bytes behind it"
    name_at = at + RECORD.size
    new_name_at, value_at, end = name_at + first, name_at + names, name_at + names + rest
    crc = zlib.crc32(data[at + CRC_FROM : end], seed)
    if stored != crc:
        return "annex-record-crc", 0, f"its crc is {stored:#x}, its bytes give {crc:#x}"
    ino, directory, other, new_directory = inodes
    return Record(
        seqnum=seqnum,
        base=base,
        type=kind,
        slots=slots,
        ino=ino,
        directory=directory,
        other=other,
        new_directory=new_directory,
        mode=mode,
        uid=uid,
        gid=gid,
        flags=flags,
        when=seconds * _NANOSECONDS + nanoseconds % _NANOSECONDS,
        name=data[name_at:new_name_at],
        new_name=data[new_name_at:value_at],
        value=data[value_at:end],
    )


# Flag of a record of times: of those that it does not set, nobody knows any more.
NO_OTHER_TIMES = 8


def decode_times(value: bytes, flags: int) -> Tuple[Optional[int], Optional[int], Optional[int]]:
    """atime, mtime and ctime of a record's value, nanoseconds since 1970; None for those that its flags do not name."""
    if len(value) < 3 * _TIME.size:
        return None, None, None
    found = []
    for i in range(3):
        seconds, nanoseconds = _TIME.unpack_from(value, i * _TIME.size)
        found.append(seconds * _NANOSECONDS + nanoseconds % _NANOSECONDS if flags & 1 << i else None)
    return found[0], found[1], found[2]
