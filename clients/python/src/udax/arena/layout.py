"""The on-media format of an arena (docs/arena.md): the header, the places of all areas, and the words of each struct."""

from __future__ import annotations

import struct
import zlib
from typing import Dict, NamedTuple

from ..errors import fail

MAGIC = b"UDAXARNA"
VERSION = 1
_HEADER = struct.Struct("<8sII16sQIIIIIIIIQQQIIII")
HEADER_AREA = 4096
_CRC_COVERS = 112

#: Words of the control page of a part.
CONTROL: Dict[str, int] = {
    "owner": 0, "epoch": 4, "state": 5, "heartbeat": 16, "dirty": 32, "clock_epoch": 48, "members_high": 49,
    "free_slot": 64, "slot_high": 65, "committed": 66, "order_head": 67, "order_tail": 68, "sequence": 69,
    "limbo_head": 70, "free_block": 71, "block_high": 72, "used_units": 73, "reserved_units": 74, "limbo_units": 75,
    "reserved": 76, "limbo": 77, "tombstones": 78, "clock_steps": 79, "next_expiry": 80, "puts": 82, "deletes": 83,
    "evictions": 84, "expirations": 85, "first_level": 88, "second_level": 96, "free_lists": 128,
}  # fmt: skip
NEVER, OWNED, RELEASED = 0, 1, 2

#: Words of a member's record; its pins begin at 16.
MEMBER_STATE, MEMBER_PID, MEMBER_START, MEMBER_PIN_HIGH, MEMBER_INCARNATION, MEMBER_PINS = 0, 1, 2, 4, 5, 16
#: Words of a bucket.
BUCKET_WORDS, BUCKET_TAGS, BUCKET_ENTRIES, BUCKET_SIZE = 16, 2, 9, 7
#: Words of a slot.
STATE, GENERATION_HIGH, HASH_A, HASH_B, UNIT, LENGTH, KEY_BYTES, EXPIRY, VERSION_OF, CHECK = 0, 1, 2, 3, 4, 5, 7, 8, 10, 11
BLOCK, NEXT, PREVIOUS, SEQUENCE, MEMBER, INCARNATION, EPOCH, KEY = 12, 13, 14, 15, 16, 17, 18, 20
FREE, RESERVED, COMMITTED, DEAD, TOMBSTONE = 0, 1, 2, 3, 4
#: Words of a piece of the heap.
B_UNIT, B_UNITS, B_BEFORE, B_BEHIND, B_SLOT, B_FREE_BEFORE, B_FREE_BEHIND, BLOCK_WORDS = 0, 1, 2, 3, 4, 5, 6, 8

POLICIES = ("none", "clock", "fifo")


class Geometry(NamedTuple):
    """Where everything lies. Words count from the start of the file, or of the part."""

    uuid: str
    hosts: int
    members: int
    pins: int
    slots: int
    slot_bytes: int
    max_key: int
    buckets: int
    align: int
    part_bytes: int
    heap_offset: int
    heap_bytes: int
    policy: str
    lease_ms: int
    seed_a: int
    seed_b: int
    member_words: int
    touch_byte: int
    index_word: int
    slot_word: int
    block_word: int

    @property
    def units(self) -> int:
        """Units of a host's heap."""
        return self.heap_bytes // self.align

    @property
    def blocks(self) -> int:
        """Descriptors of a host's heap."""
        return 2 * self.slots + 2


def _up(value: int, to: int) -> int:
    return -(-value // to) * to


def decode_header(data: bytes, path: str, size: int) -> Geometry:
    """Decodes and checks a header. Raises EINVAL no arena, EOPNOTSUPP another version, EBADMSG damaged."""
    if len(data) < 128 or data[:8] != MAGIC:
        fail("EINVAL", f"{path} is no arena: it has no magic at byte 0; make one with udax arena create", path)
    version = int.from_bytes(data[8:12], "little")
    if version != VERSION:
        fail("EOPNOTSUPP", f"the arena {path} has format version {version}, this udax knows {VERSION}", path)

    def damaged(why: str) -> None:
        fail("EBADMSG", f"the header of the arena {path} is damaged: {why}", path)

    if zlib.crc32(data[:_CRC_COVERS]) != int.from_bytes(data[_CRC_COVERS : _CRC_COVERS + 4], "little"):
        damaged("its crc does not match")
    found = _HEADER.unpack_from(data)
    (_, _, _, uuid, file_bytes, hosts, members, pins, slots, slot_bytes, max_key, buckets, align) = found[:13]
    part_bytes, heap_offset, heap_bytes, eviction, lease_ms, seed_a, seed_b = found[13:]
    if file_bytes != size:
        damaged(f"it is for {file_bytes} bytes, the file has {size}")
    for name, value, low, high in (
        ("hosts", hosts, 1, 64),
        ("membersPerHost", members, 1, 65536),
        ("pinsPerMember", pins, 1, 2**20),
        ("slotsPerHost", slots, 1, 2**26),
        ("maxKeyBytes", max_key, 1, 255),
        ("alignBytes", align, 64, 2**30),
        ("eviction", eviction, 0, 2),
        ("leaseMs", lease_ms, 1, 2**32),
    ):
        if not low <= value <= high:
            damaged(f"{name} is {value}")
    member_bytes = 64 + _up(4 * pins, 64)
    touch = 4096 + members * member_bytes
    index = touch + _up(hosts * slots, 64)
    want_buckets = 1
    while want_buckets * BUCKET_SIZE < slots * 2:
        want_buckets *= 2
    slot_at = index + want_buckets * 64
    want_slot = _up(80 + max_key, 64)
    block_at = slot_at + slots * want_slot
    want_part = _up(block_at + (2 * slots + 2) * 32, 4096)
    want_heap = _up(HEADER_AREA + hosts * want_part, max(align, 4096))
    want_bytes = max(0, (size - want_heap) // hosts // align * align)
    wanted = (want_slot, want_buckets, want_part, want_heap, want_bytes)
    if align & (align - 1) or wanted != (slot_bytes, buckets, part_bytes, heap_offset, heap_bytes) or want_bytes < align:
        damaged("its numbers do not follow from its shape")
    text = uuid.hex()
    name = "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
    return Geometry(
        name, hosts, members, pins, slots, slot_bytes, max_key, buckets, align, part_bytes, heap_offset, heap_bytes,
        POLICIES[eviction], lease_ms, seed_a, seed_b, member_bytes // 4, touch, index // 4, slot_at // 4, block_at // 4,
    )  # fmt: skip


_MASK = 0xFFFFFFFF


def hash_key(key: bytes, seed_a: int, seed_b: int) -> "tuple[int, int]":
    """The two hashes of a key: the first chooses the bucket, the second is the tag there."""
    a, b = seed_a ^ len(key), seed_b
    for (word,) in struct.iter_unpack("<I", key + b"\0" * (-len(key) % 4)):
        a = (a ^ word) * 0x9E3779B1 & _MASK
        a ^= a >> 15
        b = (b ^ word) * 0x85EBCA6B & _MASK
        b = ((b << 13 | b >> 19) + a) & _MASK
    a = (a ^ a >> 16 ^ b) * 0x85EBCA6B & _MASK
    a = (a ^ a >> 13) * 0xC2B2AE35 & _MASK
    b = (b ^ b >> 15) * 0x2C1B3C6D & _MASK
    return a ^ a >> 16, b ^ b >> 12 ^ a


def check_of(words: memoryview, word: int) -> int:
    """The check of what never changes in a committed slot."""
    total = 0x811C9DC5
    for value in words[word + GENERATION_HIGH : word + CHECK]:
        total = ((total ^ value) * 0x01000193 & _MASK) ^ total >> 13
    return (total ^ words[word] >> 3) * 0x85EBCA6B & _MASK

